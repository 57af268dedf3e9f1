/**
 * Archives of skills. Zips come from clients and are read with yauzl, which follows the central directory and checks sizes.
 * Zips for clients, and the `.tar.gz` that is stored and that sandboxes unpack, are written here.
 */
import { crc32, gzipSync } from 'node:zlib';
import { Fault } from '#core/ports/errors.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillArchives, SkillFile, SkillLimits } from '#core/ports/skills.ts';
import type { Entry, ZipFile } from 'yauzl';

export function createSkillArchives(): SkillArchives {
  return { unzip, zip, pack, parseYaml };
}

const DAMAGED = refused('is no zip archive that can be read: it is damaged, cut off, or of an unknown kind');

async function unzip(zip: Uint8Array, limits: SkillLimits): Promise<readonly SkillFile[] | RequestRefusal> {
  try {
    // Only an upload needs it.
    const { default: yauzl } = await import('yauzl');
    const options = { lazyEntries: true, decodeStrings: false, validateEntrySizes: true };
    const opened = await yauzl.fromBufferPromise(Buffer.from(zip.buffer, zip.byteOffset, zip.byteLength), options);
    const nameOf = (entry: Entry) =>
      yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
    return await filesOf(opened, nameOf, limits);
  } catch {
    // Its errors quote names and sizes of the archive.
    return DAMAGED;
  }
}

async function filesOf(
  zip: ZipFile,
  nameOf: (entry: Entry) => string,
  limits: SkillLimits,
): Promise<readonly SkillFile[] | RequestRefusal> {
  const files: SkillFile[] = [];
  let left = limits.bytes;
  let seen = 0;
  // No more entries than this are read. Directories count too: each entry takes time.
  if (zip.entryCount > 2 * limits.files) return refused(`must hold at most ${limits.files} files`);
  for await (const entry of zip.eachEntry()) {
    seen += 1;
    const broken = brokenEntry(entry);
    if (broken !== null) return refused(`must hold plain files only: entry ${seen} ${broken}`);
    const path = nameOf(entry);
    if (path.endsWith('/')) continue;
    const bytes = await inflated(zip, entry, left);
    if (isRefusal(bytes)) return bytes;
    left -= bytes.length;
    if (files.length === limits.files) return refused(`must hold at most ${limits.files} files`);
    files.push({ path, bytes });
  }
  return files;
}

/** The file types that the upper half of the attributes has when a Unix system made the archive. */
const FILE_TYPE = 0o170000;
const PLAIN = [0, 0o100000, 0o040000];

function brokenEntry(entry: Entry): string | null {
  if (entry.isEncrypted()) return 'is encrypted';
  if (!PLAIN.includes((entry.externalFileAttributes >>> 16) & FILE_TYPE)) return 'is a link or a device';
  return entry.canDecodeFileData() ? null : 'is compressed in another way than deflate';
}

async function inflated(zip: ZipFile, entry: Entry, left: number): Promise<Uint8Array | RequestRefusal> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    bytes += chunk.length;
    // Leaving the loop destroys the stream.
    if (bytes > left) return refuse('request_too_large', 'files: the archive takes too many bytes when it is unpacked');
    chunks.push(chunk);
  }
  const inflatedBytes = Buffer.concat(chunks);
  return crc32(inflatedBytes) === entry.crc32 ? inflatedBytes : DAMAGED;
}

function refused(rule: string): RequestRefusal {
  return refuse('invalid_request_error', `files: the archive ${rule}`);
}

const UTF8 = 0x0800;
const DEFLATE = 8;
/** 1980-01-01, the first day of the format. */
const FIRST_DAY = 0x0021;
/** A plain file that everyone may read, made on Unix. */
const ATTRIBUTES = 0o100644 * 0x10000;
const MADE_BY = 0x0314;
const NEEDS = 20;

/** What a local header tells only behind the bytes. */
const SIZES_FOLLOW = 0x0008;

/** A member after the other, as the archive is read. */
async function* zip(archive: AsyncIterable<Uint8Array>, directory: string): AsyncIterable<Uint8Array<ArrayBuffer>> {
  const entries: Buffer[] = [];
  let offset = 0;
  for await (const { path, chunks } of membersOf(archive)) {
    const name = Buffer.from(`${directory}/${path}`);
    const about = Buffer.alloc(26);
    about.writeUInt16LE(NEEDS, 0);
    about.writeUInt16LE(UTF8 | SIZES_FOLLOW, 2);
    about.writeUInt16LE(DEFLATE, 4);
    about.writeUInt16LE(FIRST_DAY, 8);
    about.writeUInt16LE(name.length, 22);
    const sizes = { crc: 0, packed: 0, bytes: 0 };
    yield Buffer.concat([Buffer.from('PK\u0003\u0004'), about, name]);
    for await (const chunk of deflated(counted(chunks, sizes))) {
      sizes.packed += chunk.length;
      yield chunk;
    }
    const told = numbers32(sizes.crc, sizes.packed, sizes.bytes);
    yield Buffer.concat([Buffer.from('PK\u0007\u0008'), told]);
    told.copy(about, 10);
    const central = Buffer.alloc(14);
    central.writeUInt32LE(ATTRIBUTES, 6);
    central.writeUInt32LE(offset, 10);
    entries.push(Buffer.concat([Buffer.from('PK\u0001\u0002'), numbers16(MADE_BY), about, central, name]));
    offset += 30 + name.length + sizes.packed + 16;
  }
  const listed = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  yield Buffer.concat([listed, end]);
}

