import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  createReadStream,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import * as z from 'zod';
import { draftFile, type Draft } from '../draft.ts';

const Head = z.object({
  key: z.string(),
  etag: z.string(),
  size: z.number(),
  modifiedAt: z.number(),
  /** Headers given with the object and sent back with it: content type, encoding, `x-amz-meta-*`, checksums. */
  headers: z.record(z.string(), z.string()),
});
export type Head = z.infer<typeof Head>;

export interface NewObject {
  readonly body: Buffer | Draft;
  readonly headers: Record<string, string>;
  /** @default the MD5 of the bytes */
  readonly etag?: string;
}

/** The objects of one bucket: one file each, the bytes, then a line of JSON, and the line's length in the last eight digits. */
export interface Objects {
  head(key: string): Head | null;
  /** Null for an object that does not exist. */
  read(key: string): Buffer | Readable | null;
  /** @returns the object's head, or null when it exists already and must not */
  write(key: string, object: NewObject, onlyNew: boolean): Head | null;
  remove(key: string): void;
  list(prefix: string): readonly Head[];
}

const LENGTH_DIGITS = 8;
/** Larger objects are read as a stream. */
const MAX_WHOLE_BYTES = 1_000_000;

export function openObjects(dir: string): Objects {
  mkdirSync(dir, { recursive: true });
  const fileOf = (key: string): string => join(dir, fileName(key));
  return {
    head: (key) => headOf(fileOf(key)),
    read(key) {
      const head = headOf(fileOf(key));
      if (head === null) return null;
      if (head.size <= MAX_WHOLE_BYTES) return readFileSync(fileOf(key)).subarray(0, head.size);
      return createReadStream(fileOf(key), { end: head.size - 1 });
    },
    write(key, { body, headers, etag }, onlyNew) {
      const [size, md5] = Buffer.isBuffer(body) ? [body.length, md5Of(body)] : [body.size, body.md5];
      const head: Head = { key, etag: etag ?? `"${md5}"`, size, modifiedAt: Date.now(), headers };
      const draft = Buffer.isBuffer(body) ? draftFile(dir) : body.file;
      const line = Buffer.from(JSON.stringify(head));
      const foot = [line, Buffer.from(String(line.length).padStart(LENGTH_DIGITS, '0'))];
      try {
        if (Buffer.isBuffer(body)) writeFileSync(draft, Buffer.concat([body, ...foot]));
        else appendFileSync(draft, Buffer.concat(foot));
        if (!onlyNew) renameSync(draft, fileOf(key));
        else if (!linked(draft, fileOf(key))) return null;
        return head;
      } finally {
        rmSync(draft, { force: true });
      }
    },
    remove: (key) => rmSync(fileOf(key), { force: true }),
    list: (prefix) =>
      readdirSync(dir)
        .filter((file) => file.endsWith('.object'))
        .flatMap((file) => headOf(join(dir, file)) ?? [])
        .filter(({ key }) => key.startsWith(prefix))
        .toSorted((left, right) => (left.key < right.key ? -1 : 1)),
  };
}

/** @returns false when the file exists already, in which case nothing changes */
function linked(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (Object(error).code === 'EEXIST') return false;
    throw error;
  }
}

/** A key becomes one file name, never a path: it may hold `..` and may be longer than a file name can be. */
function fileName(key: string): string {
  const readable = encodeURIComponent(key).replaceAll('.', '%2E');
  const short =
    readable.length <= 160 ? readable : `${readable.slice(0, 80)}~${createHash('sha256').update(key).digest('hex')}`;
  return `${short}.object`;
}

function headOf(file: string): Head | null {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (Object(error).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const end = fstatSync(fd).size - LENGTH_DIGITS;
    const length = Number(bytesAt(fd, end, LENGTH_DIGITS));
    return Head.parse(JSON.parse(bytesAt(fd, end - length, length)));
  } finally {
    closeSync(fd);
  }
}

function bytesAt(fd: number, position: number, length: number): string {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, position);
  return bytes.toString();
}

function md5Of(body: Buffer): string {
  return createHash('md5').update(body).digest('hex');
}
