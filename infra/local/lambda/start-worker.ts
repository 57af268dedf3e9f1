import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import { diedFailure, timedOutFailure } from './failure.ts';
import type { FunctionPart } from '../template/parts.ts';
import { serviceOf } from './environment.ts';
import type { FromWorker, FunctionFailure, ToWorker, WorkerSettings } from './messages.ts';

/** Lambda gives a function ten seconds to load before it gives up. */
const INIT_LIMIT_MS = 10_000;
/** A third of what V8 takes by itself: a worker that waits holds that memory. */
const YOUNG_MB = 16;

export interface WorkerStart {
  readonly id: string;
  readonly code: URL;
  readonly part: FunctionPart;
  readonly environment: Record<string, string>;
  readonly write: (text: Uint8Array) => void;
  readonly ready: (initMs: number) => void;
  /** `loaded` tells whether it was ever ready. */
  readonly ended: (failure: FunctionFailure, loaded: boolean) => void;
}

interface Invocation {
  readonly requestId: string;
  readonly traceId: string;
  readonly event: string;
}

/** What becomes of an invocation. `done` comes exactly once, also when the worker dies. */
export interface InvocationListener {
  head(metadata: string): void;
  chunk(bytes: Uint8Array, taken: () => void): void;
  end(): void;
  done(outcome: Outcome): void;
}

export type Outcome = { readonly body: string } | { readonly failure: FunctionFailure };

export interface FunctionWorker {
  readonly id: string;
  /** The request it works on. */
  current(): string | null;
  run(invocation: Invocation, listener: InvocationListener): void;
  /** Ends the thread between two instructions, as a machine that loses power. Resolves when nothing of it runs. */
  kill(): Promise<void>;
  isAlive(): boolean;
}

interface Thread {
  readonly worker: Worker;
  running: { readonly invocation: Invocation; readonly listener: InvocationListener } | null;
  state: 'loading' | 'ready' | 'dead';
  timer: NodeJS.Timeout | null;
  /** Why it ends, once something other than its own code decided so. */
  ending: FunctionFailure | null;
}

export function startWorker(start: WorkerStart): FunctionWorker {
  const thread = startThread(start);
  watch(thread, start);
  return {
    id: start.id,
    current: () => thread.running?.invocation.requestId ?? null,
    isAlive: () => thread.state !== 'dead',
    run(invocation, listener) {
      thread.running = { invocation, listener };
      beginInvocation(thread, start.part);
    },
    kill: () => end(thread, diedFailure('it was killed')),
  };
}

function startThread(start: WorkerStart): Thread {
  const worker = new Worker(start.code, {
    name: serviceOf(start.part),
    env: start.environment,
    workerData: { compileCache: getCompileCacheDir() } satisfies WorkerSettings,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: start.part.memoryMb, maxYoungGenerationSizeMb: YOUNG_MB },
  });
  return { worker, running: null, state: 'loading', timer: null, ending: null };
}

function watch(thread: Thread, start: WorkerStart): void {
  const { worker } = thread;
  worker.stdout.on('data', start.write);
  worker.stderr.on('data', start.write);
  worker.on('message', (message: FromWorker) => receive(thread, start, message));
  worker.on('error', (error: NodeJS.ErrnoException) => {
    thread.ending ??= diedFailure(error.code ?? error.name);
  });
  worker.on('exit', (code) => {
    const loaded = thread.state === 'ready';
    const failure = thread.ending ?? diedFailure(`it exited with code ${code}`);
    thread.state = 'dead';
    start.ended(failure, loaded);
    finish(thread, { failure });
  });
  thread.timer = setTimeout(() => void end(thread, timedOutFailure(INIT_LIMIT_MS)), INIT_LIMIT_MS);
}

function receive(thread: Thread, start: WorkerStart, message: FromWorker): void {
  switch (message.type) {
    case 'ready':
      becomeReady(thread);
      return start.ready(message.initMs);
    case 'unready':
      return void end(thread, message.failure);
    case 'head':
      return thread.running?.listener.head(message.metadata);
    case 'chunk':
      return thread.running?.listener.chunk(message.bytes, () => send(thread, { type: 'taken' }));
    case 'end':
      return thread.running?.listener.end();
    case 'result':
      return finish(thread, { body: message.body });
    case 'failed':
      return finish(thread, { failure: message.failure });
    default:
      message satisfies never;
  }
}

function becomeReady(thread: Thread): void {
  if (thread.timer !== null) clearTimeout(thread.timer);
  thread.timer = null;
  if (thread.state === 'loading') thread.state = 'ready';
}

function beginInvocation(thread: Thread, { arn: functionArn, timeoutMs }: FunctionPart): void {
  if (thread.running === null) return;
  thread.timer = setTimeout(() => void end(thread, timedOutFailure(timeoutMs)), timeoutMs);
  const deadlineMs = Date.now() + timeoutMs;
  send(thread, { type: 'invoke', ...thread.running.invocation, functionArn, deadlineMs });
}

function finish(thread: Thread, outcome: Outcome): void {
  if (thread.timer !== null) clearTimeout(thread.timer);
  thread.timer = null;
  const { running } = thread;
  thread.running = null;
  running?.listener.done(outcome);
}

async function end(thread: Thread, failure: FunctionFailure): Promise<void> {
  thread.ending ??= failure;
  await thread.worker.terminate();
}

function send(thread: Thread, message: ToWorker): void {
  if (thread.state === 'ready') thread.worker.postMessage(message);
}
