/**
 * Uploads in parts. The client sends the parts to S3 with URLs that are signed for them, and completing the upload joins them
 * and makes the file. What a death leaves behind is announced with the upload's row, and the sweep ends it.
 */
import { BlobKey, type FileMetadata } from '#contract/files.ts';
import { FileId, UploadId, type WorkspaceId } from '#contract/ids.ts';
import { PART_BYTES, type Upload, type UploadCompletion } from '#contract/uploads.ts';
import { newFile } from '#core/files/store-file.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import { later } from '#core/ports/stamp.ts';
import type { StoredUpload } from '#core/ports/uploads.ts';

type UploadPorts = Pick<Ports, 'blobUploads' | 'files' | 'newToken' | 'stamp' | 'uploads'>;

/** The lifetime of an upload and of its URLs. */
const LIFETIME_MS = 3600_000;

type NewUpload = Pick<StoredUpload, 'filename' | 'mime_type' | 'size_bytes' | 'expiresInSeconds'>;

export async function beginUpload(world: UploadPorts, workspace: WorkspaceId, given: NewUpload): Promise<Upload> {
  const { blobUploads, newToken, stamp, uploads } = world;
  const parts = await blobUploads.begin(BlobKey.parse(`blobs/${newToken()}`));
  const created_at = stamp.now();
  const ids = { id: UploadId.parse(`upload_${newToken()}`), file: FileId.parse(`file_${newToken()}`) };
  const times = { created_at, expires_at: later(created_at, LIFETIME_MS) };
  const upload: StoredUpload = { ...ids, ...given, ...times, status: 'pending', parts };
  await uploads.begin(workspace, upload);
  return shown(world, upload);
}

/** With a new URL for each part, because those that the client has end when the credentials end that signed them. */
export async function shown({ blobUploads, stamp }: UploadPorts, upload: StoredUpload): Promise<Upload> {
  const { id, status, filename, mime_type, size_bytes, created_at, expires_at } = upload;
  const seconds = Math.floor((Date.parse(expires_at) - Date.parse(stamp.now())) / 1000);
  const isOpen = status === 'pending' && seconds > 0;
  const parts = (isOpen ? partsOf(size_bytes) : []).map(async ({ number, bytes }) => ({
    part_number: number,
    size_bytes: bytes,
    url: await blobUploads.signPart(upload.parts, { number, bytes, seconds }),
  }));
  return {
    ...{ id, type: 'upload', status, filename, mime_type, size_bytes, created_at, expires_at, part_size: PART_BYTES },
    parts: await Promise.all(parts),
    file_id: status === 'completed' ? upload.file : null,
  };
}

/** An empty file has one part, which is empty: S3 joins nothing from no parts. */
function partsOf(bytes: number) {
  return Array.from({ length: Math.max(1, Math.ceil(bytes / PART_BYTES)) }, (_, index) => ({
    number: index + 1,
    bytes: Math.min(PART_BYTES, bytes - index * PART_BYTES),
  }));
}

/** A repeat answers the same file, also after a death between any two steps. */
export async function completeUpload(
  world: UploadPorts,
  workspace: WorkspaceId,
  { id, parts }: { readonly id: UploadId } & UploadCompletion,
): Promise<FileMetadata | RequestRefusal> {
  const { blobUploads, files, stamp, uploads } = world;
  const upload = await uploads.find(workspace, id);
  if (upload === null) return NO_UPLOAD;
  if (upload.status === 'completed') return fileOf(world, workspace, upload);
  if (upload.expires_at <= stamp.now()) return unfit('upload_id: the upload has expired; begin another one');
  const count = partsOf(upload.size_bytes).length;
  if (parts.length !== count || parts.some(({ part_number }, index) => part_number !== index + 1)) {
    return unfit(`parts: must be the ${count} parts of the upload, in their order`);
  }
  const named = parts.map(({ part_number: number, etag }) => ({ number, etag: etag.replaceAll('"', '') }));
  const joined = await blobUploads.join(upload.parts, named, upload.size_bytes);
  if (joined === 'gone') return NO_UPLOAD;
  if (joined === 'wrong parts') return unfit('parts: each must have been uploaded, and have the ETag of that upload');
  if (joined === 'wrong size') return unfit(`parts: must have ${upload.size_bytes} bytes together, as size_bytes says`);
  const { filename, mime_type, size_bytes, expiresInSeconds } = upload;
  const given = { filename, mime_type, size_bytes, expiresInSeconds, scope: null, downloadable: false };
  const file = newFile(upload.file, given, stamp.now());
  if ((await uploads.complete(workspace, upload, { file, blob: upload.parts.blob })) === 'saved') return file;
  // Another request completed or deleted it meanwhile.
  return (await files.find(workspace, upload.file))?.file ?? NO_UPLOAD;
}

async function fileOf({ files }: UploadPorts, workspace: WorkspaceId, { file }: StoredUpload) {
  const gone = refuse('not_found_error', 'upload_id: the file of the upload is deleted');
  return (await files.find(workspace, file))?.file ?? gone;
}

/** The sweep removes the parts within minutes. */
export async function abortUpload(
  { stamp, uploads }: UploadPorts,
  workspace: WorkspaceId,
  id: UploadId,
): Promise<'aborted' | RequestRefusal> {
  const upload = await uploads.find(workspace, id);
  if (upload === null) return NO_UPLOAD;
  const isAborted = upload.status === 'pending' && (await uploads.abort(workspace, upload, stamp.now()));
  if (isAborted) return 'aborted';
  const isCompleted = (await uploads.find(workspace, id))?.status === 'completed';
  return isCompleted ? unfit(`upload_id: the upload is completed; delete its file ${upload.file} instead`) : NO_UPLOAD;
}

const NO_UPLOAD = refuse('not_found_error', 'upload_id: there is no such upload');

function unfit(message: string): RequestRefusal {
  return refuse('invalid_request_error', message);
}
