/** The billed usage of functions: each invocation, and its time by the function's memory. */
import { serviceOf } from '#infra/local/lambda/environment.ts';
import type { FunctionPart } from '#infra/local/template/parts.ts';

export interface FunctionUse {
  /** Begun. */
  readonly invocations: number;
  /** Milliseconds of the ended invocations, without the loading of the function. */
  readonly gbSeconds: number;
}

/** An invocation that has ended. */
export interface Ended {
  /** Entry name. */
  readonly function: string;
  /** Counted from the moment when a loaded worker has it; not rounded. */
  readonly tookMs: number;
}

/** A long-running service keeps only the latest. */
const MAX_ENDED = 10_000;

interface Meter {
  /** Called when an invocation begins. The returned function is called when it ends. */
  start(part: FunctionPart): () => void;
  /** Since start, by entry name. */
  use(): Readonly<Record<string, FunctionUse>>;
  /** The latest, in the order in which they ended. */
  ended(): readonly Ended[];
  /** Whether an invocation of this function has not ended, by entry name. */
  isRunning(service: string): boolean;
}

export function createMeter(nowMs = () => performance.now()): Meter {
  const use = new Map<string, FunctionUse>();
  const ended: Ended[] = [];
  const running = new Map<string, number>();
  const count = (service: string, more: number) => running.set(service, (running.get(service) ?? 0) + more);
  const add = (service: string, invocations: number, gbSeconds: number): void => {
    const before = use.get(service) ?? { invocations: 0, gbSeconds: 0 };
    use.set(service, { invocations: before.invocations + invocations, gbSeconds: before.gbSeconds + gbSeconds });
  };
  return {
    start(part) {
      const service = serviceOf(part);
      const began = nowMs();
      add(service, 1, 0);
      count(service, 1);
      return () => {
        count(service, -1);
        const tookMs = nowMs() - began;
        // Lambda rounds each invocation up to the next millisecond.
        add(service, 0, (Math.ceil(tookMs) / 1000) * (part.memoryMb / 1024));
        ended.push({ function: service, tookMs });
        if (ended.length > MAX_ENDED) ended.splice(0, MAX_ENDED / 2);
      };
    },
    use: () => Object.fromEntries(use),
    ended: () => [...ended],
    isRunning: (service) => (running.get(service) ?? 0) > 0,
  };
}
