import type { Invoke } from './lambda/invoke.ts';
import type { SchedulePart } from './template/parts.ts';

/** EventBridge: invokes each schedule's function at its rate, the first time after one period. @returns how to stop it */
export function startSchedules(
  schedules: readonly SchedulePart[],
  { invoke, report }: { readonly invoke: Invoke; readonly report: (message: string) => void },
): () => void {
  const timers = schedules.map(({ name, everyMs, functionArn, input }) =>
    setInterval(() => {
      invoke(functionArn, withTime(input)).catch((error: Error) =>
        report(`Schedule ${name}: ${error.name}: ${error.message}`),
      );
    }, everyMs),
  );
  return () => timers.forEach((timer) => clearInterval(timer));
}

/** EventBridge's own event carries the time at which it happened; an input that the rule gives is passed as it is. */
function withTime(input: unknown): unknown {
  const event = Object(input) as Readonly<Record<string, unknown>>;
  return event['source'] === 'aws.events'
    ? { ...event, id: crypto.randomUUID(), time: new Date().toISOString() }
    : input;
}
