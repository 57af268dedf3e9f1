import { readdirSync, readFileSync } from 'node:fs';
import { SHELL } from './shell.ts';

interface Program {
  readonly pid: number;
  readonly parent: number;
  /** The process that began its session: of a background job, the shell. */
  readonly session: number;
}

/**
 * Whether a program of the agent goes on when no call runs. In a container it is any process but the server's and those of
 * an idle shell, so one that left the shell's jobs is found too. Elsewhere other programs of the machine run beside: there
 * it is what a shell has started, and one that left the shell's session is not found.
 */
export function programsLive(): boolean {
  const all = running();
  // Without a list nothing proves that none lives.
  if (all === null) return true;
  const shells = all.filter(isShell);
  const idle = new Set([process.pid, ...shells.flatMap((shell) => processesOf(shell, all))]);
  const isContainer = process.pid === 1 || process.ppid === 1;
  return all.some((one) => !idle.has(one.pid) && (isContainer ? one.pid !== 1 : isStartedBy(shells, one, all)));
}

/** Null where the system does not tell. */
function running(): readonly Program[] | null {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? programAt(Number(name)) : []));
  } catch {
    return null;
  }
}

/** None for a process that has ended: its parent may not have asked for its status. */
function programAt(pid: number): readonly Program[] {
  const stat = textAt(`/proc/${pid}/stat`);
  // The name before may hold spaces and brackets.
  const [state = 'X', parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat === '' || 'ZX'.includes(state) ? [] : [{ pid, parent: Number(parent), session: Number(session) }];
}

/** A shell that the server started, or what stands before its command. */
function isShell({ pid, parent, session }: Program): boolean {
  return parent === process.pid && session === pid && commandOf(pid).endsWith(SHELL_COMMAND);
}

const SHELL_COMMAND = `${SHELL.join('\0')}\0`;

/** From what the server started down to the shell itself, each the oldest child of the one before. */
function processesOf(shell: Program, all: readonly Program[]): readonly number[] {
  const chain = [shell.pid];
  for (let last = shell.pid; commandOf(last) !== SHELL_COMMAND;) {
    const [oldest] = all.filter(({ parent }) => parent === last).toSorted((a, b) => a.pid - b.pid);
    if (oldest === undefined) break;
    last = oldest.pid;
    chain.push(last);
  }
  return chain;
}

function isStartedBy(shells: readonly Program[], { pid, session }: Program, all: readonly Program[]): boolean {
  const isShells = (id: number) => shells.some((shell) => shell.pid === id);
  const ancestor = (id: number): number => all.find((one) => one.pid === id)?.parent ?? 0;
  for (let at = pid; at > 1; at = ancestor(at)) if (isShells(at)) return true;
  return isShells(session);
}

function commandOf(pid: number): string {
  return textAt(`/proc/${pid}/cmdline`);
}

/** Empty when the process has ended. */
function textAt(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
