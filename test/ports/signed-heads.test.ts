/** The key in KMS and the bucket of signed heads, as AWS's stand-ins of the local runtime. */
import { KMSClient } from '@aws-sdk/client-kms';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import { createHeadsKey } from '#aws/audit/heads-key.kms.ts';
import { createKeptHeads } from '#aws/audit/kept-heads.s3.ts';
import { AUDITED, chainOfRecords } from '#test/functions/core/audit/records.ts';
import { createKey, headsOf } from '#test/functions/core/audit/signing.ts';
import { removeScratchDirs, smallTemplate, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

const root = { AWS: { 'Fn::Sub': 'arn:aws:iam::${AWS::AccountId}:root' } };
const KeyPolicy = { Statement: [{ Action: 'kms:*', Effect: 'Allow', Principal: root, Resource: '*' }] };
const Key = { Type: 'AWS::KMS::Key', Properties: { KeyPolicy, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } };
const ObjectLockConfiguration = {
  ObjectLockEnabled: 'Enabled',
  Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 400 } },
};
const Heads = { Type: 'AWS::S3::Bucket', Properties: { ObjectLockEnabled: true, ObjectLockConfiguration } };
const allow = (Action: readonly string[], Resource: unknown) => ({ Effect: 'Allow', Action, Resource });
const Statement = [
  allow(['kms:Sign', 'kms:GetPublicKey'], { 'Fn::GetAtt': ['Key', 'Arn'] }),
  allow(['s3:GetObject', 's3:PutObject'], { 'Fn::Sub': '${Heads.Arn}/*' }),
  allow(['s3:ListBucket'], { 'Fn::GetAtt': ['Heads', 'Arn'] }),
];
const Policy = { Type: 'AWS::IAM::Policy', Properties: { PolicyDocument: { Statement }, Roles: [{ Ref: 'ApiRole' }] } };

const RECORDS = chainOfRecords(3);
let world: AwsWorld;
let bucket: string;
let s3: S3Client;
beforeAll(async () => {
  const template = smallTemplate({ Key, Heads, Policy });
  world = await startWorld({ template });
  bucket = template.buckets.find(({ hasLock }) => hasLock)?.name ?? '';
  s3 = new S3Client({ ...world.as('Api'), forcePathStyle: true });
});
afterAll(async () => {
  await world.aws.close();
  removeScratchDirs();
});

const key = () => createHeadsKey(new KMSClient(world.as('Api')), world.template.keys[0]?.arn ?? '');

it('signs heads with the key of the deployment, and knows its own', async () => {
  const signed = await key().sign(headsOf(RECORDS));
  expect(signed).toMatchObject(headsOf(RECORDS));
  expect(await key().isOurs(signed)).toBe(true);
  const public_key = signed.public_key;
  for (const other of [
    { ...signed, at: '2026-11-21T10:02:00.000Z' },
    { ...signed, workspace: WorkspaceId.parse('wrkspc_2') },
    { ...signed, signature: 'AAAA' },
    { ...createKey().signNow(headsOf(RECORDS)), public_key },
    createKey().signNow(headsOf(RECORDS)),
  ]) {
    expect(await key().isOurs(other)).toBe(false);
  }
});

it('has room for the longest heads in one message', async () => {
  const longest = headsOf(RECORDS, { workspace: WorkspaceId.parse(`wrkspc_${'w'.repeat(64)}`) });
  const heads = longest.heads.map(({ chain }) => ({ chain, position: 999_999_999_999, hash: 'f'.repeat(64) }));
  const signed = await key().sign({ ...longest, heads });
  expect(await key().isOurs(signed)).toBe(true);
});

it('keeps the newest heads of each workspace, and replaces those that were read only', async () => {
  const kept = createKeptHeads(s3, bucket);
  const heads = (length: number) => createKey().signNow(headsOf(chainOfRecords(length)));
  expect(await kept.find(AUDITED)).toBeNull();
  const [first, second, late] = [heads(1), heads(2), heads(1)];
  expect(await kept.keep(first, null)).toBe('kept');
  expect(await kept.keep(late, null)).toBe('conflict');
  const found = await kept.find(AUDITED);
  expect(found?.heads).toEqual(first);
  expect(await kept.keep(second, found?.version ?? '')).toBe('kept');
  expect(await kept.keep(late, found?.version ?? '')).toBe('conflict');
  expect((await kept.find(AUDITED))?.heads).toEqual(second);
  const workspaces: WorkspaceId[] = [];
  for await (const workspace of kept.workspaces()) workspaces.push(workspace);
  expect(workspaces).toEqual([AUDITED]);
});

it('refuses an object that holds no signed heads, and says when the bucket does not answer', async () => {
  const kept = createKeptHeads(s3, bucket);
  const workspace = WorkspaceId.parse('wrkspc_broken');
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: `${workspace}.json`, Body: '{}' }));
  await expect(kept.find(workspace)).rejects.toMatchObject({ code: 'stored_data_invalid' });
  await expect(createKeptHeads(s3, 'none').find(workspace)).rejects.toMatchObject({ code: 'audit_unavailable' });
  await expect(s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'none' }))).rejects.toMatchObject({
    name: 'NoSuchKey',
  });
});
