/** The contract of Blobs, on the local S3. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlobKey } from '#contract/files.ts';
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

  it('are gone when they were removed, once or twice', async () => {
    const blob = aBlob();
    await blobs.put({ blob, bytes, sizeBytes: bytes.length });
    await blobs.remove(blob);
    await blobs.remove(blob);
    await expect(blobs.get(blob)).rejects.toMatchObject({ code: 'content_unavailable' });
  });
});
