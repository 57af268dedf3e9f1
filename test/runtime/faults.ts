/** Faults that tests inject, and a record of the functions' AWS calls. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AroundCall, AwsRequest, AwsResponse } from '#infra/local/aws/service.ts';
import { AwsFault, faultAnswer } from '#infra/local/aws/wire.ts';
import type { Controls } from '#infra/local/runtime.ts';
import { measured, type Consumed, type Measured } from './capacity.ts';

/** A long-running service keeps only the latest. */
const MAX_TRACED = 10_000;

export interface TracedCall {
  /** The function's entry name. */
  readonly function: string;
  readonly worker: string;
  /** The invocation that made the call; null while a function loads. */
  readonly request: string | null;
  /** `dynamodb:PutItem` */
  readonly call: string;
  readonly atMs: number;
  /** When it was answered; null while it is not. */
  doneMs: number | null;
  /** The HTTP status of its answer; null while it is not answered. */
  status: number | null;
  /** The DynamoDB capacity that it consumed; null for other calls, and until it is answered. */
  consumed: Consumed | null;
}

export interface KillDuring {
  /** Entry name, for example `harness`. */
  readonly function: string;
  /** Counts only calls like this one: `dynamodb:PutItem`. Default: all. */
  readonly of?: string;
  /** Which of them from now on, counted from 1 over all the function's workers. */
  readonly call: number;
  /** `before`: the call has no effect. `after`: the call has its effect, and the worker ends before the answer comes. */
  readonly phase: 'before' | 'after';
}

export interface Faults {
  /** Kills the worker that makes the given call. Resolves with that call when the worker is gone. */
  killDuring(kill: KillDuring): Promise<TracedCall>;
  /** Kills every worker of a function (by entry name, name or ARN), or one worker by its id, now. */
  kill(target: string): Promise<number>;
  /** Holds back each of these calls until disarmed: `harness dynamodb:PutItem`, `dynamodb:PutItem`, or all of `dynamodb`. */
  delay(call: string, ms: number): void;
  /** Answers the next so many of these calls with a throttling error. */
  throttle(call: string, times: number): void;
  /** Kills a sandbox by its task's ARN, or all of them. */
  loseSandbox(taskArn?: string): Promise<number>;
  /**
   * Fails the looks of the stream that follows this session; where two follow it, of none. Lambda does not tell a
   * stream that its client has left, so each would hold a worker for seconds, and the next stream would load another.
   */
  leaveStream(session: string): void;
  /** The AWS calls of all functions in order, since start or since the last `disarm`. */
  trace(): readonly TracedCall[];
  /** Takes back every fault that has not fired, and empties the trace. */
  disarm(): void;
}

interface ArmedKill extends KillDuring {
  readonly fired: (call: TracedCall) => void;
  seen: number;
}

/** What a worker of the stream function reads. */
interface Followed {
  readonly request: string | null;
  readonly session: string;
}

interface Armed {
  /** By worker: the session of its latest call. */
  readonly followed: Map<string, Followed>;
  /** The stream function's requests whose clients have left. */
  readonly left: Set<string>;
  kills: ArmedKill[];
  readonly delays: Map<string, number>;
  readonly throttles: Map<string, number>;
  trace: TracedCall[];
}

export function createFaults(controls: Controls): Faults & { readonly aroundCall: AroundCall } {
  const armed: Armed = {
    ...{ followed: new Map(), left: new Set() },
    ...{ kills: [], delays: new Map(), throttles: new Map(), trace: [] },
  };
  return {
    aroundCall: (request, pass) => answer(armed, controls, { request, pass }),
    killDuring: (kill) =>
      new Promise((resolve) => {
        armed.kills.push({ ...kill, fired: resolve, seen: 0 });
      }),
    kill: controls.kill,
    delay: (call, ms) => void armed.delays.set(call, ms),
    throttle: (call, times) => void armed.throttles.set(call, times),
    loseSandbox: controls.loseSandbox,
    leaveStream(session) {
      const streams = [...armed.followed].filter(
        ([worker, one]) => one.session === session && one.request === controls.requestOf(worker),
      );
      const request = streams[0]?.[1].request ?? null;
      if (request !== null && streams.length === 1) armed.left.add(request);
    },
    trace: () => [...armed.trace],
    disarm() {
      armed.kills = [];
      armed.trace = [];
      armed.delays.clear();
      armed.throttles.clear();
    },
  };
}

interface Call {
  readonly request: AwsRequest;
  readonly pass: (request: AwsRequest) => Promise<AwsResponse>;
}

async function answer(armed: Armed, controls: Controls, { request, pass }: Call): Promise<AwsResponse> {
  const call = traceCall(request, controls);
  armed.trace.push(call);
  if (armed.trace.length > MAX_TRACED) armed.trace.splice(0, MAX_TRACED / 2);
  if (call.function === 'stream' && hasLeft(armed, call, request)) {
    return faultAnswer(request.service, new AwsFault('AccessDeniedException', 'the client has left', 400));
  }
  const kill = findKill(armed, call);
  if (kill?.phase === 'before') {
    await fire(kill, request, controls);
    call.doneMs = nowMs();
    return unavailable(request);
  }
  const delayMs =
    armed.delays.get(`${call.function} ${call.call}`) ??
    armed.delays.get(call.call) ??
    armed.delays.get(request.service);
  if (delayMs !== undefined) await sleep(delayMs);
  const { consumed, ...response } = throttled(armed, request, call.call) ?? (await measured(request, pass));
  call.doneMs = nowMs();
  call.status = response.status;
  call.consumed = consumed ?? null;
  if (kill !== undefined) await fire(kill, request, controls);
  return response;
}

function hasLeft({ followed, left }: Armed, { worker, request }: TracedCall, { body }: AwsRequest): boolean {
  const [session] = /sesn_\w+/.exec(String(body)) ?? [];
  if (session !== undefined) followed.set(worker, { request, session });
  return request !== null && left.has(request);
}

function traceCall(request: AwsRequest, controls: Controls): TracedCall {
  const { functionName, worker } = request.caller;
  return {
    function: controls.entryOf(functionName),
    worker,
    request: controls.requestOf(worker),
    call: `${request.service}:${request.operation}`,
    atMs: nowMs(),
    doneMs: null,
    status: null,
    consumed: null,
  };
}

/** Counts the call for every armed kill that it concerns, and returns the kill that is due. */
function findKill(armed: Armed, made: TracedCall): ArmedKill | undefined {
  const counting = armed.kills.filter(
    (kill) => kill.function === made.function && (kill.of ?? made.call) === made.call,
  );
  for (const kill of counting) kill.seen += 1;
  const kill = counting.find(({ seen, call }) => seen === call);
  armed.kills = armed.kills.filter((other) => other !== kill);
  return kill;
}

async function fire(kill: ArmedKill, request: AwsRequest, controls: Controls): Promise<void> {
  const call = traceCall(request, controls);
  await controls.kill(request.caller.worker);
  kill.fired(call);
}

function throttled(armed: Armed, request: AwsRequest, call: string): Measured | null {
  const key = armed.throttles.has(call) ? call : request.service;
  const left = armed.throttles.get(key) ?? 0;
  if (left === 0) return null;
  armed.throttles.set(key, left - 1);
  return faultAnswer(request.service, new AwsFault('ThrottlingException', 'Rate exceeded'));
}

/** A response that is not read, because the worker that called is dead. */
function unavailable(request: AwsRequest): AwsResponse {
  return faultAnswer(request.service, new AwsFault('ServiceUnavailable', 'the caller was killed', 503));
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
