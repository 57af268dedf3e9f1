/** Rows of a table: reading one, reading all of a query, losing a race, and the mark of an archived row. */
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactionConflictException,
  UpdateItemCommand,
  type DynamoDBClient,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import { recordsUnavailable, type Item } from '#aws/row.ts';

/** Transactions on one row that a write waits for. */
const MAX_CONTENDED = 20;

const LOST = new Set(['ConditionalCheckFailed', 'TransactionConflict']);

/** Somebody else changed the row, or is just changing it. */
export function isLostRace(cause: unknown): boolean {
  if (cause instanceof ConditionalCheckFailedException || cause instanceof TransactionConflictException) return true;
  if (!(cause instanceof TransactionCanceledException)) return false;
  return (cause.CancellationReasons ?? []).some((reason) => LOST.has(reason.Code ?? ''));
}

/** Nothing is lost yet: other transactions are just changing a row of this one. */
function isContended(cause: unknown): boolean {
  if (cause instanceof TransactionConflictException) return true;
  if (!(cause instanceof TransactionCanceledException)) return false;
  const codes = (cause.CancellationReasons ?? []).map((reason) => reason.Code);
  return codes.includes('TransactionConflict') && !codes.includes('ConditionalCheckFailed');
}

/** Again, while others are just changing a row of it. */
export async function contended<Value>(write: () => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (cause) {
      if (!isContended(cause) || attempt === MAX_CONTENDED) throw cause;
    }
  }
}

/** The mark is a column beside the body, so that it is lost to no update and no update to it. */
export function archivedAtOf(item: Item): Instant | null {
  return item['archivedAt']?.S ?? null;
}

/** The row with its first mark, or null when there is none of this workspace. */
export async function archiveRow(
  dynamodb: DynamoDBClient,
  row: { readonly table: string; readonly pk: string; readonly sk: string },
  { workspace, at }: { readonly workspace: WorkspaceId; readonly at: Instant },
): Promise<Item | null> {
  const command = new UpdateItemCommand({
    TableName: row.table,
    Key: { pk: { S: row.pk }, sk: { S: row.sk } },
    ConditionExpression: 'workspace = :workspace',
    UpdateExpression: 'SET archivedAt = if_not_exists(archivedAt, :at)',
    ExpressionAttributeValues: { ':workspace': { S: workspace }, ':at': { S: at } },
    ReturnValues: 'ALL_NEW',
  });
  try {
    return (await contended(() => dynamodb.send(command))).Attributes ?? null;
  } catch (cause) {
    return cause instanceof ConditionalCheckFailedException ? null : recordsUnavailable(cause);
  }
}

/** A row as it is now: every write that was answered is in it. */
export async function readRow(dynamodb: DynamoDBClient, table: string, Key: Item): Promise<Item | undefined> {
  const command = new GetItemCommand({ TableName: table, Key, ConsistentRead: true });
  return (await dynamodb.send(command).catch(recordsUnavailable)).Item;
}

/** Every item of a query, page by page; whoever stops early reads no further page. */
export async function* queryAll(dynamodb: DynamoDBClient, query: QueryCommandInput): AsyncGenerator<Item> {
  let after: Item | undefined;
  do {
    const start = after === undefined ? {} : { ExclusiveStartKey: after };
    const page = await dynamodb.send(new QueryCommand({ ...query, ...start })).catch(recordsUnavailable);
    yield* page.Items ?? [];
    after = page.LastEvaluatedKey;
  } while (after !== undefined);
}
