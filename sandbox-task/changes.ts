import { createHash } from 'node:crypto';
import {
  close,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  open,
  read,
  readdirSync,
  readlinkSync,
  realpathSync,
} from 'node:fs';
import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import {
  CONTENT_LIMITS,
  OUTPUTS_DIR,
  type ChangeRead,
  type ChangesKept,
  type ChangesResponse,
  type ContentChange,
} from '../functions/contract/hands.ts';
import { turnsOfCallers } from './abort.ts';
import { type Contents, type FileMark, isSame, markAt, markOf } from './contents.ts';
import { fileOf, type Places } from './places.ts';

/** What the agent wrote in its folders and the caller has not kept. Files are opened with the agent's rights. */
export interface Changes {
  /** How many changes and notes wait. */
  waiting(): Promise<number>;
  /** Waits while another caller takes changes over, from its list until it keeps them or is silent for some seconds. */
  list(): Promise<ChangesResponse>;
  /** The bytes of a listed change; null when the file is another one. Reading fails when it changes meanwhile. */
  read(change: ChangeRead): Promise<{ readonly bytes: number; readonly body: AsyncIterable<Buffer> } | null>;
  /** What is stored, and which notes the model was told. Both are told again until then. */
  keep(done: ChangesKept): void;
}

interface Known {
  readonly version: string;
  readonly mark: FileMark | null;
}

interface Listed extends Pick<Found, 'mark' | 'now'> {
  readonly sha256: string;
}

interface Found {
  readonly path: string;
  /** The time is 0 when the file was written just before: the next look reads it again. */
  readonly mark: FileMark;
  readonly now: FileMark;
}

/** A file that was written shortly before it was looked at may be written again without a new time. */
const CLOCK_TICK_MS = 50;
const PIECE_BYTES = 256 * 1024;
/** A caller that has asked for nothing for so long while it takes changes over has died. */
const TAKER_SILENCE_MS = 15_000;

const openFile = promisify(open);
const closeFile = promisify(close);
const readFile = promisify(read);

const NO_OUTPUTS = `The sandbox’s image has no folder ${OUTPUTS_DIR}, and none can be made: no file reaches the user.`;

/** The image makes the folder. Where it does not, the agent may. */
function hasOutputs(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    return true;
  } catch {
    return false;
  }
}

