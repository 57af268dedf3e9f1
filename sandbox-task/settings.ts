import { resolve } from 'node:path';
import * as z from 'zod';
import { SandboxVariables } from '../functions/contract/hands.ts';
import { parseJson, problemsOf } from './body.ts';
import type { Places } from './places.ts';
import { USUAL_HOST } from './relay.ts';

/** The longest time of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Settings {
  readonly tokenSha256: string;
  readonly places: Places;
  readonly idleMs: number;
  /** Null for a sandbox without packages. */
  readonly archive: string | null;
  /** Stands before each command that the server starts; null where the user of commands is changed, if anything is. */
  readonly asAgent: readonly string[] | null;
  /** Whether the server is another user than the agent. On a machine without walls any user may have its number. */
  readonly changesUser: boolean;
  /** The loopback address of the relay. */
  readonly relayHost: string;
  readonly listen: { readonly path: string } | { readonly host: string; readonly port: number };
}

export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/** @throws SettingError with the names of missing or invalid settings, and never with a value */
export function settingsFrom(environment: Readonly<Record<string, string | undefined>>): Settings {
  const parsed = SandboxVariables.safeParse(environment);
  if (!parsed.success) {
    throw new SettingError(problemsOf(parsed.error));
  }
  const { SANDBOX_TOKEN_SHA256, SANDBOX_WORKDIR, SANDBOX_IDLE_SECONDS, SANDBOX_LISTEN } = parsed.data;
  const { SANDBOX_PACKAGES: archive = null, PACKAGES_DIR: dir, SANDBOX_MNT: mnt } = parsed.data;
  const { SANDBOX_AS_AGENT, SANDBOX_CHANGES_USER } = parsed.data;
  return {
    tokenSha256: SANDBOX_TOKEN_SHA256,
    places: { workdir: resolve(SANDBOX_WORKDIR), mnt: resolve(mnt), packagesDir: archive === null ? null : dir },
    idleMs: Math.min(SANDBOX_IDLE_SECONDS * 1000, MAX_TIMER_MS),
    archive,
    asAgent: SANDBOX_AS_AGENT === undefined ? null : launcherFrom(SANDBOX_AS_AGENT),
    changesUser: SANDBOX_CHANGES_USER !== undefined,
    relayHost: parsed.data.SANDBOX_RELAY_HOST ?? USUAL_HOST,
    listen: addressFrom(SANDBOX_LISTEN),
  };
}

function launcherFrom(json: string): readonly string[] {
  const launcher = z.array(z.string()).min(1).safeParse(parseJson(json));
  if (!launcher.success) throw new SettingError('SANDBOX_AS_AGENT: must be a JSON list of texts');
  return launcher.data;
}

function addressFrom(listen: string): Settings['listen'] {
  if (listen.startsWith('/')) return { path: listen };
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(listen) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new SettingError('SANDBOX_LISTEN: must be host:port, or the absolute path of a Unix socket');
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
