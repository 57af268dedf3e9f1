/** Uploads in parts to the local S3, through the official client and through presigned URLs. */
import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { AwsV4Signer } from 'aws4fetch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPresigner } from '#aws/s3.ts';
import { removeScratchDirs, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

const Bucket = 'brainstem-content';
const MIB = 1024 * 1024;
const LARGE = Buffer.alloc(5 * MIB, 'large ');
let world: AwsWorld;
let client: S3Client;
let presign: ReturnType<typeof createPresigner>;

beforeAll(async () => {
  world = await startWorld();
  const { endpoint, region, credentials } = world.as('Api');
  client = new S3Client(world.as('Api'));
  const { accessKeyId, secretAccessKey } = credentials;
  const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  presign = createPresigner({ AWS_REGION: region, AWS_ENDPOINT_URL: endpoint, ...keys }, Bucket);
});
afterAll(async () => {
  await world.aws.close();
  removeScratchDirs();
});

async function begun(Key: string) {
  const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ContentType: 'text/x' }));
  const put = async (PartNumber: number, Body: Buffer) =>
    (await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))).ETag ?? '';
  const complete = (parts: readonly [number, string][], more: object = {}) => {
    const Parts = parts.map(([PartNumber, ETag]) => ({ PartNumber, ETag }));
    const named = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
    return client.send(new CompleteMultipartUploadCommand({ ...named, ...more }));
  };
  return { Key, UploadId, put, complete };
}

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();
const leftOnDisk = () => readdirSync(join(world.dataDir, 's3', Bucket), { recursive: true }).map(String);

test('parts become one object in the order of their numbers, with the ETag that S3 gives it', async () => {
  const { Key, put, complete } = await begun('parts/a');
  const [last, lost, first] = [Buffer.from('the end'), Buffer.from('replaced'), LARGE];
  const ends = await put(2, last);
  await put(1, lost);
  const begins = await put(1, first);
  await expect(client.send(new GetObjectCommand({ Bucket, Key }))).rejects.toMatchObject({ name: 'NoSuchKey' });
  const { ETag } = await complete(
    [
      [1, begins],
      [2, ends],
    ],
    { MpuObjectSize: LARGE.length + last.length },
  );
  expect(ETag).toBe(
    `"${createHash('md5')
      .update(Buffer.concat([md5(first), md5(last)]))
      .digest('hex')}-2"`,
  );
  const got = await client.send(new GetObjectCommand({ Bucket, Key }));
  expect(got).toMatchObject({ ETag, ContentType: 'text/x', ContentLength: LARGE.length + last.length });
  const bytes = Buffer.from((await got.Body?.transformToByteArray()) ?? []);
  expect(bytes.equals(Buffer.concat([first, last]))).toBe(true);
  expect(await client.send(new HeadObjectCommand({ Bucket, Key }))).toMatchObject({ ContentLength: bytes.length });
  expect(leftOnDisk().filter((name) => name.includes('draft') || name.startsWith('uploads/'))).toEqual([]);
});

test('a completion that names other parts than those that are there is refused, and can be repeated rightly', async () => {
  const { put, complete } = await begun('parts/b');
  const [one, two, three] = [await put(1, LARGE), await put(2, Buffer.from('small')), await put(3, Buffer.from('x'))];
  const refused = (parts: readonly [number, string][], name: string, more: object = {}) =>
    expect(complete(parts, more)).rejects.toMatchObject({ name });
  await refused(
    [
      [2, two],
      [1, one],
    ],
    'InvalidPartOrder',
  );
  await refused(
    [
      [1, one],
      [1, one],
    ],
    'InvalidPartOrder',
  );
  await refused(
    [
      [1, one],
      [4, two],
    ],
    'InvalidPart',
  );
  await refused(
    [
      [1, two],
      [2, two],
    ],
    'InvalidPart',
  );
  await refused(
    [
      [1, one],
      [2, two],
      [3, three],
    ],
    'EntityTooSmall',
  );
  await refused(
    [
      [1, one],
      [2, two],
    ],
    'InvalidRequest',
    { MpuObjectSize: LARGE.length },
  );
  await refused([], 'MalformedXML');
  await client.send(new PutObjectCommand({ Bucket, Key: 'parts/b', Body: 'there' }));
  await refused(
    [
      [1, one],
      [2, two],
    ],
    'PreconditionFailed',
    { IfNoneMatch: '*' },
  );
  await complete([
    [1, one],
    [2, two],
  ]);
  await refused(
    [
      [1, one],
      [2, two],
    ],
    'NoSuchUpload',
  );
});

