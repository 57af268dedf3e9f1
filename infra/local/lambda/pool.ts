/**
 * Runs the template's functions as Lambda does: each invocation alone in a worker, a worker kept warm for the next
 * one, the most recently used first, and those that nobody needs any more reclaimed.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Invoke } from './invoke.ts';
import type { Template } from '../template/parts.ts';
import { createStreamedInvocation, type StreamedAnswer } from './body-stream.ts';
import { InvocationError, NOT_BUFFERED, throttledFailure, tooLargeFailure } from './failure.ts';
import { createFleet, type Fleet, type FleetSurroundings } from './fleet.ts';
import type { FunctionFailure } from './messages.ts';
import { createMeter, type Ended, type FunctionUse, type Meter } from './meter.ts';
import type { FunctionWorker, InvocationListener, Outcome } from './start-worker.ts';
import { createSaturation } from './saturation.ts';
import { workerCodeUrl } from './worker-code.ts';

const CONCURRENCY = 1_000;
const IDLE_MS = 5 * 60_000;
/** Lambda's limit on a synchronous event and on a buffered answer. */
export const MAX_JSON_BYTES = 6 * 1024 * 1024;

export interface PoolOptions extends Omit<FleetSurroundings, 'code' | 'region' | 'isSaturated'> {
  readonly template: Pick<Template, 'functions' | 'region'>;
  readonly concurrency?: number;
  readonly idleMs?: number;
}

export interface LambdaPool {
  readonly invoke: Invoke;
  /** @throws as `invoke` does, also when the function fails before its first byte. */
  stream(functionArn: string, payload: unknown): Promise<StreamedAnswer>;
  /** Ends a worker by its id, or every worker of a function (name, ARN or service). Resolves when they are gone. */
  kill(target: string): Promise<number>;
  /** The request a worker is busy with. */
  requestOf(worker: string): string | null;
  /** Median time to load each function's bundle, by service, in milliseconds. */
  initTimes(): Readonly<Record<string, number>>;
  /** What each function would be billed for since start, by service. */
  use(): Readonly<Record<string, FunctionUse>>;
  /** The latest invocations that have ended, in that order. */
  ended(): readonly Ended[];
  close(): Promise<void>;
}

interface Pool {
  readonly options: PoolOptions;
  readonly fleets: readonly Fleet[];
  readonly byName: ReadonlyMap<string, Fleet>;
  /** Busy worker → the request it works on. */
  readonly requests: Map<string, string>;
  readonly meter: Meter;
  /** Invocations that run or wait for a worker. */
  inFlight: number;
  closed: boolean;
}

export function createPool(options: PoolOptions): LambdaPool {
  const around = {
    ...options,
    region: options.template.region,
    code: workerCodeUrl(),
    isSaturated: createSaturation(),
  };
  const fleets = options.template.functions.map((part) => createFleet(part, around));
  const pool: Pool = {
    options,
    fleets,
    byName: indexByName(fleets),
    requests: new Map(),
    meter: createMeter(),
    inFlight: 0,
    closed: false,
  };
  const idleMs = options.idleMs ?? IDLE_MS;
  const reclaim = (): unknown => Promise.all(fleets.map((fleet) => fleet.reclaim(Date.now() - idleMs)));
  const reclaiming = setInterval(reclaim, Math.min(idleMs, 60_000)).unref();
  return {
    invoke: (functionArn, payload) => invokeBuffered(pool, functionArn, payload),
    stream: (functionArn, payload) => invokeStreamed(pool, functionArn, payload),
    kill: (target) => killWorkers(pool, target),
    requestOf: (id) =>
      allWorkers(pool)
        .find((worker) => worker.id === id)
        ?.current() ?? null,
    initTimes: () => initTimes(fleets),
    use: () => pool.meter.use(),
    ended: () => pool.meter.ended(),
    async close() {
      pool.closed = true;
      clearInterval(reclaiming);
      await Promise.all(allWorkers(pool).map((worker) => worker.kill()));
    },
  };
}

function indexByName(fleets: readonly Fleet[]): ReadonlyMap<string, Fleet> {
  return new Map(
    fleets.flatMap((fleet) => [fleet.part.arn, fleet.part.name, fleet.service].map((name) => [name, fleet])),
  );
}

