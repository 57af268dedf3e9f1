/** By what name and token the relay of a sandbox speaks to the egress proxy. Both follow from the record of the sandbox. */
import { HandKey } from '#contract/ids.ts';
import type { Ports } from '#core/ports/ports.ts';

interface Caller extends HandKey {
  readonly generation: number;
}

export function callerOf({ session, hand, generation }: Caller): string {
  return `${session}/${hand}/${generation}`;
}

/** Null for a text that names no sandbox. */
export function callerIn(text: string): Caller | null {
  const [, session, hand, generation] = /^([^/]+)\/([^/]+)\/(\d{1,9})$/.exec(text) ?? [];
  const named = HandKey.safeParse({ session, hand });
  return named.success ? { ...named.data, generation: Number(generation) } : null;
}

/** It tells nothing of the token with which the sandbox is called. */
export function egressToken({ hmac }: Pick<Ports, 'hmac'>, token: string): string {
  return hmac(token, 'egress');
}
