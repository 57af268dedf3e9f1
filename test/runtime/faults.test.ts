import { describe, expect, test } from 'vitest';
import type { AwsRequest, AwsResponse } from '#infra/local/aws/service.ts';
import { createFaults } from './faults.ts';

const OK: AwsResponse = { status: 200, headers: {}, body: '{"ConsumedCapacity":{"CapacityUnits":1.5}}' };

function setup() {
  const killed: string[] = [];
  const faults = createFaults({
    entryOf: (name) => name.replace('Stack-', ''),
    requestOf: () => 'request-1',
    kill: async (target) => killed.push(target),
    loseSandbox: async () => 1,
  });
  /** Makes one AWS call. The result is true when the call reached its service. */
  const call = async (
    operation: string,
    functionName = 'Stack-harness',
    worker = 'w1',
  ): Promise<AwsResponse | 'served'> => {
    const request: AwsRequest = {
      service: 'dynamodb',
      operation,
      method: 'POST',
      path: '/',
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.from('{}'),
      caller: { functionName, roleArn: 'r', worker },
    };
    let isServed = false;
    const response = await faults.aroundCall(request, async () => {
      isServed = true;
      return OK;
    });
    return isServed ? 'served' : response;
  };
  return { faults, killed, call };
}

describe('killDuring', () => {
  test('kills the worker before a call, which then has no effect', async () => {
    const { faults, killed, call } = setup();
    const fired = faults.killDuring({ function: 'harness', call: 2, phase: 'before' });
    expect(await call('Query')).toBe('served');
    expect(await call('PutItem', 'Stack-api', 'w9')).toBe('served');
    expect(await call('PutItem')).toMatchObject({ status: 503 });
    expect(killed).toEqual(['w1']);
    expect(await fired).toMatchObject({ function: 'harness', call: 'dynamodb:PutItem', request: 'request-1' });
  });

  test('counts only the kind of call that it names', async () => {
    const { faults, killed, call } = setup();
    void faults.killDuring({ function: 'harness', of: 'dynamodb:PutItem', call: 1, phase: 'before' });
    expect(await call('Query')).toBe('served');
    expect(killed).toEqual([]);
    expect(await call('PutItem')).toMatchObject({ status: 503 });
    expect(killed).toEqual(['w1']);
  });

  test('kills the worker after a call, which has had its effect', async () => {
    const { faults, killed, call } = setup();
    const fired = faults.killDuring({ function: 'harness', call: 1, phase: 'after' });
    expect(await call('PutItem')).toBe('served');
    expect(killed).toEqual(['w1']);
    await fired;
  });

  test('kills once', async () => {
    const { faults, killed, call } = setup();
    void faults.killDuring({ function: 'harness', call: 1, phase: 'before' });
    await call('PutItem');
    expect(await call('PutItem')).toBe('served');
    expect(killed).toHaveLength(1);
  });
});

test('throttled calls fail as often as the test says, with an error that the SDK retries', async () => {
  const { faults, call } = setup();
  faults.throttle('dynamodb:PutItem', 2);
  expect(await call('Query')).toBe('served');
  for (const _ of [1, 2]) {
    expect(await call('PutItem')).toMatchObject({ status: 400, body: expect.stringContaining('ThrottlingException') });
  }
  expect(await call('PutItem')).toBe('served');
});

test('delayed calls wait before they reach their service', async () => {
  const { faults, call } = setup();
  faults.delay('dynamodb', 50);
  const startedAt = performance.now();
  expect(await call('PutItem')).toBe('served');
  expect(performance.now() - startedAt).toBeGreaterThan(45);
});

test('the trace lists which function made which calls, in order, until it ends', async () => {
  const { faults, killed, call } = setup();
  void faults.killDuring({ function: 'harness', call: 3, phase: 'before' });
  await call('Query');
  await call('PutItem', 'Stack-api', 'w2');
  expect(faults.trace().map((one) => `${one.function} ${one.worker} ${one.call}`)).toEqual([
    'harness w1 dynamodb:Query',
    'api w2 dynamodb:PutItem',
  ]);
  faults.disarm();
  await call('Query');
  await call('Query');
  expect(faults.trace()).toHaveLength(2);
  expect(killed).toEqual([]);
});

test('the trace has the DynamoDB capacity of a call, and none for a call that did not arrive', async () => {
  const { faults, call } = setup();
  await call('Query');
  faults.throttle('dynamodb:Query', 1);
  await call('Query');
  expect(faults.trace().map(({ consumed }) => consumed)).toEqual([{ readUnits: 1.5, writeUnits: 0 }, null]);
});
