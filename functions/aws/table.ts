/**
 * A table of DynamoDB. Rows go in and come out as plain values, a condition that does not hold is a value, and DynamoDB's
 * exceptions become faults here. In every expression, `#name` stands for the column of that name, and `:name` for the
 * value of that name in `values`.
 */
import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactionConflictException,
  TransactionInProgressException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
  type QueryCommandInput,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall, type NativeAttributeValue } from '@aws-sdk/util-dynamodb';
import { Fault } from '#core/ports/errors.ts';
import type { Pause } from '#core/ports/stamp.ts';
import { pause as wait } from '#aws/stamp.ts';

/** A row as it is stored: parsed by its reader. */
export type Row = Readonly<Record<string, unknown>>;

export interface Key {
  readonly pk: string;
  readonly sk: string | number;
}

/** A column that is null is absent. */
export type Columns = Readonly<Record<string, string | number | boolean | ReadonlySet<string> | null>>;

interface Condition {
  /** All of them must hold. @default none */
  readonly when?: readonly string[];
  readonly values?: Columns;
}

export interface Change extends Condition {
  /** A column that is set to null is removed. */
  readonly set?: Columns;
  /** Columns that keep the value that they have. */
  readonly setOnce?: Columns;
  /** To a number, or to a set; what is absent counts as zero, or as empty. */
  readonly add?: Columns;
  /** Members of sets. */
  readonly subtract?: Columns;
  /** Which state of the row an update that is saved returns. @default none */
  readonly returns?: 'old' | 'new';
}

export interface Query {
  /** Reads of an index are eventually consistent. @default the table itself */
  readonly index?: string;
  readonly where: string;
  readonly values: Columns;
  /** All of them must hold for a row that is returned. */
  readonly filter?: readonly string[];
  /** The columns to return. @default all */
  readonly columns?: readonly string[];
  /** By sort key. @default 'asc' */
  readonly order?: 'asc' | 'desc';
  /** Rows that one page looks at. @default as many as DynamoDB takes */
  readonly limit?: number;
  /** @default true for the table itself */
  readonly consistent?: boolean;
}

interface Page {
  readonly rows: readonly Row[];
  /** The key of the row after which the next page begins; null at the end. */
  readonly after: Row | null;
}

/** `conflict`: the condition did not hold, and `row` is what is stored instead. */
interface Written {
  readonly status: 'saved' | 'conflict';
  readonly row: Row | null;
}

/** One write of a transaction. */
export type Write = TransactWriteItem;

/** In the order of the writes; null for a write whose condition held. */
export type Transacted =
  | { readonly status: 'saved' }
  | { readonly status: 'conflict'; readonly lost: readonly (Pick<Written, 'row'> | null)[] };

export interface Table {
  /** The row, with every write that was answered. */
  get(key: Key): Promise<Row | null>;
  /**
   * Those of different rows that exist, in no order, as a list reads them: a write may be missing for a moment, and each row
   * costs half of what `get` costs.
   */
  some(keys: readonly Key[]): Promise<readonly Row[]>;
  /** Those of different rows that exist, in no order, each as `get` reads it and at its price. */
  all(keys: readonly Key[]): Promise<readonly Row[]>;
  put(row: Key & Columns, condition?: Condition): Promise<Written>;
  update(key: Key, change: Change): Promise<Written>;
  /** A row that does not exist is removed too. */
  remove(key: Key, condition?: Condition): Promise<Written>;
  page(query: Query, after?: Row | null): Promise<Page>;
  /** The rows of the first page, for asking again and again: each time takes hardly any processor time. */
  asking(query: Query): () => Promise<readonly Row[]>;
  /** Page by page; a caller that stops early reads no further page. */
  pages(query: Query): AsyncGenerator<readonly Row[]>;
  /** Every row of all pages. */
  rows(query: Query): AsyncGenerator<Row>;
  /** Writes all or nothing. The writes may be another table's; a repeat with the same `token` writes nothing more. */
  transact(writes: readonly Write[], token?: string): Promise<Transacted>;
  putting(row: Key & Columns, condition?: Condition): Write;
  updating(key: Key, change: Change): Write;
  removing(key: Key, condition?: Condition): Write;
  /** Writes nothing; the transaction fails unless the condition holds. */
  checking(key: Key, condition: Condition): Write;
}

