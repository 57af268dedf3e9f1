/**
 * Runs the template's functions as Lambda does: each invocation alone in a worker, a worker kept warm for the next
 * one, the most recently used first, and ended after a long idle time; those that are more than a few after seconds,
 * because each takes tens of megabytes of this machine.
 */
import type { FunctionPart, Template } from '../template/parts.ts';
import type { StreamedAnswer } from './body-stream.ts';
import { createFleet, type Fleet, type FleetSurroundings } from './fleet.ts';
import { invokeBuffered, invokeStreamed, type Pool } from './invocation.ts';
import type { Invoke } from './invoke.ts';
import { createSaturation } from './saturation.ts';
import type { FunctionWorker } from './start-worker.ts';
import { workerCodeUrl } from './worker-code.ts';

const CONCURRENCY = 1_000;
const IDLE_MS = 5 * 60_000;
const SPARE_MS = 3000;

export interface PoolOptions extends Pick<FleetSurroundings, 'endpointUrl' | 'credentialsFor' | 'logs'> {
  readonly template: Pick<Template, 'functions' | 'region'>;
  readonly concurrency?: number;
  readonly idleMs?: number;
  /** How long a worker stays idle beside others that are kept for the next invocations. */
  readonly spareMs?: number;
  /** Called when a worker has loaded its function. */
  readonly onLoad?: (part: FunctionPart, initMs: number) => void;
  /** Called when a loaded worker begins an invocation; the result is called when the invocation ends. */
  readonly onInvocation?: (part: FunctionPart) => () => void;
}

export interface LambdaPool {
  readonly invoke: Invoke;
  /** @throws as `invoke` does, also when the function fails before its first byte. */
  stream(functionArn: string, payload: unknown): Promise<StreamedAnswer>;
  /** Ends a worker by its id, or every worker of a function (name, ARN or service). Resolves when they are gone. */
  kill(target: string): Promise<number>;
  /** The request a worker is busy with. */
  requestOf(worker: string): string | null;
  close(): Promise<void>;
}

export function createPool(options: PoolOptions): LambdaPool {
  const around = {
    ...options,
    region: options.template.region,
    code: workerCodeUrl(),
    isSaturated: createSaturation(),
    onLoad: options.onLoad ?? (() => undefined),
  };
  const fleets = options.template.functions.map((part) => createFleet(part, around));
  const pool: Pool = {
    concurrency: options.concurrency ?? CONCURRENCY,
    logs: options.logs,
    fleets,
    byName: indexByName(fleets),
    onInvocation: options.onInvocation ?? (() => () => undefined),
    inFlight: new Map(),
    closed: false,
  };
  const { idleMs = IDLE_MS, spareMs = SPARE_MS } = options;
  const reclaim = (): unknown => Promise.all(fleets.map((fleet) => fleet.reclaim({ idleMs, spareMs })));
  const reclaiming = setInterval(reclaim, Math.min(idleMs, spareMs)).unref();
  return {
    invoke: (functionArn, payload) => invokeBuffered(pool, functionArn, payload),
    stream: (functionArn, payload) => invokeStreamed(pool, functionArn, payload),
    kill: (target) => killWorkers(pool, target),
    requestOf: (id) =>
      allWorkers(pool)
        .find((worker) => worker.id === id)
        ?.current() ?? null,
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

async function killWorkers(pool: Pool, target: string): Promise<number> {
  const fleet = pool.byName.get(target);
  const workers = fleet?.workers() ?? allWorkers(pool).filter((worker) => worker.id === target);
  await Promise.all(workers.map((worker) => worker.kill()));
  return workers.length;
}

function allWorkers(pool: Pool): readonly FunctionWorker[] {
  return pool.fleets.flatMap((fleet) => fleet.workers());
}
