/** Measures the AWS usage of a piece of work, without that of open streams and sweep. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TracedCall } from '#test/runtime/faults.ts';
import type { Service } from '#test/journeys/service.ts';
import type { Use } from '#test/runtime/watched-runtime.ts';
import type { Used } from './prices.ts';

/** The functions on the path of a turn. The stream polls while it is open, and sweep runs by the clock. */
const ON_PATH: readonly string[] = ['api', 'harness', 'provision', 'execute', 'mcp-proxy'];

export async function useOf({ runtime }: Service, work: () => Promise<void>): Promise<Used> {
  await settled(runtime);
  runtime.faults.disarm();
  const before = runtime.use();
  await work();
  await settled(runtime);
  const after = runtime.use();
  return {
    ...ofCalls(callsOnPath(runtime)),
    transitions: after.transitions - before.transitions,
    requests: after.requests - before.requests,
    invocations: functions(after, 'invocations') - functions(before, 'invocations'),
    gbSeconds: functions(after, 'gbSeconds') - functions(before, 'gbSeconds'),
  };
}

/** The AWS calls on the path of a turn since the last `disarm`. */
export function callsOnPath({ faults }: Service['runtime']): readonly TracedCall[] {
  return faults.trace().filter((call) => ON_PATH.includes(call.function));
}

type OfCalls = Pick<Used, 'writeUnits' | 'readUnits' | 's3Writes' | 's3Reads' | 'secretCalls' | 'kmsCalls'>;

export function ofCalls(calls: readonly TracedCall[]): OfCalls {
  const of = (service: string) => calls.filter(({ call }) => call.startsWith(`${service}:`));
  const s3 = of('s3');
  const s3Reads = s3.filter(({ call }) => /:(Get|Head)/.test(call)).length;
  return {
    writeUnits: sum(calls.map(({ consumed }) => consumed?.writeUnits ?? 0)),
    readUnits: sum(calls.map(({ consumed }) => consumed?.readUnits ?? 0)),
    s3Writes: s3.length - s3Reads,
    s3Reads,
    secretCalls: of('secretsmanager').length,
    kmsCalls: of('kms').length,
  };
}

function functions({ functions: use }: Use, unit: 'invocations' | 'gbSeconds'): number {
  return sum(ON_PATH.map((name) => use[name]?.[unit] ?? 0));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The stream shows the end of a turn before its functions and its execution have ended. */
export async function settled(runtime: Service['runtime']): Promise<void> {
  await runtime.aws.stepFunctions.idle();
  for (let before = -1, now = seen(runtime); now !== before;) {
    before = now;
    await sleep(10);
    now = seen(runtime);
  }
}

function seen(runtime: Service['runtime']): number {
  const calls = callsOnPath(runtime);
  const answered = calls.filter(({ doneMs }) => doneMs !== null).length;
  return runtime.use().transitions + functions(runtime.use(), 'gbSeconds') + calls.length + answered;
}
