/** Threads of one session share a sandbox: its files and its user, but no shell. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ChangesResponse } from '#contract/hands.ts';
import { callOf, type Sandbox, startSandbox, withToken, send } from './running-sandbox.ts';

/** A deployed sandbox allows 26. */
const MAX_SHELLS = 3;
/** A deployed sandbox waits for 15 s. */
const SILENCE_MS = 400;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await startSandbox('tcp', null, { maxShells: MAX_SHELLS, takerSilenceMs: SILENCE_MS });
});
afterEach(() => sandbox.close());

const as = (id: string, command: string, more: Record<string, unknown> = {}) =>
  sandbox.run('bash', { command, ...more }, { thread: { id } });
const restart = (id: string) => sandbox.run('bash', { restart: true }, { thread: { id } });
/** A background job that lives until its shell ends. */
const JOB = 'sleep infinity & echo $! > job-$NAME';
const hasJob = async (name: string) => {
  const pid = Number(await readFile(join(sandbox.workdir, `job-${name}`), 'utf8'));
  return existsSync(`/proc/${pid}`) && !(await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') Z ');
};

test('a directory, variable, function or option of one thread’s shell is not felt in another’s', async () => {
  await as('a', 'mkdir d; cd d; export A=1; f() { echo f; }; set -e; ulimit -c 0; umask 077; trap "echo bye" EXIT');
  const felt = 'echo "$PWD ${A-unset} $(type -t f) $- $(umask)"';
  expect((await as('b', felt)).output).toMatch(new RegExp(`^${sandbox.workdir} unset  [^e]* 00[02]2$`));
  expect((await as('a', felt)).output).toMatch(new RegExp(`^${sandbox.workdir}/d 1 function [^ ]*e[^ ]* 0077$`));
  // A call of the service's own is of no thread.
  expect((await sandbox.run('bash', { command: 'echo "${A-unset}"' })).output).toBe('unset');
});

test.each([
  ['exit 3', 'ended with exit status 3'],
  ['exec true', 'ended with exit status 0'],
  ['kill -9 $$', 'was ended by SIGKILL'],
  ['sleep 30', 'timed out'],
])('the end of one thread’s shell leaves the others and their jobs: %s', async (command, how) => {
  await as('b', `B=kept; NAME=b; ${JOB}`);
  await as('a', `A=gone; NAME=a; ${JOB}`);
  expect((await as('a', command, { timeout_ms: 500 })).output).toContain(how);
  expect((await as('a', 'echo "${A-unset}"')).output).toBe('unset');
  expect((await as('b', 'echo $B')).output).toBe('kept');
  expect(await hasJob('b')).toBe(true);
});

test('a restart ends the shell and the background jobs of its thread only', async () => {
  for (const name of ['a', 'b']) await as(name, `NAME=${name}; ${JOB}`);
  expect((await restart('a')).output).toBe('bash session restarted');
  await expect.poll(() => hasJob('a')).toBe(false);
  expect(await hasJob('b')).toBe(true);
  expect((await as('b', 'jobs -r | wc -l; echo $NAME')).output).toMatch(/^1\nb/);
});

test('commands of different threads run beside each other, and those of one thread in their order', async () => {
  await as('a', 'mkfifo gate');
  const arrived = sandbox.nextCall();
  const waiting = as('a', 'read line < gate; echo "$line"');
  await arrived;
  const next = as('a', 'cat from-b');
  // The first command of `a` ends only when one of `b` has run to its end.
  expect(await as('b', 'echo from b > from-b; echo opened > gate')).toMatchObject({ isError: false });
  expect((await waiting).output).toBe('opened');
  expect((await next).output).toBe('from b');
});

