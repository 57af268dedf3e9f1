import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CONTENT_LIMITS, contentPathFault, resultFile, type ContentEntry } from '#contract/hands.ts';
import {
  AWAITED,
  bodyOf,
  callOf,
  type Sandbox,
  send,
  type Sending,
  startSandbox,
  TAKEN,
  withToken,
} from './running-sandbox.ts';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await startSandbox();
});
afterEach(() => sandbox.close());

const outputs = () => join(sandbox.workdir, '.brainstem/outputs');
const resultOf = (call: string): ContentEntry => {
  return { path: resultFile(call), version: call, access: 'read_only', form: 'file' };
};
const upload = (name: string, version = '1', more: Partial<ContentEntry> = {}): ContentEntry => {
  return { path: `/mnt/session/uploads/${name}`, version, access: 'read_only', form: 'file', ...more };
};
const fileOf = (entry: ContentEntry) =>
  entry.path.replace(/^\/mnt/, () => sandbox.mnt).replace(/^\/workspace/, () => sandbox.workdir);
const post = (call: object) => sandbox.post(call);
const running = (command: string, contents?: string) => post(callOf('bash', { command }, contents ? { contents } : {}));
const lackingOf = async (version: string, ...entries: ContentEntry[]) =>
  (await sandbox.expectContents(version, entries)).body;
const put = (...sent: Sending[]) => sandbox.put(...sent);

