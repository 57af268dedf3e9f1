import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ChangesResponse } from '#contract/hands.ts';
import { startSandbox } from './running-sandbox.ts';

async function opened() {
  const sandbox = await startSandbox();
  onTestFinished(sandbox.close);
  const bash = (command: string) => sandbox.run('bash', { command });
  const isTold = async () => ChangesResponse.parse((await sandbox.ask('GET', '/changes')).body).programsLive ?? false;
  return { bash, isTold, run: sandbox.run };
}

test('a call that leaves no program tells none', async () => {
  const { bash, isTold, run } = await opened();
  const calls = [
    await run('write', { file_path: 'a.txt', content: 'a' }),
    await bash('cat a.txt | sort | uniq; (cd /; true); x=$(date); true & wait'),
    await run('grep', { pattern: 'a' }),
    await bash('exit 3'),
    await bash('echo a new shell'),
  ];
  expect(calls.map(({ programsLive }) => programsLive)).toEqual(calls.map(() => undefined));
  expect(await isTold()).toBe(false);
});

test.each([
  ['a job', 'sleep 60 &'],
  ['a job of the shell itself, without another program', '(while :; do :; done) &'],
  ['a program without the shell’s output', 'nohup sleep 60 >/dev/null 2>&1 &'],
  ['a program of a shell that has ended', '(sleep 60 &)'],
  ['a program that left the job list', 'sleep 60 & disown'],
  ['a stopped program', 'sleep 60 & kill -STOP $!'],
  ['a program with brackets in its name', 'cp "$(command -v sleep)" "./a) Z 1 (b" && { "./a) Z 1 (b" 60 & }'],
])('a call that leaves %s tells so until it ends', async (_what, command) => {
  const { bash, isTold, run } = await opened();
  expect(await bash(command)).toMatchObject({ isError: false, programsLive: true });
  expect(await run('glob', { pattern: '*' })).toMatchObject({ programsLive: true });
  expect(await isTold()).toBe(true);
  // The processes of the shell are one group.
  await run('bash', { restart: true });
  while (await isTold()) await sleep(20);
  expect((await bash('true')).programsLive).toBeUndefined();
});

test('a call tells of the programs of another thread, and not of a call of its own that still runs', async () => {
  const { run } = await opened();
  const command = 'sleep 60';
  void run('bash', { command }, { thread: { id: 'a' } }).catch(() => undefined);
  const toldBy = async (id: string) => (await run('glob', { pattern: '*' }, { thread: { id } })).programsLive ?? false;
  await expect.poll(() => toldBy('b')).toBe(true);
  expect(await toldBy('a')).toBe(false);
});
