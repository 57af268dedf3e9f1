/** How many tasks this machine can hold at once. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** What the server of a sandbox and its shell need without a command. */
const TASK_MB = 100;
/** Processes and threads of the same. */
const TASK_PROCESSES = 20;

/** Half of the memory is the sandboxes'; the other half is for what runs in them, the functions and the rest. */
export function roomForTasks(memoryBytes = totalmem(), processes = processLimit()): number {
  const byMemory = Math.floor(memoryBytes / 2 / (TASK_MB * 1024 * 1024));
  const byProcesses = Math.floor(processes / 2 / TASK_PROCESSES);
  return Math.max(1, Math.min(byMemory, byProcesses));
}

/** How many processes and threads this user may have. */
export function processLimit(): number {
  try {
    const [, soft] = /^Max processes\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return Number(soft) || Number.POSITIVE_INFINITY;
  } catch {
    // Only Linux tells it there.
    return Number.POSITIVE_INFINITY;
  }
}
