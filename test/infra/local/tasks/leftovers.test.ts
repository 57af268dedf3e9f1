import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { endLeftovers } from '../../../../infra/local/tasks/leftovers.ts';
import { roomForTasks } from '../../../../infra/local/tasks/room-for-tasks.ts';

const started: ChildProcess[] = [];
afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')));

async function start(environment: Record<string, string>, args: readonly string[] = []): Promise<ChildProcess> {
  const child = spawn('sleep', ['60', ...args], { env: { PATH: process.env['PATH'], ...environment }, detached: true });
  started.push(child);
  await once(child, 'spawn');
  return child;
}

test.skipIf(process.platform !== 'linux')(
  'a runtime that starts ends the sandboxes of an earlier one, and nothing else',
  async () => {
    const left = await start({ SANDBOX_WORKDIR: '/data/a/tasks/1/workspace' });
    const others = [
      await start({ SANDBOX_WORKDIR: '/data/b/tasks/1/workspace' }),
      await start({ OLDPWD: '/data/a/tasks/1/workspace' }),
      await start({ SANDBOX_WORKDIR: '/data/a/tasks' }),
    ];
    const ended = once(left, 'exit');
    await endLeftovers('/data/a/tasks');
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(others.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([null, null, null]);
  },
);

test.each([
  [16, 100_000, 81],
  [16, 800, 20],
  [0.01, 100_000, 1],
  [16, Number.POSITIVE_INFINITY, 81],
])('a machine with %d GB and %d processes holds %i sandboxes', (gb, processes, sandboxes) => {
  expect(roomForTasks(gb * 2 ** 30, processes)).toBe(sandboxes);
});
