/**
 * Ports of memory stores. A store of another workspace does not exist for the caller, and a removed one has no memories.
 * Reads are strongly consistent, except the list of stores. `list` and `versions` do not look whether there is a store.
 */
import type { Instant, MemoryId, MemoryStoreId, MemoryVersionId, WorkspaceId } from '#contract/ids.ts';
import type { MemoryActor, MemoryStore, MemoryVersion, MemoryVersionsQuery } from '#contract/memory.ts';
import type { ListRequest, Range, Rows, Saved } from '#core/ports/records.ts';

export interface StorePlace {
  readonly workspace: WorkspaceId;
  readonly store: MemoryStoreId;
}

export interface RevisedStore {
  readonly store: MemoryStore;
  /** Moves on with each `replace`. */
  readonly revision: number;
}

export interface MemoryStoreRecords {
  create(workspace: WorkspaceId, store: MemoryStore): Promise<void>;
  find(place: StorePlace): Promise<RevisedStore | null>;
  list(request: ListRequest): Promise<Rows<MemoryStore>>;
  /** Puts the store in place of the one that had this revision, unless that is archived. */
  replace(workspace: WorkspaceId, revised: RevisedStore): Promise<Saved>;
  /** From here on its memories can be read and deleted only. The first mark stays. Null when there is no such store. */
  archive(place: StorePlace, at: Instant): Promise<MemoryStore | null>;
  /**
   * From here on there is no such store, and no write into it succeeds; its memories stay until `MemoryRemovals.finish`.
   * Whether there was one.
   */
  remove(place: StorePlace): Promise<boolean>;
}

/** Stores that were removed and of which rows may be left. */
export interface MemoryRemovals {
  pending(): AsyncIterable<StorePlace>;
  /** Removes all rows, and then the pending removal. A repeat goes on where a process died. */
  finish(place: StorePlace): Promise<void>;
}

/** A memory without its text. */
export interface StoredMemory {
  readonly id: MemoryId;
  readonly path: string;
  readonly version: MemoryVersionId;
  readonly sha256: string;
  readonly bytes: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** Its latest versions, which are always kept: newest first, the present one among them. */
  readonly recent: readonly MemoryVersionId[];
}

export interface MemoryChange {
  /** Null: a new memory. */
  readonly from: StoredMemory | null;
  /** Null: a deletion. Its `version` is new. */
  readonly to: StoredMemory | null;
  /** The version that records the change. */
  readonly version: MemoryVersionId;
  /** Null of a deletion. */
  readonly content: string | null;
  readonly at: Instant;
  readonly by: MemoryActor;
}

/** A memory that has a path, or an ancestor or a descendant of it. */
export type Taken = Pick<StoredMemory, 'id' | 'path'>;

export type MemoryWritten =
  | { readonly status: 'written' }
  /** `from` is not the memory's present state. Read it again and decide anew. */
  | { readonly status: 'moved' }
  /** `by` is null when the memory went away meanwhile. */
  | { readonly status: 'taken'; readonly by: Taken | null }
  /** The store has as many memories as it may, is archived, or there is none. */
  | { readonly status: 'full' | 'archived' | 'gone' };

type ListedVersion = Pick<MemoryVersionsQuery, 'memory_id' | 'operation' | 'session_id' | 'api_key_id'>;

export interface MemoryVersionRequest extends ListedVersion, Range {
  /** Versions before this one; null begins with the latest. */
  readonly before: MemoryVersionId | null;
  readonly limit: number;
}

export interface Memories {
  find(place: StorePlace, id: MemoryId): Promise<StoredMemory | null>;
  at(place: StorePlace, path: string): Promise<StoredMemory | null>;
  /**
   * Those whose paths begin with `prefix`, which ends in "/", by the bytes of their paths; only those behind `after`, which
   * is a path or the prefix of some, of which it leaves out all.
   */
  list(place: StorePlace, prefix: string, after: string | null): AsyncIterable<StoredMemory>;
  /**
   * The memory, its version and its text change together, or nothing does. No path is another's, and none is an ancestor of
   * another, whatever happens at the same time. Older versions than the recent ones, and all of a memory that is deleted,
   * stay for 30 days from here on.
   */
  write(place: StorePlace, change: MemoryChange): Promise<MemoryWritten>;
  /** The text of a version; null when it was redacted, or there is none. */
  content(place: StorePlace, version: MemoryVersionId): Promise<string | null>;
  /** Without its text. */
  version(place: StorePlace, id: MemoryVersionId): Promise<MemoryVersion | null>;
  /** Newest first, without texts. `more`: the last version that was looked at; null at the end. A page may be short before. */
  versions(
    place: StorePlace,
    request: MemoryVersionRequest,
  ): Promise<{ readonly versions: readonly MemoryVersion[]; readonly more: MemoryVersionId | null }>;
  /** Removes text, hash, size and path for good. The first redaction stays. Null when there is no such version. */
  redact(
    place: StorePlace,
    version: MemoryVersion,
    mark: { readonly at: Instant; readonly by: MemoryActor },
  ): Promise<MemoryVersion | null>;
}
