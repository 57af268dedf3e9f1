/**
 * Downloads of files and skills. They go through the function that streams, because a buffered response holds 6 MB, and
 * because a redirect carries a client's header `x-api-key` to S3. Only a file that no stream carries is answered so.
 */
import type { GatewayEvent } from '#contract/gateway.ts';
import { FileId, type WorkspaceId } from '#contract/ids.ts';
import { SkillId, SkillVersionRef } from '#contract/skills.ts';
import { isExpired } from '#core/files/copy.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { FileRecords, StoredFile } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { SkillRecords } from '#core/ports/skills.ts';
import { versionNamed } from '#core/skills/session-skills.ts';

export interface DownloadWorld extends Pick<Ports, 'blobs' | 'stamp' | 'skillArchives'> {
  readonly files: Pick<FileRecords, 'find'>;
  readonly skills: Pick<SkillRecords, 'find' | 'version'>;
}

/** Lambda streams at most 200 MB of a response, with its head. */
const MAX_STREAMED_BYTES = 199_000_000;

interface Download {
  readonly status: 200 | 307;
  readonly headers: Readonly<Record<string, string>>;
  readonly open: () => Promise<AsyncIterable<Uint8Array>>;
}

export function downloadOf(
  world: DownloadWorld,
  workspace: WorkspaceId,
  event: GatewayEvent,
): Promise<Download | RequestRefusal> {
  const isOfSkill = event.pathParameters?.['skill_id'] !== undefined;
  return isOfSkill ? skillDownload(world, workspace, event) : fileDownload(world, workspace, event);
}

async function fileDownload(
  world: DownloadWorld,
  workspace: WorkspaceId,
  { pathParameters }: GatewayEvent,
): Promise<Download | RequestRefusal> {
  const id = FileId.safeParse(pathParameters?.['file_id']);
  const stored = id.success ? await world.files.find(workspace, id.data) : null;
  const refused = stored === null ? NO_FILE : unreadable(world, stored);
  if (stored === null || refused !== null) return refused ?? NO_FILE;
  const { filename, mime_type: type, size_bytes: bytes } = stored.file;
  if (bytes <= MAX_STREAMED_BYTES) {
    const headers = { ...headersOf({ filename, type }), 'content-length': String(bytes) };
    return { status: 200, headers, open: () => world.blobs.get(stored.blob) };
  }
  const location = await world.blobs.link(stored.blob, { type, disposition: dispositionOf(filename) });
  return { status: 307, headers: { location }, open: async () => new Blob([]).stream() };
}

const NO_FILE = refuse('not_found_error', 'file_id: there is no such file');

function unreadable(world: DownloadWorld, stored: StoredFile): RequestRefusal | null {
  if (!stored.file.downloadable) {
    const message = 'file_id: only files that a session wrote to /mnt/session/outputs can be downloaded';
    return refuse('invalid_request_error', message, 'file_not_downloadable');
  }
  return isExpired(stored, world.stamp.now())
    ? refuse('not_found_error', 'file_id: the file has expired', 'file_expired')
    : null;
}

/**
 * A zip is made of the archive that sandboxes get, as it is read. Its length is not known before; one that breaks off lacks
 * the directory at its end, without which no client reads it.
 */
async function skillDownload(
  { skills, blobs, skillArchives }: DownloadWorld,
  workspace: WorkspaceId,
  { pathParameters }: GatewayEvent,
): Promise<Download | RequestRefusal> {
  const id = SkillId.safeParse(pathParameters?.['skill_id']);
  const stored = id.success ? await skills.find(workspace, id.data) : null;
  if (stored === null) return refuse('not_found_error', 'skill_id: there is no such skill');
  const ref = SkillVersionRef.safeParse(pathParameters?.['version']);
  const found = ref.success ? await skills.version(stored.holder, versionNamed(stored, ref.data)) : null;
  if (found === null) return refuse('not_found_error', 'version: there is no such version');
  const { name } = found.version;
  const headers = headersOf({ filename: `${name}.zip`, type: 'application/zip' });
  return { status: 200, headers, open: async () => skillArchives.zip(await blobs.get(found.blob), name) };
}

/** No browser shows the content as a page of this host. */
function headersOf({ filename, type }: { filename: string; type: string }) {
  return {
    'content-type': type,
    'content-disposition': dispositionOf(filename),
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
  };
}

function dispositionOf(filename: string): string {
  const plain = filename.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(filename).replaceAll(/['()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
