import type { BlobRemover, Blobs } from '#core/ports/blobs.ts';

/** Blobs in memory, for tests of what uses them. */
export function createMemoryBlobs(): Blobs & BlobRemover & { readonly kept: Map<string, Uint8Array<ArrayBuffer>> } {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    kept,
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
    async remove(blob) {
      kept.delete(blob);
    },
  };
}
