import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { diesWithThis, markOf, ProcessMark, stopProcess } from '../../processes.ts';

/** The native DynamoDB engine, running on a file of the data folder. */
interface Engine {
  /** Changes with each start of the engine. */
  url(): string;
  pid(): number;
  stop(): Promise<void>;
}

interface EngineOptions {
  readonly dataDir: string;
  readonly report: (message: string) => void;
}

/** An engine that crashes more often has a broken file or machine, which another start does not mend. */
const MAX_RESTARTS_PER_MINUTE = 5;

/** Below the ports that the system gives to connections, and above those of well-known services. */
const PORTS = { first: 15_000, end: 30_000 } as const;

interface Started {
  readonly child: ChildProcess;
  readonly port: number;
}

/**
 * Starts the engine and starts it again if it dies. The engine syncs each commit to disk before it answers, so a write that
 * was acknowledged survives the death of the engine, of this runtime, or of both.
 */
export async function startEngine({ dataDir, report }: EngineOptions): Promise<Engine> {
  mkdirSync(dataDir, { recursive: true });
  const pidFile = join(dataDir, 'dynamodb.pid');
  await stopLeftover(pidFile);
  const state = { ...(await launch(dataDir)), stopping: false, endings: [] as readonly number[] };
  const restart = async (): Promise<void> => {
    const next = await launch(dataDir);
    if (state.stopping) return void next.child.kill('SIGTERM');
    Object.assign(state, next);
    watch(next.child);
  };
  const watch = (child: ChildProcess): void => {
    writeFileSync(pidFile, JSON.stringify(markOf(pidOf(child))));
    child.once('exit', (code, signal) => {
      if (state.stopping) return;
      state.endings = [...state.endings.filter((at) => at > Date.now() - 60_000), Date.now()];
      const again = state.endings.length <= MAX_RESTARTS_PER_MINUTE;
      report(`the DynamoDB engine ended (${signal ?? `exit ${code}`}) and is ${again ? '' : 'not '}started again`);
      if (again) restart().catch((error: Error) => report(error.message));
    });
  };
  watch(state.child);
  return {
    url: () => `http://127.0.0.1:${state.port}`,
    pid: () => pidOf(state.child),
    stop: async () => {
      state.stopping = true;
      const mark = markOf(pidOf(state.child));
      if (mark !== null) await stopProcess(mark);
      rmSync(pidFile, { force: true });
    },
  };
}

/** The engine does not tell which port the system gave it, so this tries random ports until one is free. */
async function launch(dataDir: string): Promise<Started> {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.end);
    try {
      return { child: await launchAt(port, dataDir), port };
    } catch (error) {
      if (!(error instanceof Error && /in use/i.test(error.message))) throw error;
    }
  }
}

/** @throws when no engine exists for this machine; the message says what to do instead */
export function engineBinary(): string {
  try {
    const require = createRequire(import.meta.url);
    return join(dirname(require.resolve('@dynoxide/linux-x64/package.json')), 'dynoxide');
  } catch (cause) {
    throw new Error(
      `there is no native DynamoDB engine for ${process.platform}-${process.arch}: start DynamoDB Local (or any other ` +
        'endpoint) and give its address in AWS_ENDPOINT_URL_DYNAMODB',
      { cause },
    );
  }
}

/** In a process group of its own, so that Ctrl-C in a terminal reaches the runtime alone, which stops the engine in order. */
function launchAt(port: number, dataDir: string): Promise<ChildProcess> {
  const serve = ['serve', '--host', '127.0.0.1', '--port', String(port), '--db-path', join(dataDir, 'dynamodb.sqlite')];
  const [command, args] = diesWithThis(engineBinary(), serve);
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true, env: {} });
  return new Promise((ready, failed) => {
    const said: string[] = [];
    const listen = (chunk: Buffer): void => {
      said.push(chunk.toString());
      if (said.join('').includes('listening on')) ready(child);
    };
    child.stderr.on('data', listen);
    child.once('error', failed);
    child.once('exit', (code) =>
      failed(new Error(`the DynamoDB engine did not start (exit ${code}): ${said.join('').trim()}`)),
    );
  });
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

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the DynamoDB engine has no process');
  return child.pid;
}
