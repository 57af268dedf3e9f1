/** Which egress proxy serves a session: all of its sandboxes use one, and sessions spread over those that are kept up. */
import type { SessionId } from '#contract/ids.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ProxySlot } from '#core/ports/sandboxes.ts';

const HEX_DIGITS = 8;

/** `warm` proxies are kept up; without any, one exists while it is needed. */
export function slotOf({ sha256 }: Pick<Ports, 'sha256'>, session: SessionId, warm: number): ProxySlot {
  return { slot: Number.parseInt(sha256(session).slice(0, HEX_DIGITS), 16) % Math.max(1, warm) };
}
