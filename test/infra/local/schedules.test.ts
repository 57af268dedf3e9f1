import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startSchedules } from '../../../infra/local/schedules.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const sweep = { name: 'Sweep', everyMs: 60_000, functionArn: 'arn:sweep', input: { source: 'aws.events', detail: {} } };

test('a schedule invokes its function at its rate with an event of the time, until it is stopped', async () => {
  const events: unknown[] = [];
  const invoke = async (_arn: string, event: unknown): Promise<unknown> => events.push(event);
  const stop = startSchedules([sweep], { invoke, report: () => undefined });
  await vi.advanceTimersByTimeAsync(59_999);
  expect(events).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_001);
  expect(events).toHaveLength(2);
  expect(events[0]).toMatchObject({ source: 'aws.events', id: expect.any(String), time: expect.stringMatching(/Z$/) });
  stop();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(events).toHaveLength(2);
});

test('a schedule reports a failed invocation and goes on', async () => {
  const reports: string[] = [];
  const invoke = (): Promise<unknown> => Promise.reject(Object.assign(new Error('late'), { name: 'Sandbox.Timedout' }));
  const stop = startSchedules([sweep], { invoke, report: (message) => void reports.push(message) });
  await vi.advanceTimersByTimeAsync(120_000);
  expect(reports).toEqual(Array(2).fill('Schedule Sweep: Sandbox.Timedout: late'));
  stop();
});