describe('the contents of a sandbox', () => {
  const [a, b] = [resultOf('sevt_a'), resultOf('sevt_b')];
  const reading = 'cat .brainstem/outputs/sevt_a.txt';

  test('are lacking until each is put, and a call of their version waits for the last', async () => {
    expect(await running(reading, '1')).toMatchObject(AWAITED);
    expect(await lackingOf('1', a, b)).toEqual({ lacking: [a.path, b.path] });
    expect(await put([a, 'of a'])).toEqual(TAKEN);
    expect(await running(reading, '1')).toMatchObject(AWAITED);
    expect(await lackingOf('1', a, b)).toEqual({ lacking: [b.path] });
    await put([b, 'of b']);
    expect(await running(reading, '1')).toMatchObject({ status: 200, body: { output: 'of a', served: 'ran' } });
    expect(await running('echo none')).toMatchObject({ status: 200, body: { output: 'none' } });
    expect(await running(reading, '2')).toMatchObject(AWAITED);
  });

  test('are stored unchanged, to the last of many multi-byte characters, in whatever pieces they come', async () => {
    const text = `${'é😀\u2028'.repeat(250_000)}\n\n`;
    const small = Array.from({ length: 40 }, (_, index) => upload(`${index}`));
    await lackingOf('1', a, ...small);
    const sent = request({ ...sandbox.address, method: 'PUT', path: '/contents', headers: withToken });
    const body = bodyOf([...small.map((entry): Sending => [entry, entry.path]), [a, text]]);
    const answered = new Promise<number>(
      (resolve) => void sent.on('response', (reply) => resolve(reply.statusCode ?? 0)),
    );
    for (let at = 0; at < 2000; at += 7) sent.write(body.subarray(at, at + 7));
    sent.end(body.subarray(2002));
    expect(await answered).toBe(200);
    expect(await readFile(join(outputs(), 'sevt_a.txt'), 'utf8')).toBe(text);
    expect(small.map((entry) => readFileSync(fileOf(entry), 'utf8'))).toEqual(small.map(({ path }) => path));
    expect(await readdir(outputs())).toEqual(['sevt_a.txt']);
  });

  test('are put again before a later call when the agent removed or changed them, but not before the one that did', async () => {
    const file = upload('data.csv');
    await lackingOf('1', a, file);
    await put([a, 'of a'], [file, 'of file']);
    const removing = callOf('bash', { command: 'rm -r .brainstem; echo gone' }, { contents: '1' });
    expect(await post(removing)).toMatchObject({ status: 200, body: { output: 'gone' } });
    expect(await post(removing)).toMatchObject({ status: 200, body: { output: 'gone', served: 'replayed' } });
    expect(await running('true', '1')).toMatchObject(AWAITED);
    expect(await lackingOf('1', a, file)).toEqual({ lacking: [a.path] });
    await put([a, 'of a']);
    // Where the agent is the user of the server, it can change the file, and does it here at once.
    await chmod(fileOf(file), 0o644);
    await writeFile(fileOf(file), 'OF FILE');
    expect(await lackingOf('1', a, file)).toEqual({ lacking: [file.path] });
    await put([file, 'of file']);
    expect(await running('cat /mnt/session/uploads/data.csv', '1')).toMatchObject({ body: { output: 'of file' } });
    expect(statSync(fileOf(file)).mode & 0o777).toBe(0o444);
  });

  test('that break off leave nothing, and what came before stays', async () => {
    await lackingOf('1', a, b);
    const body = bodyOf([
      [a, 'of a'],
      [b, 'x'.repeat(1000)],
    ]);
    const headers = { ...withToken, 'content-length': body.length };
    const sent = request({ ...sandbox.address, method: 'PUT', path: '/contents', headers });
    sent.on('error', () => undefined);
    const taken = sandbox.nextCall();
    sent.write(body.subarray(0, -500));
    await taken;
    await expect.poll(() => existsSync(fileOf(a))).toBe(true);
    const ended = sandbox.nextCall();
    sent.destroy();
    await ended;
    expect(await readdir(outputs())).toEqual(['sevt_a.txt']);
    expect(await lackingOf('1', a, b)).toEqual({ lacking: [b.path] });
    expect(await running('true', '1')).toMatchObject(AWAITED);
  });

  test('that cannot be written are refused with the reason, and commands run without them', async () => {
    await writeFile(join(sandbox.workdir, '.brainstem'), '');
    await lackingOf('1', a, b);
    const refused = (reason: string) => ({ body: { refused: [{ path: a.path, reason }] } });
    expect(await put([a, 'of a'])).toMatchObject(refused('a file is where its folder should be'));
    expect(await running('echo hi')).toMatchObject({ status: 200, body: { output: 'hi' } });
    await rm(join(sandbox.workdir, '.brainstem'));
    await mkdir(join(outputs(), 'sevt_a.txt'), { recursive: true });
    expect(await put([a, 'of a'], [b, 'of b'])).toMatchObject(refused('a folder is in its place'));
    expect(await readdir(outputs())).toEqual(['sevt_a.txt', 'sevt_b.txt']);
  });

  test('that the image has no folder for are refused with a sentence that says so', async () => {
    const file = upload('data.csv');
    await rm(join(sandbox.mnt, 'session'), { recursive: true });
    // As a folder of another user does, the file keeps the server from making one.
    await writeFile(join(sandbox.mnt, 'session'), '');
    await lackingOf('1', file);
    const reason = 'the sandbox’s image has no folder /mnt/session/uploads';
    expect(await put([file, 'x'])).toMatchObject({ body: { refused: [{ path: file.path, reason }] } });
  });

  test('that are not those of the manifest are refused, and the others are put', async () => {
    const sized = upload('sized', '1', { bytes: 3 });
    await lackingOf('1', a, sized);
    expect(await put([{ ...a, version: 'other' }, 'x'], [b, 'x'], [sized, '12'], [a, 'of a'])).toEqual({
      status: 200,
      body: {
        refused: [
          { path: a.path, reason: 'it is not in the newest manifest', isSuperseded: true },
          { path: b.path, reason: 'it is not in the newest manifest', isSuperseded: true },
          { path: sized.path, reason: 'it has 2 bytes and not 3' },
        ],
      },
    });
    expect(await lackingOf('1', a, sized)).toEqual({ lacking: [sized.path] });
  });

  test.each([
    ['no line of JSON', 'hello'],
    ['another object', '{"path":"/workspace/a"}\n'],
    ['fewer bytes than it says', '{"path":"/workspace/a","version":"1","bytes":10}\nshort'],
    ['a header without an end', 'x'.repeat(100_000)],
  ])('in a stream with %s are refused', async (_what, body) => {
    await lackingOf('1', a);
    expect(await sandbox.ask('PUT', '/contents', Buffer.from(body))).toMatchObject({ status: 400 });
  });

  test('that a later manifest does not name go before the next call, with the folders that were made for them', async () => {
    const [kept, gone] = [upload('kept'), upload('deep/down/gone')];
    await lackingOf('1', kept, gone);
    await put([kept, 'kept'], [gone, 'gone']);
    expect(await lackingOf('2', { ...kept, version: '2' })).toEqual({ lacking: [kept.path] });
    expect(await readdir(dirname(fileOf(kept)))).toEqual(['kept']);
    await put([{ ...kept, version: '2' }, 'newer']);
    expect(readFileSync(fileOf(kept), 'utf8')).toBe('newer');
    expect(await running('ls /mnt/session/uploads', '2')).toMatchObject({ body: { output: 'kept' } });
  });

  test('are not written through a link that the agent made', async () => {
    const target = join(sandbox.mnt, 'target');
    await mkdir(target);
    await symlink(target, join(sandbox.workdir, 'skills'));
    const skill: ContentEntry = {
      path: '/workspace/skills/a/SKILL.md',
      version: '1',
      access: 'read_only',
      form: 'file',
    };
    await lackingOf('1', skill);
    expect(await put([skill, 'x'])).toMatchObject({ body: { refused: [{ reason: 'a link is in the way' }] } });
    expect(await readdir(target)).not.toContain('SKILL.md');
    // A link in the place of the file itself is replaced, and its target stays.
    const [file, other] = [upload('f'), join(target, 'other')];
    await writeFile(other, 'mine');
    await mkdir(dirname(fileOf(file)), { recursive: true });
    await symlink(other, fileOf(file));
    await lackingOf('2', file);
    await put([file, 'x']);
    expect([readFileSync(other, 'utf8'), lstatSync(fileOf(file)).isFile()]).toEqual(['mine', true]);
  });

  test('are all put into a sandbox that replaces another one', async () => {
    const entries = [a, upload('x'), upload('y')];
    await lackingOf('1', ...entries);
    await put(...entries.map((entry): Sending => [entry, 'x']));
    expect(await running('true', '1')).toMatchObject({ status: 200 });
    await sandbox.close();
    sandbox = await startSandbox();
    expect(await running('true', '1')).toMatchObject(AWAITED);
    expect(await lackingOf('1', ...entries)).toEqual({ lacking: entries.map(({ path }) => path) });
  });

  test('need the token, and paths that the contract allows', async () => {
    for (const path of ['/manifest', '/contents']) {
      expect(await send(sandbox.address, { method: 'PUT', path })).toMatchObject({ status: 401 });
    }
    expect(await sandbox.expectContents('1', [{ ...a, path: '/etc/passwd' }])).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('entries.0.path: must be below /mnt/session/uploads') },
    });
  });

  test('leave no text in log lines', async () => {
    await lackingOf('1', upload('canary-name'));
    await put([upload('canary-name'), 'canary-text']);
    expect(sandbox.lines.filter((line) => line.includes('contents'))).toHaveLength(1);
    expect(sandbox.lines.join()).not.toContain('canary');
  });

  test('that are many and small travel in well under two seconds', async () => {
    const many = Array.from({ length: 500 }, (_, index) => upload(`${index % 20}/${index}.txt`));
    const startedAt = performance.now();
    await lackingOf('1', ...many);
    expect(await put(...many.map((entry): Sending => [entry, 'x'.repeat(1024)]))).toEqual(TAKEN);
    expect(await running('find /mnt/session/uploads -type f | wc -l', '1')).toMatchObject({ body: { output: '500' } });
    expect(performance.now() - startedAt).toBeLessThan(2000 * 5);
  });
});

