import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { ChangesResponse, SERVER_USER } from '#contract/hands.ts';
import { settingsFrom } from '../../sandbox-task/settings.ts';
import { callOf, execute, send, spawnSandbox, TOKEN_SHA256, withToken } from './running-sandbox.ts';

let folder: string;
let started: ReturnType<typeof spawnSandbox>[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sandbox-main-'));
});
afterEach(async () => {
  for (const { child } of started) child.kill('SIGKILL');
  await Promise.all(started.map(({ exitCode }) => exitCode));
  started = [];
  await rm(folder, { recursive: true, force: true });
});

function spawnWith(settings: Record<string, string> = {}, more: Parameters<typeof spawnSandbox>[1] = {}) {
  const defaults = {
    SANDBOX_TOKEN_SHA256: TOKEN_SHA256,
    SANDBOX_WORKDIR: join(folder, 'workspace'),
    SANDBOX_LISTEN: '127.0.0.1:0',
    TMPDIR: folder,
  };
  const sandbox = spawnSandbox({ ...defaults, ...settings }, more);
  started.push(sandbox);
  return sandbox;
}

describe('a wrong setting stops the sandbox server at its start', () => {
  test.each([
    ['SANDBOX_TOKEN_SHA256', 'not-a-hash'],
    ['SANDBOX_TOKEN_SHA256', ''],
    ['SANDBOX_IDLE_SECONDS', '0'],
    ['SANDBOX_LISTEN', 'nowhere'],
    ['SANDBOX_LISTEN', '127.0.0.1:99999'],
    ['SANDBOX_LISTEN', '/no/such/folder/server.sock'],
    ['SANDBOX_WORKDIR', '/dev/null/workspace'],
    ['SANDBOX_PACKAGES', 'not-a-hash'],
  ])('when it is %s=%s', async (name, value) => {
    const sandbox = spawnWith({ [name]: value });
    expect(await sandbox.exitCode).toBe(1);
    expect(sandbox.logged.map((line) => line.message)).toEqual([expect.stringMatching(`^${name}: `)]);
  });

  test('when the token is missing, with its name', () => {
    expect(() => settingsFrom({})).toThrow(/^SANDBOX_TOKEN_SHA256: /);
  });
});

test('the sandbox server’s defaults are the task’s port, its workspace and five minutes', () => {
  expect(settingsFrom({ SANDBOX_TOKEN_SHA256: TOKEN_SHA256 })).toEqual({
    tokenSha256: TOKEN_SHA256,
    places: { workdir: '/workspace', mnt: '/mnt', packagesDir: null },
    idleMs: 300_000,
    archive: null,
    relayHost: '127.0.0.1',
    asAgent: null,
    changesUser: false,
    listen: { host: '0.0.0.0', port: 8080 },
  });
});

test.skipIf(!inject('hasBubblewrap'))(
  'a user of this machine with the number that the server has on Fargate runs commands as itself',
  async () => {
    const identity = ['--unshare-user', '--uid', String(SERVER_USER), '--gid', String(SERVER_USER)];
    const sandbox = spawnWith(
      {},
      { before: ['bwrap', '--die-with-parent', '--unshare-pid', '--dev-bind', '/', '/', ...identity, '--'] },
    );
    const answered = await execute(await sandbox.listening(), callOf('bash', { command: 'id -u' }));
    expect(answered).toMatchObject({ output: String(SERVER_USER), isError: false });
  },
);

test('SIGTERM lets a running command finish, refuses new calls and answers known ones', async () => {
  const sandbox = spawnWith();
  const address = await sandbox.listening();
  const done = callOf('bash', { command: 'mkfifo gate ready; echo done' });
  await execute(address, done);
  const running = callOf('bash', { command: 'echo > ready; read line < gate; echo "$line"' });
  const answer = execute(address, running);
  await readFile(join(folder, 'workspace', 'ready'));
  sandbox.child.kill('SIGTERM');
  await sandbox.until('stopping');

  const body = JSON.stringify(callOf('bash', { command: 'echo new' }));
  const refused = await send(address, { method: 'POST', path: '/execute', headers: withToken, body });
  expect(refused).toMatchObject({ status: 503, body: { error: 'stopping' } });
  expect(await execute(address, done)).toMatchObject({ output: 'done', served: 'replayed' });
  await writeFile(join(folder, 'workspace', 'gate'), 'finished\n');
  expect(await answer).toMatchObject({ output: 'finished', isError: false });
  expect(await sandbox.exitCode).toBe(0);
});

test('a command that runs longer than the grace period after SIGTERM is stopped, and its call is answered', async () => {
  const sandbox = spawnWith();
  const address = await sandbox.listening();
  await execute(address, callOf('bash', { command: 'mkfifo ready' }));
  const answer = execute(address, callOf('bash', { command: 'echo > ready; sleep 60' }, { timeoutMs: 60_000 }));
  await readFile(join(folder, 'workspace', 'ready'));
  sandbox.child.kill('SIGTERM');
  expect(await answer).toMatchObject({ isError: true, output: expect.stringContaining('the sandbox stops') });
  expect(await sandbox.exitCode).toBe(0);
});

