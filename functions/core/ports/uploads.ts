/** Port of uploads in parts: what is known of them. An upload of another workspace does not exist for the caller. */
import type { FileMetadata } from '#contract/files.ts';
import type { FileId, Instant, UploadId, WorkspaceId } from '#contract/ids.ts';
import type { BlobUpload } from '#core/ports/blobs.ts';
import type { StoredFile } from '#core/ports/files.ts';
import type { Saved } from '#core/ports/records.ts';

export interface StoredUpload extends Pick<FileMetadata, 'filename' | 'mime_type' | 'size_bytes' | 'created_at'> {
  readonly id: UploadId;
  readonly status: 'pending' | 'completed';
  /** The id that the file has when there is one. */
  readonly file: FileId;
  /** Of the file, from its creation on. */
  readonly expiresInSeconds: number | null;
  /** Of the upload. */
  readonly expires_at: Instant;
  readonly parts: BlobUpload;
}

export interface UploadRecords {
  /** Writes the row and announces the blob with its parts, all or nothing. */
  begin(workspace: WorkspaceId, upload: StoredUpload): Promise<void>;
  /** Strongly consistent. A completed upload is found for a day. */
  find(workspace: WorkspaceId, id: UploadId): Promise<StoredUpload | null>;
  /**
   * Writes the row of the file, forgets the announcement and marks the upload as completed, all or nothing. `conflict`: it is
   * not pending any more.
   */
  complete(workspace: WorkspaceId, upload: StoredUpload, file: StoredFile): Promise<Saved>;
  /** Removes the row of a pending upload and announces its parts for the sweep. Whether there was one. */
  abort(workspace: WorkspaceId, upload: StoredUpload, at: Instant): Promise<boolean>;
}
