import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createMemoryLimits } from '../../../../infra/local/tasks/memory-limits.ts';
import { createProcessRunner } from '../../../../infra/local/tasks/process.ts';
import { createTaskFixture, shell, WORKER, type TaskFixture } from './fixture.ts';

const HOST = '127.99.3.1';
const FILL = 'node -e "const kept = []; for (;;) kept.push(Buffer.alloc(16_000_000, 1))"';

let fixture: TaskFixture;
beforeEach(async () => {
  fixture = await createTaskFixture();
});
afterEach(() => fixture.close());

test.skipIf(!inject('hasMemoryLimits'))(
  'a program that fills a task’s memory is killed, and the task’s server goes on',
  async () => {
    const runner = createProcessRunner(createMemoryLimits());
    const container = await runner.start({ ...(await fixture.start(HOST)), memoryMb: 256 });
    expect(await shell(HOST, `bash -c '${FILL.replaceAll("'", '')}'; echo "exit $?"`)).toMatchObject({
      stdout: 'exit 137\n',
    });
    expect(await shell(HOST, WORKER)).toMatchObject({ code: 0, stdout: 'from a worker\n' });
    await container.kill();
  },
);
