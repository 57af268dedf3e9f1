/**
 * The first step of a session's deletion closes its log, so that no process appends while it is removed, and open streams
 * learn of it. It is refused while an agent is at work. A repeat closes the log once more, which changes nothing.
 */
import type { Ports } from '#core/ports/ports.ts';
import type { Append, Head, LogKey, NewThread } from '#core/ports/session-log.ts';
import { appendDecided, loadsOthers, prepare, type Prepared } from '#core/session/change.ts';
import type { OtherHeads, Refusal } from '#core/session/commands.ts';
import { event } from '#core/session/entries.ts';
import { fold } from '#core/session/evolve.ts';

type Closed = { readonly status: 'closed'; readonly head: Head } | Refusal;

export async function closeForDeletion(
  { log, stamp }: Pick<Ports, 'log' | 'stamp'>,
  key: LogKey,
  from: Head,
): Promise<Closed> {
  const closing = (head: Head, others: OtherHeads): Prepared => {
    const archived = prepare(key, head, { do: 'archive' }, { stamp, others });
    if (archived.status === 'refused') return archived;
    const at = stamp.now();
    const deleted = event({ id: stamp.eventId(), type: 'session.deleted', processed_at: at });
    const { append = null, beside = [] } = archived.status === 'prepared' ? archived : {};
    const entries = [...(append?.entries ?? []), deleted];
    return {
      status: 'prepared',
      append: { key, after: head, entries, state: fold(head, entries).state, at },
      beside,
    };
  };
  const store = (append: Append, ...beside: readonly (Append | NewThread)[]) => log.append(append, ...beside);
  const changed = await appendDecided(from, closing, store, loadsOthers(log, key, { do: 'archive' }));
  return changed.status === 'refused' ? changed : { status: 'closed', head: changed.head };
}