test('two completions at once join the parts once', async () => {
  const { put, complete } = await begun('parts/c');
  const one = await put(1, LARGE);
  const [first, second] = await Promise.allSettled([complete([[1, one]]), complete([[1, one]])]);
  expect([first.status, second.status].toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('an upload that was aborted, and one of another key, is not there', async () => {
  const { Key, UploadId, put, complete } = await begun('parts/d');
  const one = await put(1, LARGE);
  const abort = (key: string) => client.send(new AbortMultipartUploadCommand({ Bucket, Key: key, UploadId }));
  await expect(abort('parts/other')).rejects.toMatchObject({ name: 'NoSuchUpload' });
  await abort(Key);
  await expect(abort(Key)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  await expect(put(1, LARGE)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  await expect(complete([[1, one]])).rejects.toMatchObject({ name: 'NoSuchUpload' });
  expect(leftOnDisk().filter((name) => name.startsWith('uploads/'))).toEqual([]);
});

test.each(['0', '10001', '-1', '1.5', 'x'])('a part with the number %s is refused', async (number) => {
  const { Key, UploadId } = await begun('parts/e');
  const url = await presign({
    method: 'PUT',
    key: Key,
    seconds: 60,
    query: { partNumber: number, uploadId: UploadId },
  });
  const response = await fetch(url, { method: 'PUT', body: 'x' });
  expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('InvalidArgument')]);
});

test('an upload needs the rights of its role', async () => {
  const harness = new S3Client(world.as('Harness'));
  const create = new CreateMultipartUploadCommand({ Bucket, Key: 'parts/f' });
  await expect(harness.send(create)).rejects.toMatchObject({ name: 'AccessDenied' });
  const { UploadId } = await begun('parts/f');
  const abort = new AbortMultipartUploadCommand({ Bucket, Key: 'parts/f', UploadId });
  await expect(harness.send(abort)).rejects.toMatchObject({ name: 'AccessDenied' });
});

/** What a client does with the URL of a part of five bytes. */
test.each<[string, (url: string) => [string, RequestInit], number, string]>([
  ['as it was signed', (url) => [url, { body: 'hello' }], 200, ''],
  ['with more bytes', (url) => [url, { body: 'hello!' }], 403, 'SignatureDoesNotMatch'],
  ['with fewer bytes', (url) => [url, { body: 'hell' }], 403, 'SignatureDoesNotMatch'],
  ['as another part', (url) => [url.replace('partNumber=1', 'partNumber=2'), { body: 'hello' }], 403, 'Signature'],
  ['for another key', (url) => [url.replace('parts/g', 'parts/h'), { body: 'hello' }], 403, 'SignatureDoesNotMatch'],
  ['with another method', (url) => [url, { method: 'POST', body: 'hello' }], 403, 'SignatureDoesNotMatch'],
  ['without its signature', (url) => [url.replace(/&X-Amz-Signature=\w+/, ''), { body: 'hello' }], 403, 'Signature'],
  ['for longer', (url) => [url.replace('Expires=60', 'Expires=600'), { body: 'hello' }], 403, 'Signature'],
  ['with a key', (url) => [url, { body: 'hello', headers: { authorization: 'Bearer x' } }], 400, 'Only one auth'],
  [
    'with an unsigned header',
    (url) => [url, { body: 'hello', headers: { 'x-amz-acl': 'public-read' } }],
    403,
    'not signed',
  ],
])('a URL of a part is good for one request: %s', async (_, change, status, said) => {
  const { UploadId } = await begun('parts/g');
  const query = { partNumber: '1', uploadId: UploadId };
  const [url, init] = change(await presign({ method: 'PUT', key: 'parts/g', seconds: 60, query, bytes: 5 }));
  const response = await fetch(url, { method: 'PUT', ...init });
  expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(said)]);
  if (status === 200) expect(response.headers.get('etag')).toBe(`"${md5(Buffer.from('hello')).toString('hex')}"`);
});

test('the access key id that a URL shows is no proof, used or not: each request is judged by its signature', async () => {
  const own = await startWorld();
  const { endpoint, region, credentials } = own.as('Api');
  const { accessKeyId, secretAccessKey } = credentials;
  const sent = (headers: Record<string, string>) => fetch(`${endpoint}/${Bucket}?list-type=2`, { headers });
  const forged = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20261130/${region}/s3/aws4_request, SignedHeaders=host, Signature=0`;
  const refused = await sent({ authorization: forged });
  expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('SignatureDoesNotMatch')]);
  const url = `${endpoint}/${Bucket}?list-type=2`;
  const signed = await new AwsV4Signer({ url, accessKeyId, secretAccessKey, region, service: 's3' }).sign();
  expect((await sent(Object.fromEntries(signed.headers))).status).toBe(200);
  await own.aws.close();
});

test('a large object goes to disk and comes back as a stream, and one that breaks off is not there', async () => {
  const bytes = Buffer.concat([LARGE, LARGE, Buffer.from('end')]);
  await client.send(new PutObjectCommand({ Bucket, Key: 'large', Body: bytes }));
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'large' }));
  expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
  const url = await presign({ method: 'PUT', key: 'broken', seconds: 60 });
  const leaving = new AbortController();
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(LARGE),
    pull: () => leaving.abort(),
  });
  const init = { method: 'PUT', body, duplex: 'half', signal: leaving.signal } as const;
  await expect(fetch(url, { ...init, headers: { 'content-length': '9000000' } })).rejects.toThrow('aborted');
  await expect(client.send(new GetObjectCommand({ Bucket, Key: 'broken' }))).rejects.toMatchObject({
    name: 'NoSuchKey',
  });
  await expect.poll(() => leftOnDisk().filter((name) => name.includes('draft'))).toEqual([]);
});

test('half a body that a killed runtime left is removed by the next one', async () => {
  const own = await startWorld();
  await own.aws.close();
  const folder = join(own.dataDir, 's3', Bucket);
  writeFileSync(join(folder, 'half.draft'), 'half');
  const next = await startWorld({ dataDir: own.dataDir });
  expect(readdirSync(folder)).not.toContain('half.draft');
  await next.aws.close();
});
