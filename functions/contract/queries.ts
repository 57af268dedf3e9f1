/** Query parameters of the operations. `beta` is what SDKs before 1.3 append to every path. */
import * as z from 'zod';
import { EventType } from './event-types.ts';
import { AgentId, FileId, MemoryStoreId, SessionId } from './ids.ts';
import { DEFAULT_LIMIT, limitUpTo, ListQuery, MAX_EVENTS_LIMIT, Order } from './pages.ts';
import { PreviewedType } from './previews.ts';
import { SessionStatus } from './sessions.ts';

/** RFC 3339, any offset and precision. */
const Timestamp = z.iso.datetime({ offset: true }).optional();

/** The API's contract does not limit it, and clients that ask for pages themselves ask for large ones. */
const MAX_SESSIONS_LIMIT = 1000;
/** Also when a client asks for no limit. */
const MAX_THREADS_LIMIT = 1000;

export const NoQuery = z.strictObject({ beta: z.string().optional() });

export const AgentQuery = z.strictObject({
  version: z.coerce.number('must be an integer from 1').int().min(1).optional(),
  beta: z.string().optional(),
});

export const VersionsQuery = z.strictObject({
  limit: ListQuery.shape.limit,
  page: ListQuery.shape.page,
  beta: ListQuery.shape.beta,
});

export const AgentsQuery = z.strictObject({
  ...ListQuery.shape,
  'created_at[gte]': Timestamp,
  'created_at[lte]': Timestamp,
});

export const CreatedRange = z.strictObject({
  'created_at[gt]': Timestamp,
  'created_at[gte]': Timestamp,
  'created_at[lt]': Timestamp,
  'created_at[lte]': Timestamp,
});
export type CreatedRange = z.infer<typeof CreatedRange>;

export const SessionsQuery = z
  .strictObject({
    ...ListQuery.shape,
    ...CreatedRange.shape,
    limit: limitUpTo(MAX_SESSIONS_LIMIT).default(DEFAULT_LIMIT),
    order: Order.default('desc'),
    statuses: z.array(SessionStatus).max(100).optional(),
    agent_id: AgentId.optional(),
    agent_version: z.coerce.number('must be an integer from 1').int().min(1).optional(),
    // This service has no deployments, so the filter matches no session.
    deployment_id: z.string().startsWith('depl_', 'must be an id that starts with "depl_"').optional(),
    memory_store_id: MemoryStoreId.optional(),
  })
  .refine((query) => query.agent_version === undefined || query.agent_id !== undefined, {
    path: ['agent_version'],
    message: 'needs agent_id beside it',
  });
export type SessionsQuery = z.infer<typeof SessionsQuery>;

const MAX_FILES_LIMIT = 1000;
const MAX_FILE_IDS = 100;

export const FilesQuery = z
  .strictObject({
    ids: z
      .array(z.string())
      .refine((ids) => new Set(ids).size <= MAX_FILE_IDS, `must have at most ${MAX_FILE_IDS} entries`)
      .optional(),
    scope_id: SessionId.optional(),
    limit: limitUpTo(MAX_FILES_LIMIT).optional(),
    page: z.string().min(1).optional(),
    after_id: FileId.optional(),
    before_id: FileId.optional(),
    beta: z.string().optional(),
  })
  .refine(({ ids, limit, page }) => ids === undefined || (limit ?? page) === undefined, {
    path: ['ids'],
    message: 'cannot be combined with limit or page',
  })
  .refine(({ page, after_id, before_id }) => [page, after_id, before_id].filter(Boolean).length <= 1, {
    path: ['page'],
    message: 'only one of page, after_id and before_id can be given',
  });
export type FilesQuery = z.infer<typeof FilesQuery>;

/** All of a session's threads, archived ones too. */
export const ThreadsQuery = z.strictObject({
  ...ListQuery.shape,
  limit: limitUpTo(MAX_THREADS_LIMIT).default(MAX_THREADS_LIMIT),
  statuses: z.array(SessionStatus).max(100).optional(),
});
export type ThreadsQuery = z.infer<typeof ThreadsQuery>;

/** Without a limit, all of them. */
export const ResourcesQuery = z.strictObject({
  limit: limitUpTo(1000).optional(),
  page: z.string().min(1).optional(),
  beta: z.string().optional(),
});

export const EventsQuery = z.strictObject({
  ...CreatedRange.shape,
  limit: limitUpTo(MAX_EVENTS_LIMIT).default(MAX_EVENTS_LIMIT),
  page: z.string().min(1).optional(),
  order: Order.default('asc'),
  types: z.array(EventType).max(100).optional(),
  beta: z.string().optional(),
});
export type EventsQuery = z.infer<typeof EventsQuery>;

/** The operation has no filters and one order. */
export const ThreadEventsQuery = EventsQuery.pick({ limit: true, page: true, beta: true });

export const StreamQuery = z.strictObject({
  event_deltas: z.array(PreviewedType).max(100).optional(),
  beta: z.string().optional(),
});
