/** Knowing a process again after a restart: the system may have given its id to another process since. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';

export const ProcessMark = z.object({
  pid: z.int(),
  /** Start time in clock ticks since boot: with the id, it names one process for as long as the machine runs. */
  startedAt: z.string(),
});
export type ProcessMark = z.infer<typeof ProcessMark>;

/** Null when there is no such process, or when it has ended and its parent has not collected it yet. */
export function markOf(pid: number): ProcessMark | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name stands in parentheses and may hold anything, so fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    const startedAt = fields[19];
    return startedAt === undefined || state === 'Z' || state === 'X' ? null : { pid, startedAt };
  } catch {
    return null;
  }
}

export function isAlive(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.startedAt === mark.startedAt;
}

/**
 * The command with which the kernel kills a program when this process dies, however it dies; the command alone on a machine
 * without `setpriv`.
 */
export function diesWithThis(command: string, args: readonly string[]): readonly [string, readonly string[]] {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));
  return setpriv === undefined ? [command, args] : [setpriv, ['--pdeathsig', 'KILL', '--', command, ...args]];
}

/** Ends a process that this runtime, or an earlier run of it, has started: politely, then by force. */
export async function stopProcess(mark: ProcessMark): Promise<void> {
  for (const [signal, patienceMs] of [
    ['SIGTERM', 2_000],
    ['SIGKILL', 2_000],
  ] as const) {
    if (!isAlive(mark)) return;
    process.kill(mark.pid, signal);
    const deadline = Date.now() + patienceMs;
    while (isAlive(mark) && Date.now() < deadline) await sleep(5);
  }
  if (isAlive(mark)) throw new Error(`process ${mark.pid} does not stop`);
}
