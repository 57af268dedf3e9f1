import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ContentEntry } from '#contract/hands.ts';
import { PACKAGES_DIR } from '#contract/packages.ts';
import {
  AWAITED,
  bodyOf,
  callOf,
  execute,
  type Sandbox,
  send,
  startSandbox,
  TAKEN,
  withToken,
} from './running-sandbox.ts';

const ARCHIVE = 'ab'.repeat(32);

let folder: string;
let dir: string;
let sandbox: Sandbox;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sandbox-packages-'));
  dir = join(folder, 'packages');
  sandbox = await startSandbox('tcp', { archive: ARCHIVE, dir });
});
afterEach(async () => {
  await sandbox.close();
  rmSync(folder, { recursive: true });
});

/** An archive of these files, each a script that prints `content`. */
function archiveOf(files: Readonly<Record<string, string>>, ...options: readonly string[]): Buffer {
  const from = mkdtempSync(join(folder, 'from-'));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(from, path)), { recursive: true });
    writeFileSync(join(from, path), `#!/bin/sh\necho ${content}\n`);
    chmodSync(join(from, path), 0o755);
  }
  return execFileSync('tar', ['--create', '--gzip', '--directory', from, ...options, '.']);
}

const entryOf = (version: string): ContentEntry => {
  return { path: PACKAGES_DIR, version, access: 'read_write', form: 'archive' };
};
async function put(body: Buffer, archive = ARCHIVE, to: Pick<Sandbox, 'expectContents' | 'put'> = sandbox) {
  await to.expectContents(archive, [entryOf(archive)]);
  return to.put([entryOf(archive), body]);
}
const run = (command: string) => sandbox.run('bash', { command });
const post = () => sandbox.post(callOf('bash', { command: 'echo hi' }));
const REFUSED = {
  status: 200,
  body: { refused: [{ path: PACKAGES_DIR, reason: expect.stringMatching(/^the archive cannot be unpacked: ./) }] },
};

test('a sandbox takes no call before its packages, and then commands find them', async () => {
  expect(await post()).toMatchObject(AWAITED);
  const archive = archiveOf({ 'npm/bin/tool': 'of npm', 'apt/usr/bin/other': 'of apt', 'go/bin/third': 'of go' });
  expect(await put(archive)).toEqual(TAKEN);
  expect((await run('tool; other; third')).output).toBe('of npm\nof apt\nof go');
});

test('the variables for finding libraries name the packages', async () => {
  await put(archiveOf({ 'pip/seven.py': '7' }));
  const { output } = await run('env');
  for (const [name, path] of [
    ['PYTHONPATH', 'pip'],
    ['NODE_PATH', 'npm/lib/node_modules'],
    ['GEM_HOME', 'gem'],
    ['GEM_PATH', 'gem'],
    ['LD_LIBRARY_PATH', 'apt/usr/lib'],
  ]) {
    expect(output).toMatch(new RegExp(`^${name}=${join(dir, path ?? '')}`, 'm'));
  }
});

test('a sandbox without packages has none of those variables', async () => {
  const plain = await startSandbox();
  const { output } = await plain.run('bash', { command: 'env' });
  expect(output).not.toMatch(/PYTHONPATH|LD_LIBRARY_PATH|GEM_HOME/);
  await plain.close();
});

test('a repeated delivery of packages changes nothing', async () => {
  await put(archiveOf({ 'npm/bin/tool': 'first' }));
  expect(await put(archiveOf({ 'npm/bin/tool': 'second' }))).toEqual(TAKEN);
  expect((await run('tool')).output).toBe('first');
});

test('two deliveries of packages at the same time are unpacked once', async () => {
  const archive = archiveOf({ 'npm/bin/tool': 'once' });
  expect(await Promise.all([put(archive), put(archive), put(archive)])).toEqual([TAKEN, TAKEN, TAKEN]);
  expect(sandbox.lines.filter((line) => line.includes('"contents"'))).toHaveLength(3);
});

