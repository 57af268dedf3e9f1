/** The contract of the ArchiveReader port: from the local S3 into a real sandbox server. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createArchiveReader } from '#aws/hands/package-archive.s3.ts';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import type { ContentEntry } from '#contract/hands.ts';
import { PACKAGES_DIR } from '#contract/packages.ts';
import type { Parcel } from '#core/ports/sandboxes.ts';
import { removeScratchDirs, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';
import { callOf, startSandbox, TOKEN } from '#test/sandbox-task/running-sandbox.ts';

const Bucket = 'brainstem-content';
const ARCHIVE = 'cd'.repeat(32);

describe('the reader of archives', () => {
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
  const client = createSandboxClient();
  const entryOf = (version: string): ContentEntry => {
    return { path: PACKAGES_DIR, version, access: 'read_write', form: 'archive' };
  };
  async function* parcelOf(name: string): AsyncIterable<Parcel> {
    const content = await createArchiveReader(s3, Bucket).read(name);
    yield { entry: entryOf(name), content: content ?? expect.fail('no archive') };
  }
  async function deliver(address: string, token = TOKEN) {
    await client.expect({ address, token: TOKEN }, { version: ARCHIVE, entries: [entryOf(ARCHIVE)] });
    return client.put({ address, token }, parcelOf(ARCHIVE));
  }

  async function sandboxAt(awaited: string) {
    const sandbox = await startSandbox('tcp', { archive: awaited, dir: mkdtempSync(join(folder, 'to-')) });
    onTestFinished(() => sandbox.close());
    if (!('port' in sandbox.address)) throw new Error('no port');
    return `127.0.0.1:${sandbox.address.port}`;
  }

  it('makes a waiting sandbox take calls', async () => {
    const address = await sandboxAt(ARCHIVE);
    const call = callOf('bash', { command: 'python3 -m seven' });
    expect(await client.execute({ address, token: TOKEN }, call)).toEqual({ status: 'awaits contents' });
    expect(await deliver(address)).toEqual({ status: 'put', refused: [] });
    expect(await deliver(address)).toEqual({ status: 'put', refused: [] });
    expect(await client.execute({ address, token: TOKEN }, call)).toMatchObject({
      status: 'answered',
      response: { output: '7' },
    });
  });

  it('reports that there is no archive', async () => {
    expect(await createArchiveReader(s3, Bucket).read('ef'.repeat(32))).toBeNull();
  });

  it('reads what the sandbox refuses, to its end', async () => {
    await store(Buffer.alloc(20_000_000, 'no archive'));
    expect(await deliver(await sandboxAt(ARCHIVE))).toMatchObject({ status: 'put', refused: [{ path: PACKAGES_DIR }] });
  });

  it('leads to an interrupted stream when no sandbox or another one is at the address', async () => {
    const nowhere = { address: '127.0.0.1:1', token: TOKEN };
    expect(await client.put(nowhere, parcelOf(ARCHIVE))).toEqual({ status: 'interrupted' });
    expect(await deliver(await sandboxAt(ARCHIVE), 'another token')).toEqual({ status: 'interrupted' });
  });
});
