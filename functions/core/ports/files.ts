/** Port of files: what is known of them beside their bytes. A file of another workspace does not exist for the caller. */
import type { BlobKey, FileMetadata } from '#contract/files.ts';
import type { FileId, Instant, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { ListRequest, Rows } from '#core/ports/records.ts';

export interface StoredFile {
  readonly file: FileMetadata;
  readonly blob: BlobKey;
}

export interface FileCopy {
  readonly source: StoredFile;
  /** Names the same blob; its id is made by `copyOf` (core/files/copy.ts). */
  readonly copy: StoredFile;
  /** A resource is a file of its session. What a message names is none: it only has to last as long as the session. */
  readonly listed: 'in its session' | 'nowhere';
}

/**
 * All rows of one blob share a partition, which the file's id names: that of the uploaded file, and those of its copies. The
 * blob is removed when the partition is empty, so deleting the original leaves a copy readable.
 */
export interface FileRecords {
  /**
   * Writes the row of a whole blob and forgets its announcement, all or nothing. A file of a session is listed in its
   * workspace too.
   */
  create(workspace: WorkspaceId, stored: StoredFile): Promise<void>;
  /** Strongly consistent, as is `findAll`. Also an expired file is found. */
  find(workspace: WorkspaceId, id: FileId): Promise<StoredFile | null>;
  /** In the order of the ids; null for an id without a file. */
  findAll(workspace: WorkspaceId, ids: readonly FileId[]): Promise<readonly (StoredFile | null)[]>;
  /**
   * Files of the workspace without the copies for sessions, or with `scope` the files of one session, copies included. Copies
   * that are listed nowhere count as archived.
   */
  list(request: ListRequest, scope: SessionId | null): Promise<Rows<StoredFile>>;
  /** Removes the row and announces its blob. Whether there was one; a repeat changes nothing. */
  remove(workspace: WorkspaceId, id: FileId, at: Instant): Promise<boolean>;
  /**
   * Writes the rows of copies, and no bytes. They are listed in their session at most. Answers the index of a copy whose source
   * is gone, and then there are no copies; null when all are written. A process that dies may leave some of them: the caller
   * announces them as leftovers of a session that does not exist yet.
   */
  copy(workspace: WorkspaceId, copies: readonly FileCopy[]): Promise<number | null>;
}

/** The content of a path that was stored last, and how much all stored contents of the session are. */
export interface OutputState {
  readonly last: { readonly version: number; readonly sha256: string } | null;
  readonly files: number;
  readonly bytes: number;
}

/** The last content of a path. */
export interface StoredOutput {
  readonly path: string;
  readonly file: FileId;
  readonly bytes: number;
}

/** What a session's sandboxes wrote for its user, so that the same content of a path is stored once. */
export interface OutputRecords {
  find(session: SessionId, path: string): Promise<OutputState>;
  /** The content is stored. A repeat changes nothing, and neither does a session that is gone. */
  note(
    session: SessionId,
    path: string,
    stored: { readonly version: number; readonly sha256: string; readonly bytes: number; readonly file: FileId },
  ): Promise<void>;
  /** By path, with every content that was noted. A file may have been deleted since. */
  list(session: SessionId): Promise<readonly StoredOutput[]>;
}

/** For the sweep, which may not delete rows. */
export interface AbandonedCopies {
  /** Makes every copy for a session vanish, and announces the blobs. What the session's sandbox wrote stays. */
  abandon(workspace: WorkspaceId, session: SessionId, at: Instant): Promise<void>;
}
