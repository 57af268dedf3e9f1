import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createBubblewrapRunner } from '../../../../infra/local/tasks/bubblewrap.ts';
import { isRoot } from '../../../../infra/local/tasks/folders.ts';
import { processLimit, roomForTasks } from '../../../../infra/local/tasks/room-for-tasks.ts';
import type { RunningContainer } from '../../../../infra/local/tasks/runner.ts';
import { createTaskFixture, PORT, shell, WORKER, type TaskFixture } from './fixture.ts';

const HOST = '127.99.1.1';
const runner = createBubblewrapRunner(null);
let fixture: TaskFixture;

beforeAll(async () => {
  fixture = await createTaskFixture();
});

afterAll(() => fixture.close());

describe.skipIf(!inject('hasBubblewrap'))('inside a bubblewrap sandbox', () => {
  let running: RunningContainer;
  beforeAll(async () => {
    process.env['PRIVATE_TO_THE_RUNTIME'] = 'yes';
    running = await runner.start(await fixture.start(HOST, { SANDBOX_TOKEN_SHA256: 'ab' }));
  });
  afterAll(() => running.kill());

  test('the server answers at the task’s address as user 1000 in /workspace', async () => {
    const { stdout } = await shell(HOST, 'id -u; id -g; id -un; pwd; node --version');
    expect(stdout).toMatch(/^1000\n1000\nagent\n\/workspace\nv\d+/);
  });

  test('there is no network to this machine or outside', async () => {
    const server = createServer((_request, response) => response.end('reached')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const fetching = (url: string): string =>
      `node -e "fetch('${url}').then(() => console.log('reached'), (e) => console.log(e.cause.code))"`;
    expect((await shell(HOST, fetching(`http://127.0.0.1:${port}`))).stdout).toBe('ECONNREFUSED\n');
    expect((await shell(HOST, fetching('http://192.0.2.1'))).stdout).toMatch(/ENETUNREACH|EHOSTUNREACH/);
    server.close();
  });

  test('home, the data folder and this repository do not exist', async () => {
    const here = dirname(fileURLToPath(import.meta.url));
    const hidden = [homedir(), fixture.folder, here, '/etc/shadow', '/var', '/srv', '/media', '/sys'];
    const { stdout } = await shell(HOST, `for f in ${hidden.join(' ')}; do [ -e "$f" ] && echo "$f"; done; true`);
    expect(stdout).toBe('');
  });

  test('the environment has only the container’s variables', async () => {
    const { stdout } = await shell(HOST, 'env -u _ -u SHLVL -u PWD -u OLDPWD | cut -d= -f1 | sort');
    expect(stdout.trim().split('\n')).toEqual([
      'HOME',
      'LANG',
      'PATH',
      'SANDBOX_LISTEN',
      'SANDBOX_TOKEN_SHA256',
      'USER',
    ]);
  });

  test('only the workspace, home and /tmp can be written', async () => {
    const { stdout } = await shell(
      HOST,
      'for d in /workspace /mnt /mnt/user /mnt/session/outputs /home/agent /tmp /usr /usr/bin /etc /opt/brainstem /opt/node/bin /proc/sys/kernel /; do touch $d/probe 2>/dev/null && echo $d; done; true',
    );
    expect(stdout).toBe('/workspace\n/mnt\n/mnt/user\n/mnt/session/outputs\n/home/agent\n/tmp\n');
    expect(existsSync(join(fixture.folder, 'tasks', HOST, 'workspace', 'probe'))).toBe(true);
  });

  test('other processes of this machine are invisible, and no program can become root', async () => {
    const { stdout } = await shell(
      HOST,
      'ls /proc | grep -c "^[0-9]"; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status',
    );
    const [processes = '', ...status] = stdout.trim().split('\n');
    expect(Number(processes)).toBeLessThan(10);
    expect(status).toContain('CapEff:\t0000000000000000');
    expect(status).toContain('NoNewPrivs:\t1');
  });

  test('the number of processes is limited', async () => {
    const { stdout } = await shell(HOST, 'bash -c "ulimit -u; ulimit -c; ulimit -d; ulimit -f"');
    const [processes, ...others] = stdout.split('\n');
    // Root's sandboxes share this limit, and each has one of its own in a cgroup.
    expect(Number(processes)).toBe(isRoot() ? Math.min(1024 * roomForTasks(), processLimit()) : 1024);
    expect(others).toEqual(['0', 'unlimited', String(20 * 1024 * 1024), '']);
  });

  test('/tmp has half of the task’s memory', async () => {
    const { stdout } = await shell(HOST, 'df --output=size -B1M /tmp | tail -1');
    expect(stdout.trim()).toBe('512');
  });

  test('a program can start a worker, which a limit of the data segment would kill', async () => {
    expect(await shell(HOST, WORKER)).toMatchObject({ code: 0, stdout: 'from a worker\n' });
  });

  test('ripgrep is there, also when this machine lacks it', async () => {
    const { stdout } = await shell(HOST, '/opt/node/bin/rg --version');
    expect(stdout).toMatch(/^ripgrep \d+/);
  });
});

describe.skipIf(!inject('hasBubblewrap'))('a bubblewrap sandbox', () => {
  test('that is stopped gets SIGTERM first', async () => {
    const container = await runner.start(await fixture.start('127.99.1.2'));
    await container.stop();
    expect(await container.exited).toBe(0);
    expect(fixture.output.join('')).toContain('asked to stop');
    await expect(shell('127.99.1.2', 'true')).rejects.toThrow('fetch failed');
  });

  test('that is killed leaves no process', async () => {
    const container = await runner.start(await fixture.start('127.99.1.3'));
    void shell('127.99.1.3', 'sleep 4242').catch(() => undefined);
    await container.kill();
    expect(await container.exited).toBe(137);
    await expect.poll(() => isRunning('sleep 4242')).toBe(false);
  });

  test('that ends before it serves fails with its exit code', async () => {
    const start = await fixture.start('127.99.1.4', { FAIL_START: '1' });
    await expect(runner.start(start)).rejects.toThrow('exited with code 7');
  });

  test('dies with its runtime, also when that is killed', async () => {
    const script = join(fixture.folder, 'runtime.mts');
    const source = fileURLToPath(new URL('../../../../infra/local/tasks/bubblewrap.ts', import.meta.url));
    const start = { ...(await fixture.start('127.99.1.5')), write: undefined };
    await writeFile(
      script,
      `import { createBubblewrapRunner } from ${JSON.stringify(source)};
       await createBubblewrapRunner(null).start({ ...${JSON.stringify(start)}, write: () => undefined });
       fetch('http://127.99.1.5:${PORT}', { method: 'POST', body: 'sleep 4343' });
       setTimeout(() => console.log('up'), 200);`,
    );
    const runtime = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(runtime.stdout, 'data');
    expect(await isRunning('sleep 4343')).toBe(true);
    runtime.kill('SIGKILL');
    await expect.poll(() => isRunning('sleep 4343')).toBe(false);
  });
});

/** Finds a process by its exact command line. */
async function isRunning(command: string): Promise<boolean> {
  const { readdir, readFile } = await import('node:fs/promises');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.some((line) => line.replaceAll('\0', ' ').trim() === command);
}
