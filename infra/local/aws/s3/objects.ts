import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { createFile, replaceFile } from '../atomic-file.ts';

const Head = z.object({
  key: z.string(),
  etag: z.string(),
  size: z.number(),
  modifiedAt: z.number(),
  /** Headers given with the object and sent back with it: content type, encoding, `x-amz-meta-*`, checksums. */
  headers: z.record(z.string(), z.string()),
});
export type Head = z.infer<typeof Head>;

/** The objects of one bucket: one file each, a line of JSON and then the bytes. */
export interface Objects {
  read(key: string): { readonly head: Head; readonly body: Buffer } | null;
  /** @returns the object's head, or null when it exists already and must not */
  write(key: string, object: { body: Buffer; headers: Record<string, string> }, onlyNew: boolean): Head | null;
  remove(key: string): void;
  list(prefix: string): readonly Head[];
}

export function openObjects(dir: string): Objects {
  mkdirSync(dir, { recursive: true });
  const fileOf = (key: string): string => join(dir, fileName(key));
  return {
    read: (key) => (existsSync(fileOf(key)) ? parseFile(readFileSync(fileOf(key))) : null),
    write: (key, { body, headers }, onlyNew) => {
      const etag = `"${createHash('md5').update(body).digest('hex')}"`;
      const head: Head = { key, etag, size: body.length, modifiedAt: Date.now(), headers };
      const content = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
      if (onlyNew) return createFile(fileOf(key), content) ? head : null;
      replaceFile(fileOf(key), content);
      return head;
    },
    remove: (key) => rmSync(fileOf(key), { force: true }),
    list: (prefix) =>
      readdirSync(dir)
        .filter((file) => file.endsWith('.object'))
        .map((file) => parseFile(readFileSync(join(dir, file))).head)
        .filter(({ key }) => key.startsWith(prefix))
        .toSorted((left, right) => (left.key < right.key ? -1 : 1)),
  };
}

/** A key becomes one file name, never a path: it may hold `..` and may be longer than a file name can be. */
function fileName(key: string): string {
  const readable = encodeURIComponent(key).replaceAll('.', '%2E');
  const short =
    readable.length <= 160 ? readable : `${readable.slice(0, 80)}~${createHash('sha256').update(key).digest('hex')}`;
  return `${short}.object`;
}

function parseFile(content: Buffer) {
  const end = content.indexOf('\n');
  return { head: Head.parse(JSON.parse(content.toString('utf8', 0, end))), body: content.subarray(end + 1) };
}
