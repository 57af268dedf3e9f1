import { randomBytes, randomUUID } from 'node:crypto';
import type { Caller, FunctionPart } from '../seams.ts';
import { functionEnvironment, logGroupOf, serviceOf } from './environment.ts';
import type { LogFiles } from './log-files.ts';
import { startWorker, type FunctionWorker } from './start-worker.ts';

export interface FleetSurroundings {
  readonly region: string;
  readonly endpointUrl: string;
  readonly credentialsFor: (caller: Caller) => { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly logs: LogFiles;
  readonly code: URL;
}

/** The workers of one function. */
export interface Fleet {
  readonly part: FunctionPart;
  readonly service: string;
  /** How long each worker took to load the bundle. */
  readonly initMs: readonly number[];
  /** The most recently used idle worker, or a new one. */
  take(): FunctionWorker;
  giveBack(worker: FunctionWorker): void;
  workers(): readonly FunctionWorker[];
  reclaim(idleSince: number): Promise<void>;
}

export function createFleet(part: FunctionPart, around: FleetSurroundings): Fleet {
  const service = serviceOf(part);
  const workers = new Set<FunctionWorker>();
  const idle: { readonly worker: FunctionWorker; readonly since: number }[] = [];
  const initMs: number[] = [];
  const start = (): FunctionWorker => {
    const worker = startFunctionWorker(part, around, {
      ready: (ms) => initMs.push(ms),
      ended: () => workers.delete(worker),
    });
    workers.add(worker);
    return worker;
  };
  return {
    part,
    service,
    initMs,
    take() {
      for (let entry = idle.pop(); entry !== undefined; entry = idle.pop()) {
        if (entry.worker.isAlive()) return entry.worker;
      }
      return start();
    },
    giveBack(worker) {
      if (worker.isAlive()) idle.push({ worker, since: Date.now() });
    },
    workers: () => [...workers],
    async reclaim(idleSince) {
      const kept = idle.findIndex(({ since }) => since > idleSince);
      const leaving = idle.splice(0, kept === -1 ? idle.length : kept);
      await Promise.all(leaving.map(({ worker }) => worker.kill()));
    },
  };
}

interface WorkerEvents {
  readonly ready: (initMs: number) => void;
  readonly ended: () => void;
}

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
