/** Tells people, in the session's stream, what its sandbox lacks. The session goes on without it. */
import type { SessionState } from '#contract/entries.ts';
import type { SessionErrorBody } from '#contract/events.ts';
import { primaryThread, type SessionId } from '#contract/ids.ts';
import type { Ports } from '#core/ports/ports.ts';
import { change } from '#core/session/change.ts';
import { isNews } from '#core/session/evolve.ts';

/**
 * Each lack is told once in a session, by whichever call finds it first. `state` is the primary thread's, as the caller read
 * it: when that knows every one, nothing is read or written.
 */
export async function warn(
  { log, stamp }: Pick<Ports, 'log' | 'stamp'>,
  { session, state }: { readonly session: SessionId; readonly state: SessionState },
  errors: readonly SessionErrorBody[],
): Promise<void> {
  if (!errors.some((error) => isNews(state, error))) return;
  const key = { session, thread: primaryThread(session) };
  const head = await log.head(key);
  if (head !== null) await change({ log, stamp }, key, head, { do: 'warn', errors });
}
