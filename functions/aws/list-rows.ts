/** Lists over the indexes `list` and `scope`: an owner's rows of one kind, by creation. */
import type { Bound, ListRequest, Row as ListedRow, Rows } from '#core/ports/records.ts';
import { IS_ACTIVE, listKeys, listedPlace, type Listed, type ListIndex } from '#aws/row.ts';
import type { Columns, Key, Query, Row, Table } from '#aws/table.ts';

/** Rows that one query looks at when a filter may refuse many of them. */
const FILTERED_BATCH = 200;
/** A filter that matches almost nothing ends a page early: the next one goes on from there. */
const MAX_QUERIES = 10;

/** Conditions beside those of the request. */
export interface Filter {
  readonly conditions: readonly string[];
  readonly values: Columns;
}

/** The row has one of these values in the column `status`; null stands for any. */
export function isStatusOf(statuses: readonly string[] | null): Filter {
  if (statuses === null) return { conditions: [], values: {} };
  const values = Object.fromEntries(statuses.map((status, index) => [`status${index}`, status]));
  const names = Object.keys(values).map((name) => `:${name}`);
  return { conditions: [`#status IN (${names.join(', ')})`], values };
}

interface ListedKind {
  readonly table: Table;
  readonly kind: Listed;
  /** What the rows belong to, inside the workspace. @default the workspace */
  readonly owner?: string;
  /** @default list */
  readonly index?: ListIndex;
  readonly keyOf: (id: string) => Key;
}

export async function listRows<Value>(
  { table, kind, owner: givenOwner, index = 'list', keyOf }: ListedKind,
  query: { readonly request: ListRequest; readonly filter?: Filter; readonly read: (row: Row) => Value },
): Promise<Rows<Value>> {
  const { request, filter, read } = query;
  // DynamoDB refuses a range that ends before it begins.
  if (lowest(request.from) > highest(request.to)) return { rows: [], more: null };
  const owner = givenOwner ?? request.workspace;
  const input = queryInput({ index, partition: `${owner}#${kind}` }, request, filter);
  const rows: ListedRow<Value>[] = [];
  const { beyond } = request;
  let after: Row | null = beyond === null ? null : { ...listKeys(owner, kind, beyond, index), ...keyOf(beyond.id) };
  for (let queries = 0; queries < MAX_QUERIES; queries += 1) {
    const page = await table.page(input, after);
    rows.push(...page.rows.map((row) => ({ item: read(row), place: listedPlace(row, index) })));
    // One row more than asked for tells that a next page exists.
    if (rows.length > request.limit) return cut(rows, request.limit);
    ({ after } = page);
    if (after === null) return { rows, more: null };
  }
  return { rows, more: after === null ? null : listedPlace(after, index) };
}

function cut<Value>(rows: readonly ListedRow<Value>[], limit: number): Rows<Value> {
  return { rows: rows.slice(0, limit), more: rows[limit - 1]?.place ?? null };
}

function queryInput(
  { index, partition }: { readonly index: ListIndex; readonly partition: string },
  request: ListRequest,
  filter?: Filter,
): Query {
  const conditions = [...(request.includeArchived ? [] : [IS_ACTIVE]), ...(filter?.conditions ?? [])];
  return {
    index,
    where: `${index}Pk = :partition AND ${index}Sk BETWEEN :from AND :to`,
    filter: conditions,
    values: { partition, from: lowest(request.from), to: highest(request.to), ...filter?.values },
    order: (request.order === 'asc') === (request.direction === 'next') ? 'asc' : 'desc',
    limit: conditions.length === 0 ? request.limit + 1 : Math.max(request.limit + 1, FILTERED_BATCH),
  };
}

/** Keys of one instant are `<instant>#<id>`: all of them lie between `<instant>#` and `<instant>$`. */
export function lowest(bound: Bound | null): string {
  return bound === null ? '0' : `${bound.at}${bound.inclusive ? '#' : '$'}`;
}

export function highest(bound: Bound | null): string {
  return bound === null ? ':' : `${bound.at}${bound.inclusive ? '$' : '#'}`;
}
