import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { idempotentCalls } from '../../sandbox-task/calls.ts';
import { finishedCalls } from '../../sandbox-task/finished-calls.ts';
import { callOf, execute, type Sandbox, startSandbox, withToken } from './running-sandbox.ts';

describe('a repeated call to the sandbox', () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = await startSandbox();
    execFileSync('mkfifo', [join(sandbox.workdir, 'gate')]);
  });
  afterEach(() => sandbox.close());

  const effects = () => readFile(join(sandbox.workdir, 'f'), 'utf8');
  /** Records its effect, then waits until the test opens the gate. */
  const gated = () => callOf('bash', { command: 'echo x >> f; read line < gate; echo "$line"' });
  const openGate = () => writeFile(join(sandbox.workdir, 'gate'), 'opened\n');

  test('joins the running one', async () => {
    const call = gated();
    const arrived = sandbox.nextCall();
    const first = execute(sandbox.address, call);
    await arrived;
    const joined = sandbox.nextCall();
    const second = execute(sandbox.address, call);
    await joined;
    await openGate();
    expect(await first).toMatchObject({ output: 'opened', served: 'ran' });
    expect(await second).toMatchObject({ output: 'opened', served: 'joined' });
    expect(await effects()).toBe('x\n');
  });

  test('returns the outcome of the finished one, failures too', async () => {
    const call = callOf('bash', { command: 'echo x >> f; echo failed; false' });
    const first = await execute(sandbox.address, call);
    expect(first).toMatchObject({ output: 'failed\n[exit status 1]', isError: true, served: 'ran' });
    expect(await execute(sandbox.address, call)).toEqual({ ...first, served: 'replayed' });
    expect(await effects()).toBe('x\n');
  });

  test('returns the outcome of a call that lost its first caller', async () => {
    const call = gated();
    const arrived = sandbox.nextCall();
    const path = '/execute';
    const lost = request({ ...sandbox.address, method: 'POST', path, headers: withToken, agent: false });
    lost.on('error', () => {});
    lost.end(JSON.stringify(call));
    await arrived;
    lost.destroy();
    const joined = sandbox.nextCall();
    const second = execute(sandbox.address, call);
    await joined;
    await openGate();
    expect(await second).toMatchObject({ output: 'opened', served: 'joined' });
    expect(await effects()).toBe('x\n');
  });
});

describe('outcomes of calls in the sandbox', () => {
  const answerOf = (calls: ReturnType<typeof idempotentCalls>, call: string) =>
    calls.answer(callOf('bash', {}, { call }));
  const tools = {
    run: async (_name: string, { call }: { call: string }) => ({ text: `output of ${call}`, isError: false }),
  };

  test('are returned after thousands of calls, from files when memory is full', async () => {
    const finished = finishedCalls(100);
    const calls = idempotentCalls(tools, finished);
    const ids = Array.from({ length: 2_000 }, (_, index) => `sevt_${index}/../${index}`);
    for (const call of ids) await answerOf(calls, call);
    for (const call of ids) {
      const answer = await answerOf(calls, call);
      expect(answer).toMatchObject({ response: { output: `output of ${call}`, served: 'replayed' } });
    }
    finished.close();
  });

  test('are reported as lost when their file is gone, and the call is not run again', async () => {
    let runs = 0;
    const finished = finishedCalls(0);
    const run = async () => ({ text: `run ${(runs += 1)}`, isError: false });
    const calls = idempotentCalls({ run }, finished);
    await answerOf(calls, 'sevt_a');
    finished.close();
    const answer = await answerOf(calls, 'sevt_a');
    expect(answer).toMatchObject({
      response: { isError: true, served: 'replayed', output: expect.stringContaining('not run again') },
    });
    expect(runs).toBe(1);
  });

  test('stay in memory when files cannot be written', async () => {
    const finished = finishedCalls(0);
    finished.close();
    const calls = idempotentCalls(tools, finished);
    await answerOf(calls, 'sevt_a');
    expect(await answerOf(calls, 'sevt_a')).toMatchObject({ response: { output: 'output of sevt_a' } });
  });
});
