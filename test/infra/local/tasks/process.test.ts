import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createProcessRunner } from '../../../../infra/local/tasks/process.ts';
import { createTaskFixture, PORT, shell, WORKER, type TaskFixture } from './fixture.ts';

const runner = createProcessRunner(null);
let fixture: TaskFixture;

beforeEach(async () => {
  fixture = await createTaskFixture();
});
afterEach(() => fixture.close());

test('a process sandbox answers at the task’s address, in the task’s own folder', async () => {
  const start = await fixture.start('127.99.2.1');
  const container = await runner.start(start);
  expect((await shell(start.host, 'pwd; echo $SANDBOX_WORKDIR')).stdout).toBe(
    `${start.taskDir}/workspace\n${start.taskDir}/workspace\n`,
  );
  await container.stop();
  expect(await container.exited).toBe(0);
});

test('programs of a process sandbox can start workers and find ripgrep', async () => {
  const container = await runner.start(await fixture.start('127.99.2.4'));
  expect(await shell('127.99.2.4', WORKER)).toMatchObject({ code: 0, stdout: 'from a worker\n' });
  expect((await shell('127.99.2.4', 'rg --version')).stdout).toMatch(/^ripgrep \d+/);
  await container.kill();
});

test('a kill of a process sandbox kills every process that it started', async () => {
  const container = await runner.start(await fixture.start('127.99.2.2'));
  void shell('127.99.2.2', 'sleep 30; touch outlived').catch(() => undefined);
  await container.kill();
  expect(await container.exited).toBe(137);
  await expect(shell('127.99.2.2', 'true')).rejects.toThrow('fetch failed');
});

test('a process sandbox dies with its runtime, also when that is killed', async () => {
  const script = join(fixture.folder, 'runtime.mts');
  const source = fileURLToPath(new URL('../../../../infra/local/tasks/process.ts', import.meta.url));
  const start = { ...(await fixture.start('127.99.2.3')), write: undefined };
  await writeFile(
    script,
    `import { createProcessRunner } from ${JSON.stringify(source)};
     await createProcessRunner(null).start({ ...${JSON.stringify(start)}, write: () => undefined });
     console.log('up');`,
  );
  const runtime = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(runtime.stdout, 'data');
  const answers = (): Promise<boolean> =>
    fetch(`http://127.99.2.3:${PORT}/`, { method: 'POST', body: 'true' }).then(
      () => true,
      () => false,
    );
  expect(await answers()).toBe(true);
  runtime.kill('SIGKILL');
  await expect.poll(answers).toBe(false);
});
