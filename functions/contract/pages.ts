/** Cursor pages. */
import * as z from 'zod';

export const DEFAULT_LIMIT = 20;
export const MAX_LIMIT = 100;
/** Events come in larger pages: the SDK's tool runner asks for 1000. */
export const MAX_EVENTS_LIMIT = 1000;

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ data: z.array(item), next_page: z.string().nullable() });

/** Only `GET /v1/sessions` has pages in both directions. */
export const bidirectionalPageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ data: z.array(item), next_page: z.string().nullable(), prev_page: z.string().nullable() });

export const limitUpTo = (max: number) => z.coerce.number().int().min(1).max(max);

export const Order = z.enum(['asc', 'desc']);
export type Order = z.infer<typeof Order>;

/** Query parameters of a plain list; `beta` is what SDKs before 1.3 append. */
export const ListQuery = z.strictObject({
  limit: limitUpTo(MAX_LIMIT).default(DEFAULT_LIMIT),
  page: z.string().min(1).optional(),
  include_archived: z.stringbool({ truthy: ['true'], falsy: ['false'] }).default(false),
  beta: z.string().optional(),
});
export type ListQuery = z.infer<typeof ListQuery>;
