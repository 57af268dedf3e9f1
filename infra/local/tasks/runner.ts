import { basename, dirname } from 'node:path';
import type { ContainerPart } from '../template/parts.ts';

export const SANDBOX_KINDS = ['bwrap', 'docker', 'process'] as const;
/** What a task's container runs in on this machine. */
export type SandboxKind = (typeof SANDBOX_KINDS)[number];

export interface ContainerStart {
  readonly taskId: string;
  readonly container: ContainerPart;
  readonly cpu: number;
  readonly memoryMb: number;
  /** The task's own folder, made and removed by the caller: everything the container can write lives here. */
  readonly taskDir: string;
  /** Loopback address at which the container's port must be reachable. */
  readonly host: string;
  /** `internet` shares this machine's network: for containers in a subnet with a way out. */
  readonly network: 'none' | 'internet';
  /** The container's environment, overrides applied. */
  readonly environment: Readonly<Record<string, string>>;
  readonly write: (text: Uint8Array) => void;
}

export interface RunningContainer {
  /** The exit code; 128 + signal number for a container that was killed. */
  readonly exited: Promise<number>;
  /** Asks it to stop, and kills it if it does not stop in time. Resolves when nothing of it is left. */
  stop(): Promise<void>;
  /** Kills it without a warning. Resolves when nothing of it is left. */
  kill(): Promise<void>;
}

/** Where the image has our programs. */
const PROGRAMS = '/opt/brainstem';

/** The program of ours that a container runs: what its command names, or the image's own default. */
export function programOf({ command }: Pick<ContainerPart, 'command'>): string {
  const [, program = `${PROGRAMS}/server.mjs`, ...rest] = command;
  if (rest.length > 0 || dirname(program) !== PROGRAMS)
    throw new Error(`A container's command can only be node and a program in ${PROGRAMS} here.`);
  return basename(program);
}

/**
 * Runs one container. `start` resolves when the container's server accepts connections at `host` and the container's
 * port; a container that ends before that is an error. One without a port is running at once. A container never
 * outlives this process.
 */
export interface TaskRunner {
  readonly kind: SandboxKind;
  start(start: ContainerStart): Promise<RunningContainer>;
}

export type Usable = { readonly usable: true } | { readonly usable: false; readonly reason: string };
