/** How an append is written: as a row of the log, and in one transaction with the session's row where that changes. */
import * as z from 'zod';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Entry, SessionState } from '#contract/entries.ts';
import { LOG_START, Position, positionAfter } from '#contract/ids.ts';
import type { SessionContents } from '#contract/resources.ts';
import { OutcomeEvaluation } from '#contract/sessions.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Append, LogKey, Head, PositionedEntry, SessionDetails } from '#core/ports/session-log.ts';
import { outcomeChanges } from '#core/session/outcomes.ts';
import { isActive } from '#core/session/waiting.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import {
  createTable,
  EXISTS,
  IS_NEW,
  type Change,
  type Columns,
  type Key,
  type Write,
  type Written,
  type Row,
  type Table,
} from '#aws/table.ts';
import { bodyOf, json, parseRow } from '#aws/row.ts';

interface Tables {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
}

/**
 * Writes an append under its name: a repeat finds that name in the row that holds the position. The sort key is the first
 * position after the head, so an append that another process wrote since holds the same key.
 */
export function createLogWriter({ dynamodb, logTable, recordsTable }: Tables) {
  const log = logTableOf(dynamodb, logTable);
  const records = createTable(dynamodb, recordsTable);
  return async (append: Append, row: Key & Columns, name: string): Promise<Written> => {
    if (!rowChanges(append)) return log.put(row, { when: [IS_NEW] });
    const { session } = append.key;
    const sessionRow = records.updating({ pk: session, sk: 'session' }, sessionChange(append));
    const details = append.details === undefined ? [] : [records.putting(detailsRow(append.details))];
    const contents = append.contents === undefined ? [] : [records.putting(contentsRow(session, append.contents))];
    const hasOutcomes = append.state.outcomes !== undefined;
    const outcomes = hasOutcomes ? outcomesWrite(records, session, append.after.state, append.entries) : [];
    const writes = [log.putting(row, { when: [IS_NEW] }), sessionRow, ...details, ...contents, ...outcomes];
    const transacted = await log.transact(writes, name);
    if (transacted.status === 'saved') return { status: 'saved', row: null };
    const [taken = null] = transacted.lost;
    if (taken !== null) return { status: 'conflict', row: taken.row };
    throw new Fault('stored_data_invalid', `the session ${session} has no row: it was deleted`);
  };
}

interface NewRow extends Pick<Append, 'key' | 'entries' | 'state' | 'at' | 'cause'> {
  readonly after: Position;
  /** Names this append, so that its writer recognises it after a lost answer. */
  readonly name: string;
}

/** The row of an append. Entries that are too large for a row are put into the bucket first. */
export async function appendRow(content: ContentStore, append: NewRow): Promise<Key & Columns> {
  const { key, after, entries, state, at, cause = null, name } = append;
  const first = positionAfter(after);
  const last = positionAfter(after, entries.length);
  const row = { pk: partition(key), sk: first, last, state: JSON.stringify(state), at, append: name, cause };
  const text = JSON.stringify(entries);
  if (Buffer.byteLength(text) <= MAX_INLINE_BYTES) return { ...row, entries: text };
  const entriesKey = `${partition(key)}/${first}-${name}.json`;
  await content.put(entriesKey, text);
  return { ...row, entriesKey };
}

/** The write of a log's first row, for the transaction that creates a session together with its own row. */
export async function firstAppend(
  { dynamodb, logTable, content }: Pick<Tables, 'dynamodb' | 'logTable'> & { readonly content: ContentStore },
  key: LogKey,
  first: Omit<NewRow, 'key' | 'after'>,
): Promise<Write> {
  const row = await appendRow(content, { ...first, key, after: LOG_START });
  return logTableOf(dynamodb, logTable).putting(row, { when: [IS_NEW] });
}

/** Only what `GET /v1/sessions` shows and `sweep` looks for makes an append pay for a transaction. */
function rowChanges({ after, state, details, contents }: Append): boolean {
  const isOther =
    after.state.status !== state.status ||
    after.state.run !== state.run ||
    after.state.outcomes?.count !== state.outcomes?.count ||
    after.state.outcome?.result !== state.outcome?.result;
  return isOther || details !== undefined || contents !== undefined;
}

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

function sessionChange({ state, at }: Append): Change {
  const running = isActive(state);
  return {
    when: [EXISTS],
    set: {
      status: state.status,
      usage: JSON.stringify(state.usage),
      run: state.run,
      contents: state.contents ?? null,
      outcomes: state.outcomes?.count ?? null,
      updatedAt: at,
      runningPk: running ? 'running' : null,
      runningSk: running ? (state.runningSince ?? at) : null,
    },
  };
}

/** DynamoDB refuses an item over 400 KB; the folded state and the names need a share of it. */
const MAX_INLINE_BYTES = 200_000;

const Entries = z.array(Entry);
const Last = z.object({ last: Position, state: json(SessionState) });
const PositionRange = z.object({ sk: Position, last: Position });

export function logTableOf(dynamodb: DynamoDBClient, name: string): Table {
  return createTable(dynamodb, name, {
    unavailable: (cause) => {
      throw new Fault('log_unavailable', 'the session log did not answer', { cause });
    },
  });
}

export function partition(key: LogKey): string {
  return `${key.session}/${key.thread}`;
}

export function headOf(row: Row): Head {
  const { last, state } = parseRow(Last, row);
  return { position: last, state };
}

/** Positions of the first and the last entry. */
export function rangeOf(row: Row): { readonly first: Position; readonly last: Position } {
  const { sk, last } = parseRow(PositionRange, row);
  return { first: sk, last };
}

export async function entriesOf(
  row: Row,
  fetch: (key: string) => Promise<string>,
): Promise<readonly PositionedEntry[]> {
  const entriesKey = row['entriesKey'];
  const entries = typeof entriesKey === 'string' ? await fetch(entriesKey) : row['entries'];
  const { first } = rangeOf(row);
  return bodyOf({ ...row, entries }, 'entries', Entries).map((entry, index) => ({
    position: positionAfter(first, index),
    entry,
  }));
}
