/** Faults for tests and demonstrations, and a record of what functions asked of AWS. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsFault, faultAnswer } from './aws/wire.ts';
import type { AwsRequest, AwsResponse, CallHook, Consumed } from './aws/service.ts';

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
  /** What it consumed of DynamoDB; null for other calls, and until it is answered. */
  consumed: Consumed | null;
}

export interface KillDuring {
  /** Entry name, for example `harness`. */
  readonly function: string;
  /** Counts only calls like this one: `dynamodb:PutItem`. Default: all. */
  readonly of?: string;
  /** Which of them from now on, counted from 1 over all the function's workers. */
  readonly call: number;
  /** `before`: the call has no effect. `after`: it has, and nobody hears of it. */
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
  /** The AWS calls of all functions in order, since start or since the last `disarm`. */
  trace(): readonly TracedCall[];
  /** Takes back every fault that has not fired, and empties the trace. */
  disarm(): void;
}

interface FaultsOptions {
  readonly serviceOf: (functionName: string) => string;
  readonly requestOf: (worker: string) => string | null;
  readonly kill: (target: string) => Promise<number>;
  readonly loseSandbox: (taskArn?: string) => Promise<number>;
}

interface ArmedKill extends KillDuring {
  readonly fired: (call: TracedCall) => void;
  seen: number;
}

interface Armed {
  kills: ArmedKill[];
  readonly delays: Map<string, number>;
  readonly throttles: Map<string, number>;
  trace: TracedCall[];
}

export function createFaults(options: FaultsOptions): Faults & { readonly hooks: CallHook } {
  const armed: Armed = { kills: [], delays: new Map(), throttles: new Map(), trace: [] };
  const due = new WeakMap<AwsRequest, ArmedKill>();
  const traced = new WeakMap<AwsRequest, TracedCall>();
  return {
    hooks: {
      before: (request) => before(armed, request, { options, due, traced }),
      after: async (request, response) => {
        const call = traced.get(request);
        if (call !== undefined) {
          call.doneMs = nowMs();
          call.consumed = response.consumed ?? null;
        }
        const kill = due.get(request);
        if (kill !== undefined) await fire(kill, request, options);
      },
    },
    killDuring: (kill) =>
      new Promise((resolve) => {
        armed.kills.push({ ...kill, fired: resolve, seen: 0 });
      }),
    kill: options.kill,
    delay: (call, ms) => void armed.delays.set(call, ms),
    throttle: (call, times) => void armed.throttles.set(call, times),
    loseSandbox: options.loseSandbox,
    trace: () => [...armed.trace],
    disarm() {
      armed.kills = [];
      armed.trace = [];
      armed.delays.clear();
      armed.throttles.clear();
    },
  };
}

interface Context {
  readonly options: FaultsOptions;
  /** Kills that wait for their call's answer. */
  readonly due: WeakMap<AwsRequest, ArmedKill>;
  /** Calls that wait for their answer. */
  readonly traced: WeakMap<AwsRequest, TracedCall>;
}

async function before(
  armed: Armed,
  request: AwsRequest,
  { options, due, traced }: Context,
): Promise<AwsResponse | null> {
  const call = traceCall(request, options);
  traced.set(request, call);
  armed.trace.push(call);
  if (armed.trace.length > MAX_TRACED) armed.trace.splice(0, MAX_TRACED / 2);
  const kill = findKill(armed, call);
  if (kill?.phase === 'after') due.set(request, kill);
  if (kill?.phase === 'before') {
    await fire(kill, request, options);
    return unavailable(request);
  }
  const delayMs =
    armed.delays.get(`${call.function} ${call.call}`) ??
    armed.delays.get(call.call) ??
    armed.delays.get(request.service);
  if (delayMs !== undefined) await sleep(delayMs);
  return throttled(armed, request, call.call);
}

function traceCall(request: AwsRequest, options: FaultsOptions): TracedCall {
  const { functionName, worker } = request.caller;
  return {
    function: options.serviceOf(functionName),
    worker,
    request: options.requestOf(worker),
    call: `${request.service}:${request.operation}`,
    atMs: nowMs(),
    doneMs: null,
    consumed: null,
  };
}

/** Counts the call for every armed kill that it concerns, and takes the one whose turn it is. */
function findKill(armed: Armed, made: TracedCall): ArmedKill | undefined {
  const counting = armed.kills.filter(
    (kill) => kill.function === made.function && (kill.of ?? made.call) === made.call,
  );
  for (const kill of counting) kill.seen += 1;
  const kill = counting.find(({ seen, call }) => seen === call);
  armed.kills = armed.kills.filter((other) => other !== kill);
  return kill;
}

async function fire(kill: ArmedKill, request: AwsRequest, options: FaultsOptions): Promise<void> {
  const call = traceCall(request, options);
  await options.kill(request.caller.worker);
  kill.fired(call);
}

function throttled(armed: Armed, request: AwsRequest, call: string): AwsResponse | null {
  const key = armed.throttles.has(call) ? call : request.service;
  const left = armed.throttles.get(key) ?? 0;
  if (left === 0) return null;
  armed.throttles.set(key, left - 1);
  return faultAnswer(request.service, new AwsFault('ThrottlingException', 'Rate exceeded'));
}

/** For nobody: the worker that asked is dead. */
function unavailable(request: AwsRequest): AwsResponse {
  return faultAnswer(request.service, new AwsFault('ServiceUnavailable', 'the caller was killed', 503));
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
