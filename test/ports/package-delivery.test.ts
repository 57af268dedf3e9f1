/** The contract of the PackageDelivery port: from the local S3 into a real sandbox server. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createPackageDelivery } from '#aws/hands/package-delivery.http.ts';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { removeScratchDirs, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';
import { callOf, startSandbox, TOKEN } from '#test/sandbox-task/running-sandbox.ts';

const Bucket = 'brainstem-content';
const ARCHIVE = 'cd'.repeat(32);

describe('the delivery of packages', () => {
  let world: AwsWorld;
  let s3: S3Client;
  let folder: string;
  let archive: Buffer;
  beforeAll(async () => {
    world = await startWorld();
    s3 = new S3Client(world.as('Api'));
    folder = mkdtempSync(join(tmpdir(), 'delivery-'));
    writeFileSync(join(folder, 'seven.py'), 'print(7)');
    archive = execFileSync('tar', ['-cz', '--transform', 's#^#pip/#', '-C', folder, 'seven.py']);
  });
  afterAll(async () => {
    await world.aws.close();
    removeScratchDirs();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => store(archive));

  const store = async (Body: Buffer) =>
    void (await s3.send(new PutObjectCommand({ Bucket, Key: `packages/${ARCHIVE}/archive.tar.gz`, Body })));
  const deliver = (address: string, name = ARCHIVE, token = TOKEN) =>
    createPackageDelivery(s3, Bucket).deliver({ address, token }, name);

  async function sandboxAt(awaited: string) {
    const sandbox = await startSandbox('tcp', { archive: awaited, dir: mkdtempSync(join(folder, 'to-')) });
    onTestFinished(() => sandbox.close());
    if (!('port' in sandbox.address)) throw new Error('no port');
    return `127.0.0.1:${sandbox.address.port}`;
  }

  it('makes a waiting sandbox take calls', async () => {
    const address = await sandboxAt(ARCHIVE);
    const client = createSandboxClient();
    const call = callOf('bash', { command: 'python3 -m seven' });
    expect(await client.execute({ address, token: TOKEN }, call)).toEqual({ status: 'awaits packages' });
    expect(await deliver(address)).toEqual({ status: 'delivered' });
    expect(await deliver(address)).toEqual({ status: 'delivered' });
    expect(await client.execute({ address, token: TOKEN }, call)).toMatchObject({
      status: 'answered',
      response: { output: '7' },
    });
  });

  it('reports that there is no archive', async () => {
    expect(await deliver(await sandboxAt(ARCHIVE), 'ef'.repeat(32))).toEqual({ status: 'missing' });
  });

  it('reports that the sandbox refuses the archive', async () => {
    expect(await deliver(await sandboxAt('ef'.repeat(32)))).toEqual({ status: 'refused' });
    await store(Buffer.alloc(20_000_000, 'no archive'));
    expect(await deliver(await sandboxAt(ARCHIVE))).toEqual({ status: 'refused' });
  });

  it('ends as interrupted when no sandbox or another one is at the address', async () => {
    expect(await deliver('127.0.0.1:1')).toEqual({ status: 'interrupted' });
    expect(await deliver(await sandboxAt(ARCHIVE), ARCHIVE, 'another token')).toEqual({ status: 'interrupted' });
  });
});
