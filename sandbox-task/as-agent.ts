import { ChildProcess } from 'node:child_process';
import { AGENT_USER, AS_AGENT, SERVER_USER } from '../functions/contract/hands.ts';
import type { Settings } from './settings.ts';

/** What every function of `node:child_process` that does not block hands to the method that starts a program. */
interface Start {
  readonly file: string;
  /** The first is the name that the program is told of itself. */
  readonly args: readonly string[];
}

/**
 * Makes this process act as the agent and stay out of its reach. Files are read and written with the agent's rights,
 * because these follow the effective user. The kernel judges signals and traces by the real user, which stays the
 * server's. Every program that this process starts, also inside the SDK, is the agent's altogether.
 *
 * It comes after everything that the agent must not touch: the server's socket and the file of finished calls.
 *
 * `asAgent` stands before each command, in place of a change of the user.
 */
export function actAsAgent({ asAgent, changesUser }: Pick<Settings, 'asAgent' | 'changesUser'>): void {
  const [launcher, ...options] = asAgent ?? (changesUser ? AS_AGENT : []);
  if (launcher !== undefined) {
    const programs = ChildProcess.prototype as unknown as { spawn: (start: Start) => number };
    const { spawn } = programs;
    programs.spawn = function spawnAsAgent({ file, args, ...start }) {
      return spawn.call(this, { ...start, file: launcher, args: [launcher, ...options, file, ...args.slice(1)] });
    };
  }
  if (!changesUser) return;
  isOtherUser = true;
  become(AGENT_USER);
}

let isOtherUser = false;

/**
 * Does something with the rights of the server: what it makes, the agent can read and not change. Only for places where
 * the agent owns no folder on the way, so that no link of its can lead elsewhere. It is synchronous, so that nothing else
 * is begun meanwhile. Where the server is no other user, the agent could do the same.
 */
export function asServer<T>(work: () => T): T {
  if (!isOtherUser) return work();
  become(SERVER_USER);
  try {
    return work();
  } finally {
    become(AGENT_USER);
  }
}

function become(user: number): void {
  process.setegid?.(user);
  process.seteuid?.(user);
}
