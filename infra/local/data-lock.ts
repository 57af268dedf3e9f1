import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, markOf, ProcessMark } from './processes.ts';

interface DataLock {
  release(): void;
}

/**
 * One runtime per data folder, which this makes and closes to other users. A file names the runtime that owns the folder;
 * one that has ended owns nothing.
 * @throws when a living runtime owns the folder
 */
export function lockData(data: string): DataLock {
  closeToOthers(data);
  const file = join(data, 'runtime.pid');
  // On a system that does not tell start times, the process id alone names the owner.
  const self: ProcessMark = markOf(process.pid) ?? { pid: process.pid, startedAt: '' };
  const owner = readOwner(file);
  if (owner !== null && lives(owner)) {
    throw new Error(
      `The data folder ${data} is in use by another runtime (process ${owner.pid}). Stop that one, or give another folder with --data.`,
    );
  }
  if (owner !== null) rmSync(file, { force: true });
  // Of two that start in the same instant, only one can create the file.
  writeFileSync(file, JSON.stringify(self), { flag: 'wx' });
  return { release: () => rmSync(file, { force: true }) };
}

/** Users' content and the secrets of this runtime are in it. A folder that holds other things stays as it is. */
function closeToOthers(data: string): void {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const entries = readdirSync(data);
  if (entries.length === 0 || entries.includes('dynamodb.sqlite')) chmodSync(data, 0o700);
}

/** Null when there is none. A file that cannot be read stands for process 0, which is never alive. */
function readOwner(file: string): ProcessMark | null {
  try {
    return ProcessMark.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : { pid: 0, startedAt: '' };
  }
}

function lives(owner: ProcessMark): boolean {
  if (owner.pid === 0) return false;
  if (owner.startedAt !== '') return isAlive(owner);
  try {
    return process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
