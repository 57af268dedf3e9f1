/** Lists over the index `list`: an owner's rows of one kind, by creation. */
import { QueryCommand, type AttributeValue, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Bound, ListRequest, Row, Rows } from '#core/ports/records.ts';
import { listKeys, placeOf, recordsUnavailable, type Item, type Listed } from '#aws/row.ts';

/** Rows that one query looks at when a filter may refuse many of them. */
const FILTERED_BATCH = 200;
/** A filter that matches almost nothing ends a page early: the next one goes on from there. */
const MAX_QUERIES = 10;

export interface Filter {
  /** Conditions beside those of the request, over `#name` and `:value` placeholders. */
  readonly conditions: readonly string[];
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, AttributeValue>>;
}

export interface ListedKind {
  readonly table: string;
  readonly kind: Listed;
  /** What the rows belong to, inside the workspace. @default the workspace */
  readonly owner?: string;
  readonly keyOf: (id: string) => Item;
}

export async function listRows<Value>(
  dynamodb: DynamoDBClient,
  listed: ListedKind,
  query: { readonly request: ListRequest; readonly filter?: Filter; readonly read: (item: Item) => Value },
): Promise<Rows<Value>> {
  const { request, filter, read } = query;
  // DynamoDB refuses a range that ends before it begins.
  if (lowest(request.from) > highest(request.to)) return { rows: [], more: null };
  const { owner = request.workspace, kind, keyOf } = listed;
  const input = queryInput(listed.table, `${owner}#${kind}`, request, filter);
  const rows: Row<Value>[] = [];
  let after: Item | undefined =
    request.beyond === null ? undefined : { ...listKeys(owner, kind, request.beyond), ...keyOf(request.beyond.id) };
  for (let queries = 0; queries < MAX_QUERIES; queries += 1) {
    const page = await dynamodb
      .send(new QueryCommand({ ...input, ...(after === undefined ? {} : { ExclusiveStartKey: after }) }))
      .catch(recordsUnavailable);
    rows.push(...(page.Items ?? []).map((item) => ({ item: read(item), place: placeOf(item) })));
    // One row more than asked for tells that a next page exists.
    if (rows.length > request.limit) return cut(rows, request.limit);
    after = page.LastEvaluatedKey;
    if (after === undefined) return { rows, more: null };
  }
  return { rows, more: after === undefined ? null : placeOf(after) };
}

function cut<Value>(rows: readonly Row<Value>[], limit: number): Rows<Value> {
  return { rows: rows.slice(0, limit), more: rows[limit - 1]?.place ?? null };
}

function queryInput(table: string, partition: string, request: ListRequest, filter?: Filter) {
  const conditions = [
    ...(request.includeArchived ? [] : ['attribute_not_exists(archivedAt)']),
    ...(filter?.conditions ?? []),
  ];
  return {
    TableName: table,
    IndexName: 'list',
    KeyConditionExpression: 'listPk = :pk AND listSk BETWEEN :from AND :to',
    ...(conditions.length === 0 ? {} : { FilterExpression: conditions.join(' AND ') }),
    ...(filter === undefined || Object.keys(filter.names).length === 0
      ? {}
      : { ExpressionAttributeNames: filter.names }),
    ExpressionAttributeValues: {
      ':pk': { S: partition },
      ':from': { S: lowest(request.from) },
      ':to': { S: highest(request.to) },
      ...filter?.values,
    },
    ScanIndexForward: (request.order === 'asc') === (request.direction === 'next'),
    Limit: conditions.length === 0 ? request.limit + 1 : Math.max(request.limit + 1, FILTERED_BATCH),
  };
}

/** Keys of one instant are `<instant>#<id>`: all of them lie between `<instant>#` and `<instant>$`. */
export function lowest(bound: Bound | null): string {
  return bound === null ? '0' : `${bound.at}${bound.inclusive ? '#' : '$'}`;
}

export function highest(bound: Bound | null): string {
  return bound === null ? ':' : `${bound.at}${bound.inclusive ? '$' : '#'}`;
}
