/** How appends are written: as rows of their logs, and in one transaction with the rows that change with them. */
import * as z from 'zod';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Entry, SessionState } from '#contract/entries.ts';
import { LOG_START, Position, positionAfter } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import {
  isPrimary,
  type Append,
  type Head,
  type LogKey,
  type NewThread,
  type PositionedEntry,
} from '#core/ports/session-log.ts';
import { restedUsage, sessionSince } from '#core/session/usage.ts';
import { isActive, isAtWork, sessionStatus } from '#core/session/waiting.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import {
  contentsRow,
  detailsRow,
  newThreadRow,
  primaryProgress,
  outcomesWrite,
  threadDetailsKey,
  threadKey,
} from '#aws/session/session-rows.dynamodb.ts';
import {
  createTable,
  EXISTS,
  IS_NEW,
  type Change,
  type Columns,
  type Key,
  type Write,
  type Row,
  type Table,
} from '#aws/table.ts';
import { planColumns } from '#aws/hand-rows.ts';
import { bodyOf, json, parseRow } from '#aws/row.ts';

interface Tables {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
}

interface Content {
  readonly content: ContentStore;
}

/**
 * Writes appends of different logs under one name, all or none. A repeat finds that name in a row that holds one of the
 * positions: one tells for all. The sort key is the first position after the head, so an append that another process wrote
 * since holds the same key.
 */
export function createLogWriter({ dynamodb, logTable, recordsTable, content }: Tables & Content) {
  const log = logTableOf(dynamodb, logTable);
  const records = createTable(dynamodb, recordsTable);
  return async (
    append: Append,
    beside: readonly (Append | NewThread)[],
    name: string,
  ): Promise<'saved' | 'conflict'> => {
    const parts = [append, ...beside];
    const begun = parts.flatMap((part) => (part.after === null ? part : []));
    const texts = [...parts.map((part) => entriesText(part, name)), ...begun.map((part) => threadText(part, name))];
    const columns = await place(content, texts);
    const rows = parts.map((part, at) => ({ ...logRow(part, name), ...columns[at] }));
    const changes = [
      ...parts.flatMap((part) => (part.after === null ? [] : changed(records, part))),
      ...begun.flatMap((part, at) => newThread(records, part, columns[parts.length + at])),
    ];
    const [row, ...others] = rows;
    if (row !== undefined && others.length === 0 && changes.length === 0) {
      const put = await log.put(row, { when: [IS_NEW] });
      return put.status === 'saved' || put.row?.['append'] === name ? 'saved' : 'conflict';
    }
    const puts = rows.map((one) => log.putting(one, { when: [IS_NEW] }));
    const transacted = await log.transact([...puts, ...changes], name);
    if (transacted.status === 'saved') return 'saved';
    const taken = transacted.lost.slice(0, rows.length).filter((one) => one !== null);
    if (taken.length > 0) return taken.some((one) => one.row?.['append'] === name) ? 'saved' : 'conflict';
    throw new Fault('stored_data_invalid', `the session ${append.key.session} has no row: it was deleted`);
  };
}

/** No condition is needed: the first row of the thread's log, in the same transaction, is new. */
function newThread(records: Table, part: NewThread, details: Columns | undefined): readonly Write[] {
  return [
    records.putting({ ...newThreadRow(part), ...threadColumns(part) }),
    records.putting({ ...threadDetailsKey(threadKey(part.key)), ...details, ...(part.own && planColumns(part.own)) }),
  ];
}

/** What an append to a log that goes on changes beside the log. */
function changed(records: Table, append: Append): readonly Write[] {
  if (!rowChanges(append)) return [];
  if (!isPrimary(append.key))
    return [records.updating(threadKey(append.key), { when: [EXISTS], set: threadColumns(append) })];
  const { session } = append.key;
  const sessionRow = records.updating({ pk: session, sk: 'session' }, sessionChange(append));
  const details = append.details === undefined ? [] : [records.putting(detailsRow(append.details))];
  const contents = append.contents === undefined ? [] : [records.putting(contentsRow(session, append.contents))];
  const hasOutcomes = append.state.outcomes !== undefined;
  const outcomes = hasOutcomes ? outcomesWrite(records, session, append.after.state, append.entries) : [];
  return [sessionRow, ...details, ...contents, ...outcomes];
}

type FirstAppend = Pick<Append, 'key' | 'entries' | 'state' | 'at' | 'cause'> & { readonly after?: null };

