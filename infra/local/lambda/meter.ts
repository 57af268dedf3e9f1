/** What functions are billed for: each invocation, and its time by the memory that its function has. */
import type { FunctionPart } from '../seams.ts';
import { serviceOf } from './environment.ts';

export interface FunctionUse {
  /** Begun. */
  readonly invocations: number;
  /** Of the invocations that have ended; loading the function is not in it. */
  readonly gbSeconds: number;
}

export interface Meter {
  /** Called when an invocation begins; the result, when it ends. */
  start(part: FunctionPart): () => void;
  /** Since start, by entry name. */
  use(): Readonly<Record<string, FunctionUse>>;
}

export function createMeter(nowMs = () => performance.now()): Meter {
  const use = new Map<string, FunctionUse>();
  const add = (service: string, invocations: number, gbSeconds: number): void => {
    const before = use.get(service) ?? { invocations: 0, gbSeconds: 0 };
    use.set(service, { invocations: before.invocations + invocations, gbSeconds: before.gbSeconds + gbSeconds });
  };
  return {
    start(part) {
      const began = nowMs();
      add(serviceOf(part), 1, 0);
      // Lambda rounds each invocation up to the next millisecond.
      return () => add(serviceOf(part), 0, (Math.ceil(nowMs() - began) / 1000) * (part.memoryMb / 1024));
    },
    use: () => Object.fromEntries(use),
  };
}
