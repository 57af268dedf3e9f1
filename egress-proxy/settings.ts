import * as z from 'zod';
import { EgressProxyVariables } from '#contract/egress.ts';
import { AllowedHosts } from '#contract/outbound.ts';

/** The longest time of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Settings {
  readonly functionName: string;
  readonly region: string;
  readonly idleMs: number;
  readonly allow: AllowedHosts;
  readonly ownHosts: readonly string[];
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
  const { EGRESS_FUNCTION, AWS_REGION, EGRESS_IDLE_SECONDS, EGRESS_EXTRA_CA, EGRESS_LISTEN } = parsed.data;
  return {
    functionName: EGRESS_FUNCTION,
    region: AWS_REGION,
    idleMs: Math.min(EGRESS_IDLE_SECONDS * 1000, MAX_TIMER_MS),
    allow: listFrom('EGRESS_ALLOW', parsed.data.EGRESS_ALLOW, AllowedHosts),
    ownHosts: listFrom('EGRESS_OWN_HOSTS', parsed.data.EGRESS_OWN_HOSTS, z.array(z.string())),
    extraCa: EGRESS_EXTRA_CA ?? null,
    listen: addressFrom(EGRESS_LISTEN),
  };
}

function listFrom<Schema extends z.ZodType>(name: string, json: string, schema: Schema): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(json));
  } catch (cause) {
    throw new SettingError(`${name}: must be a JSON list of hosts`, { cause });
  }
}

function addressFrom(listen: string): Settings['listen'] {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(listen) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new SettingError('EGRESS_LISTEN: must be host:port');
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
