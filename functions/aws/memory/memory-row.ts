/** Rows of the memory table: all rows of a store share its partition. */
import * as z from 'zod';
import { Instant, MemoryId, MemoryStoreId, MemoryVersionId, WorkspaceId } from '#contract/ids.ts';
import { MemoryActor, MemoryVersion } from '#contract/memory.ts';
import type { StoredMemory, StorePlace } from '#core/ports/memory.ts';
import { json, optional, parseRow } from '#aws/row.ts';
import type { Columns, Key, Row } from '#aws/table.ts';

export function partitionOf({ workspace, store }: { readonly workspace: string; readonly store: string }): string {
  return `${workspace}#${store}`;
}

export function storeKey(place: { readonly workspace: string; readonly store: string }): Key {
  return { pk: partitionOf(place), sk: 'STORE' };
}

/** What each write into the store must find: the row exists, has no mark of an archived store, and counts the memories. */
export function gateKey(place: StorePlace): Key {
  return { pk: partitionOf(place), sk: 'GATE' };
}

/** A memory is the row at its path, and each folder above it is a row that counts the memories below. */
export function pathKey(place: StorePlace, path: string): Key {
  return { pk: partitionOf(place), sk: path };
}

/** Names the path of a memory, which may change. */
export function idKey(place: StorePlace, id: MemoryId): Key {
  return { pk: partitionOf(place), sk: `ID#${id}` };
}

export const VERSION_PREFIX = 'VERSION#';

export function versionKey(place: StorePlace, id: string): Key {
  return { pk: partitionOf(place), sk: `${VERSION_PREFIX}${id}` };
}

/** Beside the version, so that a list of versions reads no texts. */
export function contentKey(place: StorePlace, id: MemoryVersionId): Key {
  return { pk: partitionOf(place), sk: `CONTENT#${id}` };
}

export const REMOVALS = 'REMOVALS';

export function removalKey(place: StorePlace): Key {
  return { pk: REMOVALS, sk: partitionOf(place) };
}

export function removalOf(row: Row): StorePlace {
  const [workspace, store] = String(row['sk']).split('#');
  return { workspace: WorkspaceId.parse(workspace), store: MemoryStoreId.parse(store) };
}

const MemoryRow = z.object({
  id: MemoryId,
  sk: z.string(),
  version: MemoryVersionId,
  sha256: z.string(),
  bytes: z.int(),
  createdAt: Instant,
  updatedAt: Instant,
  recent: json(z.array(MemoryVersionId)),
});

export function isMemory(row: Row | null): row is Row {
  return row?.['kind'] === 'memory';
}

export function memoryOf(row: Row): StoredMemory {
  const { sk: path, ...memory } = parseRow(MemoryRow, row);
  return { ...memory, path };
}

export function memoryColumns({ path: _key, recent, ...memory }: StoredMemory): Columns {
  return { kind: 'memory', ...memory, recent: JSON.stringify(recent) };
}

const VersionRow = z.object({
  sk: z
    .string()
    .transform((key) => key.slice(VERSION_PREFIX.length))
    .pipe(MemoryVersionId),
  memory: MemoryId,
  operation: MemoryVersion.shape.operation,
  path: optional(z.string()),
  sha256: optional(z.string()),
  bytes: optional(z.int()),
  at: Instant,
  by: json(MemoryActor),
  redactedAt: optional(Instant),
  redactedBy: optional(json(MemoryActor)),
});

/** Without its text. */
export function versionOf({ store }: StorePlace, row: Row): MemoryVersion {
  const { sk, memory, operation, path, sha256, bytes, at, by, redactedAt, redactedBy } = parseRow(VersionRow, row);
  return {
    id: sk,
    type: 'memory_version',
    memory_store_id: store,
    memory_id: memory,
    operation,
    path,
    content: null,
    content_sha256: sha256,
    content_size_bytes: bytes,
    created_at: at,
    created_by: by,
    redacted_at: redactedAt,
    ...(redactedBy !== null && { redacted_by: redactedBy }),
  };
}