test('other packages than the expected ones, and a wrong token, are refused', async () => {
  const archive = archiveOf({ 'npm/bin/tool': 'x' });
  await put(archive, 'cd'.repeat(32));
  expect(await post()).toMatchObject(AWAITED);
  const another = { authorization: 'Bearer another' };
  for (const path of ['/manifest', '/contents']) {
    expect(await send(sandbox.address, { method: 'PUT', path, headers: another })).toMatchObject({ status: 401 });
  }
  expect(await put(archive)).toEqual(TAKEN);
});

test.each([
  ['no archive', () => Buffer.from('hello')],
  ['nothing', () => Buffer.alloc(0)],
  ['half an archive', () => archiveOf({ a: 'x'.repeat(100) }).subarray(0, 60)],
  ['no archive and many megabytes', () => Buffer.alloc(10_000_000, 'x')],
])('a body that is %s is refused, and the sandbox still waits for its packages', async (_what, body) => {
  expect(await put(body())).toEqual(REFUSED);
  expect(await post()).toMatchObject(AWAITED);
  expect(await put(archiveOf({ 'npm/bin/tool': 'whole' }))).toEqual(TAKEN);
});

test('an archive over the limit is refused', async () => {
  const small = await startSandbox('tcp', { archive: ARCHIVE, dir, maxBytes: 100 });
  const bytes = archiveOf({ 'npm/bin/tool': 'x', 'npm/bin/other': 'y' });
  expect(bytes.length).toBeGreaterThan(100);
  const refused = [{ path: PACKAGES_DIR, reason: 'it has more than 100 bytes' }];
  expect(await put(bytes, ARCHIVE, small)).toEqual({ status: 200, body: { refused } });
  expect(existsSync(join(dir, 'npm'))).toBe(false);
  await small.close();
});

test.each([
  ['a path that leads out of the folder', ['--transform', 's#^./escaped#../escaped#', '--absolute-names']],
  ['an absolute path', ['--transform', 's#^./escaped#/tmp/brainstem-escaped#', '--absolute-names']],
])('an archive with %s is refused, and no file is written there', async (_what, options) => {
  const reply = await put(archiveOf({ escaped: 'x' }, ...options));
  expect(reply).toEqual(REFUSED);
  expect(existsSync(join(folder, 'escaped'))).toBe(false);
  expect(existsSync('/tmp/brainstem-escaped')).toBe(false);
  expect(await post()).toMatchObject(AWAITED);
});

test('an archive with a file behind a link that leads out of the folder is refused, and no file is written there', async () => {
  const outside = join(folder, 'outside');
  mkdirSync(outside);
  const links = mkdtempSync(join(folder, 'links-'));
  symlinkSync(outside, join(links, 'door'));
  const [first, both] = [join(folder, 'first.tar'), join(folder, 'files')];
  execFileSync('tar', ['--create', '--file', first, '--directory', links, 'door']);
  mkdirSync(join(both, 'door'), { recursive: true });
  writeFileSync(join(both, 'door', 'escaped'), 'x');
  execFileSync('tar', ['--append', '--file', first, '--directory', both, 'door/escaped']);
  execFileSync('gzip', [first]);
  const reply = await put(execFileSync('cat', [`${first}.gz`]));
  expect(readdirSync(outside)).toEqual([]);
  expect(reply).toEqual(REFUSED);
});

test('an archive with a sender that dies is expected again', async () => {
  const bytes = archiveOf({ 'npm/bin/tool': 'x' });
  const { address } = sandbox;
  await sandbox.expectContents(ARCHIVE, [entryOf(ARCHIVE)]);
  const body = bodyOf([[entryOf(ARCHIVE), bytes]]);
  const sent = request({
    ...address,
    method: 'PUT',
    path: '/contents',
    headers: { ...withToken, 'content-length': body.length },
  });
  sent.on('error', () => undefined);
  sent.write(body.subarray(0, -20));
  await sandbox.nextCall();
  sent.destroy();
  await sandbox.nextCall();
  expect(await post()).toMatchObject(AWAITED);
  await put(bytes);
  expect(await execute(address, callOf('bash', { command: 'tool' }))).toMatchObject({ output: 'x' });
});
