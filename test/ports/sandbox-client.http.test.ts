/** The contract of the SandboxClient port for contents, with a real sandbox server. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { resultFile, type ContentEntry } from '#contract/hands.ts';
import type { Parcel } from '#core/ports/sandboxes.ts';
import { callOf, startSandbox, TOKEN } from '#test/sandbox-task/running-sandbox.ts';

const A: ContentEntry = { path: resultFile('sevt_a'), version: 'sevt_a', access: 'read_only', form: 'file' };
const client = createSandboxClient();

async function started() {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  if (!('port' in sandbox.address)) throw new Error('no port');
  return { sandbox, place: { address: `127.0.0.1:${sandbox.address.port}`, token: TOKEN } };
}

async function* piecesOf(pieces: readonly (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

async function* parcels(...sent: readonly (readonly [ContentEntry, string])[]): AsyncIterable<Parcel> {
  for (const [entry, text] of sent) {
    const bytes = Buffer.from(text);
    yield { entry, content: { bytes: bytes.length, body: piecesOf([bytes]) } };
  }
}

async function all(body: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('the contents that the sandbox lacks', () => {
  it('are awaited by a call that names their version, which runs after they were sent', async () => {
    const { sandbox, place } = await started();
    const text = '😀'.repeat(500_000);
    const call = callOf('bash', { command: 'wc -c < .brainstem/outputs/sevt_a.txt' }, { contents: '1' });
    expect(await client.execute(place, call)).toEqual({ status: 'awaits contents' });
    expect(await client.expect(place, { version: '1', entries: [A] })).toEqual({ status: 'told', lacking: [A.path] });
    expect(await client.put(place, parcels([A, text]))).toEqual({ status: 'put', refused: [] });
    expect(await client.put(place, parcels([A, text]))).toEqual({ status: 'put', refused: [] });
    expect(await client.expect(place, { version: '1', entries: [A] })).toEqual({ status: 'told', lacking: [] });
    expect(await client.execute(place, call)).toMatchObject({ status: 'answered', response: { output: '2000000' } });
    expect(await readFile(join(sandbox.workdir, '.brainstem/outputs/sevt_a.txt'), 'utf8')).toBe(text);
  });

  it('are held in memory by neither side, however long they are', async () => {
    const { place, sandbox } = await started();
    const piece = new Uint8Array(1024 * 1024);
    const pieces = 200;
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    async function* long(): AsyncIterable<Uint8Array> {
      for (let sent = 0; sent < pieces; sent += 1) {
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        yield piece;
      }
    }
    async function* parcel(): AsyncIterable<Parcel> {
      yield { entry: A, content: { bytes: pieces * piece.length, body: long() } };
    }
    await client.expect(place, { version: '1', entries: [A] });
    expect(await client.put(place, parcel())).toEqual({ status: 'put', refused: [] });
    const { size } = await stat(join(sandbox.workdir, '.brainstem/outputs/sevt_a.txt'));
    expect(size).toBe(pieces * piece.length);
    expect(most).toBeLessThan((pieces * piece.length) / 2);
  });

  it('may be refused one by one or as a whole, and the connection may end', async () => {
    const { place } = await started();
    await client.expect(place, { version: '1', entries: [A] });
    const other = { ...A, version: 'sevt_b' };
    expect(await client.put(place, parcels([other, 'x']))).toEqual({
      status: 'put',
      refused: [{ path: A.path, reason: 'it is not in the newest manifest', isSuperseded: true }],
    });
    const outside = { ...A, path: '/etc/passwd' };
    expect(await client.expect(place, { version: '2', entries: [outside] })).toEqual({ status: 'refused' });
    for (const nowhere of [
      { ...place, token: 'another' },
      { ...place, address: '127.0.0.1:1' },
    ]) {
      expect(await client.expect(nowhere, { version: '1', entries: [] })).toEqual({ status: 'interrupted' });
      expect(await client.put(nowhere, parcels([A, 'x']))).toEqual({ status: 'interrupted' });
      expect(await client.changes(nowhere)).toBeNull();
    }
  });

  it('are no longer sent when their source fails, which is thrown, and what was whole stays', async () => {
    const { place, sandbox } = await started();
    const b = { ...A, path: resultFile('sevt_b'), version: 'sevt_b' };
    await client.expect(place, { version: '1', entries: [A, b] });
    async function* failing(): AsyncIterable<Uint8Array> {
      yield Buffer.from('half');
      await vi.waitUntil(() => existsSync(join(sandbox.workdir, '.brainstem/outputs/sevt_a.txt')));
      throw new Error('the bucket failed');
    }
    async function* sent(): AsyncIterable<Parcel> {
      yield* parcels([A, 'whole']);
      yield { entry: b, content: { bytes: 100, body: failing() } };
    }
    await expect(client.put(place, sent())).rejects.toThrow('the bucket failed');
    expect(await client.expect(place, { version: '1', entries: [A, b] })).toEqual({
      status: 'told',
      lacking: [b.path],
    });
  });

  it('are not asked of a sandbox that knows no manifest', async () => {
    const old = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(404).end('{"error":"not_found","message":"x"}'));
    });
    await new Promise<void>((resolve) => void old.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void old.close());
    const address = old.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port');
    const place = { address: `127.0.0.1:${address.port}`, token: TOKEN };
    expect(await client.expect(place, { version: '1', entries: [A] })).toEqual({ status: 'refused' });
  });
});

describe('what the agent wrote', () => {
  it('is told once after a call, read as a whole, and not told again when it is kept', async () => {
    const { sandbox, place } = await started();
    const text = 'x'.repeat(1_000_000);
    const call = callOf('write', { file_path: '/mnt/session/outputs/a/b.txt', content: text });
    expect(await client.execute(place, call)).toMatchObject({ status: 'answered', response: { changed: 1 } });
    const told = await client.changes(place);
    const [change] = told?.changes ?? [];
    if (change === undefined) throw new Error('no change was told');
    expect(told).toMatchObject({
      changes: [{ path: '/mnt/session/outputs/a/b.txt', bytes: 1_000_000, base: null }],
      notes: [],
    });
    const content = await client.read(place, change);
    expect(content?.bytes).toBe(1_000_000);
    expect(await all(content?.body)).toBe(text);
    await client.keep(place, { kept: [{ path: change.path, sha256: change.sha256 }], notes: [] });
    const next = await client.execute(place, callOf('bash', { command: 'echo hi' }));
    expect(next).toMatchObject({ status: 'answered', response: { output: 'hi' } });
    expect(next).not.toHaveProperty('response.changed');
    expect(await client.changes(place)).toEqual({ changes: [], notes: [] });
    await mkdir(join(sandbox.mnt, 'session/outputs'), { recursive: true });
    await writeFile(join(sandbox.mnt, 'session/outputs/a/b.txt'), 'y');
    expect(await client.read(place, change)).toBeNull();
  });
});
