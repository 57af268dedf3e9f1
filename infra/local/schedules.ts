import type { Invoke } from './lambda/invoke.ts';
import type { SchedulePart } from './template/parts.ts';

interface Schedules {
  stop(): void;
}

/** EventBridge: invokes each schedule's function at its rate, the first time after one period. */
export function startSchedules(
  schedules: readonly SchedulePart[],
  { invoke, report }: { readonly invoke: Invoke; readonly report: (message: string) => void },
): Schedules {
  const timers = schedules.map(({ name, everyMs, functionArn, input }) =>
    setInterval(() => {
      invoke(functionArn, withTime(input)).catch((error: Error) =>
        report(`Schedule ${name}: ${error.name}: ${error.message}`),
      );
    }, everyMs),
  );
  return {
    stop() {
      for (const timer of timers) clearInterval(timer);
    },
  };
}

/** An event of EventBridge's own carries when it happened; an input of the rule's is passed as it is. */
function withTime(input: unknown): unknown {
  const event = Object(input) as Readonly<Record<string, unknown>>;
  return event['source'] === 'aws.events'
    ? { ...event, id: crypto.randomUUID(), time: new Date().toISOString() }
    : input;
}