interface TableOptions {
  /** Throws the fault of a table that does not answer. @default records_unavailable */
  readonly unavailable?: (cause: unknown) => never;
  /** For one request and the client's own repeats. @default the client's */
  readonly patienceMs?: number;
  /** Waits before a contended write begins anew. @default a timer */
  readonly pause?: Pause;
}

/** Of a row that does not exist. */
export const IS_NEW = 'attribute_not_exists(pk)';
export const EXISTS = 'attribute_exists(pk)';

/** DynamoDB reads no more rows at once. */
const MAX_BATCH = 100;
/** So often in a row DynamoDB may answer with none of the rows that it is asked for. */
const MAX_EMPTY = 10;
/** How often a write begins anew while transactions change its rows. */
const MAX_CONTENDED = 20;
/** The first pause is shorter than this, and the limit doubles with every attempt. */
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 200;

export function createTable(dynamodb: DynamoDBClient, name: string, options: TableOptions = {}): Table {
  const { unavailable = recordsUnavailable, patienceMs, pause = wait } = options;
  // Without options of its own, a request uses the middleware that its client keeps.
  const http = () => (patienceMs === undefined ? undefined : { abortSignal: AbortSignal.timeout(patienceMs) });

  async function written(send: () => Promise<{ readonly Attributes?: Item | undefined }>): Promise<Written> {
    try {
      return { status: 'saved', row: rowOf((await uncontended(send, pause)).Attributes) };
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) return unavailable(cause);
      return { status: 'conflict', row: rowOf(cause.Item) };
    }
  }

  const put = (row: Key & Columns, condition: Condition = {}) => ({
    TableName: name,
    Item: itemOf(row),
    ...conditionOf(condition),
  });
  const update = (key: Key, change: Change) => ({ TableName: name, Key: keyOf(key), ...changeOf(change) });
  const remove = (key: Key, condition: Condition = {}) => ({
    TableName: name,
    Key: keyOf(key),
    ...conditionOf(condition),
  });

  async function page(query: Query, after: Row | null = null): Promise<Page> {
    const command = new QueryCommand({
      TableName: name,
      ...queryOf(query),
      ...(after && { ExclusiveStartKey: itemOf(after) }),
    });
    const { Items = [], LastEvaluatedKey } = await dynamodb.send(command, http()).catch(unavailable);
    return { rows: Items.map((item) => unmarshall(item)), after: rowOf(LastEvaluatedKey) };
  }

  async function batches(keys: readonly Key[], ConsistentRead: boolean): Promise<readonly Row[]> {
    const parts = Array.from({ length: Math.ceil(keys.length / MAX_BATCH) }, (_, at) =>
      batch(keys.slice(at * MAX_BATCH, (at + 1) * MAX_BATCH).map(keyOf), ConsistentRead),
    );
    return (await Promise.all(parts)).flat();
  }

  async function batch(keys: readonly Item[], ConsistentRead: boolean): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (let [left, empty] = [keys, 0]; left.length > 0;) {
      if (empty > 0) await pauseAfter(empty, pause);
      const command = new BatchGetItemCommand({ RequestItems: { [name]: { Keys: [...left], ConsistentRead } } });
      const { Responses, UnprocessedKeys } = await dynamodb.send(command, http()).catch(unavailable);
      const found = Responses?.[name] ?? [];
      rows.push(...found.map((item) => unmarshall(item)));
      left = UnprocessedKeys?.[name]?.Keys ?? [];
      // An answer may be full; one that is empty tells that capacity is missing.
      empty = found.length > 0 ? 0 : empty + 1;
      if (empty === MAX_EMPTY && left.length > 0) return unavailable(new Error('DynamoDB left all rows out'));
    }
    return rows;
  }

  async function* pages(query: Query): AsyncGenerator<readonly Row[]> {
    let after: Row | null = null;
    do {
      const next: Page = await page(query, after);
      yield next.rows;
      after = next.after;
    } while (after !== null);
  }

  return {
    async get(key) {
      const command = new GetItemCommand({ TableName: name, Key: keyOf(key), ConsistentRead: true });
      return rowOf((await dynamodb.send(command, http()).catch(unavailable)).Item);
    },
    some: (keys) => batches(keys, false),
    all: (keys) => batches(keys, true),
    put: (row, condition) => written(() => dynamodb.send(new PutItemCommand(put(row, condition)), http())),
    update(key, change) {
      const { returns } = change;
      const ReturnValues = returns === undefined ? 'NONE' : returns === 'old' ? 'ALL_OLD' : 'ALL_NEW';
      return written(() => dynamodb.send(new UpdateItemCommand({ ...update(key, change), ReturnValues }), http()));
    },
    remove: (key, condition) => written(() => dynamodb.send(new DeleteItemCommand(remove(key, condition)), http())),
    page,
    asking(query) {
      const ask = createQuestion(dynamodb, { TableName: name, ...queryOf(query) });
      return () => ask().catch(unavailable);
    },
    pages,
    async *rows(query) {
      for await (const rows of pages(query)) yield* rows;
    },
    async transact(writes, token) {
      const command = () =>
        new TransactWriteItemsCommand({ TransactItems: [...writes], ClientRequestToken: token ?? randomUUID() });
      try {
        await uncontended(() => dynamodb.send(command(), http()), pause);
        return { status: 'saved' };
      } catch (cause) {
        const lost = lostIn(cause);
        return lost.every((one) => one === null) ? unavailable(cause) : { status: 'conflict', lost };
      }
    },
    putting: (row, condition) => ({ Put: put(row, condition) }),
    updating: (key, change) => ({ Update: update(key, change) }),
    removing: (key, condition) => ({ Delete: remove(key, condition) }),
    checking: (key, condition) => ({ ConditionCheck: { ConditionExpression: undefined, ...remove(key, condition) } }),
  };
}

