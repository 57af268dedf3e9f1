/** Versions of one thing in one partition: a row each, by number. */
import { QueryCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { recordsUnavailable, type Item } from '#aws/row.ts';

const DIGITS = 7;
/** Beyond what a response carries; a page that is cut there goes on with the next one. */
const MAX_QUERIES = 10;

/** Padded, so that versions sort as text behind their prefix. */
export function versionKey(prefix: string, version: number): string {
  return `${prefix}${String(version).padStart(DIGITS, '0')}`;
}

export interface VersionRange {
  readonly pk: string;
  readonly prefix: string;
  /** Null begins with the latest. */
  readonly below: number | null;
  readonly limit: number;
}

/** Newest first, and whether there are more than `limit`. */
export async function versionRows(dynamodb: DynamoDBClient, table: string, range: VersionRange) {
  const { pk, prefix, below, limit } = range;
  const items: Item[] = [];
  let after: Item | undefined;
  for (let queries = 0; queries < MAX_QUERIES; queries += 1) {
    const page = await dynamodb
      .send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'pk = :pk AND sk BETWEEN :first AND :last',
          ExpressionAttributeValues: {
            ':pk': { S: pk },
            ':first': { S: versionKey(prefix, 1) },
            ':last': { S: versionKey(prefix, (below ?? 10 ** DIGITS) - 1) },
          },
          ConsistentRead: true,
          ScanIndexForward: false,
          Limit: limit + 1,
          ...(after === undefined ? {} : { ExclusiveStartKey: after }),
        }),
      )
      .catch(recordsUnavailable);
    items.push(...(page.Items ?? []));
    after = page.LastEvaluatedKey;
    if (after === undefined || items.length > limit) break;
  }
  return { items: items.slice(0, limit), more: after !== undefined || items.length > limit };
}
