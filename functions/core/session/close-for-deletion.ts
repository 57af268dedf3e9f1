/**
 * The first step of a session's deletion closes its log, so that no process appends while it is removed, and open streams
 * learn of it. It is refused while an agent is at work. A repeat closes the log once more, which changes nothing.
 */
import type { Ports } from '#core/ports/ports.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import { appendDecided, type Prepared } from '#core/session/change.ts';
import { extended, type Refusal } from '#core/session/commands.ts';
import { decide } from '#core/session/decide.ts';
import { event } from '#core/session/entries.ts';

type Closed = { readonly status: 'closed'; readonly head: Head } | Refusal;

export async function closeForDeletion(
  { log, stamp }: Pick<Ports, 'log' | 'stamp'>,
  key: LogKey,
  from: Head,
): Promise<Closed> {
  const closing = (head: Head): Prepared => {
    const ended = decide(head, { do: 'archive' }, stamp);
    if (ended.status === 'refused') return ended;
    const at = stamp.now();
    const deleted = event({ id: stamp.eventId(), type: 'session.deleted', processed_at: at });
    const { entries, head: closed } = extended(ended, [deleted]);
    return { status: 'prepared', append: { key, after: head, entries, state: closed.state, at }, beside: [] };
  };
  const changed = await appendDecided(from, closing, (append) => log.append(append));
  return changed.status === 'refused' ? changed : { status: 'closed', head: changed.head };
}