async function* counted(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  sizes: { crc: number; bytes: number },
): AsyncIterable<Uint8Array<ArrayBuffer>> {
  for await (const chunk of chunks) {
    sizes.crc = crc32(chunk, sizes.crc);
    sizes.bytes += chunk.length;
    yield chunk;
  }
}

function deflated(chunks: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncIterable<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(chunks).pipeThrough(new CompressionStream('deflate-raw'));
}

function numbers32(...numbers: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => buffer.writeUInt32LE(number, 4 * index));
  return buffer;
}

function numbers16(number: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16LE(number);
  return buffer;
}

const BLOCK = 512;
/** The longest name that fits into a header. A longer one has an extended header before it. */
const MAX_NAME = 100;

function pack(files: readonly SkillFile[]): Uint8Array<ArrayBuffer> {
  const members = files.flatMap(({ path, bytes }) => {
    const name = Buffer.from(path);
    const mode = bytes[0] === 0x23 && bytes[1] === 0x21 ? 0o555 : 0o444;
    const long =
      name.length <= MAX_NAME ? [] : memberOf(Buffer.from('long'), extended(path), { type: 'x', mode: 0o444 });
    return [...long, ...memberOf(name.subarray(0, MAX_NAME), bytes, { type: '0', mode })];
  });
  return gzipSync(Buffer.concat([...members, Buffer.alloc(2 * BLOCK)]));
}

/** Nothing is writable, and a script that begins with `#!` may be started by its path. */
function memberOf(name: Buffer, bytes: Uint8Array, { type, mode }: { type: '0' | 'x'; mode: number }): Uint8Array[] {
  const header = Buffer.alloc(BLOCK);
  name.copy(header);
  header.write(`${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(bytes.length, 11)}\0${octal(0, 11)}\0`, 100);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return [header, bytes, Buffer.alloc(paddingOf(bytes.length))];
}

/** `<length> path=<path>\n`, where the length counts its own digits. */
function extended(path: string): Buffer {
  const rest = Buffer.byteLength(` path=${path}\n`);
  const length = [1, 2, 3, 4].map((digits) => rest + digits).find((sum, index) => String(sum).length === index + 1);
  return Buffer.from(`${length} path=${path}\n`);
}

const octal = (number: number, digits: number) => number.toString(8).padStart(digits, '0');
const paddingOf = (length: number) => (BLOCK - (length % BLOCK)) % BLOCK;

interface Member {
  readonly path: string;
  /** To be read before the next member. */
  readonly chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** The members of an archive that `pack` made. */
async function* membersOf(archive: AsyncIterable<Uint8Array>): AsyncIterable<Member> {
  const tar = bytesOf(archive);
  let long: string | null = null;
  for (let header = await whole(tar(BLOCK)); header[0] !== 0; header = await whole(tar(BLOCK))) {
    const size = Number.parseInt(header.toString('latin1', 124, 135), 8);
    const name = header.toString('utf8', 0, MAX_NAME).replace(/\0.*$/su, '');
    if (header[156] === 0x78) {
      long = (await whole(tar(size)))
        .toString()
        .replace(/^\d+ path=/, '')
        .slice(0, -1);
    } else {
      yield { path: long ?? name, chunks: tar(size) };
      long = null;
    }
    await whole(tar(paddingOf(size)));
  }
}

/** Gives the next bytes of what is unzipped, so many at each call. */
function bytesOf(archive: AsyncIterable<Uint8Array>) {
  const inflating = ReadableStream.from(archive).pipeThrough(new DecompressionStream('gzip'));
  const reader = inflating.getReader();
  let left: Uint8Array<ArrayBuffer> = new Uint8Array();
  return async function* next(count: number): AsyncIterable<Uint8Array<ArrayBuffer>> {
    for (let missing = count; missing > 0;) {
      if (left.length === 0) left = (await read()).slice();
      const part = left.subarray(0, missing);
      left = left.subarray(part.length);
      missing -= part.length;
      yield part;
    }
  };

  async function read(): Promise<Uint8Array> {
    const { value, done } = await reader.read().catch(damaged);
    return done ? damaged('it ends too early') : value;
  }
}

function damaged(cause: unknown): never {
  throw new Fault('stored_data_invalid', 'the archive of a skill cannot be unpacked', { cause });
}

async function whole(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** Text that looks like a number or a date stays what YAML makes of it; the caller wants text. */
async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    return parse(text, { maxAliasCount: 10, prettyErrors: false, logLevel: 'error' }) as unknown;
  } catch {
    return null;
  }
}