describe('a file that the agent may change', () => {
  const folder: ContentEntry = { path: '/mnt/memory/notes', version: '1', access: 'read_write', form: 'folder' };
  const note = (version: string): ContentEntry => {
    return { path: '/mnt/memory/notes/a.md', version, access: 'read_write', form: 'file' };
  };

  test('stays as the agent wrote it until that is kept, also when another version is put meanwhile', async () => {
    expect(await lackingOf('1', folder, note('v1'))).toEqual({ lacking: [note('v1').path] });
    await put([note('v1'), 'first']);
    expect(await running('echo more >> /mnt/memory/notes/a.md', '1')).toMatchObject({ body: { changed: 1 } });
    expect(await lackingOf('2', folder, note('v2'))).toEqual({ lacking: [] });
    expect(readFileSync(fileOf(note('v2')), 'utf8')).toBe('firstmore\n');
    expect(await running('true', '2')).toMatchObject({ status: 200 });
  });

  test('is replaced by a newer version and goes with its memory while the agent has not changed it', async () => {
    await lackingOf('1', folder, note('v1'));
    await put([note('v1'), 'first']);
    expect(await lackingOf('2', folder, note('v2'))).toEqual({ lacking: [note('v2').path] });
    await put([note('v2'), 'second']);
    expect(readFileSync(fileOf(note('v2')), 'utf8')).toBe('second');
    await lackingOf('3', folder);
    expect(existsSync(fileOf(note('v2')))).toBe(false);
    expect(await running('ls -d /mnt/memory/notes', '3')).toMatchObject({ body: { isError: false } });
  });

  test('may be moved away by the agent, which counts as removed', async () => {
    await lackingOf('1', folder, note('v1'));
    await put([note('v1'), 'first']);
    await rename(fileOf(note('v1')), join(sandbox.workdir, 'moved'));
    expect(await running('true', '1')).toMatchObject({ status: 200, body: { changed: 1 } });
  });
});

