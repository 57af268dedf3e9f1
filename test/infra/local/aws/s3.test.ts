import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { removeScratchDirs, smallTemplate, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

const Bucket = 'brainstem-content';
let world: AwsWorld;
let client: S3Client;

beforeAll(async () => {
  world = await startWorld();
  client = new S3Client(world.as('Api'));
});
afterAll(async () => {
  await world.aws.close();
  removeScratchDirs();
});

const read = async (Key: string): Promise<string> => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return (await Body?.transformToString()) ?? '';
};

test('S3 returns an object with its type and metadata', async () => {
  const put = {
    Bucket,
    Key: 'sesn_1/7',
    Body: 'häł\u0000lo',
    ContentType: 'text/plain',
    Metadata: { session: 'sesn_1' },
  };
  const { ETag } = await client.send(new PutObjectCommand(put));
  const got = await client.send(new GetObjectCommand({ Bucket, Key: 'sesn_1/7' }));
  expect(await got.Body?.transformToString()).toBe('häł\u0000lo');
  expect(got).toMatchObject({ ETag, ContentType: 'text/plain', Metadata: { session: 'sesn_1' } });
});

test('S3 joins an upload in chunks with a trailing checksum', async () => {
  const parts = ['x'.repeat(70_000), 'y'.repeat(70_000), '\r\n0\r\n'];
  const Body = Readable.from(parts.map((part) => Buffer.from(part)));
  await client.send(
    new PutObjectCommand({
      Bucket,
      Key: 'chunked',
      Body,
      ContentLength: parts.join('').length,
      ChecksumAlgorithm: 'CRC32',
    }),
  );
  expect(await read('chunked')).toBe(parts.join(''));
});

test('S3 keeps the first object under If-None-Match', async () => {
  const put = (Body: string) => client.send(new PutObjectCommand({ Bucket, Key: 'once', Body, IfNoneMatch: '*' }));
  await put('first');
  await expect(put('second')).rejects.toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } });
  expect(await read('once')).toBe('first');
});

test('S3 replaces the object that If-Match names, and no other', async () => {
  const put = (Body: string, IfMatch?: string) =>
    client.send(new PutObjectCommand({ Bucket, Key: 'matched', Body, ...(IfMatch === undefined ? {} : { IfMatch }) }));
  await expect(put('none', '"a"')).rejects.toMatchObject({ name: 'NoSuchKey' });
  const first = await put('first');
  const second = await put('second', first.ETag);
  const late = put('late', first.ETag);
  await expect(late).rejects.toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } });
  expect(await read('matched')).toBe('second');
  expect((await put('third', second.ETag?.replaceAll('"', ''))).ETag).toBeDefined();
});

test('S3 takes an object that it locks with its checksum only', async () => {
  const Properties = {
    ObjectLockEnabled: true,
    ObjectLockConfiguration: {
      ObjectLockEnabled: 'Enabled',
      Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } },
    },
  };
  const statement = { Effect: 'Allow', Action: 's3:PutObject', Resource: { 'Fn::Sub': '${Locked.Arn}/*' } };
  const policy = { PolicyDocument: { Statement: [statement] }, Roles: [{ Ref: 'ApiRole' }] };
  const template = smallTemplate({
    Locked: { Type: 'AWS::S3::Bucket', Properties },
    LockedPolicy: { Type: 'AWS::IAM::Policy', Properties: policy },
  });
  const own = await startWorld({ template });
  const name = template.buckets.find(({ hasLock }) => hasLock)?.name;
  const put = (requestChecksumCalculation: 'WHEN_SUPPORTED' | 'WHEN_REQUIRED') =>
    new S3Client({ ...own.as('Api'), forcePathStyle: true, requestChecksumCalculation }).send(
      new PutObjectCommand({ Bucket: name, Key: 'a', Body: 'a' }),
    );
  await expect(put('WHEN_REQUIRED')).rejects.toMatchObject({ name: 'InvalidRequest' });
  expect(await put('WHEN_SUPPORTED')).toMatchObject({ $metadata: { httpStatusCode: 200 } });
  await own.aws.close();
});

test('an S3 key is never used as a file path', async () => {
  const keys = ['../../escape', 'a', 'a/b', 'a//b', 'ümläut +&=?#%', 'k'.repeat(900), '.'];
  for (const key of keys) await client.send(new PutObjectCommand({ Bucket, Key: `paths/${key}`, Body: key }));
  for (const key of keys) expect(await read(`paths/${key}`)).toBe(key);
  const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'paths/' }));
  expect(listed.Contents?.map(({ Key }) => Key)).toEqual(keys.map((key) => `paths/${key}`).toSorted());
});

test('S3 lists keys in their order, in pages', async () => {
  for (const n of [3, 1, 2]) await client.send(new PutObjectCommand({ Bucket, Key: `list/${n}`, Body: 'x'.repeat(n) }));
  const first = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'list/', MaxKeys: 2 }));
  expect(first).toMatchObject({
    IsTruncated: true,
    KeyCount: 2,
    Contents: [
      { Key: 'list/1', Size: 1 },
      { Key: 'list/2', Size: 2 },
    ],
  });
  const next = { Bucket, Prefix: 'list/', ContinuationToken: first.NextContinuationToken };
  const second = await client.send(new ListObjectsV2Command(next));
  expect(second).toMatchObject({ IsTruncated: false, Contents: [{ Key: 'list/3' }] });
});

test('S3 deletes objects together, and one that is not there is no error', async () => {
  for (const key of ['t&w<o', "th're\u00e9"])
    await client.send(new PutObjectCommand({ Bucket, Key: `gone/${key}`, Body: key }));
  const Objects = ['gone/t&w<o', "gone/th're\u00e9", 'gone/never-was'].map((Key) => ({ Key }));
  const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect(Deleted).toEqual(Objects);
  expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'gone/' }))).KeyCount).toBe(0);
});

test('a role may list only the S3 prefixes that its policy names', async () => {
  const listing = {
    Action: 's3:ListBucket',
    Condition: { StringLike: { 's3:prefix': 'sesn_*/' } },
    Effect: 'Allow',
    Resource: { 'Fn::GetAtt': ['Content', 'Arn'] },
  };
  const ListPolicy = {
    Type: 'AWS::IAM::Policy',
    Properties: { PolicyDocument: { Statement: [listing] }, PolicyName: 'list', Roles: [{ Ref: 'HarnessRole' }] },
  };
  const own = await startWorld({ template: smallTemplate({ ListPolicy }) });
  onTestFinished(() => own.aws.close());
  const harness = new S3Client(own.as('Harness'));
  const list = (Prefix?: string) => harness.send(new ListObjectsV2Command({ Bucket, Prefix }));
  expect(await list('sesn_1/')).toMatchObject({ KeyCount: 0 });
  for (const prefix of ['sesn_', 'other/', undefined]) {
    await expect(list(prefix)).rejects.toMatchObject({ name: 'AccessDenied' });
  }
});

test('an S3 bucket that the template lacks is not found', async () => {
  const elsewhere = client.send(new GetObjectCommand({ Bucket: 'elsewhere', Key: 'k' }));
  await expect(elsewhere).rejects.toMatchObject({ name: 'AccessDenied' });
});
