import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { TaskLimit } from './task-limits.ts';
import type { RunningContainer } from './runner.ts';

const STOP_GRACE_MS = 5_000;

interface ChildStart {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workDir?: string;
  /** Null where nothing is limited. */
  readonly limit: TaskLimit | null;
  readonly write: (text: Uint8Array) => void;
}

interface Child {
  readonly process: ChildProcess;
  /** Rejects where the command could not be started. */
  readonly exited: Promise<number>;
}

/** Starts a program in a session of its own: Ctrl-C in the terminal is for the runtime, which then stops it in order. */
export function startChild(start: ChildStart): Child {
  const [command, args] = withinLimit(start);
  const child = spawn(command, args, {
    env: start.environment,
    ...(start.workDir === undefined ? {} : { cwd: start.workDir }),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdout.on('data', start.write);
  child.stderr.on('data', start.write);
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      start.limit?.remove();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  // A caller that awaits `exited` hears of a failed start; until then the rejection must not count as unhandled.
  exited.catch(() => undefined);
  return { process: child, exited };
}

/** A shell enters the cgroups and becomes the program, so that no process of it is ever outside. */
function withinLimit({ command, arguments: args, limit }: ChildStart): readonly [string, readonly string[]] {
  if (limit === null) return [command, args];
  const enter = 'for file in $0; do echo $$ > "$file" || exit; done; exec "$@"';
  return ['/bin/sh', ['-c', enter, limit.procsFiles.join(' '), command, ...args]];
}

interface Signals {
  /** Sends the signal that a program may take its time for. */
  ask(): void;
  /** Sends the signal that a program cannot refuse. */
  kill(): void;
}

/** Resolves when the container's server was reached, and kills the container when it cannot be reached. */
export async function contain(
  reached: Promise<{ readonly exited: Promise<number> }>,
  { ask, kill }: Signals,
): Promise<RunningContainer> {
  const { exited } = await reached.catch((error: unknown) => {
    kill();
    throw error;
  });
  const end = async (first: () => void): Promise<void> => {
    first();
    const timer = setTimeout(kill, STOP_GRACE_MS);
    await exited.catch(() => undefined);
    clearTimeout(timer);
  };
  return { exited, stop: () => end(ask), kill: () => end(kill) };
}

/** Sends a signal to a process that may be gone already. */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