/** Of two callers at once, one could store an older text of a file after the other has stored a newer one. */
export function changesIn(places: Places, contents: Contents, takerSilenceMs = TAKER_SILENCE_MS): Changes {
  const turns = turnsOfCallers(takerSilenceMs);
  const outputs = new Map<string, Known>();
  const listed = new Map<string, Listed>();
  /** Files that cannot be read as they are. They are told when they are others. */
  const unreadable = new Map<string, FileMark>();
  const noted = new Set<string>();
  const untold = (notes: readonly string[]) => notes.filter((note) => !noted.has(note));

  /** By its real name, with which an open file is compared. */
  const fileAt = (path: string) => fileOf({ ...places, mnt: realNameOf(places.mnt) }, path);
  const knownAt = (path: string): Known | undefined => outputs.get(path) ?? contents.known().get(path);

  /** Changed files, removed paths, and notes that were not told. A touched file with the same bytes is no change. */
  async function look() {
    const { files, notes: left } = walk(fileAt, [OUTPUTS_DIR, ...contents.writableFolders()]);
    const notes = hasOutputs(fileAt(OUTPUTS_DIR)) ? left : [NO_OUTPUTS, ...left];
    const changed: Found[] = [];
    for (const found of files.values()) {
      const known = knownAt(found.path);
      if (isSame(unreadable.get(found.path) ?? null, found.now)) continue;
      if (known !== undefined && isSame(known.mark, found.now)) continue;
      if (known !== undefined && known.mark?.size === found.now.size && (await isTouched(found, known))) continue;
      changed.push(found);
    }
    const removed = [...contents.known()].flatMap(([path, { access, form }]) =>
      access === 'read_write' && form === 'file' && !files.has(path) && isGone(fileAt(path)) ? [path] : [],
    );
    return { changed, removed, notes: untold(notes) };
  }

  async function isTouched({ path, mark, now }: Found, known: Known): Promise<boolean> {
    const sha256 = await hashOf(fileAt(path), now);
    if (sha256 !== known.version) return false;
    remember(path, { sha256, mark });
    return true;
  }

  function remember(path: string, { sha256, mark }: Pick<Listed, 'sha256' | 'mark'>): void {
    const now = { version: sha256, mark };
    if (path.startsWith(`${OUTPUTS_DIR}/`)) outputs.set(path, now);
    else contents.keep(path, now);
  }

  async function list(): Promise<ChangesResponse> {
    const { changed, removed, notes } = await look();
    const unread: string[] = [];
    const changes: ContentChange[] = removed
      .slice(0, CONTENT_LIMITS.changedFiles)
      .map((path) => ({ path, bytes: 0, sha256: null, base: knownAt(path)?.version ?? null }));
    let bytes = 0;
    let later = 0;
    for (const { path, mark, now } of changed) {
      bytes += mark.size;
      if (changes.length >= CONTENT_LIMITS.changedFiles || bytes > CONTENT_LIMITS.changedBytes) {
        later += 1;
        continue;
      }
      const sha256 = await hashOf(fileAt(path), now);
      if (sha256 === null) {
        unread.push(path);
        unreadable.set(path, now);
        continue;
      }
      listed.set(path, { sha256, mark, now });
      changes.push({ path, bytes: mark.size, sha256, base: knownAt(path)?.version ?? null });
    }
    const told = untold(unread.length === 0 ? [] : [leftOut('it cannot be read, or changes meanwhile', unread)]);
    if (later > 0)
      told.push(`${later} changed files are more than one call hands out; they are taken over after the next calls.`);
    return { changes, notes: [...notes, ...told] };
  }

  async function readListed({ path, sha256 }: ChangeRead) {
    const found = listed.get(path);
    const file = fileAt(path);
    turns.goOn();
    if (found === undefined || found.sha256 !== sha256 || !isSame(markAt(file), found.now)) return null;
    return { bytes: found.now.size, body: watched(verified(bytesOf(file, found.now), found.sha256)) };
  }

  async function* watched(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      turns.goOn();
      yield piece;
    }
  }

  function keep({ kept, notes }: ChangesKept): void {
    // A program could make ever other notes.
    if (noted.size > MOST_NOTED) noted.clear();
    for (const note of notes) noted.add(note);
    for (const { path, sha256 } of kept) {
      const found = listed.get(path);
      if (sha256 === null) contents.keep(path, null);
      else if (found?.sha256 === sha256) remember(path, found);
      listed.delete(path);
    }
    turns.end();
  }

  return {
    async waiting() {
      const { changed, removed, notes } = await look();
      return changed.length + removed.length + notes.length;
    },
    async list() {
      await turns.begin();
      const told = await list();
      if (told.changes.length === 0) turns.end();
      return told;
    },
    read: readListed,
    keep,
  };
}

const MOST_NOTED = 100;
/** Paths that one note names, each with its end; the others are counted. */
const MOST_NAMED = 3;
const NAMED_CHARS = 120;

/** One note for all that is left out for one reason, so that a program cannot fill the model's window with notes. */
function leftOut(reason: string, paths: readonly string[]): string {
  const named = paths
    .slice(0, MOST_NAMED)
    .map((path) => JSON.stringify(path.length > NAMED_CHARS ? `…${path.slice(-NAMED_CHARS)}` : path));
  const more = paths.length > MOST_NAMED ? ` and ${paths.length - MOST_NAMED} more` : '';
  return `Not taken over, because ${reason}: ${named.join(', ')}${more}.`;
}

interface Walked {
  readonly files: ReadonlyMap<string, Found>;
  readonly notes: readonly string[];
}

/** The agent may have removed a folder that it owns. */
function realNameOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

