/** Memory stores: texts with paths, which outlive the sessions that read and write them, and each version of each text. */
import * as z from 'zod';
import { ApiKeyId, Instant, MemoryId, MemoryStoreId, MemoryVersionId, SessionId } from './ids.ts';
import { Metadata, MetadataPatch } from './metadata.ts';
import { ListQuery } from './pages.ts';

export const MAX_MEMORIES = 2000;
export const MAX_MEMORY_BYTES = 102_400;
const MAX_PATH_BYTES = 1024;
const MAX_SEGMENTS = 20;
/** With contents, a page holds at most so many. */
export const MAX_FULL_LIMIT = 20;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** The rule that a path of a memory breaks, or null. */
export function brokenPath(path: string): string | null {
  if (!path.startsWith('/')) return 'must start with "/"';
  if (/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(path))
    return 'must have no control, format or line-separator characters';
  if (path.normalize('NFC') !== path) return 'must be in Unicode Normalization Form C';
  if (bytesOf(path) > MAX_PATH_BYTES) return `must have at most ${MAX_PATH_BYTES} bytes`;
  const segments = path.slice(1).split('/');
  if (segments.length > MAX_SEGMENTS) return `must have at most ${MAX_SEGMENTS} segments`;
  return segments.some((segment) => ['', '.', '..'].includes(segment)) ? 'must have no segment "", "." or ".."' : null;
}

/** The rule that the text of a memory breaks, or null. */
export function brokenContent(content: string): string | null {
  if (!content.isWellFormed()) return 'must be well-formed Unicode';
  return bytesOf(content) > MAX_MEMORY_BYTES ? `must have at most ${MAX_MEMORY_BYTES} bytes` : null;
}

const keeping = (rule: (text: string) => string | null) =>
  z.string().superRefine((text, context) => {
    const message = rule(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

const Path = keeping(brokenPath);
const Content = keeping(brokenContent);
const Name = z
  .string()
  .min(1)
  .max(255)
  .regex(/^\P{Cc}*$/u, 'must have no control characters');
const Description = z.string().max(1024);
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hexadecimal characters');

export const MemoryStoreCreate = z
  .strictObject({ name: Name, description: Description.nullish(), metadata: Metadata.nullish() })
  .meta({ id: 'MemoryStoreCreate' });

export const MemoryStoreUpdate = z
  .strictObject({ name: Name.nullish(), description: Description.nullish(), metadata: MetadataPatch.nullish() })
  .meta({ id: 'MemoryStoreUpdate' });
export type MemoryStoreUpdate = z.infer<typeof MemoryStoreUpdate>;

export const MemoryStore = z
  .object({
    id: MemoryStoreId,
    type: z.literal('memory_store'),
    name: z.string(),
    description: z.string(),
    metadata: Metadata,
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'MemoryStore' });
export type MemoryStore = z.infer<typeof MemoryStore>;

export const MemoryStoreDeleted = z
  .object({ id: MemoryStoreId, type: z.literal('memory_store_deleted') })
  .meta({ id: 'MemoryStoreDeleted' });

/** Null is the empty text. */
export const MemoryCreate = z.strictObject({ path: Path, content: Content.nullable() }).meta({ id: 'MemoryCreate' });
export type MemoryCreate = z.infer<typeof MemoryCreate>;

/** A field that is null stays as it is. */
export const MemoryUpdate = z
  .strictObject({
    path: Path.nullish(),
    content: Content.nullish(),
    precondition: z.strictObject({ type: z.literal('content_sha256'), content_sha256: Sha256.optional() }).nullish(),
  })
  .meta({ id: 'MemoryUpdate' });
export type MemoryUpdate = z.infer<typeof MemoryUpdate>;

export const Memory = z
  .object({
    id: MemoryId,
    type: z.literal('memory'),
    memory_store_id: MemoryStoreId,
    /** The version that the memory has at present. */
    memory_version_id: MemoryVersionId,
    path: z.string(),
    /** Null in the view `basic`. */
    content: z.string().nullable(),
    content_sha256: Sha256,
    content_size_bytes: z.int(),
    created_at: Instant,
    updated_at: Instant,
  })
  .meta({ id: 'Memory' });
export type Memory = z.infer<typeof Memory>;

/** Stands for the memories of a list whose paths begin with `path`. */
export const MemoryPrefix = z
  .object({ type: z.literal('memory_prefix'), path: z.string() })
  .meta({ id: 'MemoryPrefix' });
export type MemoryPrefix = z.infer<typeof MemoryPrefix>;

export const MemoryListItem = z.discriminatedUnion('type', [Memory, MemoryPrefix]);

export const MemoryDeleted = z
  .object({ id: MemoryId, type: z.literal('memory_deleted') })
  .meta({ id: 'MemoryDeleted' });

export const MemoryActor = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('api_actor'), api_key_id: ApiKeyId }),
    /** An agent, through the files of its session. */
    z.object({ type: z.literal('session_actor'), session_id: SessionId }),
  ])
  .meta({ id: 'MemoryActor' });
