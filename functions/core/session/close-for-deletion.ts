/**
 * The first step of a session's deletion: its log is closed, so that nobody appends while it is removed, and open
 * streams learn of it. Refused while an agent is at work. A repeat closes it once more, which changes nothing.
 */
import type { Entry } from '#contract/entries.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import type { Changing } from '#core/session/change.ts';
import type { Refusal } from '#core/session/commands.ts';
import { decide } from '#core/session/decide.ts';
import { event } from '#core/session/entries.ts';
import { fold } from '#core/session/evolve.ts';

export type Closed = { readonly status: 'closed'; readonly head: Head } | Refusal;

export async function closeForDeletion({ log, stamp }: Changing, key: LogKey, from: Head): Promise<Closed> {
  for (let head = from; ;) {
    const ended = decide(head.state, { do: 'archive' }, stamp);
    if (ended.status === 'refused') return ended;
    const at = stamp.now();
    const deleted: Entry = event({ id: stamp.eventId(), type: 'session.deleted', processed_at: at });
    const entries = [...ended.entries, deleted];
    const appended = await log.append({ key, after: head, entries, state: fold(head, entries).state, at });
    if (appended.status === 'appended') return { status: 'closed', head: appended.head };
    head = appended.head;
  }
}
