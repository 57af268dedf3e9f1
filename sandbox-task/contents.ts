import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  write,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  CONTENT_LIMITS,
  type ContentEntry,
  type ContentsResponse,
  type ExecuteRequest,
  type Manifest,
  MEMORY_DIR,
  OUTPUTS_FOLDER,
  type ParcelHeader,
  UPLOADS_DIR,
  WORKDIR,
} from '../functions/contract/hands.ts';
import { PACKAGES_DIR } from '../functions/contract/packages.ts';
import { takeTurns } from './abort.ts';
import { asServer } from './as-agent.ts';
import { makeOutputsFolder } from './output.ts';
import { parcelsIn, type Parcel } from './parcels.ts';
import { fileOf, type Places } from './places.ts';
import { unpack } from './unpack.ts';

/** What a file was when it was put or kept. Any change of the file changes one of these. */
export interface FileMark {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

interface Placed extends Pick<ContentEntry, 'access' | 'form' | 'version'> {
  /** Null for what is no file, and for a file that the agent removed. */
  readonly mark: FileMark | null;
}

/** What the session's calls must find here: the last manifest, and what is in place of it. */
export interface Contents {
  /** Whether a call that names these versions has to wait. A sandbox with packages takes no call without them. */
  areAwaited(call: Pick<ExecuteRequest, 'contents' | 'thread'>): boolean;
  /**
   * Takes over a manifest: removes what is no longer in it, and answers what is lacking. While another caller is about to
   * send what it lacks, the answer waits.
   */
  expect(manifest: Manifest): Promise<readonly string[]>;
  /** Puts what is lacking. One stream at a time: what an earlier one put is dropped from the next. */
  take(stream: AsyncIterable<Buffer>): Promise<ContentsResponse>;
  /** What the sandbox fetches by itself. */
  repositories(): readonly ContentEntry[];
  /** The folders that the agent writes to and its caller wants to know of. */
  writableFolders(): readonly string[];
  /** What is at a path of these folders, as the caller knows it. */
  known(): ReadonlyMap<string, Placed>;
  /** The caller has stored what the agent wrote, or removed. */
  keep(path: string, now: { readonly version: string; readonly mark: FileMark } | null): void;
}

type Limits = Readonly<Record<'archiveBytes' | 'fileBytes', number>>;

interface Part {
  readonly version: string;
  readonly entries: Map<string, ContentEntry>;
}

/** A caller that was told what is lacking has begun to send it by then, or has died. */
const STREAM_BEGINS_MS = 3000;

const put = promisify(write);

/** @param archive the packages without which the sandbox takes no call; null without packages */
export function contentsIn(
  places: Places,
  archive: string | null,
  { limits = CONTENT_LIMITS, streamBeginsMs = STREAM_BEGINS_MS }: { limits?: Limits; streamBeginsMs?: number } = {},
): Contents {
  const inTurn = takeTurns();
  const placed = new Map<string, Placed>();
  /** Null until the first manifest. */
  let ofSession: Part | null = null;
  const ofThreads = new Map<string, Part>();
  /** A caller was told what is lacking, and its stream has not begun. */
  let coming: PromiseWithResolvers<void> | null = null;
  const inMyTurn = <T>(work: () => Promise<T>): Promise<T> => inTurn(new AbortController().signal, work);
  const parts = () => [...(ofSession === null ? [] : [ofSession]), ...ofThreads.values()];

  function entryAt(path: string): ContentEntry | undefined {
    for (const { entries } of parts()) {
      const entry = entries.get(path);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  function isChanged(path: string, mark: FileMark | null): boolean {
    const now = markAt(fileOf(places, path));
    // Without a time of its own a mark is compared by the rest.
    return !isSame(now, mark !== null && now !== null && mark.mtimeMs === 0 ? { ...mark, mtimeMs: now.mtimeMs } : mark);
  }

  function isLacking({ path, version, access, form }: ContentEntry): boolean {
    // No one sends it.
    if (form === 'repository') return false;
    const there = placed.get(path);
    if (there === undefined) return form !== 'folder';
    if (form !== 'file') return there.version !== version;
    if (access === 'read_only') return there.version !== version || isChanged(path, there.mark);
    // What the agent wrote is its own until it is kept: its caller finds out that both have changed it.
    return there.version !== version && !isChanged(path, there.mark);
  }

  async function expect({ thread, ...session }: Manifest): Promise<readonly string[]> {
    ofSession = partOf(session);
    if (thread !== undefined) ofThreads.set(thread.id, partOf(thread));
    // What is deeper goes first, so that folders are empty in their turn.
    for (const [path, there] of [...placed].toSorted(([a], [b]) => b.length - a.length)) {
      if (entryAt(path) === undefined) drop(path, there);
    }
    const wanted = [...session.entries, ...(thread?.entries ?? [])];
    for (const entry of wanted) if (entry.form === 'folder') makeFolder(entry);
    const lacking = wanted.filter(isLacking).map(({ path }) => path);
    if (lacking.length > 0) awaitStream();
    return lacking;
  }

  function awaitStream(): void {
    const own = Promise.withResolvers<void>();
    coming = own;
    setTimeout(() => streamBegins(own), streamBeginsMs).unref();
  }

  function streamBegins(own = coming): void {
    own?.resolve();
    if (coming === own) coming = null;
  }

  async function expectAfterStream(next: Manifest): Promise<readonly string[]> {
    for (;;) {
      const lacking = await inMyTurn(async () => (coming === null ? expect(next) : null));
      if (lacking !== null) return lacking;
      await coming?.promise;
    }
  }

  function drop(path: string, there: Placed): void {
    const file = fileOf(places, path);
    placed.delete(path);
    if (there.access === 'read_write' && there.form === 'file' && isChanged(path, there.mark)) return;
    attempt(() => {
      as(path, there, () => {
        if (there.form === 'folder') rmdirSync(file);
        else rmSync(file, { recursive: there.form === 'archive', force: true });
        if (there.access === 'read_only') removeEmpty(dirname(path));
      });
    });
  }

  /** Folders that were made for contents go with the last of them. */
  function removeEmpty(path: string): void {
    for (let folder = path; !ROOTS.includes(folder) && folder !== '/'; folder = dirname(folder)) {
      rmdirSync(fileOf(places, folder));
    }
  }

  function makeFolder(entry: ContentEntry): void {
    const { path, ...there } = entry;
    const fault = attempt(() => as(path, entry, () => prepareFolder(path)));
    if (fault === null) placed.set(path, { ...there, mark: null });
  }

  /**
   * Makes the folders down to this one. It refuses a link, and a folder of another user: where the server acts as itself,
   * the agent must own none on the way.
   */
  function prepareFolder(path: string): string {
    const root = ROOTS.find((folder) => path === folder || path.startsWith(`${folder}/`)) ?? WORKDIR;
    if (path === `${WORKDIR}/${OUTPUTS_FOLDER}`) makeOutputsFolder(fileOf(places, path));
    let folder = fileOf(places, root);
    makeRoot(folder, root);
    for (const name of path.slice(root.length + 1).split('/')) {
      if (name === '') break;
      folder = join(folder, name);
      const found = lstatSync(folder, { throwIfNoEntry: false });
      if (found === undefined) mkdirSync(folder, { mode: 0o755 });
      else if (found.isSymbolicLink()) throw new Error('a link is in the way');
      else if (!found.isDirectory()) throw new Error(FILE_IN_THE_WAY);
      else if (found.uid !== process.geteuid?.()) throw new Error('a folder of another user is in the way');
    }
    return folder;
  }

  async function take(stream: AsyncIterable<Buffer>): Promise<ContentsResponse> {
    const refused: ContentsResponse['refused'] = [];
    for await (const parcel of parcelsIn(stream)) {
      const { path, version } = parcel.header;
      const entry = entryAt(path);
      if (entry?.version !== version) {
        refused.push({ path, reason: 'it is not in the newest manifest', isSuperseded: true });
        continue;
      }
      const reason = faultOf(parcel.header, entry, limits) ?? (isLacking(entry) ? await place(entry, parcel) : null);
      if (reason !== null) refused.push({ path, reason });
    }
    return { refused };
  }

  /** Null when the entry is in place, else why it is not. @throws when the stream breaks */
  async function place(entry: ContentEntry, parcel: Parcel): Promise<string | null> {
    const { path, access, form, version } = entry;
    const before = placed.get(path)?.mark ?? null;
    if (form === 'archive') {
      const fault = await unpack(parcel.body, fileOf(places, path));
      if (fault !== null) return `the archive cannot be unpacked: ${fault}`;
      placed.set(path, { access, form, version, mark: null });
      return null;
    }
    const part: { fd?: number; file?: string } = {};
    const inPlace = (work: () => void) => attempt(() => as(path, entry, work));
    try {
      const fault =
        inPlace(() => {
          part.file = join(prepareFolder(dirname(path)), `.${randomUUID()}.part`);
          part.fd = openSync(part.file, 'wx', 0o600);
        }) ?? (await writeAll(part.fd ?? -1, parcel.body));
      if (fault !== null) return fault;
      // The agent may have written the file since the manifest came.
      if (access === 'read_write' && isChanged(path, before)) return null;
      return inPlace(() => {
        const file = fileOf(places, path);
        fchmodSync(part.fd ?? -1, access === 'read_only' ? 0o444 : 0o644);
        renameSync(part.file ?? '', file);
        placed.set(path, { access, form, version, mark: markAt(file) });
      });
    } finally {
      if (part.fd !== undefined) closeSync(part.fd);
      inPlace(() => rmSync(part.file ?? '', { force: true }));
    }
  }

  return {
    areAwaited({ contents, thread }) {
      if (archive !== null && placed.get(PACKAGES_DIR)?.version !== archive) return true;
      const lacks = (part: Part | null | undefined, version: string | undefined) =>
        version !== undefined && (part?.version !== version || [...part.entries.values()].some(isLacking));
      return lacks(ofSession, contents) || lacks(ofThreads.get(thread?.id ?? ''), thread?.contents);
    },
    expect: expectAfterStream,
    take(stream) {
      streamBegins();
      return inMyTurn(() => take(stream));
    },
    repositories: () => [...(ofSession?.entries.values() ?? [])].filter(({ form }) => form === 'repository'),
    writableFolders: () =>
      [...(ofSession?.entries.values() ?? [])].flatMap(({ path, form, access }) =>
        form === 'folder' && access === 'read_write' ? [path] : [],
      ),
    known: () => placed,
    keep(path, now) {
      const entries = ofSession?.entries;
      if (now === null) {
        placed.delete(path);
        entries?.delete(path);
        return;
      }
      placed.set(path, { access: 'read_write', form: 'file', ...now });
      const entry = entries?.get(path);
      if (entry !== undefined)
        entries?.set(path, { path, access: entry.access, form: entry.form, version: now.version });
    },
  };
}

const ROOTS = [UPLOADS_DIR, MEMORY_DIR, WORKDIR];

/** The image makes them. Where it does not, the server may, unless the folder above belongs to another user. */
function makeRoot(folder: string, root: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch {
    throw new Error(`the sandbox’s image has no folder ${root}`);
  }
}

/** Where the agent owns no folder on the way, what it must not change belongs to the server. */
function as<T>(path: string, { access }: Pick<ContentEntry, 'access'>, work: () => T): T {
  return access === 'read_only' && path.startsWith('/mnt/') ? asServer(work) : work();
}

function partOf({ version, entries }: Pick<Manifest, 'version' | 'entries'>): Part {
  return { version, entries: new Map(entries.map((entry) => [entry.path, entry])) };
}

function faultOf({ bytes }: ParcelHeader, entry: ContentEntry, limits: Limits): string | null {
  if (entry.form === 'folder' || entry.form === 'repository') return `a ${entry.form} has no bytes`;
  if (entry.bytes !== undefined && entry.bytes !== bytes) return `it has ${bytes} bytes and not ${entry.bytes}`;
  const most = entry.form === 'archive' ? limits.archiveBytes : limits.fileBytes;
  return bytes > most ? `it has more than ${most} bytes` : null;
}

/** Null when all is written, else why not. What is not written is left in the stream. @throws when the stream breaks */
async function writeAll(fd: number, body: AsyncIterable<Buffer>): Promise<string | null> {
  for await (const piece of body) {
    for (let at = 0; at < piece.length;) {
      const written = await put(fd, piece, at).catch((error: unknown) => reasonOf(error));
      if (typeof written === 'string') return written;
      at += written.bytesWritten;
    }
  }
  return null;
}

/** Null when it was done, else why not, for the model. */
function attempt(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

const FILE_IN_THE_WAY = 'a file is where its folder should be';
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  ENOTDIR: FILE_IN_THE_WAY,
  EEXIST: FILE_IN_THE_WAY,
  EISDIR: 'a folder is in its place',
  ENOTEMPTY: 'a folder is in its place',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : null;
  if (code === null) return error instanceof Error ? error.message : 'unknown';
  return REASONS[code] ?? `the system refused it (${code})`;
}

/** Null when no regular file is there. */
export function markAt(file: string): FileMark | null {
  try {
    const found = lstatSync(file);
    return found.isFile() ? markOf(found) : null;
  } catch {
    return null;
  }
}

export function markOf({ ino, size, mtimeMs, ctimeMs }: Stats): FileMark {
  return { ino, size, mtimeMs, ctimeMs };
}

export function isSame(a: FileMark | null, b: FileMark | null): boolean {
  if (a === null || b === null) return a === b;
  return a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}
