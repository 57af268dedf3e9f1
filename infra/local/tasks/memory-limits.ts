/** Limits the memory of each task by a cgroup of its own, where this process may make cgroups: in most cases as root. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const PREFIX = 'brainstem-';

/** The cgroup of one task. */
export interface MemoryLimit {
  /** A process that writes its id to this file is in the cgroup, and so is every process that it starts. */
  readonly procsFile: string;
  /** Removes the cgroup after its processes have ended. */
  remove(): void;
}

export interface MemoryLimits {
  limit(taskId: string, memoryMb: number): MemoryLimit;
}

interface Hierarchy {
  readonly folder: string;
  /** The files that take the limit in bytes: with the first one alone, a task could go on in swap space. */
  readonly limitFile: string;
  readonly swapFile: string;
  swapBytes(bytes: number): number;
}

/** Version 1 of the kernel's interface limits memory and swap together, version 2 each. */
const VERSION_1: Hierarchy = {
  folder: '/sys/fs/cgroup/memory',
  limitFile: 'memory.limit_in_bytes',
  swapFile: 'memory.memsw.limit_in_bytes',
  swapBytes: (bytes) => bytes,
};
const VERSION_2: Hierarchy = {
  folder: '/sys/fs/cgroup',
  limitFile: 'memory.max',
  swapFile: 'memory.swap.max',
  swapBytes: () => 0,
};

/** Null where no cgroup with a limit of memory can be made. Cgroups that a killed runtime left are removed. */
export function createMemoryLimits(): MemoryLimits | null {
  const hierarchy = [VERSION_2, VERSION_1].find(isUsable);
  if (hierarchy === undefined) return null;
  for (const name of readdirSync(hierarchy.folder)) if (isLeft(name)) removeCgroup(join(hierarchy.folder, name));
  return { limit: (taskId, memoryMb) => limitIn(hierarchy, taskId, memoryMb) };
}

function isUsable(hierarchy: Hierarchy): boolean {
  const { folder, limitFile } = hierarchy;
  const probe = folderOf(hierarchy, 'probe');
  try {
    const delegated = hierarchy === VERSION_1 || readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8');
    if (delegated !== true && !delegated.split(/\s+/).includes('memory')) return false;
    accessSync(folder, constants.W_OK);
    mkdirSync(probe);
    try {
      return existsSync(join(probe, limitFile));
    } finally {
      rmdirSync(probe);
    }
  } catch {
    return false;
  }
}

function limitIn(hierarchy: Hierarchy, taskId: string, memoryMb: number): MemoryLimit {
  const folder = folderOf(hierarchy, taskId);
  const bytes = memoryMb * 1024 * 1024;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, hierarchy.limitFile), String(bytes));
  const swapFile = join(folder, hierarchy.swapFile);
  // A kernel without swap accounting has no such file.
  if (existsSync(swapFile)) writeFileSync(swapFile, String(hierarchy.swapBytes(bytes)));
  return { procsFile: join(folder, 'cgroup.procs'), remove: () => removeCgroup(folder) };
}

function folderOf({ folder }: Hierarchy, name: string): string {
  return join(folder, `${PREFIX}${process.pid}-${name}`);
}

/** Whether a runtime made this cgroup and has ended; the name tells the runtime's process id. */
function isLeft(name: string): boolean {
  const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
  return owner !== undefined && !existsSync(`/proc/${owner}`);
}

/** A cgroup stays while its last process is still ending. */
function removeCgroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // The next start looks again.
  }
}