describe('a path of contents', () => {
  test.each([
    '/mnt/session/uploads/data.csv',
    '/mnt/session/uploads/a/b/c d.txt',
    '/workspace/calc.py',
    '/workspace/skills/x/SKILL.md',
    '/mnt/memory/notes',
    '/mnt/session/uploads/…/é😀',
    '/mnt/session/uploads/...',
    '/opt/packages',
  ])('may be %s', (path) => expect(contentPathFault(path)).toBeNull());

  test.each([
    ['/etc/passwd', 'must be below'],
    ['/mnt/session/uploads', 'must be below'],
    ['/mnt/session/outputs/a', 'must be below'],
    ['/opt/packages/npm/bin/x', 'must be below'],
    ['/workspace-other/a', 'must be below'],
    ['workspace/a', 'must be below'],
    ['', 'must be below'],
    ['/workspace/../etc/passwd', 'must have no empty part'],
    ['/workspace/a/..', 'must have no empty part'],
    ['/workspace/./a', 'must have no empty part'],
    ['/workspace//a', 'must have no empty part'],
    ['/workspace/a/', 'must have no empty part'],
    ['/workspace/a\nb', 'must have no control characters'],
    ['/workspace/a\0b', 'must have no control characters'],
    ['/workspace/\ud800', 'must have no control characters and no broken text'],
    [`/workspace/${'x'.repeat(256)}`, 'at most 255 bytes'],
    [`/workspace/${'é'.repeat(128)}`, 'at most 255 bytes'],
    [`/workspace${'/long'.repeat(300)}`, `at most ${CONTENT_LIMITS.pathBytes} bytes`],
  ])('may not be %j', (path, why) => expect(contentPathFault(path)).toContain(why));
});
