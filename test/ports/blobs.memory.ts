import { createHash } from 'node:crypto';
import { BlobKey } from '#contract/files.ts';
import type { BlobRemover, Blobs, BlobUpload, BlobUploads } from '#core/ports/blobs.ts';

interface MemoryBlobs extends Blobs, BlobRemover, BlobUploads {
  readonly kept: Map<string, Uint8Array<ArrayBuffer>>;
  /** The parts of each upload that was neither joined nor removed, by number. */
  readonly parts: Map<string, Map<number, Buffer>>;
  /** As S3 does it for the bearer of a signed URL. @returns the ETag */
  putPart(url: string, bytes: Buffer): string;
}

/** Blobs in memory, for tests of what uses them. */
export function createMemoryBlobs(): MemoryBlobs {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  const parts = new Map<string, Map<number, Buffer>>();
  return {
    kept,
    parts,
    async put({ blob, bytes, sizeBytes }) {
      const whole = new Uint8Array(await new Response(bytes).arrayBuffer());
      if (whole.length !== sizeBytes) throw new Error(`the blob has ${whole.length} bytes, and not ${sizeBytes}`);
      kept.set(blob, whole);
    },
    async get(blob) {
      const bytes = kept.get(blob);
      if (bytes === undefined) throw new Error('there is no such blob');
      return new Blob([bytes]).stream();
    },
    async link(blob, { type, disposition }) {
      return `https://s3.example/${blob}?${new URLSearchParams({ type, disposition })}`;
    },
    async remove(blob, upload) {
      if (upload !== undefined) parts.delete(upload);
      kept.delete(blob);
    },
    async begin(blob): Promise<BlobUpload> {
      const upload = `of ${blob}`;
      parts.set(upload, new Map());
      return { blob: BlobKey.parse(blob), upload };
    },
    async signPart({ upload }, { number, bytes, seconds }) {
      return `https://s3.example/?${new URLSearchParams({ upload, number: `${number}`, bytes: `${bytes}`, seconds: `${seconds}` })}`;
    },
    putPart(url, bytes) {
      const asked = new URL(url).searchParams;
      const stored = parts.get(asked.get('upload') ?? '');
      if (stored === undefined || bytes.length !== Number(asked.get('bytes'))) throw new Error('the part is refused');
      stored.set(Number(asked.get('number')), bytes);
      return etagOf(bytes);
    },
    async join({ blob, upload }, named, sizeBytes) {
      const stored = parts.get(upload);
      if (stored === undefined) return kept.has(blob) ? 'joined' : 'gone';
      const found = named.map(({ number, etag }) => [stored.get(number) ?? Buffer.alloc(0), etag] as const);
      if (found.some(([bytes, etag]) => etagOf(bytes) !== etag)) return 'wrong parts';
      const whole = Buffer.concat(found.map(([bytes]) => bytes));
      if (whole.length !== sizeBytes) return 'wrong size';
      kept.set(blob, new Uint8Array(whole));
      parts.delete(upload);
      return 'joined';
    },
  };
}

function etagOf(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}
