/** The items of the records table that lie beside a session's row, and the rows of its child threads. */
import * as z from 'zod';
import { type Entry, type SessionState } from '#contract/entries.ts';
import { Instant } from '#contract/ids.ts';
import type { SessionContents } from '#contract/resources.ts';
import { OutcomeEvaluation, SessionStatus } from '#contract/sessions.ts';
import { Usage } from '#contract/usage.ts';
import type { LogKey, NewThread, SessionDetails } from '#core/ports/session-log.ts';
import { outcomeChanges } from '#core/session/outcomes.ts';
import { listKeys } from '#aws/row.ts';
import type { Columns, Key, Row, Table, Write } from '#aws/table.ts';

/** The agent's snapshot may be hundreds of kilobytes, which a change of status must not write again. */
export function detailsRow(details: SessionDetails): Key & Columns {
  return { ...detailsKey(details.id), body: JSON.stringify(details) };
}

export function detailsKey(session: string): Key {
  return { pk: session, sk: 'session#details' };
}

/** Its key comes after that of the details. */
export function contentsRow(session: string, contents: SessionContents): Key & Columns {
  return { ...contentsKey(session), body: JSON.stringify(contents) };
}

export function contentsKey(session: string): Key {
  return { pk: session, sk: 'session#mounts' };
}

export function outcomesKey(session: string): Key {
  return { pk: session, sk: 'session#outcomes' };
}

/** What these entries tell of the session's outcomes, which are one item: no texts are written again with a change. */
export function outcomesWrite(
  records: Table,
  session: string,
  before: Pick<SessionState, 'outcome' | 'outcomes'>,
  entries: readonly Entry[],
): readonly Write[] {
  const changes = [...outcomeChanges(before, entries)];
  const set = changes.flatMap(([number, { description, progress, explanation }]) => [
    ...(description === undefined ? [] : [[`description${number}`, description] as const]),
    ...(explanation === undefined ? [] : [[`explanation${number}`, explanation] as const]),
    [`progress${number}`, JSON.stringify(progress)] as const,
  ]);
  return set.length === 0 ? [] : [records.updating(outcomesKey(session), { set: Object.fromEntries(set) })];
}

/** Those that an item of a session's outcomes holds, the first one first. */
export function outcomesIn(row: Row): readonly OutcomeEvaluation[] {
  const found: OutcomeEvaluation[] = [];
  for (let number = 1; row[`progress${number}`] !== undefined; number += 1) {
    const texts = { description: row[`description${number}`], explanation: row[`explanation${number}`] ?? null };
    const progress: unknown = JSON.parse(String(row[`progress${number}`]));
    found.push(OutcomeEvaluation.parse({ type: 'outcome_evaluation', ...texts, ...Object(progress) }));
  }
  return found;
}

/** A column of the session's row once it has had other threads: what is the primary thread's own. */
export const PrimaryProgress = z.object({ status: SessionStatus, usage: Usage, runningSince: Instant.nullable() });

export function primaryProgress({ status, usage, runningSince }: SessionState): z.infer<typeof PrimaryProgress> {
  return { status, usage, runningSince };
}

/** The rows of a session's child threads have keys that begin with it. */
export const OF_THREADS = 'thread#';

/** The primary thread has none: the session's row serves. */
export function threadKey({ session, thread }: LogKey): Key {
  return { pk: session, sk: `${OF_THREADS}${thread}` };
}

/** Its key comes after that of the row, which is written with each change of status, and the agent may be large. */
export function threadDetailsKey({ pk, sk }: Key): Key {
  return { pk, sk: `${sk}#details` };
}

/** Without what follows from the thread's log. */
export function newThreadRow({ key, thread, state }: NewThread): Key & Columns {
  const place = { createdAt: thread.created_at, id: thread.id };
  const keys = listKeys(key.session, 'thread', place, 'scope');
  return { ...threadKey(key), workspace: state.workspace, thread: key.thread, ...keys };
}
