/**
 * Archives of skills. Zips come from clients and are read with yauzl, which follows the central directory and checks sizes.
 * Zips for clients, and the `.tar.gz` that is stored and that sandboxes unpack, are written here.
 */
import { crc32, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib';
import { Fault } from '#core/ports/errors.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillArchives, SkillFile, SkillLimits } from '#core/ports/skills.ts';
import type { Entry, ZipFile } from 'yauzl';

export function createSkillArchives(): SkillArchives {
  return { unzip, zip, pack, unpack, parseYaml };
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
  const whole = Buffer.concat(chunks);
  return crc32(whole) === entry.crc32 ? whole : DAMAGED;
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

function zip(files: readonly SkillFile[]): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { path, bytes } of files) {
    const name = Buffer.from(path);
    const deflated = deflateRawSync(bytes);
    const about = Buffer.alloc(26);
    about.writeUInt16LE(NEEDS, 0);
    about.writeUInt16LE(UTF8, 2);
    about.writeUInt16LE(DEFLATE, 4);
    about.writeUInt16LE(FIRST_DAY, 8);
    about.writeUInt32LE(crc32(bytes), 10);
    about.writeUInt32LE(deflated.length, 14);
    about.writeUInt32LE(bytes.length, 18);
    about.writeUInt16LE(name.length, 22);
    const local = [Buffer.from('PK\u0003\u0004'), about, name, deflated];
    const central = Buffer.alloc(14);
    central.writeUInt32LE(ATTRIBUTES, 6);
    central.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\u0001\u0002'), numbers16(MADE_BY), about, central, name);
    parts.push(...local);
    offset += lengthOf(local);
  }
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(lengthOf(directory), 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

function numbers16(number: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16LE(number);
  return buffer;
}

const lengthOf = (buffers: readonly Buffer[]) => buffers.reduce((sum, { length }) => sum + length, 0);

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

function unpack(archive: Uint8Array): readonly SkillFile[] {
  const files: SkillFile[] = [];
  let long: string | null = null;
  try {
    const tar = gunzipSync(archive);
    for (let at = 0; tar[at] !== 0 && at < tar.length;) {
      const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
      const bytes = tar.subarray(at + BLOCK, at + BLOCK + size);
      const name = tar.toString('utf8', at, at + MAX_NAME).replace(/\0.*$/su, '');
      if (tar[at + 156] === 0x78)
        long = bytes
          .toString()
          .replace(/^\d+ path=/, '')
          .slice(0, -1);
      else {
        files.push({ path: long ?? name, bytes });
        long = null;
      }
      at += BLOCK + size + paddingOf(size);
    }
  } catch (cause) {
    throw new Fault('stored_data_invalid', 'the archive of a skill cannot be unpacked', { cause });
  }
  return files;
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
