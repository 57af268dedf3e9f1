/** Stores the bytes of a new file, and then its row. */
import { BlobKey, type FileMetadata } from '#contract/files.ts';
import { FileId, type WorkspaceId } from '#contract/ids.ts';
import { familyOf } from '#core/files/copy.ts';
import { dueAfter } from '#core/files/end-leftover.ts';
import type { Leftover } from '#core/ports/blobs.ts';
import type { StoredFile } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';
import { later } from '#core/ports/stamp.ts';

interface NewFile extends Pick<FileMetadata, 'filename' | 'mime_type' | 'size_bytes' | 'scope' | 'downloadable'> {
  readonly expiresInSeconds: number | null;
}

/** Gives a new file its ids and instants. */
function newFile(
  { expiresInSeconds, ...given }: NewFile,
  { newToken, stamp }: Pick<Ports, 'newToken' | 'stamp'>,
): StoredFile {
  const at = stamp.now();
  const expires_at = expiresInSeconds === null ? null : later(at, expiresInSeconds * 1000);
  const file: FileMetadata = {
    id: FileId.parse(`file_${newToken()}`),
    type: 'file',
    ...given,
    created_at: at,
    expires_at,
  };
  return { file, blob: BlobKey.parse(`blobs/${newToken()}`) };
}

function blobOf(workspace: WorkspaceId, { file, blob }: StoredFile): Leftover {
  return { type: 'blob', blob, holder: `${workspace}#${familyOf(file.id)}` };
}

/** A process that dies on the way leaves a leftover, and no file. */
export async function storeFile(
  world: Pick<Ports, 'blobs' | 'files' | 'leftovers' | 'newToken' | 'stamp'>,
  { workspace, ...given }: NewFile & { readonly workspace: WorkspaceId },
  bytes: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
): Promise<StoredFile> {
  const stored = newFile(given, world);
  await world.leftovers.announce(blobOf(workspace, stored), dueAfter(stored.file.created_at));
  await world.blobs.put({ blob: stored.blob, sizeBytes: stored.file.size_bytes, bytes });
  await world.files.create(workspace, stored);
  return stored;
}
