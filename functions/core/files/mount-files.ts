/** Files as resources of a session: a copy of each for the session, and its places in the sandbox. */
import type { FileResourceInput, MountedFile } from '#contract/resources.ts';
import { MAX_FILES, MAX_FILES_BYTES } from '#contract/resources.ts';
import { ResourceId, type SessionId, type WorkspaceId } from '#contract/ids.ts';
import { copyOf } from '#core/files/copy.ts';
import { mountPath } from '#core/files/mount-path.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { FileCopy } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';

export interface AskedFile {
  /** Names the resource in a refusal, and stands before the names of its fields. */
  readonly field: string;
  readonly input: FileResourceInput;
}

interface PlannedFile {
  readonly mounted: MountedFile;
  readonly copy: FileCopy;
}

interface MountTarget {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  /** Files that the session has. */
  readonly present: readonly MountedFile[];
  /** Folders of its repositories, in which no file of a client is put. */
  readonly folders: readonly string[];
}

/** Reads only: the copies are written when the whole request is accepted. In the order of the files that are asked for. */
export async function planFiles(
  { files, stamp, newToken }: Pick<Ports, 'files' | 'stamp' | 'newToken'>,
  { workspace, session, ...there }: MountTarget,
  asked: readonly AskedFile[],
): Promise<readonly PlannedFile[] | RequestRefusal> {
  const places = placesOf(asked, there);
  if ('status' in places) return places;
  const at = stamp.now();
  const ids = [...new Set(asked.map(({ input }) => input.file_id))];
  const sources = new Map((await files.findAll(workspace, ids)).map((source, index) => [ids[index], source]));
  const planned: PlannedFile[] = [];
  for (const [index, { field, input }] of asked.entries()) {
    const [source, place] = [sources.get(input.file_id) ?? null, places[index]];
    if (source === null || place === undefined) return noSuchFile(field);
    const { expires_at } = source.file;
    if (expires_at !== null && expires_at <= at) return unfit(`${field}file_id: the file has expired`);
    const copy = copyOf(source, { session, token: newToken(), at, listed: 'in its session' });
    const id = ResourceId.parse(`sesrsc_${newToken()}`);
    const from = { file: source.file.id, blob: source.blob, bytes: source.file.size_bytes, also: place.also };
    const stamps = { created_at: at, updated_at: at };
    const mounted = { id, type: 'file' as const, file_id: copy.copy.file.id, mount_path: place.path, ...stamps };
    planned.push({ mounted: { ...mounted, source: from }, copy });
  }
  const bytes = [...there.present, ...planned.map(({ mounted }) => mounted)].reduce(
    (sum, file) => sum + file.source.bytes,
    0,
  );
  const tooMuch = `resources: the files of a session have at most ${MAX_FILES_BYTES} bytes together`;
  return bytes > MAX_FILES_BYTES ? unfit(tooMuch) : planned;
}

/** A file of another workspace is answered in the same way. */
function noSuchFile(field: string): RequestRefusal {
  return unfit(`${field}file_id: there is no such file`);
}

interface Place {
  readonly path: string;
  /** Where programs look for it that ask for a path in the working directory. */
  readonly also: string | null;
}

function placesOf(
  asked: readonly AskedFile[],
  { present, folders: repositories }: Pick<MountTarget, 'present' | 'folders'>,
): readonly Place[] | RequestRefusal {
  if (present.length + asked.length > MAX_FILES) return unfit(`resources: a session has at most ${MAX_FILES} files`);
  const taken = new Set<string>();
  const folders = new Set<string>();
  for (const { mount_path: path, source } of present) [path, source.also].forEach(take);
  for (const path of repositories) take(path);
  const places: Place[] = [];
  for (const { field, input } of asked) {
    const place = mountPath(input.mount_path ?? input.file_id);
    if (place.status === 'refused') return unfit(`${field}mount_path: ${place.rule}`);
    const { path, also } = place;
    for (const one of [path, also]) {
      if (one === null) continue;
      if (taken.has(one)) return unfit(`${field}mount_path: another resource of the session is there`);
      if (folders.has(one)) return unfit(`${field}mount_path: it is a folder of another resource of the session`);
      if (foldersOf(one).some((folder) => taken.has(folder)))
        return unfit(`${field}mount_path: a folder of it is another resource of the session`);
    }
    [path, also].forEach(take);
    places.push({ path, also });
  }
  return places;

  function take(path: string | null): void {
    if (path === null) return;
    taken.add(path);
    for (const folder of foldersOf(path)) folders.add(folder);
  }
}

function foldersOf(path: string): readonly string[] {
  const names = path.split('/').slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}

function unfit(message: string): RequestRefusal {
  return refuse('invalid_request_error', message);
}
