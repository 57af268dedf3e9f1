/** What callers may do: asked of the service once for all connections of a caller, and kept for seconds, in memory only. */
import type { Grant } from '#contract/egress.ts';
import type { EgressFunction } from './egress-function.ts';
import type { Caller } from './greeting.ts';
import type { Log } from './log.ts';

/** `unreachable`: the service did not answer. `too_many`: the address spoke for more callers than a task has. */
type GrantAnswer = Grant | { readonly status: 'unreachable' } | { readonly status: 'too_many' };

export type Grants = (caller: Caller) => Promise<GrantAnswer>;

const KEEP_MS = 30_000;
/** The next connection after a failure asks again soon, and a program that tries in a loop does not ask each time. */
const KEEP_FAILURE_MS = 1_000;
const KEEP_UNKNOWN_MS = 5_000;
/**
 * A task speaks for one caller, and for another one when its address is given to the next task. Without this limit, a
 * program that guesses tokens would make the proxy ask for each guess.
 */
const MAX_CALLERS_OF_ADDRESS = 8;

export function grantsFrom(service: Pick<EgressFunction, 'grant'>, log: Log, keepMs = KEEP_MS): Grants {
  const byAddress = new Map<string, Map<string, Promise<GrantAnswer>>>();

  function forget(address: string, key: string): void {
    const kept = byAddress.get(address);
    kept?.delete(key);
    if (kept?.size === 0) byAddress.delete(address);
  }

  async function ask(caller: Caller, key: string): Promise<GrantAnswer> {
    const askedAt = performance.now();
    const answer = await service.grant(caller).catch((error: unknown): GrantAnswer => {
      log('ERROR', 'no grant', { error: error instanceof Error ? error.name : typeof error });
      return { status: 'unreachable' };
    });
    // Counted from the question: a secret that changes while it is answered is forgotten in time too.
    const left = keepFailureMs(answer) ?? keepMs - (performance.now() - askedAt);
    setTimeout(() => forget(caller.address, key), Math.max(0, left)).unref();
    return answer;
  }

  return async (caller) => {
    // The token is part of the key: what was granted to the right one is not granted to another one.
    const key = JSON.stringify([caller.caller, caller.token]);
    const kept = byAddress.get(caller.address) ?? new Map<string, Promise<GrantAnswer>>();
    const known = kept.get(key);
    if (known !== undefined) return known;
    if (kept.size >= MAX_CALLERS_OF_ADDRESS) return { status: 'too_many' };
    const answer = ask(caller, key);
    byAddress.set(caller.address, kept.set(key, answer));
    return answer;
  };
}

/** Null for a grant. */
function keepFailureMs({ status }: GrantAnswer): number | null {
  if (status === 'granted') return null;
  return status === 'unknown' ? KEEP_UNKNOWN_MS : KEEP_FAILURE_MS;
}
