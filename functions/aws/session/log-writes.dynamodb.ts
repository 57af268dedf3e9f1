/** How an append is written: as an item of the log, and in one transaction with the session's row where that changes. */
import {
  ConditionalCheckFailedException,
  PutItemCommand,
  TransactionCanceledException,
  TransactionConflictException,
  TransactWriteItemsCommand,
  type DynamoDBClient,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import type { Entry, SessionState } from '#contract/entries.ts';
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Append, LogKey } from '#core/ports/session-log.ts';
import { isActive } from '#core/session/waiting.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { MAX_INLINE_BYTES, partition, toItem, type Item } from '#aws/session/log-item.ts';
import { logUnavailable } from '#aws/session/log-query.dynamodb.ts';

/** The position is free: sk is the first position after the head, so whoever appended since holds this very key. */
const POSITION_IS_FREE = 'attribute_not_exists(pk)';

interface Tables {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
}

/** `stored`, or the item that holds the position already; `contended` while another transaction holds the row. */
type Written = 'stored' | 'contended' | Item;

/** Writes an append under its name: a repeat finds that name in the item that holds the position. */
export function writeAppend(
  tables: Tables,
  append: Append,
  { item, name }: { readonly item: Item; readonly name: string },
): Promise<Written> {
  return rowChanges(append) ? putWithRow(tables, append, { item, name }) : put(tables, item);
}

async function put({ dynamodb, logTable }: Tables, item: Item): Promise<Written> {
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: logTable,
        Item: item,
        ConditionExpression: POSITION_IS_FREE,
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return 'stored';
  } catch (cause) {
    if (cause instanceof ConditionalCheckFailedException && cause.Item !== undefined) return cause.Item;
    if (cause instanceof TransactionConflictException) return 'contended';
    return logUnavailable(cause);
  }
}

async function putWithRow(
  { dynamodb, logTable, recordsTable }: Tables,
  append: Append,
  { item, name }: { readonly item: Item; readonly name: string },
): Promise<Written> {
  const put = { TableName: logTable, Item: item, ConditionExpression: POSITION_IS_FREE };
  try {
    await dynamodb.send(
      new TransactWriteItemsCommand({
        ClientRequestToken: name,
        TransactItems: [
          { Put: { ...put, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
          { Update: rowUpdate(recordsTable, append) },
        ],
      }),
    );
    return 'stored';
  } catch (cause) {
    if (!(cause instanceof TransactionCanceledException)) return logUnavailable(cause);
    const [log, row] = cause.CancellationReasons ?? [];
    if (log?.Code === 'ConditionalCheckFailed' && log.Item !== undefined) return log.Item;
    if (log?.Code === 'TransactionConflict' || row?.Code === 'TransactionConflict') return 'contended';
    if (row?.Code === 'ConditionalCheckFailed') {
      throw new Fault('stored_data_invalid', `the session ${append.key.session} has no row: it was deleted`, { cause });
    }
    return logUnavailable(cause);
  }
}

/** The item of an append; what is too large for one is put into the bucket first. */
export function itemOf(content: ContentStore, append: Append, name: string): Promise<Item> {
  const { key, after, entries, state, at, cause } = append;
  return storedItem(content, key, {
    after: after.position,
    entries,
    state,
    at,
    name,
    ...(cause === undefined ? {} : { cause }),
  });
}

interface NewItem {
  readonly after: number;
  readonly entries: readonly Entry[];
  readonly state: SessionState;
  readonly at: Instant;
  readonly name: string;
  readonly cause?: string;
}

async function storedItem(content: ContentStore, key: LogKey, item: NewItem): Promise<Item> {
  const json = JSON.stringify(item.entries);
  const first = item.after + 1;
  const body = {
    key,
    first,
    last: item.after + item.entries.length,
    state: item.state,
    at: item.at,
    append: item.name,
    ...(item.cause === undefined ? {} : { cause: item.cause }),
  };
  if (Buffer.byteLength(json) <= MAX_INLINE_BYTES) return toItem({ ...body, content: { in: 'item', json } });
  const object = `${partition(key)}/${first}-${item.name}.json`;
  await content.put(object, json);
  return toItem({ ...body, content: { in: 'bucket', key: object } });
}

/** The write of a log's first item, for the transaction that creates a session together with its row. */
export async function firstAppend(
  { logTable, content }: { readonly logTable: string; readonly content: ContentStore },
  key: LogKey,
  first: Omit<NewItem, 'after'>,
): Promise<TransactWriteItem> {
  const Item = await storedItem(content, key, { ...first, after: 0 });
  return { Put: { TableName: logTable, Item, ConditionExpression: POSITION_IS_FREE } };
}

/** Only what `GET /v1/sessions` shows and `sweep` looks for makes an append pay for a transaction. */
function rowChanges({ after, state, details }: Append): boolean {
  return after.state.status !== state.status || after.state.run !== state.run || details !== undefined;
}

function rowUpdate(table: string, { key, state, at, details }: Append) {
  const running = isActive(state);
  const body = details === undefined ? '' : ', body = :body';
  const index = running ? ', runningPk = :running, runningSk = :since' : ' REMOVE runningPk, runningSk';
  return {
    TableName: table,
    Key: { pk: { S: key.session }, sk: { S: 'session' } },
    ConditionExpression: 'attribute_exists(pk)',
    UpdateExpression: `SET #status = :status, #usage = :usage, #run = :run, updatedAt = :at${body}${index}`,
    ExpressionAttributeNames: { '#status': 'status', '#usage': 'usage', '#run': 'run' },
    ExpressionAttributeValues: {
      ':status': { S: state.status },
      ':usage': { S: JSON.stringify(state.usage) },
      ':run': { N: String(state.run) },
      ':at': { S: at },
      ...(details === undefined ? {} : { ':body': { S: JSON.stringify(details) } }),
      ...(running ? { ':running': { S: 'running' }, ':since': { S: state.runningSince ?? at } } : {}),
    },
  };
}
