/** The local runtime with faults and usage for tests and measurements. */
import { serviceOf } from '#infra/local/lambda/environment.ts';
import { startRuntime, type Runtime, type RuntimeOptions } from '#infra/local/runtime.ts';
import { createFaults, type Faults } from './faults.ts';
import { createMeter, type Ended, type FunctionUse } from './meter.ts';

/** The usage that AWS would bill since the start. The faults' trace has the DynamoDB capacity of each call. */
export interface Use {
  readonly transitions: number;
  /** Requests that the gateway passed to a function. */
  readonly requests: number;
  /** By entry name. */
  readonly functions: Readonly<Record<string, FunctionUse>>;
}

export interface WatchedRuntime extends Runtime {
  readonly faults: Faults;
  use(): Use;
  /** The latest invocations that have ended, in that order. */
  ended(): readonly Ended[];
  /** Whether an invocation of this function has not ended, by entry name. */
  isRunning(service: string): boolean;
  /** Median of the milliseconds that each function took to load, by entry name. */
  initTimes(): Readonly<Record<string, number>>;
}

/** The functions that the gateway invokes, each time for one request. */
const BEHIND_GATEWAY = ['api', 'stream', 'connect'];

export async function startWatchedRuntime(options: RuntimeOptions): Promise<WatchedRuntime> {
  const meter = createMeter();
  const loads = new Map<string, number[]>();
  const made = Promise.withResolvers<Faults>();
  const runtime = await startRuntime({
    ...options,
    onInvocation: meter.start,
    onLoad: (part, initMs) => void loads.set(serviceOf(part), [...(loads.get(serviceOf(part)) ?? []), initMs]),
    aroundCalls(controls) {
      const faults = createFaults(controls);
      made.resolve(faults);
      return faults.aroundCall;
    },
  });
  return {
    ...runtime,
    faults: await made.promise,
    use() {
      const functions = meter.use();
      const requests = BEHIND_GATEWAY.reduce((sum, name) => sum + (functions[name]?.invocations ?? 0), 0);
      return { transitions: runtime.aws.stepFunctions.transitions(), requests, functions };
    },
    ended: meter.ended,
    isRunning: meter.isRunning,
    initTimes: () => Object.fromEntries([...loads].map(([name, times]) => [name, median(times)])),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
