import type { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { AGENT_USER, SERVER_USER } from '#contract/hands.ts';
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
  /**
   * In a public subnet, the network of this machine; where the resolver answers for some hosts only, those through a proxy.
   * Elsewhere none, or the tasks that routes and security groups lead to.
   */
  readonly network: 'none' | 'machine' | { readonly hosts: readonly string[] } | PeerNetwork;
  /** The container's environment, overrides applied. */
  readonly environment: Readonly<Record<string, string>>;
  readonly write: (text: Uint8Array) => void;
}

/** Other tasks that a task reaches. */
export interface PeerNetwork {
  readonly ports: readonly number[];
  /** A connection from the task's own address; null where no running task that it may call has this address and port. */
  readonly dial: (host: string, port: number) => Socket | null;
}

/** The variable that tells a program where to listen. The egress proxy is the one program in a public subnet. */
export function listenAt(
  { network }: Pick<ContainerStart, 'network'>,
  address: string,
): Readonly<Record<string, string>> {
  return network === 'machine' ? { EGRESS_LISTEN: address } : { SANDBOX_LISTEN: address };
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

interface ContainerCommand {
  /** What changes the user before the program begins. */
  readonly before: readonly string[];
  readonly nodeOptions: readonly string[];
  /** The file of ours. */
  readonly program: string;
}

/** What a container runs: what its command names, or the image's own default. */
export function commandOf({ command }: Pick<ContainerPart, 'command'>): ContainerCommand {
  const [whole, at] =
    command.length === 0 ? [['node', `${PROGRAMS}/server.mjs`], 0] : [command, command.indexOf('node')];
  const program = whole.at(-1) ?? '';
  if (at < 0 || dirname(program) !== PROGRAMS)
    throw new Error(`A container's command can only be node and a program in ${PROGRAMS} here.`);
  return { before: whole.slice(0, at), nodeOptions: whole.slice(at + 1, -1), program: basename(program) };
}

/** The user of the server of a container: its own where the container begins as root, and else the agent. */
export function serverUserOf({ user }: Pick<ContainerPart, 'user'>): number {
  return user?.startsWith('0:') === true ? SERVER_USER : AGENT_USER;
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