type HttpRequest = Parameters<DynamoDBClient['config']['requestHandler']['handle']>[0];

/** A signature is good for five minutes. */
const SIGNED_MS = 60_000;

/**
 * The SDK's middleware takes most of the time of a small read. So the request that it has built and signed is sent again
 * for a minute, and an answer that is not a plain success is left to the SDK, which knows what to repeat.
 */
function createQuestion(dynamodb: DynamoDBClient, input: QueryCommandInput): () => Promise<readonly Row[]> {
  let signed: { readonly request: HttpRequest; readonly untilMs: number } | null = null;

  async function askAnew(): Promise<readonly Item[]> {
    const command = new QueryCommand(input);
    // The last step before the request is sent.
    command.middlewareStack.add(
      (next) => (args) => {
        signed = { request: args.request as HttpRequest, untilMs: Date.now() + SIGNED_MS };
        return next(args);
      },
      { step: 'deserialize', priority: 'low' },
    );
    // With options, or the client would keep this middleware for every other query.
    return (await dynamodb.send(command, {})).Items ?? [];
  }

  async function askAgain(): Promise<readonly Item[] | null> {
    if (signed === null || Date.now() >= signed.untilMs) return null;
    const { response } = await dynamodb.config.requestHandler.handle(signed.request);
    const body = await text(response.body);
    return response.statusCode === 200 ? (JSON.parse(body) as { Items: Item[] }).Items : null;
  }

  return async () => {
    const items = (await askAgain().catch(() => null)) ?? (await askAnew());
    return items.map((item) => unmarshall(item));
  };
}

/** For a write whose condition fails only where something is broken, such as a new id that is taken. */
export function mustBeSaved({ status }: Pick<Written, 'status'>): void {
  if (status === 'conflict') recordsUnavailable(new Error('a row is not as it must be for this write'));
}

export function recordsUnavailable(cause: unknown): never {
  throw new Fault('records_unavailable', 'the records did not answer', { cause });
}

type Item = Record<string, AttributeValue>;

function rowOf(item: Item | undefined): Row | null {
  return item === undefined ? null : unmarshall(item);
}

function itemOf(row: Row): Item {
  return marshall(Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))) as Item;
}

function keyOf({ pk, sk }: Key): Item {
  return itemOf({ pk, sk });
}

/**
 * Begins a write anew while other transactions change its rows, because nothing is lost yet. The pauses are random, so that
 * two writers that refused each other do not meet again.
 */
