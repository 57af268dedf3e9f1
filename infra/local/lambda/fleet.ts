import { randomBytes, randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Caller } from '../aws/service.ts';
import type { FunctionPart } from '../template/parts.ts';
import { functionEnvironment, serviceOf } from './environment.ts';
import type { LogFiles } from './log-files.ts';
import type { FunctionFailure } from './messages.ts';
import { startWorker, type FunctionWorker, type WorkerStart } from './start-worker.ts';

/** How many workers load at the same time: one per processor, because more would make each load slower. */
const MAX_LOADING = availableParallelism();
/** The weight of the latest duration in the moving average `usualMs`. */
const LATEST_WEIGHT = 0.2;
/** An invocation waits no longer than this for a worker that is busy with another invocation. */
const PATIENCE_MS = 2000;
const CHECK_MS = 25;
/** Idle workers of one function that are kept for long. */
const KEPT_IDLE = 2;

export interface FleetSurroundings {
  readonly region: string;
  readonly endpointUrl: string;
  readonly credentialsFor: (caller: Caller) => { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly logs: LogFiles;
  readonly code: URL;
  readonly isSaturated: () => boolean;
  readonly onLoad: (part: FunctionPart, initMs: number) => void;
}

/** An invocation that needs a worker. */
interface Waiting {
  run(worker: FunctionWorker): void;
  /** The worker that was started for it did not load. */
  fail(failure: FunctionFailure): void;
}

/** The workers of one function. */
export interface Fleet {
  readonly part: FunctionPart;
  readonly service: string;
  /** Gives it the most recently used idle worker, else the first that becomes free or has loaded. */
  take(waiting: Waiting): void;
  giveBack(worker: FunctionWorker): void;
  workers(): readonly FunctionWorker[];
  /** Ends workers that were idle for `idleMs`, and those beyond the few that are kept after `spareMs`. */
  reclaim(after: { readonly idleMs: number; readonly spareMs: number }): Promise<void>;
}

interface FleetState {
  readonly part: FunctionPart;
  readonly around: FleetSurroundings;
  readonly workers: Set<FunctionWorker>;
  readonly idle: { readonly worker: FunctionWorker; readonly since: number }[];
  readonly busySince: Map<FunctionWorker, number>;
  readonly waiting: { readonly next: Waiting; readonly since: number }[];
  readonly startWorker: (events: WorkerEvents) => FunctionWorker;
  loading: number;
  /** What the latest worker took to load the function. */
  initMs: number;
  /** Moving average of an invocation's duration. Infinite before the first one ends, because it may wait for a model. */
  usualMs: number;
  checking: boolean;
}

export function createFleet(part: FunctionPart, around: FleetSurroundings): Fleet {
  const fleet: FleetState = {
    part,
    around,
    workers: new Set(),
    idle: [],
    busySince: new Map(),
    waiting: [],
    startWorker: (events) => startFunctionWorker(part, around, events),
    loading: 0,
    initMs: 0,
    usualMs: Number.POSITIVE_INFINITY,
    checking: false,
  };
  return {
    part,
    service: serviceOf(part),
    take: (next) => take(fleet, next),
    giveBack: (worker) => giveBack(fleet, worker),
    workers: () => [...fleet.workers],
    async reclaim({ idleMs, spareMs }) {
      const now = Date.now();
      const spare = fleet.idle.length - KEPT_IDLE;
      // The longest idle come first.
      const kept = fleet.idle.findIndex(({ since }, index) => now - since < (index < spare ? spareMs : idleMs));
      const leaving = fleet.idle.splice(0, kept === -1 ? fleet.idle.length : kept);
      await Promise.all(leaving.map(({ worker }) => worker.kill()));
    },
  };
}

function take(fleet: FleetState, next: Waiting): void {
  for (let entry = fleet.idle.pop(); entry !== undefined; entry = fleet.idle.pop()) {
    if (entry.worker.isAlive()) return assign(fleet, next, entry.worker);
  }
  fleet.waiting.push({ next, since: performance.now() });
  startSome(fleet);
}

function giveBack(fleet: FleetState, worker: FunctionWorker): void {
  const since = fleet.busySince.get(worker);
  fleet.busySince.delete(worker);
  if (since !== undefined) fleet.usualMs = blend(fleet.usualMs, performance.now() - since);
  offer(fleet, worker);
}

function assign(fleet: FleetState, next: Waiting, worker: FunctionWorker): void {
  fleet.busySince.set(worker, performance.now());
  next.run(worker);
}

function offer(fleet: FleetState, worker: FunctionWorker): void {
  if (!worker.isAlive()) return;
  const first = fleet.waiting.shift();
  if (first === undefined) fleet.idle.push({ worker, since: Date.now() });
  else assign(fleet, first.next, worker);
}

function startSome(fleet: FleetState): void {
  if (fleet.waiting.length === 0) return;
  if (!isWorthLoading(fleet)) return checkLater(fleet);
  const wanted = Math.min(MAX_LOADING, fleet.waiting.length) - fleet.loading;
  for (let index = 0; index < wanted; index += 1) start(fleet);
}

/** Another worker is worth loading, unless a busy one will be free sooner or the processors are saturated. */
function isWorthLoading(fleet: FleetState): boolean {
  if (fleet.busySince.size === 0) return true;
  const oldest = fleet.waiting[0];
  if (oldest === undefined || performance.now() - oldest.since > PATIENCE_MS) return true;
  return !fleet.around.isSaturated() && !isOneSoonFree(fleet, fleet.initMs);
}

function isOneSoonFree({ usualMs, busySince }: FleetState, withinMs: number): boolean {
  const now = performance.now();
  return usualMs < withinMs && [...busySince.values()].some((since) => now - since < withinMs);
}

function checkLater(fleet: FleetState): void {
  if (fleet.checking) return;
  fleet.checking = true;
  const check = (): void => {
    fleet.checking = false;
    startSome(fleet);
  };
  setTimeout(check, CHECK_MS).unref();
}

function start(fleet: FleetState): void {
  fleet.loading += 1;
  const worker = fleet.startWorker({
    ready(ms) {
      fleet.loading -= 1;
      fleet.initMs = ms;
      fleet.around.onLoad(fleet.part, ms);
      offer(fleet, worker);
      startSome(fleet);
    },
    ended(failure, loaded) {
      fleet.workers.delete(worker);
      fleet.busySince.delete(worker);
      if (loaded) return;
      fleet.loading -= 1;
      fleet.waiting.shift()?.next.fail(failure);
      startSome(fleet);
    },
  });
  fleet.workers.add(worker);
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
    part,
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
