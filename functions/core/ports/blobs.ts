/**
 * Ports of blobs: the bytes of files and skills. A blob has a random key and never changes. What names it are rows of the
 * records table; a blob that no row names is a leftover, which the sweep removes.
 */
import type { BlobKey } from '#contract/files.ts';
import type { Instant, SessionId, WorkspaceId } from '#contract/ids.ts';

export interface NewBlob {
  readonly blob: BlobKey;
  /** Exactly as many as `bytes` has. */
  readonly sizeBytes: number;
  readonly bytes: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
}

export interface Blobs {
  /** All bytes, in order. The stream fails where the connection breaks, so a cut blob never looks whole. */
  get(blob: BlobKey): Promise<ReadableStream<Uint8Array>>;
  /** A URL with which its bearer reads the blob for some minutes, as this type and with this `content-disposition`. */
  link(blob: BlobKey, shown: { readonly type: string; readonly disposition: string }): Promise<string>;
  /** The blob exists when this resolves, and never in part. It was announced before. A repeat stores the same again. */
  put(blob: NewBlob): Promise<void>;
}

/** A blob that is stored in parts, by clients that have URLs for them. It exists when the parts are joined. */
export interface BlobUpload {
  readonly blob: BlobKey;
  /** S3's name of the upload. */
  readonly upload: string;
}

export interface BlobUploads {
  /** One that nothing names costs nothing, and S3 ends it after some days. */
  begin(blob: BlobKey): Promise<BlobUpload>;
  /** A URL that takes one PUT body after the other, each as this part and with exactly this many bytes. */
  signPart(
    upload: BlobUpload,
    part: { readonly number: number; readonly bytes: number; readonly seconds: number },
  ): Promise<string>;
  /**
   * The blob is made of these parts, in this order, if they have `sizeBytes` together. `gone`: there is no such upload, and
   * no blob. A repeat finds the blob.
   */
  join(
    upload: BlobUpload,
    parts: readonly { readonly number: number; readonly etag: string }[],
    sizeBytes: number,
  ): Promise<'joined' | 'wrong parts' | 'wrong size' | 'gone'>;
}

export interface BlobRemover {
  /** A blob that does not exist is removed too. With `upload`, its parts go first, so that they cannot be joined any more. */
  remove(blob: BlobKey, upload?: string): Promise<void>;
}

/** What stays behind when a process dies, or when its last row goes. */
export type Leftover =
  /** A blob, and the partition of the records table whose rows may name it in their column `blob`. It may be in parts yet. */
  | { readonly type: 'blob'; readonly blob: BlobKey; readonly holder: string; readonly upload?: string | undefined }
  /** The versions of a skill that was removed: the rows of this partition. */
  | { readonly type: 'skill'; readonly holder: string }
  /** Copies of files for a session, which may not exist. */
  | { readonly type: 'copies'; readonly workspace: WorkspaceId; readonly session: SessionId };

export interface DueLeftover {
  readonly leftover: Leftover;
  /** Names this announcement: a later one of the same leftover has another. */
  readonly announcement: string;
}

/**
 * Leftovers are announced before the effect that they are about: before the first byte of a blob is written, and before the
 * first copy for a session that does not exist yet. The transaction that writes the row of a new blob forgets its
 * announcement, and the transaction that removes a row announces its blob.
 */
export interface Leftovers {
  /** To be looked at from `due` on. A later announcement of the same leftover replaces it. */
  announce(leftover: Leftover, due: Instant): Promise<void>;
  due(before: Instant): AsyncIterable<DueLeftover>;
  /** Whether a row names the blob, or whether the session exists. Strongly consistent; content that expired does not count. */
  isHeld(leftover: Leftover, at: Instant): Promise<boolean>;
  /** Does nothing when the leftover was announced again. */
  forget(due: DueLeftover, at: Instant): Promise<void>;
}
