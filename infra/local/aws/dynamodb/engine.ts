import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { markOf, ProcessMark, stopProcess } from '../../processes.ts';
import { launchEngine, type EngineProcess } from './engine-process.ts';

/** The native DynamoDB engine, running on a file of the data folder. */
export interface Engine {
  /** A new connection to the engine that runs. @throws between its end and its next start */
  connect(): Promise<Socket>;
  pid(): number;
  stop(): Promise<void>;
}

interface EngineOptions {
  readonly dataDir: string;
  readonly report: (message: string) => void;
}

/** An engine that crashes more often has a broken file or machine, which another start does not mend. */
const MAX_RESTARTS_PER_MINUTE = 5;

/**
 * Starts the engine and starts it again if it dies. The engine syncs each commit to disk before it answers, so a write that
 * was acknowledged survives the death of the engine, of this runtime, or of both.
 */
export async function startEngine({ dataDir, report }: EngineOptions): Promise<Engine> {
  mkdirSync(dataDir, { recursive: true });
  const pidFile = join(dataDir, 'dynamodb.pid');
  await stopLeftover(pidFile);
  const launch = (): Promise<EngineProcess> => launchEngine(join(dataDir, 'dynamodb.sqlite'), report);
  const state = { engine: await launch(), stopping: false, endings: [] as readonly number[] };
  const restart = async (): Promise<void> => {
    const next = await launch();
    if (state.stopping) return void process.kill(next.pid, 'SIGTERM');
    state.engine = next;
    watch(next);
  };
  const watch = ({ child, pid }: EngineProcess): void => {
    writeFileSync(pidFile, JSON.stringify(markOf(pid)));
    child.once('exit', (code, signal) => {
      if (state.stopping) return;
      state.endings = [...state.endings.filter((at) => at > Date.now() - 60_000), Date.now()];
      const again = state.endings.length <= MAX_RESTARTS_PER_MINUTE;
      report(`the DynamoDB engine ended (${signal ?? `exit ${code}`}) and is ${again ? '' : 'not '}started again`);
      if (again) restart().catch((error: Error) => report(error.message));
    });
  };
  watch(state.engine);
  return {
    connect: () => state.engine.connect(),
    pid: () => state.engine.pid,
    stop: async () => {
      state.stopping = true;
      const mark = markOf(state.engine.pid);
      if (mark !== null) await stopProcess(mark);
      rmSync(pidFile, { force: true });
    },
  };
}

/**
 * Where the kernel could not kill the engine with its runtime, the next run finds it by the pid file, and stops it if it is
 * still the process that was written there. The runtime that started it is gone, because this one has locked the folder.
 */
async function stopLeftover(pidFile: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  const { success, data } = ProcessMark.safeParse(parseJson(readFileSync(pidFile, 'utf8')));
  if (success) await stopProcess(data);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A kill in the middle of a write leaves a torn file.
    return null;
  }
}
