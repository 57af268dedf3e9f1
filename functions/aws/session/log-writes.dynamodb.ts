/** How an append is written: as a row of the log, and in one transaction with the session's row where that changes. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Entry, SessionState } from '#contract/entries.ts';
import { LOG_START, positionAfter, type Instant, type Position } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Append, LogKey } from '#core/ports/session-log.ts';
import { isActive } from '#core/session/waiting.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { logTableOf, MAX_INLINE_BYTES, partition, rowOf } from '#aws/session/log-row.ts';
import {
  createTable,
  EXISTS,
  IS_NEW,
  type Change,
  type Columns,
  type Key,
  type Write,
  type Written,
} from '#aws/table.ts';

interface Tables {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
}

/**
 * Writes an append under its name: a repeat finds that name in the row that holds the position. The sort key is the first
 * position after the head, so an append that was written since holds this very key.
 */
export function createLogWriter({ dynamodb, logTable, recordsTable }: Tables) {
  const log = logTableOf(dynamodb, logTable);
  const records = createTable(dynamodb, recordsTable);
  return async (append: Append, row: Key & Columns, name: string): Promise<Written> => {
    if (!rowChanges(append)) return log.put(row, { when: [IS_NEW] });
    const { session } = append.key;
    const sessionRow = records.updating({ pk: session, sk: 'session' }, sessionChange(append));
    const transacted = await log.transact([log.putting(row, { when: [IS_NEW] }), sessionRow], name);
    if (transacted.status === 'saved') return { status: 'saved', row: null };
    const [taken = null] = transacted.lost;
    if (taken !== null) return { status: 'conflict', row: taken.row };
    throw new Fault('stored_data_invalid', `the session ${session} has no row: it was deleted`);
  };
}

/** The row of an append; what is too large for one is put into the bucket first. */
export function appendRow(content: ContentStore, append: Append, name: string): Promise<Key & Columns> {
  const { key, after, entries, state, at, cause } = append;
  return storedRow(content, key, {
    after: after.position,
    entries,
    state,
    at,
    name,
    ...(cause === undefined ? {} : { cause }),
  });
}

interface NewRow {
  readonly after: Position;
  readonly entries: readonly Entry[];
  readonly state: SessionState;
  readonly at: Instant;
  readonly name: string;
  readonly cause?: string;
}

async function storedRow(content: ContentStore, key: LogKey, item: NewRow): Promise<Key & Columns> {
  const json = JSON.stringify(item.entries);
  const first = positionAfter(item.after);
  const body = {
    key,
    first,
    last: positionAfter(item.after, item.entries.length),
    state: item.state,
    at: item.at,
    append: item.name,
    ...(item.cause === undefined ? {} : { cause: item.cause }),
  };
  if (Buffer.byteLength(json) <= MAX_INLINE_BYTES) return rowOf({ ...body, content: { in: 'item', json } });
  const object = `${partition(key)}/${first}-${item.name}.json`;
  await content.put(object, json);
  return rowOf({ ...body, content: { in: 'bucket', key: object } });
}

/** The write of a log's first row, for the transaction that creates a session together with its own row. */
export async function firstAppend(
  { dynamodb, logTable, content }: Pick<Tables, 'dynamodb' | 'logTable'> & { readonly content: ContentStore },
  key: LogKey,
  first: Omit<NewRow, 'after'>,
): Promise<Write> {
  const row = await storedRow(content, key, { ...first, after: LOG_START });
  return logTableOf(dynamodb, logTable).putting(row, { when: [IS_NEW] });
}

/** Only what `GET /v1/sessions` shows and `sweep` looks for makes an append pay for a transaction. */
function rowChanges({ after, state, details }: Append): boolean {
  return after.state.status !== state.status || after.state.run !== state.run || details !== undefined;
}

function sessionChange({ state, at, details }: Append): Change {
  const running = isActive(state);
  return {
    when: [EXISTS],
    set: {
      status: state.status,
      usage: JSON.stringify(state.usage),
      run: state.run,
      updatedAt: at,
      ...(details === undefined ? {} : { body: JSON.stringify(details) }),
      runningPk: running ? 'running' : null,
      runningSk: running ? (state.runningSince ?? at) : null,
    },
  };
}