export type MemoryActor = z.infer<typeof MemoryActor>;

const Operation = z.enum(['created', 'modified', 'deleted']);

/** What was redacted is null, and so are content, hash and size of a version that records a deletion. */
export const MemoryVersion = z
  .object({
    id: MemoryVersionId,
    type: z.literal('memory_version'),
    memory_store_id: MemoryStoreId,
    memory_id: MemoryId,
    operation: Operation,
    path: z.string().nullable(),
    content: z.string().nullable(),
    content_sha256: Sha256.nullable(),
    content_size_bytes: z.int().nullable(),
    created_at: Instant,
    created_by: MemoryActor,
    redacted_at: Instant.nullable(),
    /** Absent until it is redacted. */
    redacted_by: MemoryActor.optional(),
  })
  .meta({ id: 'MemoryVersion' });
export type MemoryVersion = z.infer<typeof MemoryVersion>;

const View = z.enum(['basic', 'full']);
const { limit, page, beta } = ListQuery.shape;
const Timestamp = z.iso.datetime({ offset: true }).optional();
const created = { 'created_at[gte]': Timestamp, 'created_at[lte]': Timestamp };

export const MemoryStoresQuery = z.strictObject({ ...ListQuery.shape, ...created });

/** Of an operation that changes a memory. */
export const ChangeViewQuery = z.strictObject({ view: View.default('basic'), beta });
export const ReadViewQuery = z.strictObject({ view: View.default('full'), beta });

export const MemoriesQuery = z.strictObject({
  limit,
  page,
  beta,
  view: View.default('basic'),
  depth: z.coerce
    .number('must be 0 or 1')
    .int('must be 0 or 1')
    .min(0, 'must be 0 or 1')
    .max(1, 'must be 0 or 1')
    .default(0),
  path_prefix: z
    .string()
    .max(MAX_PATH_BYTES)
    .regex(/^\/(.*\/)?$/su, 'must start and end with "/"')
    .default('/'),
  // Clients of earlier versions send these; the order of the list is the server's.
  order: z.enum(['asc', 'desc']).optional(),
  order_by: z.string().optional(),
});

export const MemoryDeleteQuery = z.strictObject({ expected_content_sha256: Sha256.optional(), beta });

export const MemoryVersionsQuery = z.strictObject({
  limit,
  page,
  beta,
  ...created,
  view: View.default('basic'),
  memory_id: MemoryId.optional(),
  operation: Operation.optional(),
  session_id: SessionId.optional(),
  api_key_id: ApiKeyId.optional(),
  // This service has no service accounts, so no version is of one.
  service_account_id: z.string().startsWith('svac_', 'must be an id that starts with "svac_"').optional(),
});
export type MemoryVersionsQuery = z.infer<typeof MemoryVersionsQuery>;
