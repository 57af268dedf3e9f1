/** What one append writes: the item of the log, and the session's row where that changes with it. */
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Entry, SessionState } from '#contract/entries.ts';
import type { Instant } from '#contract/ids.ts';
import type { Append, LogKey } from '#core/ports.ts';
import { isActive } from '#core/session/waiting.ts';
import type { ContentStore } from '#aws/content.s3.ts';
import { MAX_INLINE_BYTES, partition, toItem, type Item } from '#aws/log-item.ts';

/** The position is free: sk is the first position after the head, so whoever appended since holds this very key. */
export const POSITION_IS_FREE = 'attribute_not_exists(pk)';

export interface NewItem {
  readonly after: number;
  readonly entries: readonly Entry[];
  readonly state: SessionState;
  readonly at: Instant;
  readonly name: string;
  readonly cause?: string;
}

export async function storedItem(content: ContentStore, key: LogKey, item: NewItem): Promise<Item> {
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
export function rowChanges({ after, state, details }: Append): boolean {
  return after.state.status !== state.status || after.state.run !== state.run || details !== undefined;
}

export function rowUpdate(table: string, { key, state, at, details }: Append) {
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
