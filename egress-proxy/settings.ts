import { EgressProxyVariables } from '#contract/egress.ts';
import { AllowedHosts } from '#contract/outbound.ts';

/** The longest time of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Settings {
  readonly functionName: string;
  readonly region: string;
  readonly idleMs: number;
  readonly allow: AllowedHosts;
  readonly extraCa: string | null;
  readonly listen: { readonly host: string; readonly port: number };
}

export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/** @throws SettingError with the names of missing or invalid settings, and never with a value */
export function settingsFrom(environment: Readonly<Record<string, string | undefined>>): Settings {
  const parsed = EgressProxyVariables.safeParse(environment);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new SettingError(problems.join('; '));
  }
  const { EGRESS_FUNCTION, AWS_REGION, EGRESS_IDLE_SECONDS, EGRESS_ALLOW, EGRESS_EXTRA_CA, EGRESS_LISTEN } =
    parsed.data;
  return {
    functionName: EGRESS_FUNCTION,
    region: AWS_REGION,
    idleMs: Math.min(EGRESS_IDLE_SECONDS * 1000, MAX_TIMER_MS),
    allow: allowedFrom(EGRESS_ALLOW),
    extraCa: EGRESS_EXTRA_CA ?? null,
    listen: addressFrom(EGRESS_LISTEN),
  };
}

function allowedFrom(json: string): AllowedHosts {
  try {
    return AllowedHosts.parse(JSON.parse(json));
  } catch (cause) {
    throw new SettingError('EGRESS_ALLOW: must be a JSON list of allowed hosts', { cause });
  }
}

function addressFrom(listen: string): Settings['listen'] {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(listen) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new SettingError('EGRESS_LISTEN: must be host:port');
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
