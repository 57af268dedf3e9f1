/**
 * Looks how much a task has stored, and tells when it is too much: nothing on this machine limits the size of a folder. On
 * Fargate a task has a disk of its own.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The disk of a task on Fargate whose definition names no other size. */
export const FARGATE_DISK_BYTES = 20 * 1024 ** 3;

const LOOK_MS = 5000;
/** A look at many files takes long: the pause is so many times as long as the look took. */
const PAUSE_FACTOR = 20;

interface Watched {
  readonly folder: string;
  readonly maxBytes: number;
  /** Called once. */
  readonly full: () => void;
  /** @default 5 seconds */
  readonly lookMs?: number | undefined;
}

/** Returns what ends the watch. */
export function watchDisk({ folder, maxBytes, full, lookMs = LOOK_MS }: Watched): () => void {
  let timer: NodeJS.Timeout;
  let isOver = false;
  async function look(): Promise<void> {
    const startedAt = performance.now();
    const bytes = await storedIn(folder);
    if (isOver) return;
    if (bytes > maxBytes) return full();
    lookAfter(Math.max(lookMs, (performance.now() - startedAt) * PAUSE_FACTOR));
  }
  function lookAfter(ms: number): void {
    timer = setTimeout(() => void look(), ms).unref();
  }
  lookAfter(lookMs);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** Bytes on the disk, as `du` counts them: a sparse file counts what it holds. Files that vanish meanwhile make it fail. */
async function storedIn(folder: string): Promise<number> {
  const told = await promisify(execFile)('du', ['-skx', folder]).catch((error: unknown) => error);
  return Number.parseInt(String(Object(told).stdout), 10) * 1024 || 0;
}