async function invokeBuffered(pool: Pool, functionArn: string, payload: unknown): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const fail = (failure: FunctionFailure): void => reject(new InvocationError(failure));
  begin(pool, { functionArn, payload }, () => ({
    head: () => undefined,
    chunk: (_bytes, taken) => taken(),
    end: () => fail(NOT_BUFFERED),
    done(outcome) {
      if ('failure' in outcome) return fail(outcome.failure);
      if (outcome.body.length > MAX_JSON_BYTES) return fail(tooLargeFailure('Function.ResponseSizeTooLarge'));
      resolve(JSON.parse(outcome.body));
    },
  }));
  return promise;
}

async function invokeStreamed(pool: Pool, functionArn: string, payload: unknown): Promise<StreamedAnswer> {
  const { promise, resolve } = Promise.withResolvers<StreamedAnswer>();
  begin(pool, { functionArn, payload }, (leave) => {
    const streamed = createStreamedInvocation(leave);
    resolve(streamed.answer);
    return streamed.listener;
  });
  return promise;
}

/** `leave` tells the function that nobody reads its answer any more. */
type Listen = (leave: () => void) => InvocationListener;

function begin(pool: Pool, call: { functionArn: string; payload: unknown }, listen: Listen): void {
  const fleet = findFleet(pool, call.functionArn);
  const limit = pool.options.concurrency ?? CONCURRENCY;
  if (pool.inFlight >= limit) throw new InvocationError(throttledFailure(limit));
  const event = JSON.stringify(call.payload) ?? 'null';
  if (event.length > MAX_JSON_BYTES) throw new InvocationError(tooLargeFailure('RequestEntityTooLargeException'));

  const requestId = randomUUID();
  const invocation = { requestId, traceId: createTraceId(), timeoutMs: fleet.part.timeoutMs, event };
  let worker: FunctionWorker | null = null;
  let left = false;
  const listener = listen(() => {
    left = true;
    if (worker?.current() === requestId) worker.leave();
  });
  pool.inFlight += 1;
  const done = (outcome: Outcome): void => {
    pool.inFlight -= 1;
    if ('failure' in outcome && !pool.closed) logFailure(pool, fleet.service, { requestId, failure: outcome.failure });
    listener.done(outcome);
  };
  fleet.take({
    fail: (failure) => done({ failure }),
    run(free) {
      worker = free;
      pool.requests.set(free.id, requestId);
      const stop = pool.meter.start(fleet.part);
      free.run(invocation, {
        ...listener,
        done(outcome) {
          stop();
          pool.requests.delete(free.id);
          fleet.giveBack(free);
          done(outcome);
        },
      });
      if (left) free.leave();
    },
  });
}

/** A qualifier (`…:function:name:$LATEST`) names the same code here. */
function findFleet(pool: Pool, functionArn: string): Fleet {
  const fleet = pool.byName.get(functionArn) ?? pool.byName.get(functionArn.split(':').slice(0, 7).join(':'));
  if (fleet === undefined) {
    const message = `Function not found: ${functionArn}`;
    throw new InvocationError({ name: 'Lambda.ResourceNotFoundException', message, stack: [] });
  }
  if (pool.closed) throw new InvocationError({ name: 'Lambda.ServiceException', message: 'Shutting down.', stack: [] });
  return fleet;
}

/** The line Lambda's runtime writes for a failed invocation, so that what would show in CloudWatch shows here. */
function logFailure(pool: Pool, service: string, entry: { requestId: string; failure: FunctionFailure }): void {
  const { name, message, stack } = entry.failure;
  const line = {
    timestamp: new Date().toISOString(),
    level: 'ERROR',
    requestId: entry.requestId,
    message: { errorType: name, errorMessage: message, stackTrace: stack },
  };
  pool.options.logs.write(service, `${JSON.stringify(line)}\n`);
}

async function killWorkers(pool: Pool, target: string): Promise<number> {
  const fleet = pool.byName.get(target);
  const workers = fleet?.workers() ?? allWorkers(pool).filter((worker) => worker.id === target);
  await Promise.all(workers.map((worker) => worker.kill()));
  return workers.length;
}

function allWorkers(pool: Pool): readonly FunctionWorker[] {
  return pool.fleets.flatMap((fleet) => fleet.workers());
}

function initTimes(fleets: readonly Fleet[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    fleets.flatMap(({ service, initMs }) => {
      const middle = initMs.toSorted((a, b) => a - b)[Math.floor(initMs.length / 2)];
      return middle === undefined ? [] : [[service, middle]];
    }),
  );
}

function createTraceId(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')};Sampled=0`;
}
