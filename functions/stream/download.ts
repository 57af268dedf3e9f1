/**
 * Downloads of files. They go through the function that streams, because a buffered response holds 6 MB, and because a
 * redirect would carry the header `x-api-key` of older clients to another host.
 */
import type { GatewayEvent } from '#contract/gateway.ts';
import { FileId, type WorkspaceId } from '#contract/ids.ts';
import { isExpired } from '#core/files/copy.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { FileRecords, StoredFile } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';

export interface DownloadWorld extends Pick<Ports, 'blobs' | 'stamp'> {
  readonly files: Pick<FileRecords, 'find'>;
}

export async function downloadOf(
  world: DownloadWorld,
  workspace: WorkspaceId,
  { pathParameters }: GatewayEvent,
): Promise<StoredFile | RequestRefusal> {
  const id = FileId.safeParse(pathParameters?.['file_id']);
  const stored = id.success ? await world.files.find(workspace, id.data) : null;
  if (stored === null) return refuse('not_found_error', 'file_id: there is no such file');
  if (!stored.file.downloadable) {
    const message = 'file_id: only files that a session wrote to /mnt/session/outputs can be downloaded';
    return refuse('invalid_request_error', message, 'file_not_downloadable');
  }
  if (isExpired(stored, world.stamp.now()))
    return refuse('not_found_error', 'file_id: the file has expired', 'file_expired');
  return stored;
}

/** No browser shows the content as a page of this host. */
export function downloadHeaders({
  file: { filename, mime_type, size_bytes },
}: StoredFile): Readonly<Record<string, string>> {
  const plain = filename.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(filename).replaceAll(/['()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
  return {
    'content-type': mime_type,
    'content-length': String(size_bytes),
    'content-disposition': `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`,
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
  };
}
