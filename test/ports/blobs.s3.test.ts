/** The contract of Blobs, on the local S3. */
import { setImmediate as settled } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlobKey } from '#contract/files.ts';
import type { BlobUpload } from '#core/ports/blobs.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { newToken } from '#aws/stamp.ts';
import { removeScratchDirs, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

describe('blobs in S3', () => {
  let world: AwsWorld;
  let blobs: ReturnType<typeof createBlobs>;
  beforeAll(async () => {
    world = await startWorld();
    const { region, endpoint, credentials } = world.as('Api');
    const env = {
      AWS_REGION: region,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
    blobs = createBlobs(env, 'brainstem-content');
  });
  afterAll(async () => {
    await world.aws.close();
    removeScratchDirs();
  });

  const aBlob = () => BlobKey.parse(`blobs/${newToken()}`);
  const read = async (blob: BlobKey) => Buffer.from(await new Response(await blobs.get(blob)).arrayBuffer());
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);

  it('return the bytes that were stored, given whole or as a stream', async () => {
    const [whole, streamed, empty] = [aBlob(), aBlob(), aBlob()];
    await blobs.put({ blob: whole, bytes, sizeBytes: bytes.length });
    await blobs.put({ blob: streamed, bytes: new Blob([bytes]).stream(), sizeBytes: bytes.length });
    await blobs.put({ blob: empty, bytes: new Uint8Array(), sizeBytes: 0 });
    expect(await read(whole)).toEqual(Buffer.from(bytes));
    expect(await read(streamed)).toEqual(Buffer.from(bytes));
    expect(await read(empty)).toHaveLength(0);
  });

  it('are not there in part: a stream that is shorter than announced stores nothing', async () => {
    const blob = aBlob();
    const storing = blobs.put({ blob, bytes: new Blob([bytes]).stream(), sizeBytes: bytes.length + 1 });
    await expect(storing).rejects.toMatchObject({ code: 'content_unavailable' });
    await expect(blobs.get(blob)).rejects.toMatchObject({ code: 'content_unavailable', retryable: true });
  });

  it('are not kept in memory while a stream of them is stored', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const [chunks, size] = [48, 1_000_000];
    let held = Number.POSITIVE_INFINITY;
    async function* stream() {
      const before = process.memoryUsage().arrayBuffers;
      for (let sent = 0; sent < chunks; sent += 1) yield new Uint8Array(size);
      // What the collector finds is freed a moment later.
      for (let look = 0; look < 50 && held >= (chunks * size) / 2; look += 1) {
        await settled();
        collect();
        held = process.memoryUsage().arrayBuffers - before;
      }
    }
    await blobs.put({ blob: aBlob(), bytes: ReadableStream.from(stream()), sizeBytes: chunks * size });
    expect(held).toBeLessThan((chunks * size) / 2);
  });

  it('are gone when they were removed, once or twice', async () => {
    const blob = aBlob();
    await blobs.put({ blob, bytes, sizeBytes: bytes.length });
    await blobs.remove(blob);
    await blobs.remove(blob);
    await expect(blobs.get(blob)).rejects.toMatchObject({ code: 'content_unavailable' });
  });

  describe('stored in parts', () => {
    const PART = 5 * 1024 * 1024;
    const [first, last] = [Buffer.alloc(PART, 'first '), Buffer.from('and last')];

    async function sent(upload: BlobUpload, number: number, part: Buffer): Promise<string> {
      const url = await blobs.signPart(upload, { number, bytes: part.length, seconds: 60 });
      const response = await fetch(url, { method: 'PUT', body: new Uint8Array(part) });
      expect(response.status).toBe(200);
      return (response.headers.get('etag') ?? '').replaceAll('"', '');
    }
    async function begun() {
      const upload = await blobs.begin(aBlob());
      const parts = [
        { number: 1, etag: await sent(upload, 1, first) },
        { number: 2, etag: await sent(upload, 2, last) },
      ];
      return { upload, parts, size: first.length + last.length };
    }

    it('take each part with exactly its bytes, for as long as it is signed for', async () => {
      const upload = await blobs.begin(aBlob());
      const url = await blobs.signPart(upload, { number: 1, bytes: 5, seconds: 60 });
      for (const [body, status] of [
        ['hell', 403],
        ['hello!', 403],
        ['hello', 200],
        ['again', 200],
      ] as const) {
        expect((await fetch(url, { method: 'PUT', body })).status).toBe(status);
      }
      expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('60');
      expect((await fetch(url)).status).toBe(403);
    });

    it('are there when the parts are joined, and a repeat finds them', async () => {
      const { upload, parts, size } = await begun();
      await expect(blobs.get(upload.blob)).rejects.toMatchObject({ code: 'content_unavailable' });
      expect(await blobs.join(upload, parts, size)).toBe('joined');
      expect((await read(upload.blob)).equals(Buffer.concat([first, last]))).toBe(true);
      expect(await blobs.join(upload, parts, size)).toBe('joined');
    });

    it('are not there when a part or the size is another', async () => {
      const { upload, parts, size } = await begun();
      const [one] = parts;
      if (one === undefined) throw new Error('the upload has no parts');
      expect(await blobs.join(upload, parts, size - 1)).toBe('wrong size');
      expect(await blobs.join(upload, [one, { number: 2, etag: one.etag }], size)).toBe('wrong parts');
      expect(await blobs.join(upload, [one, { number: 3, etag: one.etag }], size)).toBe('wrong parts');
      await expect(blobs.get(upload.blob)).rejects.toMatchObject({ code: 'content_unavailable' });
      expect(await blobs.join(upload, parts, size)).toBe('joined');
    });

    it('are gone with their parts when they were removed, once or twice', async () => {
      const [{ upload, parts, size }, joined] = [await begun(), await begun()];
      for (let time = 0; time < 2; time += 1) await blobs.remove(upload.blob, upload.upload);
      expect(await blobs.join(upload, parts, size)).toBe('gone');
      const late = await blobs.signPart(upload, { number: 1, bytes: 1, seconds: 60 });
      expect((await fetch(late, { method: 'PUT', body: 'x' })).status).toBe(404);
      expect(await blobs.join(joined.upload, joined.parts, joined.size)).toBe('joined');
      await blobs.remove(joined.upload.blob, joined.upload.upload);
      expect(await blobs.join(joined.upload, joined.parts, joined.size)).toBe('gone');
    });
  });
});