test('the cancellation of a call ends the command of its thread only', async () => {
  await as('a', 'mkfifo a b');
  const calls = ['a', 'b'].map((id) =>
    callOf('bash', { command: `read line < ${id}; echo "$line"` }, { thread: { id } }),
  );
  const [first, second] = calls.map((call) => sandbox.post(call));
  const cancel = {
    method: 'POST',
    path: '/cancel',
    headers: withToken,
    body: JSON.stringify({ call: calls[0]?.call }),
  };
  await expect.poll(() => send(sandbox.address, cancel)).toEqual({ status: 200, body: { stopped: true } });
  expect(await first).toMatchObject({ body: { isError: true } });
  await writeFile(join(sandbox.workdir, 'b'), 'went on\n');
  expect(await second).toMatchObject({ body: { output: 'went on', isError: false } });
});

test('one shell more than there may be ends the one that was idle for longest, and its thread is told once', async () => {
  for (const name of ['a', 'b', 'c']) await as(name, `X=${name}`);
  await as('a', 'echo used again');
  expect((await as('d', 'echo "${X-unset}"')).output).toBe('unset');
  const told = await as('b', 'echo "${X-unset}"');
  expect(told).toMatchObject({ isError: false });
  expect(told.output).toMatch(/^unset\n\[This is a new shell, because other threads needed shells/);
  expect((await as('b', 'echo again')).output).toBe('again');
  // The shell of `c` made room for that of `b`. A thread that asks for a new shell need not be told.
  expect((await restart('c')).output).toBe('bash session restarted');
  expect((await as('c', 'echo hi')).output).toBe('hi');
});

test('a shell with background jobs is not ended while another one is idle, nor one at work at any time', async () => {
  /** Goes on until a test opens its gate. */
  const work = async (name: string) => {
    const working = as(name, `mkfifo ${name}; echo > began-${name}; read line < ${name}; echo "$line"`);
    await expect.poll(() => existsSync(join(sandbox.workdir, `began-${name}`))).toBe(true);
    return () => writeFile(join(sandbox.workdir, name), 'done\n').then(() => working);
  };
  await as('server', `NAME=server; ${JOB}`);
  const ends = [await work('a')];
  for (const name of ['b', 'c', 'd']) await as(name, 'true');
  expect(await hasJob('server')).toBe(true);
  for (const name of ['server', 'd']) ends.push(await work(name));
  const refused = await as('e', 'echo never > never');
  expect(refused).toMatchObject({ isError: true, output: expect.stringContaining('3 threads run commands') });
  expect(existsSync(join(sandbox.workdir, 'never'))).toBe(false);
  for (const end of ends) expect((await end()).output).toBe('done');
  expect((await as('e', 'echo now')).output).toBe('now');
  expect(await hasJob('server')).toBe(true);
});

describe('what threads wrote', () => {
  const list = async () => ChangesResponse.parse((await sandbox.ask('GET', '/changes')).body).changes;
  const keep = (kept: ChangesResponse['changes']) => sandbox.ask('POST', '/changes', { kept, notes: [] });
  const write = (text: string) => as('a', `echo ${text} > /mnt/session/outputs/f`);

  test('is taken over by one caller at a time, so that an older text is never stored after a newer one', async () => {
    await write('older');
    const [older] = await list();
    await write('newer text');
    const next = list();
    await sleep(100);
    await keep(older === undefined ? [] : [older]);
    expect(await next).toMatchObject([{ bytes: 11, base: older?.sha256 }]);
  });

  test('waits for no caller that has nothing to take over, nor for one that keeps nothing', async () => {
    expect([await list(), await list()]).toEqual([[], []]);
    await write('text');
    expect(await list()).toHaveLength(1);
    const next = list();
    await keep([]);
    const began = performance.now();
    expect(await next).toHaveLength(1);
    expect(performance.now() - began).toBeLessThan(SILENCE_MS);
  });

  test('is taken over by the next caller when one has died, and not while one is at work', async () => {
    await write('text');
    const [change] = await list();
    let isNext = false;
    const next = list().then((changes) => {
      isNext = true;
      return changes;
    });
    for (let part = 0; part < 4; part += 1) {
      await sleep(SILENCE_MS / 2);
      await sandbox.ask('POST', '/changes/bytes', { path: change?.path, sha256: 'a'.repeat(64) });
    }
    expect(isNext).toBe(false);
    expect(await next).toEqual([change]);
  });
});
