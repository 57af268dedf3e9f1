/**
 * Runs a container as a bubblewrap sandbox: namespaces of its own for everything, no network at all (unless its subnet
 * is public), this machine's /usr read-only, and nothing writable but the task's folder. Needs no daemon and no image.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AGENT_USER, SERVER_USER } from '#contract/hands.ts';
import { asAgent, filtered, namespaceArguments, outOfSight, sandboxArguments, unseen } from './bubblewrap-walls.ts';
import { contain, signal, startChild } from './child.ts';
import { isRoot, makeFolders } from './folders.ts';
import { nodeBinary, ripgrepBinary } from './programs.ts';
import { MAX_PROCESSES, type TaskLimit, type TaskLimits } from './task-limits.ts';
import { processLimit, roomForTasks } from './room-for-tasks.ts';
import {
  commandOf,
  listenAt,
  serverUserOf,
  type ContainerStart,
  type RunningContainer,
  type TaskRunner,
  type Usable,
} from './runner.ts';
import { openPeerNetwork, PEER_RELAY, peersOf, withPeerRelay } from './peer-network.ts';
import { pipeToServer } from './socket-pipe.ts';
import { systemCallFilter } from './system-calls.ts';
import { FARGATE_DISK_BYTES } from './watch-disk.ts';
import { hasHosts, openWayOut, PROXY_VARIABLES, RELAY_FILE, withRelay } from './way-out.ts';

const SOCKET = 'server.sock';
const FILTER = 'system-calls.bpf';
/** Folders of the agent and of the server, as in the image. The agent makes its own in those that are open to all. */
const FOLDERS_OF_SERVER = ['mnt', 'mnt/memory', 'mnt/session', 'mnt/session/uploads'];
const FOLDERS_OF_AGENT = ['workspace', 'home', 'packages', 'mnt/session/outputs', 'mnt/user'];
const OPEN_TO_ALL = ['mnt', 'mnt/memory'];

export function createBubblewrapRunner(limits: TaskLimits | null): TaskRunner {
  return { kind: 'bwrap', start: (start) => startSandbox(start, limits?.limit(start.taskId, start.memoryMb) ?? null) };
}

async function startSandbox(start: ContainerStart, limit: TaskLimit | null): Promise<RunningContainer> {
  const { taskDir, container } = start;
  const ownedBy = (owner: number, names: readonly string[]) => Object.fromEntries(names.map((name) => [name, owner]));
  const ofServer = ownedBy(serverUserOf(container), [...FOLDERS_OF_SERVER, 'run']);
  await makeFolders(taskDir, { ...ofServer, ...ownedBy(AGENT_USER, FOLDERS_OF_AGENT) });
  for (const name of OPEN_TO_ALL) await chmod(join(taskDir, name), 0o1777);
  await writeEtc(taskDir);
  await writeFile(join(taskDir, 'etc', FILTER), systemCallFilter());
  // A sandbox is filtered as a whole, but an ordinary user's server makes a namespace for each command first.
  const makesNamespaces = !isRoot() && commandOf(container).before.length > 0;
  const walls = [...sandboxArguments(start), ...containerArguments(start)];
  const [command, ...args] = makesNamespaces ? ['bwrap', ...walls] : filtered(join(taskDir, 'etc', FILTER), walls);
  const wayOut = await openWayOut(start);
  const closePeers = await openPeerNetwork(start);
  const child = startChild({
    command,
    arguments: args,
    environment: containerEnvironment(start),
    limit,
    write: start.write,
  });
  const { pid } = child.process;
  const exited = child.exited.finally(wayOut.close).finally(closePeers);
  exited.catch(() => undefined);
  return contain(pipeToServer(start, SOCKET, exited), {
    ask: () => askToStop(pid),
    kill: () => killSandbox(pid),
  });
}

async function writeEtc(taskDir: string): Promise<void> {
  const etc = join(taskDir, 'etc');
  await mkdir(etc, { recursive: true, mode: 0o755 });
  const files = {
    passwd: [
      'root:x:0:0::/:/bin/false',
      `agent:x:${AGENT_USER}:${AGENT_USER}::/home/agent:/bin/bash`,
      `server:x:${SERVER_USER}:${SERVER_USER}::/:/bin/false\n`,
    ].join('\n'),
    group: `root:x:0:\nagent:x:${AGENT_USER}:\nserver:x:${SERVER_USER}:\n`,
    hosts: '127.0.0.1 localhost sandbox\n',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(etc, name), content);
}

/**
 * The program that runs inside, under a limit of processes and without core files. Memory is limited by the task's
 * cgroup: a limit of one process's data ends V8 as soon as it starts a worker.
 */
