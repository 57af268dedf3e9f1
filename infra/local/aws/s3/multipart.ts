/** Uploads in parts. Each has a folder, whose objects are its parts; the bytes become one object when it is completed. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DomUtils, parseDocument } from 'htmlparser2';
import * as z from 'zod';
import { replaceFile } from '../atomic-file.ts';
import { draftFile, writeDraft } from '../draft.ts';
import { AwsFault } from '../wire.ts';
import { openObjects, type Head, type NewObject, type Objects } from './objects.ts';

/** Of every part but the last. */
const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PARTS = 10_000;

const Begun = z.object({ key: z.string(), headers: z.record(z.string(), z.string()) });
type Begun = z.infer<typeof Begun>;

interface NamedUpload {
  readonly key: string;
  readonly uploadId: string;
}

interface Completion {
  readonly parts: readonly NamedPart[];
  /** What `x-amz-mp-object-size` says; null when it is not there. */
  readonly size: number | null;
  readonly onlyNew: boolean;
}

interface NamedPart {
  readonly number: number;
  readonly etag: string;
}

/** Each throws `NoSuchUpload` for one that was never begun, and for one that has ended. */
export interface Multipart {
  begin(begun: Begun): string;
  /** @returns the part's ETag */
  put(upload: NamedUpload, partNumber: string, body: NewObject['body']): string;
  /** Null when the object exists already and must not. */
  complete(upload: NamedUpload, completion: Completion): Promise<Head | null>;
  abort(upload: NamedUpload): void;
}

export function openMultipart(dir: string, objects: Objects): Multipart {
  /** Uploads whose parts are being joined: a second completion waits, and then finds none. */
  const joining = new Map<string, Promise<Head | null>>();
  const folderOf = (uploadId: string): string => join(dir, uploadId);

  function begunOf({ key, uploadId }: NamedUpload): Begun {
    const file = join(folderOf(uploadId), 'upload.json');
    const begun =
      /^\w+$/.test(uploadId) && existsSync(file) ? Begun.parse(JSON.parse(readFileSync(file, 'utf8'))) : null;
    if (begun?.key !== key) throw new AwsFault('NoSuchUpload', 'The specified upload does not exist.', 404);
    return begun;
  }

  async function joinParts(upload: NamedUpload, { parts, size, onlyNew }: Completion): Promise<Head | null> {
    const { headers } = begunOf(upload);
    const stored = openObjects(folderOf(upload.uploadId));
    const heads = headsOf(stored, parts);
    const total = heads.reduce((sum, head) => sum + head.size, 0);
    if (size !== null && size !== total) {
      throw new AwsFault('InvalidRequest', 'The provided object size does not match the size of the upload', 400);
    }
    const bytes = async function* () {
      for (const { key } of heads) {
        const body = stored.read(key) ?? Buffer.alloc(0);
        if (Buffer.isBuffer(body)) yield body;
        else yield* body;
      }
    };
    const draft = await writeDraft(draftFile(folderOf(upload.uploadId)), bytes());
    const md5s = heads.map(({ etag }) => Buffer.from(etag.replaceAll('"', ''), 'hex'));
    const etag = `"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${heads.length}"`;
    const head = objects.write(upload.key, { body: draft, headers, etag }, onlyNew);
    if (head !== null) rmSync(folderOf(upload.uploadId), { recursive: true });
    return head;
  }

  return {
    begin(begun) {
      const uploadId = randomBytes(24).toString('hex');
      mkdirSync(folderOf(uploadId), { recursive: true });
      replaceFile(join(folderOf(uploadId), 'upload.json'), JSON.stringify(begun));
      return uploadId;
    },
    put(upload, partNumber, body) {
      const number = /^[1-9]\d{0,4}$/.test(partNumber) ? Number(partNumber) : 0;
      if (number < 1 || number > MAX_PARTS) {
        throw new AwsFault(
          'InvalidArgument',
          `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`,
          400,
        );
      }
      begunOf(upload);
      const head = openObjects(folderOf(upload.uploadId)).write(String(number), { body, headers: {} }, false);
      return head?.etag ?? '';
    },
    async complete(upload, completion) {
      await joining.get(upload.uploadId)?.catch(() => undefined);
      const joined = joinParts(upload, completion);
      joining.set(upload.uploadId, joined);
      try {
        return await joined;
      } finally {
        joining.delete(upload.uploadId);
      }
    },
    abort(upload) {
      begunOf(upload);
      rmSync(folderOf(upload.uploadId), { recursive: true });
    },
  };
}

/** The parts in the order in which a completion names them, which must be theirs. */
function headsOf(stored: Objects, parts: readonly NamedPart[]): readonly Head[] {
  if (parts.some(({ number }, index) => number <= (parts[index - 1]?.number ?? 0))) {
    throw new AwsFault('InvalidPartOrder', 'The list of parts was not in ascending order.', 400);
  }
  const heads = parts.map(({ number, etag }) => {
    const head = stored.head(String(number));
    if (head !== null && head.etag === `"${etag.replaceAll('"', '')}"`) return head;
    throw new AwsFault('InvalidPart', 'One or more of the specified parts could not be found.', 400);
  });
  if (heads.slice(0, -1).some(({ size }) => size < MIN_PART_BYTES)) {
    throw new AwsFault('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', 400);
  }
  return heads;
}

/** The parts that the body of a completion names. */
export function namedParts(body: Buffer): readonly NamedPart[] {
  const document = parseDocument(body.toString('utf8'), { xmlMode: true });
  const text = (part: Parameters<typeof DomUtils.getElementsByTagName>[1], name: string): string =>
    DomUtils.getElementsByTagName(name, part, true, 1).map(DomUtils.textContent).join('').trim();
  const parts = DomUtils.getElementsByTagName('Part', document).map((part) => ({
    number: Number(text(part, 'PartNumber')),
    etag: text(part, 'ETag'),
  }));
  if (parts.length > 0 && parts.every(({ number }) => number > 0)) return parts;
  throw new AwsFault('MalformedXML', 'The XML you provided was not well-formed', 400);
}
