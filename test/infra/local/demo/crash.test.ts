import { expect, test } from 'vitest';
import { watchCalls } from '#infra/local/demo/crash.ts';
import type { SessionEvent } from '#infra/local/demo/session.ts';
import type { AwsRequest } from '#infra/local/aws/service.ts';
import * as given from './arrivals.ts';

const SERVED = { status: 200, headers: {}, body: '{}' };

function setup(crash: boolean) {
  const killed: string[] = [];
  const shown: string[] = [];
  const calls = watchCalls(crash ? ([, , text]) => shown.push(text) : null);
  const aroundCall = calls.aroundCalls({
    entryOf: (name) => name,
    requestOf: () => null,
    kill: async (worker) => killed.push(worker),
    loseSandbox: async () => 0,
  });
  const call = (functionName: string, operation: string, worker = 'w1') => {
    const request = { service: 'dynamodb', operation, caller: { functionName, worker } } as unknown as AwsRequest;
    return aroundCall(request, async () => SERVED);
  };
  const observe = (...events: readonly SessionEvent[]) => given.arrive(...events).forEach(calls.observe);
  return { calls, call, observe, killed, shown };
}

test('--crash kills the harness once, when it saves the turn after the first tool call', async () => {
  const { calls, call, observe, killed, shown } = setup(true);
  observe(given.MODEL_ASKED);
  for (const _ of [1, 2, 3]) await call('harness', 'PutItem');
  observe(given.CALL, given.CALL);
  await call('execute', 'PutItem');
  await call('harness', 'Query');
  await call('harness', 'PutItem', 'w2');
  expect([killed, calls.describeCrash(0)]).toEqual([[], null]);
  await expect(call('harness', 'PutItem', 'w3')).rejects.toThrow('The caller was killed.');
  expect(await call('harness', 'PutItem', 'w4')).toBe(SERVED);
  expect(killed).toEqual(['w3']);
  expect(shown).toEqual([expect.stringContaining('killed the harness as it saved the turn (dynamodb:PutItem)')]);
});

test('--crash prints which process was killed and that the run went on', async () => {
  const { calls, call, observe } = setup(true);
  observe(given.CALL);
  await call('harness', 'PutItem');
  await call('harness', 'PutItem').catch(() => undefined);
  expect(calls.describeCrash(1_800)).toMatch(
    /^The harness was killed in the middle of a turn, 0\.\d\d s after the message, before its PutItem took effect\. The run went on from the log and was done 1\.\d\d s later\.$/,
  );
});

test('without --crash the demo counts calls and kills nothing', async () => {
  const { calls, call, observe, killed } = setup(false);
  observe(given.CALL);
  for (const _ of [1, 2, 3]) await call('harness', 'PutItem');
  expect(killed).toEqual([]);
  expect(calls.made.map(({ by, name }) => `${by} ${name}`)).toEqual(Array(3).fill('harness dynamodb:PutItem'));
});
