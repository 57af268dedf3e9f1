/**
 * Ends the sandboxes of an earlier runtime on the same data. They die with it, but a runtime that was killed while it
 * started one, or that is started again at once, may still find some.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { signal } from './child.ts';

const PATIENCE_MS = 10_000;
const POLL_MS = 20;

/** `folder` is that of the tasks: each sandbox has its own folder below it. The caller owns the data folder. */
export async function endLeftovers(folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const deadline = Date.now() + PATIENCE_MS;
  for (let left = sandboxesIn(folder); left.length > 0; left = sandboxesIn(folder)) {
    if (Date.now() > deadline) throw new Error(`Sandboxes of an earlier runtime do not end: ${left.join(', ')}.`);
    // A plain process leads a group of what it started; bubblewrap takes all of its sandbox with it.
    for (const pid of left) for (const target of [-pid, pid]) signal(target, 'SIGKILL');
    await sleep(POLL_MS);
  }
}

/** The processes that were started for a task below the folder, as their command or their environment tells. */
function sandboxesIn(folder: string): readonly number[] {
  const isSandbox = (pid: number): boolean => {
    const command = read(pid, 'cmdline').split('\0');
    if (command.includes('bwrap')) return command.some((argument) => argument.startsWith(`${folder}/`));
    return read(pid, 'environ')
      .split('\0')
      .some((setting) => setting.startsWith(`SANDBOX_WORKDIR=${folder}/`));
  };
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && isSandbox(pid));
}

/** Empty for a process that has ended, or is another user's. */
function read(pid: number, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
