/** Cursors: opaque to clients, and input like any other when they come back. */
import type * as z from 'zod';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import { isWithin } from '#core/requests/created-range.ts';
import type { Range } from '#core/ports/records.ts';
import type { Instant } from '#contract/ids.ts';
import type { Order } from '#contract/pages.ts';

const PREFIX = 'page_';

const MALFORMED = refuse('invalid_request_error', 'page: is not a cursor of this list');

/** What every cursor tells about the listing it belongs to. */
interface Bound {
  /** The list: a kind of record, or a session's events. */
  readonly list: string;
  readonly order: Order;
  /** Creation of the row that the cursor stands on; null where a row has none. */
  readonly at: Instant | null;
}

export function encodeCursor(cursor: Bound): string {
  return PREFIX + Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

export function decodeCursor<Cursor extends Bound>(
  schema: z.ZodType<Cursor>,
  text: string,
  listing: { readonly list: string; readonly order: Order; readonly range: Range },
): Cursor | RequestRefusal {
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
