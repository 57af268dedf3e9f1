/** The session log on DynamoDB: one append, one item (design §2). */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Entry } from '#contract/entries.ts';
import type { Order } from '#contract/pages.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Append, Appended, Head, LogKey, PositionedEntry, SessionLog } from '#core/ports/session-log.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { appendOf, entriesOf, headOf, partition, rangeOf, type Item } from '#aws/session/log-item.ts';
import { logPages, queryLog } from '#aws/session/log-query.dynamodb.ts';
import { itemOf, writeAppend } from '#aws/session/log-writes.dynamodb.ts';

export interface SessionLogOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
  readonly content: ContentStore;
  /** Makes the name of an append; unique. */
  readonly newName: () => string;
}

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
    const { items } = await queryLog(dynamodb, {
      TableName: logTable,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: partition(key) } },
      // Waking needs the folded state only; the entries may be hundreds of kilobytes.
      ProjectionExpression: 'pk, sk, #last, #state',
      ExpressionAttributeNames: { '#last': 'last', '#state': 'state' },
      ScanIndexForward: false,
      Limit: 1,
    });
    return items[0] ?? null;
  }

  function pages(key: LogKey, from: number, order: Order): AsyncGenerator<readonly Item[]> {
    return logPages(dynamodb, {
      TableName: logTable,
      KeyConditionExpression: 'pk = :pk AND sk >= :from',
      ExpressionAttributeValues: { ':pk': { S: partition(key) }, ':from': { N: String(from) } },
      ScanIndexForward: order === 'asc',
    });
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
    const { items } = await queryLog(dynamodb, {
      TableName: logTable,
      KeyConditionExpression: 'pk = :pk AND sk <= :position',
      ExpressionAttributeValues: { ':pk': { S: partition(key) }, ':position': { N: String(position) } },
      ScanIndexForward: false,
      Limit: 1,
    });
    const [item] = items;
    const entries: readonly PositionedEntry[] = item === undefined ? [] : await entriesOf(item, fetch);
    return entries.find((entry) => entry.position === position)?.entry ?? null;
  }

  async function append(append: Append): Promise<Appended> {
    const name = options.newName();
    const item = await itemOf(content, append, name);
    for (let attempt = 1; ; attempt += 1) {
      const stored = await writeAppend(options, append, { item, name });
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

  return { head, read, slice, append, entryAt };
}

function sliceBegin([newest]: readonly Item[], from: number): number {
  return newest === undefined ? from : Math.max(from, headOf(newest).state.sliceFrom);
}
