import { expect, test } from 'vitest';
import { planCrash, tellCrash, type Kill } from '#infra/local/demo/crash.ts';
import * as given from './arrivals.ts';

test('--crash kills the harness once, when it saves the turn after the first tool call', async () => {
  const armed: unknown[] = [];
  const told: Kill[] = [];
  const killAt = async (...kill: unknown[]) => void armed.push(kill);
  const crash = planCrash({ killAt }, (kill) => told.push(kill));
  const [asked, call, again] = given.arrive(given.MODEL_ASKED, given.CALL, given.CALL);
  if (asked) crash.observe(asked);
  expect(armed).toEqual([]);
  expect(crash.killed()).toBeNull();
  if (call) crash.observe(call);
  if (again) crash.observe(again);
  await expect.poll(() => told).toHaveLength(1);
  expect(armed).toEqual([[{ by: 'harness', name: 'dynamodb:PutItem' }, 2]]);
  expect(crash.killed()).toMatchObject({ call: 'dynamodb:PutItem' });
  expect(crash.killed()?.atMs).toBeGreaterThanOrEqual(1_000);
});

test('--crash prints which process was killed and that the run went on', () => {
  expect(tellCrash({ call: 'dynamodb:PutItem', atMs: 600 }, 1_800)).toBe(
    'The harness was killed in the middle of a turn, 0.60 s after the message, before its dynamodb:PutItem took effect. ' +
      'The run went on from the log and was done 1.20 s later.',
  );
});
