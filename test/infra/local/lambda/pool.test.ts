import { setTimeout as sleep } from 'node:timers/promises';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { PoolOptions } from '#infra/local/lambda/pool.ts';
import { startPool, type FunctionFixture, type PoolFixture } from './fixture.ts';

let fixture: PoolFixture | null = null;

afterEach(async () => {
  await fixture?.close();
  fixture = null;
});

async function start(functions: Record<string, FunctionFixture>, options = {}): Promise<PoolFixture> {
  fixture = await startPool(functions, options);
  return fixture;
}

describe('a Lambda invocation', () => {
  test('passes event and result as JSON, so that no object is shared and undefined fields are dropped', async () => {
    const { pool, arn } = await start({ echo: { code: 'export const handler = async (event) => event;' } });
    expect(await pool.invoke(arn('echo'), { a: [1, undefined], b: undefined, at: new Date(0) })).toEqual({
      a: [1, null],
      at: '1970-01-01T00:00:00.000Z',
    });
  });

  test('returns null when the handler returns nothing', async () => {
    const { pool, arn } = await start({ none: { code: 'export const handler = async () => undefined;' } });
    expect(await pool.invoke(arn('none'), {})).toBeNull();
  });

  test('sees its own environment and none of this process', async () => {
    process.env['PRIVATE_TO_THE_RUNTIME'] = 'yes';
    const code = 'export const handler = async () => process.env;';
    const { pool, arn } = await start({ env: { code, environment: { LOG_TABLE: 'log' } } });
    const environment = await pool.invoke(arn('env'), {});
    expect(environment).toMatchObject({
      LOG_TABLE: 'log',
      AWS_REGION: 'eu-central-1',
      AWS_LAMBDA_FUNCTION_NAME: 'Test-env',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: expect.stringMatching(/^key-of-/),
    });
    expect(environment).not.toHaveProperty('PRIVATE_TO_THE_RUNTIME');
    expect(environment).not.toHaveProperty('HOME');
  });

  test('has a context with request id, ARN and remaining time', async () => {
    const code = `export const handler = async (event, context) =>
      ({ ...context, left: context.getRemainingTimeInMillis() });`;
    const { pool, arn } = await start({ ctx: { code, timeoutMs: 60_000 } });
    const context = (await pool.invoke(arn('ctx'), {})) as { left: number };
    expect(context).toMatchObject({
      functionName: 'Test-ctx',
      memoryLimitInMB: '256',
      invokedFunctionArn: arn('ctx'),
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(context.left).toBeGreaterThan(30_000);
    expect(context.left).toBeLessThanOrEqual(60_000);
  });
});

describe('Lambda workers', () => {
  const counting = {
    code: 'let n = 0; export const handler = async ({ ms }) => { n += 1; await new Promise((r) => setTimeout(r, ms)); return n; };',
  };

  test('are reused while warm', async () => {
    const { pool, arn } = await start({ count: counting });
    expect(await pool.invoke(arn('count'), { ms: 0 })).toBe(1);
    expect(await pool.invoke(arn('count'), { ms: 0 })).toBe(2);
  });

  test('run one invocation at a time', async () => {
    const { pool, arn } = await start({ count: counting });
    const results = await Promise.all([1, 2, 3].map(() => pool.invoke(arn('count'), { ms: 1000 })));
    expect(results).toEqual([1, 1, 1]);
  });

  test('beyond the limit are refused with the error of Lambda’s throttling', async () => {
    const { pool, arn } = await start({ count: counting }, { concurrency: 1 });
    const first = pool.invoke(arn('count'), { ms: 50 });
    await expect(pool.invoke(arn('count'), { ms: 0 })).rejects.toMatchObject({
      name: 'Lambda.TooManyRequestsException',
    });
    expect(await first).toBe(1);
  });

  test('of a function with reserved concurrency have that, and the other functions have the rest', async () => {
    const { pool, arn } = await start(
      { set: { ...counting, reserved: 2 }, a: counting, b: counting },
      { concurrency: 3 },
    );
    const refused = { name: 'Lambda.TooManyRequestsException' };
    const held = { ms: 300 };
    const first = [pool.invoke(arn('set'), held), pool.invoke(arn('a'), held), pool.invoke(arn('set'), held)];
    await expect(pool.invoke(arn('set'), held)).rejects.toMatchObject(refused);
    await expect(pool.invoke(arn('b'), held)).rejects.toMatchObject(refused);
    await Promise.all(first);
    expect(await pool.invoke(arn('b'), held)).toBe(1);
  });

  test('are removed after a long idle time', async () => {
    const { pool, arn } = await start({ count: counting }, { idleMs: 20 });
    await pool.invoke(arn('count'), { ms: 0 });
    await expect.poll(() => pool.kill('count')).toBe(0);
    expect(await pool.invoke(arn('count'), { ms: 0 })).toBe(1);
  });

  test('that are idle beside two others are removed after a short time', async () => {
    const { pool, arn } = await start({ count: counting }, { spareMs: 20 });
    const kept = async () => {
      await Promise.all(Array.from({ length: 5 }, () => pool.invoke(arn('count'), { ms: 100 })));
      await sleep(200);
      return pool.kill('count');
    };
    await expect.poll(kept).toBe(2);
  });

  test('report how long the bundle took to load', async () => {
    const loads: [string, number][] = [];
    const onLoad: PoolOptions['onLoad'] = ({ logicalId }, initMs) => void loads.push([logicalId, initMs]);
    const { pool, arn } = await start({ count: counting }, { onLoad });
    await pool.invoke(arn('count'), { ms: 0 });
    expect(loads).toEqual([['count', expect.any(Number)]]);
  });

  test('that are killed fail their invocation, and the next invocation has a new worker', async () => {
    const begun = Promise.withResolvers<void>();
    const onInvocation = () => (begun.resolve(), () => undefined);
    const { pool, arn } = await start({ count: counting }, { onInvocation });
    const running = pool.invoke(arn('count'), { ms: 10_000 });
    running.catch(() => undefined);
    await begun.promise;
    expect(await pool.kill('count')).toBe(1);
    await expect(running).rejects.toMatchObject({ name: 'Lambda.Unknown' });
    expect(await pool.invoke(arn('count'), { ms: 0 })).toBe(1);
  });
});

describe('a Lambda function', () => {
  const thrower = `class HeadMoved extends Error { name = 'HeadMoved' }
    let n = 0;
    export const handler = async () => { n += 1; if (n === 1) throw new HeadMoved('at 7'); return n; };`;

  test('that throws fails with the name and message of its error and stays warm', async () => {
    const { pool, arn } = await start({ boom: { code: thrower } });
    await expect(pool.invoke(arn('boom'), {})).rejects.toMatchObject({ name: 'HeadMoved', message: 'at 7' });
    expect(await pool.invoke(arn('boom'), {})).toBe(2);
  });

  test('that runs out of time is stopped and fails with Sandbox.Timedout', async () => {
    const code = 'export const handler = async ({ spin }) => { while (spin) {} return 1; };';
    const { pool, arn } = await start({ slow: { code, timeoutMs: 100 } });
    await expect(pool.invoke(arn('slow'), { spin: true })).rejects.toMatchObject({ name: 'Sandbox.Timedout' });
    expect(await pool.invoke(arn('slow'), {})).toBe(1);
  });

  test.each([
    ['exits', 'process.exit(3)'],
    ['throws outside the handler', 'setTimeout(() => { throw new Error("late") }); await new Promise(() => {})'],
  ])('that %s fails with Lambda.Unknown', async (_how, body) => {
    const { pool, arn } = await start({ dies: { code: `export const handler = async () => { ${body} };` } });
    await expect(pool.invoke(arn('dies'), {})).rejects.toMatchObject({ name: 'Lambda.Unknown' });
  });

  test('that does not load fails with the error of its module', async () => {
    const { pool, arn } = await start({ unset: { code: `throw new RangeError('LOG_TABLE is not set');` } });
    await expect(pool.invoke(arn('unset'), {})).rejects.toMatchObject({
      name: 'RangeError',
      message: 'LOG_TABLE is not set',
    });
  });

  test('that returns more than 6 MB fails', async () => {
    const { pool, arn } = await start({ big: { code: `export const handler = async () => 'x'.repeat(7e6);` } });
    await expect(pool.invoke(arn('big'), {})).rejects.toMatchObject({ name: 'Function.ResponseSizeTooLarge' });
  });
});

test('the log file of an entry has the output of its function and the reason of a failure', async () => {
  const code = `export const handler = async () => { console.log('{"turn":1}'); console.error('oops'); throw new TypeError('no'); };`;
  const { pool, arn, folder } = await start({ harness: { code } });
  await expect(pool.invoke(arn('harness'), {})).rejects.toThrow('no');
  const read = (): Promise<string> => readFile(join(folder, 'logs', 'harness.log'), 'utf8').catch(() => '');
  await expect.poll(read).toContain('{"turn":1}\n');
  await expect.poll(read).toContain('oops\n');
  await expect.poll(read).toContain('"errorType":"TypeError"');
});

test('an unknown function fails with its name', async () => {
  const { pool } = await start({});
  await expect(pool.invoke('arn:unknown', {})).rejects.toMatchObject({ name: 'Lambda.ResourceNotFoundException' });
});

test('what Node.js compiles of a function is kept where the process keeps its own', async () => {
  const kept = () => readdirSync(getCompileCacheDir() ?? '', { recursive: true }).length;
  const before = kept();
  const { pool, arn } = await start({ big: { code: `export const handler = async () => ${Math.random()};` } });
  await pool.invoke(arn('big'), {});
  expect(kept()).toBeGreaterThan(before);
});