/** The regular files below these folders. It follows no link and opens nothing. */
function walk(fileAt: (path: string) => string, folders: readonly string[]): Walked {
  const files = new Map<string, Found>();
  const left: { readonly reason: string; readonly path: string }[] = [];
  const leave = (reason: string, path: string) => void left.push({ reason, path });
  const rest = [...folders];
  let looked = 0;
  for (let folder = rest.pop(); folder !== undefined && looked <= CONTENT_LIMITS.walkedFiles; folder = rest.pop()) {
    for (const entry of entriesOf(fileAt(folder))) {
      looked += 1;
      if (looked > CONTENT_LIMITS.walkedFiles) break;
      const name = nameOf(entry.name);
      const path = `${folder}/${name}`;
      if (name === null) leave('its name is no plain text', `${folder}/`);
      else if (Buffer.byteLength(path) > CONTENT_LIMITS.pathBytes)
        leave(`its path has more than ${CONTENT_LIMITS.pathBytes} bytes`, path);
      else if (entry.isDirectory()) rest.push(path);
      else if (!entry.isFile()) leave('it is no ordinary file', path);
      else {
        const now = markAt(fileAt(path));
        if (now === null) continue;
        if (now.size > CONTENT_LIMITS.fileBytes) leave(`it has more than ${CONTENT_LIMITS.fileBytes} bytes`, path);
        else files.set(path, { path, now, mark: isFresh(now) ? { ...now, mtimeMs: 0 } : now });
      }
    }
  }
  const byReason = Map.groupBy(left, ({ reason }) => reason);
  const notes = [...byReason].map(([reason, out]) =>
    leftOut(
      reason,
      out.map(({ path }) => path),
    ),
  );
  if (looked > CONTENT_LIMITS.walkedFiles)
    notes.push(
      `There are more than ${CONTENT_LIMITS.walkedFiles} files in ${folders.join(' and ')}; the others are not taken over.`,
    );
  return { files, notes };
}

const isFresh = ({ mtimeMs, ctimeMs }: FileMark) => Date.now() - Math.max(mtimeMs, ctimeMs) < CLOCK_TICK_MS;

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true, encoding: 'buffer' });
  } catch {
    return [];
  }
}

/** Null for bytes that are no UTF-8, and for control characters, a newline among them. */
function nameOf(bytes: Buffer): string | null {
  if (!isUtf8(bytes)) return null;
  const name = bytes.toString('utf8');
  return /\p{Cc}/u.test(name) ? null : name;
}

/** Null when the file is not this one, cannot be read, or changes while it is read. */
async function hashOf(file: string, mark: FileMark): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const piece of bytesOf(file, mark)) hash.update(piece);
  } catch {
    return null;
  }
  return hash.digest('hex');
}

/**
 * The bytes of a file while it is this one. A link, a pipe or a device is never opened for longer than it takes to see
 * that: the file that is open must be where its name says.
 *
 * @throws when the file is another one, or changes meanwhile
 */
async function* bytesOf(file: string, mark: FileMark): AsyncGenerator<Buffer> {
  const fd = await openFile(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!isStill(fd, mark) || !isAt(fd, file)) throw new Error('the file is another one');
    for (let left = mark.size; left > 0;) {
      const piece = Buffer.allocUnsafe(Math.min(left, PIECE_BYTES));
      const { bytesRead } = await readFile(fd, piece, 0, piece.length, null);
      if (bytesRead === 0) throw new Error('the file became shorter');
      left -= bytesRead;
      if (left === 0 && !isStill(fd, mark)) throw new Error('the file changed');
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await closeFile(fd);
  }
}

/** Holds the last piece back until all are known to be those that were listed. */
async function* verified(pieces: AsyncIterable<Buffer>, sha256: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer | null = null;
  for await (const piece of pieces) {
    if (held !== null) yield held;
    hash.update(piece);
    held = piece;
  }
  if (hash.digest('hex') !== sha256) throw new Error('the file changed');
  if (held !== null) yield held;
}

function isStill(fd: number, mark: FileMark): boolean {
  const now = fstatSync(fd);
  return now.isFile() && isSame(markOf(now), mark);
}

/** A folder on the way may have become a link since the walk. */
function isAt(fd: number, file: string): boolean {
  return (process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${fd}`) : realpathSync(file)) === file;
}

/** A file that the agent may not see is not gone. */
function isGone(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) === undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOTDIR';
  }
}
