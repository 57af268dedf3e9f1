import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createBubblewrapRunner } from '../../../../infra/local/tasks/bubblewrap.ts';
import { createTaskLimits } from '../../../../infra/local/tasks/task-limits.ts';
import { createProcessRunner } from '../../../../infra/local/tasks/process.ts';
import { createTaskFixture, shell, WORKER, type TaskFixture } from './fixture.ts';

const HOST = '127.99.3.1';
const OTHER = '127.99.3.2';
const FILL = 'node -e "const kept = []; for (;;) kept.push(Buffer.alloc(16_000_000, 1))"';

let fixture: TaskFixture;
beforeEach(async () => {
  fixture = await createTaskFixture();
});
afterEach(() => fixture.close());

test.skipIf(!inject('limitsTasks'))(
  'a program that fills a task’s memory is killed, and the task’s server goes on',
  async () => {
    const runner = createProcessRunner(createTaskLimits());
    const container = await runner.start({ ...(await fixture.start(HOST)), memoryMb: 256 });
    expect(await shell(HOST, `bash -c '${FILL.replaceAll("'", '')}'; echo "exit $?"`)).toMatchObject({
      stdout: 'exit 137\n',
    });
    expect(await shell(HOST, WORKER)).toMatchObject({ code: 0, stdout: 'from a worker\n' });
    await container.kill();
  },
);

/** Starts processes until none can be started, and tells how many there were. */
const FORK = `
const { spawn } = require('node:child_process');
let started = 0;
const next = () => {
  const child = spawn('sleep', ['20'], { stdio: 'ignore' });
  child.once('error', ({ code }) => { console.log(code, started); process.exit(); });
  child.once('spawn', () => { started += 1; next(); });
};
next();`;

test.skipIf(createTaskLimits()?.processes !== true)(
  'a program that starts too many processes gets no more, and another task does',
  { timeout: 60_000 },
  async () => {
    const limits = createTaskLimits();
    const runner = inject('hasBubblewrap') ? createBubblewrapRunner(limits) : createProcessRunner(limits);
    const full = await runner.start(await fixture.start(HOST));
    const other = await runner.start({ ...(await fixture.start(OTHER)), taskId: 'other' });
    const { stdout } = await shell(HOST, `cat > fork.js <<'E'\n${FORK}\nE\nnode fork.js`);
    const [code, started] = stdout.trim().split(' ');
    expect(code).toBe('EAGAIN');
    expect(Number(started)).toBeGreaterThan(900);
    expect(Number(started)).toBeLessThan(1024);
    expect(await shell(OTHER, 'sh -c "echo still"')).toMatchObject({ stdout: 'still\n' });
    await Promise.all([full.kill(), other.kill()]);
  },
);
