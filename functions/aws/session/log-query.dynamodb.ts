/** Queries of session logs. What they decide rests on the newest append, so every read is consistent. */
import { QueryCommand, type DynamoDBClient, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { Fault } from '#core/ports/errors.ts';
import type { Item } from '#aws/session/log-item.ts';

interface Page {
  readonly items: readonly Item[];
  /** The key to go on after; undefined on the last page. */
  readonly after: Item | undefined;
}

export async function queryLog(dynamodb: DynamoDBClient, query: QueryCommandInput): Promise<Page> {
  const page = await dynamodb.send(new QueryCommand({ ...query, ConsistentRead: true })).catch(logUnavailable);
  return { items: page.Items ?? [], after: page.LastEvaluatedKey };
}

/** Page by page; whoever stops early reads no further page. */
export async function* logPages(dynamodb: DynamoDBClient, query: QueryCommandInput): AsyncGenerator<readonly Item[]> {
  let start: Item | undefined;
  do {
    const { items, after } = await queryLog(dynamodb, { ...query, ExclusiveStartKey: start });
    yield items;
    start = after;
  } while (start !== undefined);
}

export function logUnavailable(cause: unknown): never {
  throw new Fault('log_unavailable', 'the session log did not answer', { cause });
}
