/** Stores bytes that no row names yet, and files: the bytes first, and then the row. */
import { BlobKey, type FileMetadata } from '#contract/files.ts';
import { FileId, type Instant, type WorkspaceId } from '#contract/ids.ts';
import { familyOf } from '#core/files/copy.ts';
import { dueAfter } from '#core/files/end-leftover.ts';
import type { NewBlob } from '#core/ports/blobs.ts';
import type { StoredFile } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';
import { later } from '#core/ports/stamp.ts';

type BlobPorts = Pick<Ports, 'blobs' | 'leftovers' | 'newToken' | 'stamp'>;

/**
 * Stores a new blob. `holder` is the partition of the records table whose row will name it. A process that dies before that
 * row leaves a leftover, which the sweep removes.
 */
export async function storeBlob(
  { blobs, leftovers, newToken, stamp }: BlobPorts,
  holder: string,
  content: Omit<NewBlob, 'blob'>,
): Promise<BlobKey> {
  const blob = BlobKey.parse(`blobs/${newToken()}`);
  await leftovers.announce({ type: 'blob', blob, holder }, dueAfter(stamp.now()));
  await blobs.put({ blob, ...content });
  return blob;
}

export function fileHolder(workspace: WorkspaceId, id: FileId): string {
  return `${workspace}#${familyOf(id)}`;
}

interface NewFile extends Pick<FileMetadata, 'filename' | 'mime_type' | 'size_bytes' | 'scope' | 'downloadable'> {
  readonly expiresInSeconds: number | null;
}

export function newFile(id: FileId, { expiresInSeconds, ...given }: NewFile, at: Instant): FileMetadata {
  const expires_at = expiresInSeconds === null ? null : later(at, expiresInSeconds * 1000);
  return { id, type: 'file', ...given, created_at: at, expires_at };
}

export async function storeFile(
  world: BlobPorts & Pick<Ports, 'files'>,
  { workspace, ...given }: NewFile & { readonly workspace: WorkspaceId },
  bytes: NewBlob['bytes'],
): Promise<StoredFile> {
  const file = newFile(FileId.parse(`file_${world.newToken()}`), given, world.stamp.now());
  const blob = await storeBlob(world, fileHolder(workspace, file.id), { sizeBytes: file.size_bytes, bytes });
  await world.files.create(workspace, { file, blob });
  return { file, blob };
}