function containerArguments({ container, taskDir, network }: ContainerStart): readonly string[] {
  if (container.imageDir === null) throw new Error(`Container ${container.name} has no build folder to run from.`);
  const { before, nodeOptions, program } = commandOf(container);
  const limits = ['prlimit', `--nproc=${maxProcesses()}`, `--fsize=${FARGATE_DISK_BYTES}`, '--core=0', '--'];
  const ripgrep = ripgrepBinary();
  const isAlone = !hasHosts(network);
  const peers = peersOf({ network });
  const relay = peers === null ? [] : withPeerRelay(PEER_RELAY.inside, peers);
  const command = ['/opt/node/bin/node', ...nodeOptions, ...relay, `/opt/brainstem/${program}`];
  return [
    ...(isAlone ? [] : ['--ro-bind', RELAY_FILE.from, RELAY_FILE.to]),
    ...(peers === null ? [] : ['--ro-bind', join(taskDir, PEER_RELAY.file), PEER_RELAY.inside]),
    ...['--ro-bind', nodeBinary(), '/opt/node/bin/node'],
    ...(ripgrep === null ? [] : ['--ro-bind', ripgrep, '/opt/node/bin/rg']),
    ...['--ro-bind', join(container.imageDir, program), `/opt/brainstem/${program}`],
    ...['--ro-bind', join(taskDir, 'etc', FILTER), `/opt/brainstem/${FILTER}`],
    // The root folder holds all these mounts and stays writable until now; they keep their own rights.
    ...['--remount-ro', '/', '--'],
    ...limits,
    ...(isRoot() ? (before.length > 0 ? before : asAgent()) : []),
    ...(isAlone ? command : withRelay('/opt/node/bin/node', command)),
  ];
}

/**
 * The kernel counts the processes of a user within its user namespace. Root's sandboxes have none of their own, so they are
 * one user, and the limit of one would end the start of another: there, cgroups count, or at least all have room.
 */
function maxProcesses(): number {
  return isRoot() ? Math.min(MAX_PROCESSES * roomForTasks(), processLimit()) : MAX_PROCESSES;
}

/** The environment given to bubblewrap is the whole environment of the sandbox. */
function containerEnvironment({ environment, container, host, network }: ContainerStart): Record<string, string> {
  const isApart = commandOf(container).before.length > 0 && !isRoot();
  return {
    PATH: '/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/home/agent',
    USER: 'agent',
    LANG: 'C.UTF-8',
    ...(hasHosts(network) && PROXY_VARIABLES),
    ...environment,
    ...listenAt({ network }, network === 'machine' ? `${host}:${container.port}` : `/run/brainstem/${SOCKET}`),
    ...(isApart && { SANDBOX_AS_AGENT: JSON.stringify(outOfSight(`/opt/brainstem/${FILTER}`)) }),
  };
}

/** bubblewrap passes no signals on; the server is the only child of the sandbox's first process. */
function askToStop(pid: number | undefined): void {
  const [init] = childrenOf(pid);
  const [server] = childrenOf(init);
  signal(server, 'SIGTERM');
}

/** When the first process dies the kernel ends all others before bubblewrap hears of it: then nothing is left. */
function killSandbox(pid: number | undefined): void {
  const [init] = childrenOf(pid);
  signal(init ?? pid, 'SIGKILL');
}

function childrenOf(pid: number | undefined): readonly number[] {
  if (pid === undefined) return [];
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    // The process is gone, and its children with it.
    return [];
  }
}

/** Makes a sandbox, because only that tells whether this machine allows namespaces. */
export async function bubblewrapUsable(): Promise<Usable> {
  const walls = [...namespaceArguments(), '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--'];
  // The same for a command: root changes its user, and an ordinary user makes a second sandbox in the first.
  const command = isRoot() ? asAgent() : ['bwrap', ...unseen('/tmp')];
  try {
    await promisify(execFile)('bwrap', [...walls, 'prlimit', '--core=0', '--', ...command, 'true'], {
      timeout: 10_000,
    });
    return { usable: true };
  } catch (error) {
    return { usable: false, reason: explain(error as NodeJS.ErrnoException & { stderr?: string }) };
  }
}

function explain(error: NodeJS.ErrnoException & { readonly stderr?: string }): string {
  if (process.platform !== 'linux') return 'bubblewrap exists on Linux only';
  if (error.code === 'ENOENT')
    return 'bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap)';
  const said = (error.stderr ?? '').trim().split('\n').at(-1) || error.message;
  const hint = /uid map|new namespace|Operation not permitted|Permission denied/.test(said)
    ? '; this machine may forbid user namespaces (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0)'
    : '';
  return `bubblewrap does not work here: ${said}${hint}`;
}
