/** Cursors are opaque to clients, and are judged like any other input when they come back. */
import * as z from 'zod';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { isWithin } from '#core/requests/created-range.ts';
import type { Range } from '#core/ports/records.ts';
import type { Instant } from '#contract/ids.ts';
import type { Order } from '#contract/pages.ts';
import { fitting } from './carried-bytes.ts';

const PREFIX = 'page_';

const MALFORMED = refuse('invalid_request_error', 'page: is not a cursor of this list');

/** The listing that a cursor belongs to. */
interface Bound {
  /** The list: a kind of record, or a session's events. */
  readonly list: string;
  readonly order: Order;
  /** The instant of the row that the cursor stands on; null for a row without one. */
  readonly at: Instant | null;
}

export function encodeCursor<Cursor extends Bound>(cursor: Cursor): string {
  return PREFIX + Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

/** Null for the first page, which has no cursor. */
export function decodeCursor<Cursor extends Bound>(
  schema: z.ZodType<Cursor>,
  text: string | undefined,
  listing: { readonly list: string; readonly order: Order; readonly range: Range },
): Cursor | null | RequestRefusal {
  if (text === undefined) return null;
  const cursor = parseCursor(schema, text);
  if (isRefusal(cursor)) return cursor;
  if (cursor.list !== listing.list) return MALFORMED;
  if (cursor.order !== listing.order) {
    return refuse('invalid_request_error', `page: the cursor belongs to order=${cursor.order}`);
  }
  if (cursor.at !== null && !isWithin(listing.range, cursor.at)) {
    return refuse('invalid_request_error', 'page: the cursor lies outside the created_at filter');
  }
  return cursor;
}

function parseCursor<Cursor>(schema: z.ZodType<Cursor>, text: string): Cursor | RequestRefusal {
  if (!text.startsWith(PREFIX)) return MALFORMED;
  try {
    const value: unknown = JSON.parse(Buffer.from(text.slice(PREFIX.length), 'base64url').toString());
    return schema.safeParse(value).data ?? MALFORMED;
  } catch {
    return MALFORMED;
  }
}

/** Pages of rows that each have one key of their own, such as a version. Their cursors hold the key of the last row. */
export function keyedPages<Key extends string | number>(order: Order, key: z.ZodType<Key>) {
  const Cursor = z.strictObject({ list: z.string(), order: z.literal(order), at: z.null(), key });
  const range = { from: null, to: null };
  const cursorAt = (list: string, last: Key) => encodeCursor({ list, order, at: null, key: last });
  return {
    cursorAt,
    /** The key that the page follows; null for the first page. */
    follows(list: string, page: string | undefined): Key | null | RequestRefusal {
      const cursor = decodeCursor(Cursor, page, { list, order, range });
      return cursor === null || isRefusal(cursor) ? cursor : cursor.key;
    },
    /** As many of the rows as a response carries. `more`: others follow them. */
    page<Row>(
      list: string,
      { rows, more }: { readonly rows: readonly Row[]; readonly more: boolean },
      keyOf: (row: Row) => Key,
    ) {
      const data = [...fitting(rows, (row) => row)];
      const last = data.at(-1);
      const goesOn = more || data.length < rows.length;
      return { data, next_page: goesOn && last !== undefined ? cursorAt(list, keyOf(last)) : null };
    },
  };
}