test('the sandbox server stops at once when no call runs, and leaves only the workspace', async () => {
  const SANDBOX_LISTEN = join(folder, 'server.sock');
  const sandbox = spawnWith({ SANDBOX_LISTEN });
  const address = await sandbox.listening();
  await execute(address, callOf('bash', { command: 'sleep 60 & echo $! > pid' }));
  sandbox.child.kill('SIGTERM');
  expect(await sandbox.exitCode).toBe(0);
  expect(await readdir(folder)).toEqual(['workspace']);
  const pid = Number(await readFile(join(folder, 'workspace', 'pid'), 'utf8'));
  // The kernel ends a killed process a moment after the signal.
  const state = () => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone');
  await expect.poll(state).toMatch(/^gone$|\) Z /);
});

test('the sandbox server exits by itself after the idle time, but not while a call runs', async () => {
  const sandbox = spawnWith({ SANDBOX_IDLE_SECONDS: '1' });
  const address = await sandbox.listening();
  expect(await execute(address, callOf('bash', { command: 'sleep 1.5; echo done' }))).toMatchObject({ output: 'done' });
  expect(await sandbox.exitCode).toBe(0);
  expect(sandbox.logged.at(-1)).toMatchObject({ message: 'stopping', reason: 'idle', running: 0 });
});

describe('an idle sandbox whose programs wrote after the last call', () => {
  const OUT = '/mnt/session/outputs';
  async function idleWith(command: string) {
    await mkdir(join(folder, 'mnt/session/outputs'), { recursive: true });
    const sandbox = spawnWith({ SANDBOX_IDLE_SECONDS: '1', SANDBOX_MNT: join(folder, 'mnt') });
    const address = await sandbox.listening();
    await execute(address, callOf('bash', { command }));
    const asked = (method: string, path: string, body = '') =>
      send(address, { method, path, headers: withToken, body });
    const list = async () => ChangesResponse.parse((await asked('GET', '/changes')).body);
    const isIdle = async () => {
      const { isLast } = await list();
      await asked('POST', '/changes', JSON.stringify({ kept: [], notes: [] }));
      return isLast;
    };
    return {
      ...{ sandbox, address, list, isIdle },
      keep: ({ changes, notes }: ChangesResponse) =>
        asked(
          'POST',
          '/changes',
          JSON.stringify({ kept: changes.map(({ path, sha256 }) => ({ path, sha256 })), notes }),
        ),
    };
  }

  test('ends when that is kept', async () => {
    const { sandbox, isIdle, list, keep } = await idleWith(`(sleep 0.3; echo x > ${OUT}/late.txt) &`);
    await expect.poll(isIdle, { timeout: 10_000 }).toBe(true);
    const told = await list();
    expect(told.changes.map(({ path }) => path)).toEqual([`${OUT}/late.txt`]);
    expect(sandbox.child.exitCode).toBeNull();
    await keep(told);
    expect(await sandbox.exitCode).toBe(0);
    expect(sandbox.logged.at(-1)).toMatchObject({ message: 'stopping', reason: 'idle' });
  });

  test('goes on when a call comes first, and is idle again after that', async () => {
    const { sandbox, address, isIdle, list, keep } = await idleWith(
      `(sleep 0.3; echo x > ${OUT}/late.txt; sleep 60) & true`,
    );
    await expect.poll(isIdle, { timeout: 10_000 }).toBe(true);
    const { output, changed } = await execute(address, callOf('bash', { command: 'jobs -r | wc -l' }));
    expect([output.trim(), changed]).toEqual(['1', 1]);
    const told = await list();
    expect(told.isLast).toBeUndefined();
    await keep(told);
    expect(sandbox.child.exitCode).toBeNull();
    expect(await sandbox.exitCode).toBe(0);
  });
});

test('the sandbox server survives a shell that is killed while it reads a long command', async () => {
  const sandbox = spawnWith();
  const address = await sandbox.listening();
  // Bash reads a pipe byte by byte, so the long command takes it seconds.
  const killer = '(sleep 0.3; kill -9 $$) &';
  await execute(address, callOf('bash', { command: killer }));
  const command = `# ${'x'.repeat(8_000_000)}`;
  const lost = await execute(address, callOf('bash', { command }));
  expect(lost).toMatchObject({ isError: true, output: expect.stringContaining('the shell was ended by SIGKILL') });
  expect(await execute(address, callOf('bash', { command: 'echo alive' }))).toMatchObject({ output: 'alive' });
});

test('the sandbox server goes on without a reader of its log, and then stops on a signal', async () => {
  const sandbox = spawnWith();
  const address = await sandbox.listening();
  sandbox.child.stdout.destroy();
  expect(await execute(address, callOf('bash', { command: 'echo alive' }))).toMatchObject({ output: 'alive' });
  expect(await execute(address, callOf('bash', { command: 'echo still' }))).toMatchObject({ output: 'still' });
  const exited = once(sandbox.child, 'exit');
  sandbox.child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

test('the bundle in the image is one small file that runs alone', async () => {
  const outfile = join(folder, 'server.mjs');
  const entryPoints = [new URL('../../sandbox-task/main.ts', import.meta.url).pathname];
  await build({ entryPoints, outfile, bundle: true, minify: true, platform: 'node', format: 'esm', target: 'node24' });
  expect((await stat(outfile)).size).toBeLessThan(200_000);
  const sandbox = spawnWith({}, { script: outfile });
  const address = await sandbox.listening();
  await execute(address, callOf('write', { file_path: 'a.txt', content: 'needle' }));
  expect((await execute(address, callOf('grep', { pattern: 'needle' }))).output).toContain('a.txt:1:needle');
  expect((await execute(address, callOf('bash', { command: 'cat a.txt' }))).output).toBe('needle');
});
