/** Pages of agents, environments, sessions, threads, vaults, credentials, files, memory stores and skills. */
import * as z from 'zod';
import { Instant, type WorkspaceId } from '#contract/ids.ts';
import { Order } from '#contract/pages.ts';
import type { CreatedRange } from '#contract/queries.ts';
import type { ListRequest, Place, Rows } from '#core/ports/records.ts';
import { rangeOf } from '#core/requests/created-range.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import { fitting } from './carried-bytes.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';

const List = z.enum([
  'agents',
  'environments',
  'sessions',
  'threads',
  'vaults',
  'credentials',
  'files',
  'memory_stores',
  'skills',
]);
type List = z.infer<typeof List>;

const Cursor = z.strictObject({
  list: List,
  order: Order,
  at: Instant,
  id: z.string().regex(/^\w{1,128}$/),
  direction: z.enum(['next', 'prev']),
});

interface Query extends Partial<CreatedRange> {
  readonly limit: number;
  readonly page?: string | undefined;
  readonly order?: Order;
  readonly include_archived: boolean;
}

export function listRequest(list: List, query: Query, workspace: WorkspaceId): ListRequest | RequestRefusal {
  const order = query.order ?? 'desc';
  const range = rangeOf(query);
  const cursor = decodeCursor(Cursor, query.page, { list, order, range });
  if (isRefusal(cursor)) return cursor;
  const beyond = cursor && { createdAt: cursor.at, id: cursor.id };
  const direction = cursor?.direction ?? 'next';
  return { workspace, order, ...range, includeArchived: query.include_archived, limit: query.limit, beyond, direction };
}

interface RecordPage<View> {
  readonly data: View[];
  readonly next_page: string | null;
  readonly prev_page: string | null;
}

export function recordPage<Item, View>(
  list: List,
  request: ListRequest,
  { found, view }: { readonly found: Rows<Item>; readonly view: (item: Item) => View },
): RecordPage<View> {
  const { order } = request;
  const cursor = (direction: 'next' | 'prev', place: Place | undefined | null) =>
    place == null ? null : encodeCursor({ list, order, at: place.createdAt, id: place.id, direction });
  const viewed = found.rows.map((row) => ({ view: view(row.item), place: row.place }));
  const walked = fitting(viewed, (row) => row.view);
  const onward = walked.length < viewed.length ? walked.at(-1)?.place : found.more;
  if (request.direction === 'prev') {
    // The rows were read against the list's order, so the first of them is the last of the page.
    return {
      data: walked.map((row) => row.view).toReversed(),
      next_page: cursor('next', walked[0]?.place),
      prev_page: cursor('prev', onward),
    };
  }
  return {
    data: walked.map((row) => row.view),
    next_page: cursor('next', onward),
    prev_page: request.beyond === null ? null : cursor('prev', walked[0]?.place),
  };
}

/** A page of a list that is read from its start to its end only. */
export async function forwardPage<Item>(
  list: List,
  { workspace, query }: { readonly workspace: WorkspaceId; readonly query: Query },
  read: (request: ListRequest) => Promise<Rows<Item>>,
): Promise<Pick<RecordPage<Item>, 'data' | 'next_page'> | RequestRefusal> {
  const request = listRequest(list, query, workspace);
  if (isRefusal(request)) return request;
  const { data, next_page } = recordPage(list, request, { found: await read(request), view: (item) => item });
  return { data, next_page };
}
