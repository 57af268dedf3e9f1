/** One invocation, from its event to its answer, buffered or as a stream. */
import { randomBytes, randomUUID } from 'node:crypto';
import { createStreamedInvocation, type StreamedAnswer } from './body-stream.ts';
import { InvocationError, NOT_BUFFERED, throttledFailure, tooLargeFailure } from './failure.ts';
import type { Fleet, FleetSurroundings } from './fleet.ts';
import type { FunctionFailure } from './messages.ts';
import type { FunctionPart } from '../template/parts.ts';
import type { InvocationListener, Outcome } from './start-worker.ts';

/** Lambda's limit on a synchronous event and on a buffered answer. */
const MAX_JSON_BYTES = 6 * 1024 * 1024;

/** What all invocations share. */
export interface Pool {
  /** Invocations at once. */
  readonly concurrency: number;
  readonly logs: FleetSurroundings['logs'];
  readonly fleets: readonly Fleet[];
  readonly byName: ReadonlyMap<string, Fleet>;
  readonly onInvocation: (part: FunctionPart) => () => void;
  /** Invocations that run or wait for a worker, by function. */
  readonly inFlight: Map<Fleet, number>;
  closed: boolean;
}

export async function invokeBuffered(pool: Pool, functionArn: string, payload: unknown): Promise<unknown> {
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

export async function invokeStreamed(pool: Pool, functionArn: string, payload: unknown): Promise<StreamedAnswer> {
  const { promise, resolve } = Promise.withResolvers<StreamedAnswer>();
  begin(pool, { functionArn, payload }, () => {
    const streamed = createStreamedInvocation();
    resolve(streamed.answer);
    return streamed.listener;
  });
  return promise;
}

function begin(pool: Pool, call: { functionArn: string; payload: unknown }, listen: () => InvocationListener): void {
  const fleet = findFleet(pool, call.functionArn);
  if (isAtLimit(pool, fleet)) throw new InvocationError(throttledFailure(fleet.part.reserved ?? pool.concurrency));
  const event = JSON.stringify(call.payload) ?? 'null';
  if (event.length > MAX_JSON_BYTES) throw new InvocationError(tooLargeFailure('RequestEntityTooLargeException'));

  const requestId = randomUUID();
  const invocation = { requestId, traceId: createTraceId(), event };
  const listener = listen();
  pool.inFlight.set(fleet, inFlight(pool, fleet) + 1);
  const done = (outcome: Outcome): void => {
    pool.inFlight.set(fleet, inFlight(pool, fleet) - 1);
    if ('failure' in outcome && !pool.closed) logFailure(pool, fleet.service, { requestId, failure: outcome.failure });
    listener.done(outcome);
  };
  fleet.take({
    fail: (failure) => done({ failure }),
    run(free) {
      const ended = pool.onInvocation(fleet.part);
      free.run(invocation, {
        ...listener,
        done(outcome) {
          ended();
          fleet.giveBack(free);
          done(outcome);
        },
      });
    },
  });
}

/** Concurrency that is reserved for a function is both its limit and lost to the others, which share the rest. */
function isAtLimit(pool: Pool, fleet: Fleet): boolean {
  const { reserved } = fleet.part;
  if (reserved !== null) return inFlight(pool, fleet) >= reserved;
  const sharing = pool.fleets.filter(({ part }) => part.reserved === null);
  const setAside = pool.fleets.reduce((sum, { part }) => sum + (part.reserved ?? 0), 0);
  return sharing.reduce((sum, one) => sum + inFlight(pool, one), 0) >= pool.concurrency - setAside;
}

function inFlight(pool: Pool, fleet: Fleet): number {
  return pool.inFlight.get(fleet) ?? 0;
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
  pool.logs.write(service, `${JSON.stringify(line)}\n`);
}

function createTraceId(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')};Sampled=0`;
}