/** The row of an append, without its entries. `name` names the append, so that its writer recognises it after a lost answer. */
function logRow(append: Append | FirstAppend, name: string): Key & Columns {
  const { key, after, entries, state, at, cause = null } = append;
  const before = after?.position ?? LOG_START;
  const [first, last] = [positionAfter(before), positionAfter(before, entries.length)];
  return { pk: partition(key), sk: first, last, state: JSON.stringify(state), at, append: name, cause };
}

function entriesText({ key, after, entries }: Append | FirstAppend, name: string): Text {
  const first = positionAfter(after?.position ?? LOG_START);
  return { column: 'entries', text: JSON.stringify(entries), object: `${partition(key)}/${first}-${name}.json` };
}

function threadText({ key, thread }: NewThread, name: string): Text {
  return { column: 'body', text: JSON.stringify(thread), object: `${partition(key)}/details-${name}.json` };
}

/** The text of a column, and the name that it has in the bucket when it is too large for the row. */
interface Text {
  readonly column: 'entries' | 'body';
  readonly text: string;
  readonly object: string;
}

/**
 * The columns of texts that one transaction writes. One that is too large is put into the bucket first, and its column
 * then has `Key` after its name.
 */
async function place(content: ContentStore, texts: readonly Text[]): Promise<readonly Columns[]> {
  const sizes = texts.map(({ text }) => Buffer.byteLength(text));
  const together = sizes.reduce((sum, size) => sum + size, 0);
  const share = together <= MAX_TOGETHER_BYTES ? MAX_INLINE_BYTES : Math.floor(MAX_TOGETHER_BYTES / texts.length);
  const most = Math.min(share, MAX_INLINE_BYTES);
  return Promise.all(
    texts.map(async ({ column, text, object }, at) => {
      if ((sizes[at] ?? 0) <= most) return { [column]: text };
      await content.put(object, text);
      return { [`${column}Key`]: object };
    }),
  );
}

/** The write of a log's first row, for the transaction that creates a session together with its own row. */
export async function firstAppend(
  { dynamodb, logTable, content }: Omit<Tables, 'recordsTable'> & Content,
  first: FirstAppend,
  name: string,
): Promise<Write> {
  const [entries] = await place(content, [entriesText(first, name)]);
  return logTableOf(dynamodb, logTable).putting({ ...logRow(first, name), ...entries }, { when: [IS_NEW] });
}

/** Only what `GET /v1/sessions` shows and `sweep` looks for makes an append pay for a transaction. */
function rowChanges({ after, state, details, contents }: Append): boolean {
  const isOther =
    after.state.status !== state.status ||
    sessionStatus(after.state) !== sessionStatus(state) ||
    after.state.run !== state.run ||
    after.state.outcomes?.count !== state.outcomes?.count ||
    after.state.outcome?.result !== state.outcome?.result;
  return isOther || details !== undefined || contents !== undefined;
}

function sessionChange({ state, at }: Append): Change {
  const { contents = null, outcomes, team } = state;
  const others = { usage: JSON.stringify(restedUsage(state)), contents, outcomes: outcomes?.count ?? null };
  // The index finds the threads that have runs: this row stands for the primary thread there.
  const since = { status: sessionStatus(state), runningSk: isAtWork(state) ? (sessionSince(state) ?? at) : null };
  const primary = team === undefined ? {} : { primary: JSON.stringify(primaryProgress(state)) };
  return { when: [EXISTS], set: { ...progressColumns({ state, at }), ...since, ...primary, ...others } };
}

/** A child thread's row tells what the thread used when it last rested. A thread that was terminated is archived. */
function threadColumns({ state, at }: Pick<Append, 'state' | 'at'>): Columns {
  const rests = state.run > 0 && !isActive(state);
  return {
    ...progressColumns({ state, at }),
    ...(rests && { usage: JSON.stringify(state.usage) }),
    ...(state.status === 'terminated' && { archivedAt: at }),
  };
}

/** What the row of a session tells of its run, and the row of a child thread of its own. */
function progressColumns({ state, at }: Pick<Append, 'state' | 'at'>): Columns {
  const running = isActive(state);
  return {
    status: state.status,
    run: state.run,
    updatedAt: at,
    runningPk: running ? 'running' : null,
    runningSk: running ? (state.runningSince ?? at) : null,
  };
}

/** DynamoDB refuses an item over 400 KB; the folded state and the names need a share of it. */
const MAX_INLINE_BYTES = 200_000;
/**
 * DynamoDB refuses a transaction over 4 MB, and beside the texts of its logs and threads one may hold 26 states and the
 * session's details, contents and outcomes.
 */
const MAX_TOGETHER_BYTES = 2_000_000;

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
