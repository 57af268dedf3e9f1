/** The contract of the PackageArchives port, on the local S3, and the rights of its URLs. */
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackageOrder } from '#contract/packages.ts';
import { createPackageArchives } from '#aws/hands/package-archives.s3.ts';
import type { PackageArchives } from '#core/ports/sandboxes.ts';
import { removeScratchDirs, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

const Bucket = 'brainstem-content';
const LIST = { apt: [], cargo: [], gem: [], go: [], npm: ['left-pad'], pip: [] };
const ORDER = { attempt: 3, packages: LIST, sources: { npmRegistry: 'https://npm.example/' } };

describe('the archives of packages in S3', () => {
  let world: AwsWorld;
  let archives: PackageArchives;
  let s3: S3Client;
  let made = 0;
  const newArchive = () => String((made += 1)).padStart(64, 'a');
  beforeAll(async () => {
    world = await startWorld();
    const { region, endpoint, credentials } = world.as('Api');
    s3 = new S3Client(world.as('Api'));
    const env = {
      AWS_REGION: region,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
    archives = createPackageArchives({ s3, bucket: Bucket, env });
  });
  afterAll(async () => {
    await world.aws.close();
    removeScratchDirs();
  });

  const order = async (archive: string) =>
    PackageOrder.parse(await (await fetch(await archives.order(archive, ORDER))).json());
  const put = (url: string, body: string) => fetch(url, { method: 'PUT', body });

  it('returns the order to a holder of its URL, with the URLs for the outcome', async () => {
    expect(await order(newArchive())).toMatchObject(ORDER);
  });

  it('finds an archive once it is uploaded to its URL', async () => {
    const archive = newArchive();
    expect(await archives.find(archive)).toEqual({ status: 'missing' });
    expect((await put((await order(archive)).archiveUrl, 'bytes')).status).toBe(200);
    expect(await archives.find(archive)).toEqual({ status: 'built' });
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: `packages/${archive}/archive.tar.gz` }));
    expect(await Body?.transformToString()).toBe('bytes');
  });

  it('finds a failure that a build or provision stored, with its time', async () => {
    const failure = { attempt: 3, manager: 'npm', message: 'E404' } as const;
    const [left, stored] = [newArchive(), newArchive()];
    await put((await order(left)).failureUrl, JSON.stringify(failure));
    await archives.fail(stored, failure);
    for (const archive of [left, stored]) {
      const found = await archives.find(archive);
      expect(found).toMatchObject({ status: 'failed', failure });
      expect('at' in found && Date.now() - Date.parse(found.at)).toBeLessThan(60_000);
    }
  });

  it('finds an archive that was uploaded after a failure as built', async () => {
    const archive = newArchive();
    await archives.fail(archive, { attempt: 1, manager: null, message: '' });
    await put((await order(archive)).archiveUrl, 'bytes');
    expect(await archives.find(archive)).toEqual({ status: 'built' });
  });

  it('reads a malformed failure as a failure without details', async () => {
    const archive = newArchive();
    await put((await order(archive)).failureUrl, 'not json');
    expect(await archives.find(archive)).toMatchObject({ status: 'failed', failure: { attempt: 1, manager: null } });
  });

  describe('a presigned URL of it', () => {
    it.each([
      ['another object', (url: string) => url.replace('archive.tar.gz', 'other.tar.gz')],
      ['a longer time', (url: string) => url.replace('X-Amz-Expires=3600', 'X-Amz-Expires=7200')],
      ['another signer', (url: string) => url.replace(/AKIA[0-9A-F]{4}/, 'AKIA0000')],
      ['no signature', (url: string) => url.replace(/&?X-Amz-Signature=\w+/, '')],
    ])('with %s instead is refused', async (_what, change) => {
      const archive = newArchive();
      const { archiveUrl } = await order(archive);
      expect(change(archiveUrl)).not.toBe(archiveUrl);
      expect((await put(change(archiveUrl), 'bytes')).status).toBe(403);
      expect(await archives.find(archive)).toEqual({ status: 'missing' });
    });

    it('for one method is refused for another', async () => {
      const { archiveUrl } = await order(newArchive());
      expect((await fetch(archiveUrl)).status).toBe(403);
      expect((await fetch(archiveUrl, { method: 'DELETE' })).status).toBe(403);
    });

    it('does not allow what its signer may not do', async () => {
      const { region, endpoint, credentials } = world.as('Harness');
      const env = {
        AWS_REGION: region,
        AWS_ENDPOINT_URL: endpoint,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      };
      const weak = createPackageArchives({ s3, bucket: Bucket, env });
      const shown = PackageOrder.parse(await (await fetch(await weak.order(newArchive(), ORDER))).json());
      expect((await put(shown.archiveUrl, 'bytes')).status).toBe(403);
    });
  });

  it('refuses a request that forges a signature with the access key id of such a URL, and continues to work', async () => {
    const { archiveUrl } = await order(newArchive());
    const { origin, searchParams } = new URL(archiveUrl);
    const credential = searchParams.get('X-Amz-Credential');
    const forged = await fetch(`${origin}/${Bucket}/packages/x`, {
      headers: { authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0` },
    });
    expect(forged.status).toBe(403);
    expect(await forged.text()).toContain('SignatureDoesNotMatch');
    expect(await archives.find(newArchive())).toEqual({ status: 'missing' });
  });

  it('leaves other content in the bucket unchanged', async () => {
    const Key = 'sesn_1/a';
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
    await order(newArchive());
    expect(await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString()).toBe('x');
  });
});
