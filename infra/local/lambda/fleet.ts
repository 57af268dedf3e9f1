import { randomBytes, randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Caller, FunctionPart } from '../seams.ts';
import { functionEnvironment, logGroupOf, serviceOf } from './environment.ts';
import type { LogFiles } from './log-files.ts';
import type { FunctionFailure } from './messages.ts';
import { startWorker, type FunctionWorker, type WorkerStart } from './start-worker.ts';

/** Loading is work for a processor: more at once than there are would only make each take longer. */
const MAX_LOADING = availableParallelism();
/** Of the latest invocation's duration in what an invocation usually takes. */
const LATEST_WEIGHT = 0.2;
/** An invocation waits no longer than this for a worker that is busy with another. */
const PATIENCE_MS = 2000;
const CHECK_MS = 25;

export interface FleetSurroundings {
  readonly region: string;
  readonly endpointUrl: string;
  readonly credentialsFor: (caller: Caller) => { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly logs: LogFiles;
  readonly code: URL;
  readonly isSaturated: () => boolean;
}

/** An invocation that needs a worker. */
export interface Waiting {
  run(worker: FunctionWorker): void;
  /** The worker that was started for it did not load. */
  fail(failure: FunctionFailure): void;
}

/** The workers of one function. */
export interface Fleet {
  readonly part: FunctionPart;
  readonly service: string;
  /** How long each worker took to load the bundle. */
  readonly initMs: readonly number[];
  /** Gives it the most recently used idle worker, else the first that becomes free or has loaded. */
  take(waiting: Waiting): void;
  giveBack(worker: FunctionWorker): void;
  workers(): readonly FunctionWorker[];
  reclaim(idleSince: number): Promise<void>;
}

export function createFleet(part: FunctionPart, around: FleetSurroundings): Fleet {
  const service = serviceOf(part);
  const workers = new Set<FunctionWorker>();
  const idle: { readonly worker: FunctionWorker; readonly since: number }[] = [];
  const initMs: number[] = [];
  const waiting: { readonly next: Waiting; readonly since: number }[] = [];
  const busySince = new Map<FunctionWorker, number>();
  let loading = 0;
  /** Until it is known, an invocation may take as long as a model needs to answer. */
  let usualMs = Number.POSITIVE_INFINITY;
  let checking = false;

  /** Another worker is worth its loading unless one will be free sooner, or the processors have nothing to give it. */
  const isWorthLoading = (): boolean => {
    if (busySince.size === 0) return true;
    const oldest = waiting[0];
    if (oldest === undefined || performance.now() - oldest.since > PATIENCE_MS) return true;
    return !around.isSaturated() && !isOneSoonFree(initMs.at(-1) ?? 0);
  };
  const isOneSoonFree = (withinMs: number): boolean => {
    const now = performance.now();
    return usualMs < withinMs && [...busySince.values()].some((since) => now - since < withinMs);
  };
  const startSome = (): void => {
    if (waiting.length === 0) return;
    if (isWorthLoading()) while (loading < MAX_LOADING && loading < waiting.length) start();
    else checkLater();
  };
  const checkLater = (): void => {
    if (checking) return;
    checking = true;
    const check = (): void => {
      checking = false;
      startSome();
    };
    setTimeout(check, CHECK_MS).unref();
  };
  const assign = (next: Waiting, worker: FunctionWorker): void => {
    busySince.set(worker, performance.now());
    next.run(worker);
  };
  const offer = (worker: FunctionWorker): void => {
    if (!worker.isAlive()) return;
    const first = waiting.shift();
    if (first === undefined) idle.push({ worker, since: Date.now() });
    else assign(first.next, worker);
  };
  const start = (): void => {
    loading += 1;
    const worker = startFunctionWorker(part, around, {
      ready(ms) {
        loading -= 1;
        initMs.push(ms);
        offer(worker);
        startSome();
      },
      ended(failure, loaded) {
        workers.delete(worker);
        busySince.delete(worker);
        if (loaded) return;
        loading -= 1;
        waiting.shift()?.next.fail(failure);
        startSome();
      },
    });
    workers.add(worker);
  };
  return {
    part,
    service,
    initMs,
    take(next) {
      for (let entry = idle.pop(); entry !== undefined; entry = idle.pop()) {
        if (entry.worker.isAlive()) return assign(next, entry.worker);
      }
      waiting.push({ next, since: performance.now() });
      startSome();
    },
    giveBack(worker) {
      const since = busySince.get(worker);
      busySince.delete(worker);
      if (since !== undefined) usualMs = blend(usualMs, performance.now() - since);
      offer(worker);
    },
    workers: () => [...workers],
    async reclaim(idleSince) {
      const kept = idle.findIndex(({ since }) => since > idleSince);
      const leaving = idle.splice(0, kept === -1 ? idle.length : kept);
      await Promise.all(leaving.map(({ worker }) => worker.kill()));
    },
  };
}

type WorkerEvents = Pick<WorkerStart, 'ready' | 'ended'>;

function startFunctionWorker(part: FunctionPart, around: FleetSurroundings, events: WorkerEvents): FunctionWorker {
  const id = randomUUID();
  const service = serviceOf(part);
  const logStream = `[$LATEST]${randomBytes(16).toString('hex')}`;
  const caller = { functionName: part.name, roleArn: part.roleArn, worker: id };
  return startWorker({
    id,
    code: around.code,
    settings: {
      codeDir: part.codeDir,
      handler: part.handler,
      functionName: part.name,
      functionArn: part.arn,
      memoryMb: part.memoryMb,
      logGroup: logGroupOf(part),
      logStream,
    },
    environment: functionEnvironment(part, {
      region: around.region,
      endpointUrl: around.endpointUrl,
      ...around.credentialsFor(caller),
      logStream,
    }),
    write: (text) => around.logs.write(service, text),
    ...events,
  });
}

function blend(usualMs: number, latestMs: number): number {
  return Number.isFinite(usualMs) ? usualMs + (latestMs - usualMs) * LATEST_WEIGHT : latestMs;
}