async function uncontended<Answer>(write: () => Promise<Answer>, pause: Pause): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (cause) {
      if (!isContended(cause) || attempt === MAX_CONTENDED) throw cause;
    }
    await pauseAfter(attempt, pause);
  }
}

function pauseAfter(attempt: number, pause: Pause): Promise<void> {
  return pause(Math.random() * Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), MAX_PAUSE_MS));
}

function isContended(cause: unknown): boolean {
  if (cause instanceof TransactionConflictException) return true;
  // The first try of the same write, whose answer was lost, is still under way.
  if (cause instanceof TransactionInProgressException) return true;
  const codes = reasonsIn(cause).map(({ Code }) => Code);
  return codes.includes('TransactionConflict') && !codes.includes('ConditionalCheckFailed');
}

function lostIn(cause: unknown): readonly (Pick<Written, 'row'> | null)[] {
  return reasonsIn(cause).map(({ Code, Item }) => (Code === 'ConditionalCheckFailed' ? { row: rowOf(Item) } : null));
}

function reasonsIn(cause: unknown) {
  return cause instanceof TransactionCanceledException ? (cause.CancellationReasons ?? []) : [];
}

function conditionOf({ when = [], values = {} }: Condition) {
  if (when.length === 0) return {};
  const ConditionExpression = joined(when);
  return {
    ConditionExpression,
    ...placeholders(ConditionExpression, values),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  };
}

function changeOf({ set = {}, setOnce = {}, add = {}, subtract = {}, when = [], values = {} }: Change) {
  const assigned = Object.keys(set).filter((column) => set[column] !== null);
  const removed = Object.keys(set).filter((column) => set[column] === null);
  const UpdateExpression = [
    clause('SET', [
      ...assigned.map((column) => `#${column} = :new_${column}`),
      ...Object.keys(setOnce).map((column) => `#${column} = if_not_exists(#${column}, :new_${column})`),
    ]),
    clause(
      'ADD',
      Object.keys(add).map((column) => `#${column} :new_${column}`),
    ),
    clause(
      'DELETE',
      Object.keys(subtract).map((column) => `#${column} :new_${column}`),
    ),
    clause(
      'REMOVE',
      removed.map((column) => `#${column}`),
    ),
  ].join(' ');
  const changed = Object.entries({ ...set, ...setOnce, ...add, ...subtract });
  const all = { ...values, ...Object.fromEntries(changed.map(([column, value]) => [`new_${column}`, value])) };
  const condition = conditionOf({ when, values });
  return { ...condition, UpdateExpression, ...placeholders(`${UpdateExpression} ${joined(when)}`, all) };
}

function clause(word: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : `${word} ${parts.join(', ')}`;
}

function queryOf(query: Query) {
  const { index, where, values, filter = [], columns, order = 'asc', limit, consistent = index === undefined } = query;
  const FilterExpression = joined(filter);
  const ProjectionExpression = columns?.map((column) => `#${column}`).join(', ');
  return {
    IndexName: index,
    KeyConditionExpression: where,
    ...(filter.length > 0 && { FilterExpression }),
    ProjectionExpression,
    ...placeholders(`${where} ${FilterExpression} ${ProjectionExpression ?? ''}`, values),
    ScanIndexForward: order === 'asc',
    Limit: limit,
    ConsistentRead: consistent,
  };
}

/** Each in brackets, because a condition may be of several with OR. */
function joined(conditions: readonly string[]): string {
  return conditions.map((condition) => `(${condition})`).join(' AND ');
}

/** DynamoDB refuses a name or a value that no expression mentions. */
function placeholders(expression: string, values: Columns) {
  const columns = new Set(expression.match(/#\w+/g));
  const mentioned = new Set(expression.match(/:\w+/g));
  const used = [...mentioned].map((name): [string, NativeAttributeValue] => [name, values[name.slice(1)]]);
  return {
    ...(columns.size > 0 && {
      ExpressionAttributeNames: Object.fromEntries([...columns].map((name) => [name, name.slice(1)])),
    }),
    ...(used.length > 0 && { ExpressionAttributeValues: marshall(Object.fromEntries(used)) as Item }),
  };
}
