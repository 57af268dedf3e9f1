/**
 * Limits the memory and the number of processes of each task by cgroups of its own, where this process may make cgroups: in
 * most cases as root.
 */
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

/** The cgroups of one task. */
export interface TaskLimit {
  /** A process that writes its id to these files is in the cgroups, and so is every process that it starts. */
  readonly procsFiles: readonly string[];
  /** Removes the cgroups after their processes have ended. */
  remove(): void;
}

/** Processes and threads of a task. */
export const MAX_PROCESSES = 1024;

export interface TaskLimits {
  /** Whether the number of processes is limited too. */
  readonly processes: boolean;
  limit(taskId: string, memoryMb: number): TaskLimit;
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

const PIDS_1 = { folder: '/sys/fs/cgroup/pids' };
const PIDS_FILE = 'pids.max';

/** Null where no cgroup with a limit of memory can be made. Cgroups that a killed runtime left are removed. */
export function createTaskLimits(): TaskLimits | null {
  const hierarchy = [VERSION_2, VERSION_1].find((one) => isUsable(one, 'memory'));
  if (hierarchy === undefined) return null;
  // Version 2 has one hierarchy for all limits, version 1 one for each.
  const counting = hierarchy === VERSION_2 ? VERSION_2 : PIDS_1;
  const processes = isUsable({ ...counting, limitFile: PIDS_FILE }, 'pids') ? counting : null;
  for (const { folder } of new Set([hierarchy, processes ?? hierarchy])) {
    for (const name of readdirSync(folder)) if (isLeft(name)) removeCgroup(join(folder, name));
  }
  return {
    processes: processes !== null,
    limit(taskId, memoryMb) {
      const folders = [...new Set([limitIn(hierarchy, taskId, memoryMb), countIn(processes ?? hierarchy, taskId)])];
      return {
        procsFiles: folders.map((folder) => join(folder, 'cgroup.procs')),
        remove: () => folders.forEach(removeCgroup),
      };
    },
  };
}

type Place = Pick<Hierarchy, 'folder' | 'limitFile'>;

function isUsable(place: Place, controller: 'memory' | 'pids'): boolean {
  const { folder, limitFile } = place;
  const probe = folderOf(place, 'probe');
  try {
    const delegated = folder !== VERSION_2.folder || readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8');
    if (delegated !== true && !delegated.split(/\s+/).includes(controller)) return false;
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

/** The folder of the task's cgroup. */
function limitIn(hierarchy: Hierarchy, taskId: string, memoryMb: number): string {
  const folder = folderOf(hierarchy, taskId);
  const bytes = memoryMb * 1024 * 1024;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, hierarchy.limitFile), String(bytes));
  const swapFile = join(folder, hierarchy.swapFile);
  // A kernel without swap accounting has no such file.
  if (existsSync(swapFile)) writeFileSync(swapFile, String(hierarchy.swapBytes(bytes)));
  return folder;
}

function countIn(place: Pick<Hierarchy, 'folder'>, taskId: string): string {
  const folder = folderOf(place, taskId);
  mkdirSync(folder, { recursive: true });
  if (existsSync(join(folder, PIDS_FILE))) writeFileSync(join(folder, PIDS_FILE), String(MAX_PROCESSES));
  return folder;
}

function folderOf({ folder }: Pick<Hierarchy, 'folder'>, name: string): string {
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
