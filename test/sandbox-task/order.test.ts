/** Sandbox calls of one answer take effect in the order in which the model wrote them, however they arrive. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ExecuteRequest } from '#contract/hands.ts';
import { propertyRuns } from '#test/property-runs.ts';
import { callOf, execute, send, startSandbox, withToken } from './running-sandbox.ts';

async function started(limits: { readonly waitMs?: number } = {}) {
  const sandbox = await startSandbox('tcp', null, limits);
  onTestFinished(() => sandbox.close());
  const post = (path: string, body: object) =>
    send(sandbox.address, { method: 'POST', path, headers: withToken, body: JSON.stringify(body) });
  return { sandbox, post, run: (call: ExecuteRequest) => execute(sandbox.address, call) };
}

/** Each call comes after all before it. */
function answer(...calls: readonly [name: ExecuteRequest['name'], input: ExecuteRequest['input']][]) {
  const made = calls.map(([name, input]) => callOf(name, input));
  return made.map((call, index) => ({ ...call, after: made.slice(0, index).map((earlier) => earlier.call) }));
}

describe('calls with an order', () => {
  test('begin in that order when the later one arrives first', async () => {
    const { run } = await started();
    const [write, bash] = answer(
      ['write', { file_path: 'm.sh', content: 'echo made' }],
      ['bash', { command: '. ./m.sh' }],
    );
    if (write === undefined || bash === undefined) throw new RangeError('two calls');
    const later = run(bash);
    await sleep(50);
    await run(write);
    expect(await later).toMatchObject({ output: 'made', isError: false });
  });

  test('have their time limits from their own beginning', async () => {
    const { run } = await started();
    const [slow, quick] = answer(['bash', { command: 'sleep 0.5' }], ['bash', { command: 'echo quick' }]);
    if (slow === undefined || quick === undefined) throw new RangeError('two calls');
    const [, second] = await Promise.all([run(slow), run({ ...quick, timeoutMs: 300 })]);
    expect(second).toMatchObject({ output: 'quick', isError: false });
  });

  test('are told which earlier calls are missing, and begin when they are not asked to wait for them', async () => {
    const { run, post } = await started({ waitMs: 50 });
    const call = { ...callOf('bash', { command: 'echo hi' }), after: ['sevt_never'] };
    const reply = await post('/execute', call);
    expect(reply).toMatchObject({ status: 425, body: { error: 'calls_awaited', calls: ['sevt_never'] } });
    expect(await run({ ...call, after: [] })).toMatchObject({ output: 'hi', served: 'ran' });
    // A repeat of a call that has ended waits for nothing.
    expect(await run(call)).toMatchObject({ output: 'hi', served: 'replayed' });
  });

  test('never run when an earlier one was cancelled, whether they had arrived or not', async () => {
    const { sandbox, run, post } = await started();
    const [first, second, third] = answer(
      ['bash', { command: 'sleep 30' }],
      ['bash', { command: 'echo x >> f' }],
      ['write', { file_path: 'f', content: 'x' }],
    );
    if (first === undefined || second === undefined || third === undefined) throw new RangeError('three calls');
    const arrived = sandbox.nextCall();
    const running = run(first);
    await arrived;
    const waiting = run(second);
    await sleep(50);
    expect(await post('/cancel', { call: first.call })).toMatchObject({ body: { stopped: true } });
    const interrupted = { isError: true, output: expect.stringContaining('interrupted') };
    expect(await Promise.all([running, waiting, run(third)])).toMatchObject([interrupted, interrupted, interrupted]);
    await expect(readFile(join(sandbox.workdir, 'f'))).rejects.toThrow('ENOENT');
  });

  test('never run when they were cancelled before they arrived', async () => {
    const { run, post } = await started();
    const call = callOf('bash', { command: 'echo hi' });
    expect(await post('/cancel', { call: call.call })).toMatchObject({ body: { stopped: false } });
    expect(await run(call)).toMatchObject({ isError: true, output: expect.stringContaining('interrupted') });
  });

  test('run although an earlier one was cancelled after its end', async () => {
    const { run, post } = await started();
    const [first, second] = answer(['bash', { command: 'true' }], ['bash', { command: 'echo hi' }]);
    if (first === undefined || second === undefined) throw new RangeError('two calls');
    await run(first);
    await post('/cancel', { call: first.call });
    expect(await run(second)).toMatchObject({ output: 'hi', isError: false });
  });
});

/** Each adds a letter to the file, or rewrites it; all are told apart by the file that they leave. */
const step = (index: number) =>
  fc.constantFrom<[ExecuteRequest['name'], ExecuteRequest['input']]>(
    ['bash', { command: `printf ${index} >> f` }],
    ['bash', { command: `sleep 0.0$((RANDOM % 3)); printf ${index} >> f` }],
    ['write', { file_path: 'f', content: `w${index}` }],
    ['edit', { file_path: 'f', old_string: 'w', new_string: `e${index}`, replace_all: true }],
    ['read', { file_path: 'f' }],
  );

test('any calls, delivered in any order and more than once, leave the file that they leave one after the other', async () => {
  const steps = fc
    .integer({ min: 2, max: 6 })
    .chain((length) => fc.tuple(...Array.from({ length }, (_, index) => step(index))));
  const property = fc.asyncProperty(
    steps.chain((made) =>
      fc.tuple(
        fc.constant(made),
        fc.shuffledSubarray([...made.keys(), ...made.keys()], { minLength: made.length * 2 }),
      ),
    ),
    async ([made, deliveries]) => {
      const sandbox = await startSandbox();
      const run = (call: ExecuteRequest) => execute(sandbox.address, call);
      const file = join(sandbox.workdir, 'f');
      await writeFile(file, 'w');
      const outputs: string[] = [];
      for (const [name, input] of made) outputs.push((await run(callOf(name, input))).output);
      const expected = await readFile(file, 'utf8');
      await writeFile(file, 'w');
      const calls = answer(...made);
      const delivered = await Promise.all(deliveries.flatMap((index) => calls[index] ?? []).map(run));
      expect(await readFile(file, 'utf8')).toBe(expected);
      expect(delivered.map(({ output }) => output)).toEqual(deliveries.map((index) => outputs[index]));
      await sandbox.close();
    },
  );
  await fc.assert(property, { numRuns: propertyRuns(60) });
});
