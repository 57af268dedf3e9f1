/** The session log on DynamoDB: one append, one item (design §2). */
import {
  ConditionalCheckFailedException,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  TransactionCanceledException,
  TransactionConflictException,
  type DynamoDBClient,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import type { Entry, SessionState } from '#contract/entries.ts';
import type { Instant } from '#contract/ids.ts';
import type { Order } from '#contract/pages.ts';
import { Fault } from '#core/errors.ts';
import type { Append, Appended, Head, LogKey, PositionedEntry, SessionLog } from '#core/ports.ts';
import { isActive } from '#core/session/waiting.ts';
import type { ContentStore } from '#aws/content.s3.ts';
import { appendOf, entriesOf, headOf, MAX_INLINE_BYTES, partition, rangeOf, toItem, type Item } from '#aws/log-item.ts';

export interface SessionLogOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
  readonly content: ContentStore;
  /** Makes the name of an append; unique. */
  readonly newName: () => string;
}

/** The position is free: sk is the first position after the head, so whoever appended since holds this very key. */
const POSITION_IS_FREE = 'attribute_not_exists(pk)';

/** Two transactions on one row refuse each other at once; each refusal costs a round trip, so few are needed. */
const MAX_CONTENDED = 10;

const NOTHING = { entries: [], head: null };

export function createSessionLog(options: SessionLogOptions): SessionLog {
  const { dynamodb, logTable, content } = options;
  const fetch = (key: string) => content.get(key);

  async function head(key: LogKey): Promise<Head | null> {
    const item = await lastItem(key);
    return item === null ? null : headOf(item);
  }

  async function lastItem(key: LogKey): Promise<Item | null> {
    const page = await dynamodb
      .send(
        new QueryCommand({
          TableName: logTable,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: partition(key) } },
          // Waking needs the folded state only; the entries may be hundreds of kilobytes.
          ProjectionExpression: 'pk, sk, #last, #state',
          ExpressionAttributeNames: { '#last': 'last', '#state': 'state' },
          ScanIndexForward: false,
          Limit: 1,
          ConsistentRead: true,
        }),
      )
      .catch(unavailable);
    return page.Items?.[0] ?? null;
  }

  async function* pages(key: LogKey, from: number, order: Order): AsyncGenerator<readonly Item[]> {
    let after: Item | undefined;
    do {
      const page = await dynamodb
        .send(
          new QueryCommand({
            TableName: logTable,
            KeyConditionExpression: 'pk = :pk AND sk >= :from',
            ExpressionAttributeValues: { ':pk': { S: partition(key) }, ':from': { N: String(from) } },
            ScanIndexForward: order === 'asc',
            ConsistentRead: true,
            ...(after === undefined ? {} : { ExclusiveStartKey: after }),
          }),
        )
        .catch(unavailable);
      yield page.Items ?? [];
      after = page.LastEvaluatedKey;
    } while (after !== undefined);
  }

  async function read(key: LogKey, from: number) {
    const items: Item[] = [];
    for await (const page of pages(key, from, 'asc')) items.push(...page);
    const last = items.at(-1);
    return last === undefined ? NOTHING : { entries: await entriesIn(items), head: headOf(last) };
  }

  /** Newest first, because the newest item tells how far back the slice goes. */
  async function slice(key: LogKey, from: number) {
    const items: Item[] = [];
    for await (const page of pages(key, from, 'desc')) {
      items.push(...page);
      const oldest = items.at(-1);
      if (oldest !== undefined && rangeOf(oldest).first <= sliceBegin(items, from)) break;
    }
    const [newest] = items;
    if (newest === undefined) return NOTHING;
    const begin = sliceBegin(items, from);
    // The last page may reach far beyond the slice: what is not needed is not parsed, nor fetched from the bucket.
    const entries = await entriesIn(items.filter((item) => rangeOf(item).last >= begin).toReversed());
    return { entries: entries.filter(({ position }) => position >= begin), head: headOf(newest) };
  }

  async function entriesIn(items: readonly Item[]): Promise<readonly PositionedEntry[]> {
    return (await Promise.all(items.map((item) => entriesOf(item, fetch)))).flat();
  }

  async function entryAt(key: LogKey, position: number): Promise<Entry | null> {
    const page = await dynamodb
      .send(
        new QueryCommand({
          TableName: logTable,
          KeyConditionExpression: 'pk = :pk AND sk <= :position',
          ExpressionAttributeValues: { ':pk': { S: partition(key) }, ':position': { N: String(position) } },
          ScanIndexForward: false,
          Limit: 1,
          ConsistentRead: true,
        }),
      )
      .catch(unavailable);
    const item = page.Items?.[0];
    const entries: readonly PositionedEntry[] = item === undefined ? [] : await entriesOf(item, fetch);
    return entries.find((entry) => entry.position === position)?.entry ?? null;
  }

  async function append(append: Append): Promise<Appended> {
    const name = options.newName();
    const item = await itemOf(append, name);
    for (let attempt = 1; ; attempt += 1) {
      const stored = rowChanges(append) ? await putWithRow(append, item, name) : await put(item);
      if (stored === 'stored' || (stored !== 'contended' && appendOf(stored) === name)) {
        const position = append.after.position + append.entries.length;
        return { status: 'appended', head: { position, state: append.state } };
      }
      const now = await head(append.key);
      if (now === null) throw new Fault('session_gone', `the session ${append.key.session} was deleted`);
      if (now.position > append.after.position) return { status: 'conflict', head: now };
      if (attempt === MAX_CONTENDED)
        throw new Fault('log_unavailable', 'the session row stayed locked by transactions');
    }
  }

  function itemOf(append: Append, name: string): Promise<Item> {
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

  /** `stored`, or the item that holds the position already; `contended` while another transaction holds the row. */
  async function put(item: Item): Promise<'stored' | 'contended' | Item> {
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
      return unavailable(cause);
    }
  }

  async function putWithRow(append: Append, item: Item, name: string): Promise<'stored' | 'contended' | Item> {
    const put = { TableName: logTable, Item: item, ConditionExpression: POSITION_IS_FREE };
    try {
      await dynamodb.send(
        new TransactWriteItemsCommand({
          ClientRequestToken: name,
          TransactItems: [
            { Put: { ...put, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
            { Update: rowUpdate(options.recordsTable, append) },
          ],
        }),
      );
      return 'stored';
    } catch (cause) {
      if (!(cause instanceof TransactionCanceledException)) return unavailable(cause);
      const [log, row] = cause.CancellationReasons ?? [];
      if (log?.Code === 'ConditionalCheckFailed' && log.Item !== undefined) return log.Item;
      if (log?.Code === 'TransactionConflict' || row?.Code === 'TransactionConflict') return 'contended';
      if (row?.Code === 'ConditionalCheckFailed') {
        throw new Fault('stored_data_invalid', `the session ${append.key.session} has no row: it was deleted`, {
          cause,
        });
      }
      return unavailable(cause);
    }
  }

  return { head, read, slice, append, entryAt };
}

function sliceBegin([newest]: readonly Item[], from: number): number {
  return newest === undefined ? from : Math.max(from, headOf(newest).state.sliceFrom);
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
  { logTable, content }: Pick<SessionLogOptions, 'logTable' | 'content'>,
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

function unavailable(cause: unknown): never {
  throw new Fault('log_unavailable', 'the session log did not answer', { cause });
}
