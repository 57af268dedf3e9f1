import { expect, test } from 'vitest';
import { createMeter } from './meter.ts';
import type { FunctionPart } from '#infra/local/template/parts.ts';

const HARNESS: FunctionPart = {
  logicalId: 'Harness',
  name: 'Brainstem-Harness',
  arn: 'arn',
  handler: 'index.handler',
  codeDir: '/',
  timeoutMs: 1000,
  memoryMb: 512,
  reserved: null,
  environment: { POWERTOOLS_SERVICE_NAME: 'harness' },
  roleArn: 'role',
};

test('Lambda time is billed by memory and started millisecond, and an invocation when it begins', () => {
  let nowMs = 0;
  const meter = createMeter(() => nowMs);
  const first = meter.start(HARNESS);
  const second = meter.start(HARNESS);
  expect(meter.use()).toEqual({ harness: { invocations: 2, gbSeconds: 0 } });
  nowMs = 999.2;
  first();
  expect(meter.use()).toEqual({ harness: { invocations: 2, gbSeconds: 0.5 } });
  nowMs = 3000;
  second();
  expect(meter.use()).toEqual({ harness: { invocations: 2, gbSeconds: 2 } });
});

test('the duration of an invocation is reported when it ends, in the order of the ends', () => {
  let nowMs = 0;
  const meter = createMeter(() => nowMs);
  const first = meter.start(HARNESS);
  nowMs = 1.5;
  const second = meter.start(HARNESS);
  expect(meter.ended()).toEqual([]);
  nowMs = 2;
  second();
  first();
  expect(meter.ended()).toEqual([
    { function: 'harness', tookMs: 0.5 },
    { function: 'harness', tookMs: 2 },
  ]);
});
