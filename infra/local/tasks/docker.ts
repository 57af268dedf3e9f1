/**
 * Runs a container with Docker, from the image that a deployment would build. It gets no network and serves on a Unix
 * socket in its task's folder, like the bubblewrap sandbox.
 */
import { execFile, spawn } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { ContainerPart } from '../template/parts.ts';
import { contain, startChild } from './child.ts';
import { SERVER_USER } from '#contract/hands.ts';
import { isRoot, makeFolders } from './folders.ts';
import {
  listenAt,
  serverUserOf,
  type ContainerStart,
  type PeerNetwork,
  type RunningContainer,
  type TaskRunner,
  type Usable,
} from './runner.ts';
import { openPeerNetwork, PEER_RELAY, peersOf, withPeerRelay } from './peer-network.ts';
import { pipeToServer } from './socket-pipe.ts';
import { hasHosts, openWayOut, PROXY_VARIABLES, RELAY_FILE, withRelay } from './way-out.ts';

const run = promisify(execFile);
const MAX_PROCESSES = 1024;
const SOCKET = 'server.sock';
/** Finds the containers of a runtime that was killed. */
const LABEL = 'brainstem.data';

export interface DockerRunnerOptions {
  /** Absolute data folder; its containers carry it as their label. */
  readonly data: string;
  readonly report: (message: string) => void;
}

/** Removes what an earlier runtime on the same data left behind, and builds the images of these containers. */
export async function createDockerRunner(
  containers: readonly ContainerPart[],
  options: DockerRunnerOptions,
): Promise<TaskRunner> {
  await removeLeftovers(options.data);
  for (const container of containers) await buildImage(container, options.report);
  return { kind: 'docker', start: (start) => startContainer(start, options.data) };
}

async function startContainer(start: ContainerStart, data: string): Promise<RunningContainer> {
  const name = `brainstem-${start.taskId}`;
  await makeFolders(start.taskDir, { run: serverUserOf(start.container), etc: serverUserOf(start.container) });
  // Where root does not give the folder to the server's user, that user makes its socket in it, which no other can replace.
  if (!isRoot()) await chmod(join(start.taskDir, 'run'), 0o1777);
  const wayOut = await openWayOut(start);
  const closePeers = await openPeerNetwork(start);
  const child = startChild({
    command: 'docker',
    arguments: runArguments(start, { name, data }),
    environment: dockerEnvironment(),
    // Docker's own option limits it.
    limit: null,
    write: start.write,
  });
  const kill = (): void => void run('docker', ['kill', name]).catch(() => child.process.kill('SIGKILL'));
  const ask = (): void => void run('docker', ['stop', name]).catch(kill);
  const exited = child.exited.finally(wayOut.close).finally(closePeers);
  exited.catch(() => undefined);
  return contain(pipeToServer(start, SOCKET, exited), {
    ask,
    kill,
  });
}

interface RunIdentity {
  readonly name: string;
  readonly data: string;
}

export function runArguments(start: ContainerStart, { name, data }: RunIdentity): readonly string[] {
  const isAlone = !hasHosts(start.network);
  const isOnMachine = start.network === 'machine';
  const peers = peersOf(start);
  const environment = {
    ...(!isAlone && PROXY_VARIABLES),
    ...start.environment,
    ...listenAt(start, isOnMachine ? `${start.host}:${start.container.port}` : `/run/brainstem/${SOCKET}`),
  };
  const { user } = start.container;
  // Those of the task definition.
  const capabilities = serverUserOf(start.container) === SERVER_USER ? ['SETUID', 'SETGID', 'SETPCAP', 'KILL'] : [];
  return [
    ...['run', '--rm', '--init', '--name', name, '--label', `${LABEL}=${data}`, '--pull', 'never'],
    ...['--network', isOnMachine ? 'host' : 'none'],
    ...[
      '--cap-drop',
      'ALL',
      ...capabilities.flatMap((capability) => ['--cap-add', capability]),
      '--security-opt',
      'no-new-privileges',
      '--stop-timeout',
      '5',
    ],
    // Read-only but for the image's volumes, which Docker makes for the container and removes with it.
    '--read-only',
    ...['--memory', `${start.memoryMb}m`, '--cpus', String(start.cpu / 1024), '--pids-limit', String(MAX_PROCESSES)],
    ...['--mount', `type=bind,source=${join(start.taskDir, 'run')},target=/run/brainstem`],
    ...(peers === null
      ? []
      : ['--mount', `type=bind,source=${join(start.taskDir, PEER_RELAY.file)},target=${PEER_RELAY.inside},readonly`]),
    ...(isAlone ? [] : ['--mount', `type=bind,source=${RELAY_FILE.from},target=${RELAY_FILE.to},readonly`]),
    ...(user === null ? [] : ['--user', user]),
    ...Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    imageOf(start.container),
    ...(isAlone ? commandWith(start.container.command, peers) : withRelay('node', start.container.command)),
  ];
}

/** The options go before the program, which is the last of the command. */
function commandWith(command: readonly string[], peers: PeerNetwork | null): readonly string[] {
  if (peers === null) return command;
  const whole = command.length === 0 ? ['node', '/opt/brainstem/server.mjs'] : command;
  return [...whole.slice(0, -1), ...withPeerRelay(PEER_RELAY.inside, peers), ...whole.slice(-1)];
}

type Image = Pick<ContainerPart, 'image' | 'imageDir' | 'imageTarget'>;

/** The asset's folder is named by the hash of what is in it, so a built image is never out of date. */
export function imageOf({ image, imageDir, imageTarget }: Image): string {
  if (imageDir === null) return image;
  const hash = basename(imageDir).replace(/^asset\./, '');
  return `brainstem-${imageTarget ?? 'sandbox'}:${hash.toLowerCase()}`;
}

async function buildImage(container: Image, report: (message: string) => void): Promise<void> {
  const { imageDir, imageTarget: target = null } = container;
  if (imageDir === null) return;
  const tag = imageOf(container);
  const known = await run('docker', ['image', 'inspect', tag]).catch(() => null);
  if (known !== null) return;
  report(`Building the ${target ?? 'sandbox'} image with Docker; this takes some minutes the first time.`);
  const stage = target === null ? [] : ['--target', target];
  const build = spawn('docker', ['build', '--tag', tag, ...stage, imageDir], { stdio: ['ignore', 2, 2] });
  const code = await new Promise<number | null>((resolve, reject) => build.once('exit', resolve).once('error', reject));
  if (code !== 0)
    throw new Error(
      `docker build of the ${target ?? 'sandbox'} image failed with code ${String(code)}; its output is above.`,
    );
}

async function removeLeftovers(data: string): Promise<void> {
  const { stdout } = await run('docker', ['ps', '--all', '--quiet', '--filter', `label=${LABEL}=${data}`]);
  const ids = stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await run('docker', ['rm', '--force', ...ids]);
}

/** Where the Docker client finds its daemon and its login. */
function dockerEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'XDG_RUNTIME_DIR'];
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value = '']) => (names.includes(name) ? [[name, value]] : [])),
  );
}

export async function dockerUsable(): Promise<Usable> {
  if (process.platform !== 'linux')
    return { usable: false, reason: 'Docker sandboxes need Linux (they serve on a Unix socket)' };
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 });
    return { usable: true };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      usable: false,
      reason: code === 'ENOENT' ? 'Docker is not installed' : 'the Docker daemon does not answer',
    };
  }
}
