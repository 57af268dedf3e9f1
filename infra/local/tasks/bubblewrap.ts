/**
 * Runs a container as a bubblewrap sandbox: namespaces of its own for everything, no network at all (unless its subnet
 * has a way out), this machine's /usr read-only, and nothing writable but the task's folder. Needs no daemon and no image.
 */
import { execFile } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { signal, startChild, stopWithin } from './child.ts';
import { nodeBinary } from './node-binary.ts';
import { programOf, type ContainerStart, type RunningContainer, type TaskRunner, type Usable } from './runner.ts';
import { pipeToServer } from './socket-pipe.ts';

const AGENT_ID = 1000;
const MAX_PROCESSES = 1024;
const SOCKET = 'server.sock';

/** Configuration that programs under /usr look up; each is optional, none is private. */
const ETC = ['alternatives', 'ca-certificates', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'localtime', 'ssl/certs'];
/** For who installs packages from the internet: how to find it, and what this machine's apt knows, its passwords aside. */
const INTERNET = [
  ...['/etc/resolv.conf', '/etc/nsswitch.conf', '/etc/gai.conf'],
  ...['apt.conf.d', 'keyrings', 'preferences.d', 'sources.list', 'sources.list.d', 'trusted.gpg.d'].map(
    (name) => `/etc/apt/${name}`,
  ),
  '/var/lib/dpkg',
];
/** Made beforehand, because bubblewrap makes the missing parents of a mount readable to their owner alone. */
const FOLDERS = ['/etc', '/etc/ssl', '/home', '/opt', '/opt/node', '/opt/node/bin', '/opt/brainstem', '/run'];
const INTERNET_FOLDERS = ['/etc/apt', '/var', '/var/lib'];
const ROOT_LINKS = ['bin', 'lib', 'lib32', 'lib64', 'sbin'];

export function createBubblewrapRunner(): TaskRunner {
  return { kind: 'bwrap', start: startSandbox };
}

async function startSandbox(start: ContainerStart): Promise<RunningContainer> {
  await prepareFolders(start.taskDir);
  const child = startChild({
    command: 'bwrap',
    arguments: [...sandboxArguments(start), ...containerArguments(start)],
    environment: containerEnvironment(start.environment),
    write: start.write,
  });
  const kill = (): void => killSandbox(child.process.pid);
  try {
    const { exited } = await pipeToServer(start, SOCKET, child.exited);
    return {
      exited,
      stop: () => stopWithin(exited, { ask: () => askToStop(child.process.pid), kill }),
      kill: () => stopWithin(exited, { ask: kill, kill }),
    };
  } catch (error) {
    kill();
    throw error;
  }
}

async function prepareFolders(taskDir: string): Promise<void> {
  const owned = ['workspace', 'run', 'home', 'packages'].map((name) => join(taskDir, name));
  for (const folder of [...owned, join(taskDir, 'etc')]) await mkdir(folder, { recursive: true, mode: 0o755 });
  if (isRoot()) for (const folder of owned) await chown(folder, AGENT_ID, AGENT_ID);
  await writeFile(
    join(taskDir, 'etc', 'passwd'),
    `root:x:0:0::/:/bin/false\nagent:x:${AGENT_ID}:${AGENT_ID}::/home/agent:/bin/bash\n`,
  );
  await writeFile(join(taskDir, 'etc', 'group'), `root:x:0:\nagent:x:${AGENT_ID}:\n`);
  await writeFile(join(taskDir, 'etc', 'hosts'), '127.0.0.1 localhost sandbox\n');
}

/** The walls. Order matters to bubblewrap: later mounts lie on top of earlier ones. */
export function sandboxArguments({ taskDir, network }: Pick<ContainerStart, 'taskDir' | 'network'>): readonly string[] {
  const beyond = network === 'internet' ? { folders: INTERNET_FOLDERS, files: INTERNET } : { folders: [], files: [] };
  return [
    ...namespaceArguments(network),
    ...['--die-with-parent', '--new-session', '--hostname', 'sandbox'],
    ...[...FOLDERS, ...beyond.folders].flatMap((folder) => ['--perms', '0755', '--dir', folder]),
    ...['--ro-bind', '/usr', '/usr'],
    ...ROOT_LINKS.flatMap(bindRootFolder),
    ...ETC.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...['passwd', 'group', 'hosts'].flatMap((name) => ['--ro-bind', join(taskDir, 'etc', name), `/etc/${name}`]),
    ...beyond.files.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev', '--perms', '1777', '--tmpfs', '/tmp'],
    ...['--bind', join(taskDir, 'home'), '/home/agent'],
    ...['--bind', join(taskDir, 'run'), '/run/brainstem'],
    ...['--bind', join(taskDir, 'packages'), '/opt/packages'],
    ...['--bind', join(taskDir, 'workspace'), '/workspace', '--chdir', '/workspace'],
  ];
}

/**
 * An ordinary user gets a user namespace, in which it is user 1000. Root would stay the machine's root in there, exempt
 * from process limits and owner of everything it can see; so it makes the other namespaces as itself and changes user
 * inside (`asAgent`), which needs these capabilities for that one moment.
 */
function namespaceArguments(network: ContainerStart['network']): readonly string[] {
  const shared = network === 'internet' ? ['--share-net'] : [];
  if (!isRoot()) return ['--unshare-all', ...shared, '--uid', String(AGENT_ID), '--gid', String(AGENT_ID)];
  const own = network === 'internet' ? [] : ['--unshare-net'];
  const namespaces = ['--unshare-ipc', '--unshare-pid', ...own, '--unshare-uts', '--unshare-cgroup-try'];
  return [
    ...namespaces,
    '--cap-drop',
    'ALL',
    ...['SETUID', 'SETGID', 'SETPCAP'].flatMap((cap) => ['--cap-add', `CAP_${cap}`]),
  ];
}

function asAgent(): readonly string[] {
  if (!isRoot()) return [];
  const identity = [`--reuid=${AGENT_ID}`, `--regid=${AGENT_ID}`, '--clear-groups'];
  return ['setpriv', ...identity, '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--'];
}

/** What runs inside, under the limits of a task: processes, memory of each process, no core files. */
function containerArguments({ container, memoryMb }: ContainerStart): readonly string[] {
  if (container.imageDir === null) throw new Error(`Container ${container.name} has no build folder to run from.`);
  const program = programOf(container);
  const limits = ['prlimit', `--nproc=${MAX_PROCESSES}`, `--data=${memoryMb * 1024 * 1024}`, '--core=0', '--'];
  return [
    ...['--ro-bind', nodeBinary(), '/opt/node/bin/node'],
    ...['--ro-bind', join(container.imageDir, program), `/opt/brainstem/${program}`],
    // The root folder holds all these mounts and stays writable until now; they keep their own rights.
    ...['--remount-ro', '/', '--'],
    ...asAgent(),
    ...limits,
    ...['/opt/node/bin/node', `/opt/brainstem/${program}`],
  ];
}

/** The environment given to bubblewrap is the whole environment of the sandbox. */
function containerEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  return {
    PATH: '/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/home/agent',
    USER: 'agent',
    LANG: 'C.UTF-8',
    ...environment,
    SANDBOX_LISTEN: `/run/brainstem/${SOCKET}`,
  };
}

/** `/bin` is a link into /usr on most systems and a folder of its own on some. */
function bindRootFolder(name: string): readonly string[] {
  try {
    return ['--symlink', readlinkSync(`/${name}`), `/${name}`];
  } catch {
    return ['--ro-bind-try', `/${name}`, `/${name}`];
  }
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
    // It is gone, and its children with it.
    return [];
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Tries the walls for real: whether namespaces may be made here is known only by making them. */
export async function bubblewrapUsable(): Promise<Usable> {
  const walls = [...namespaceArguments('none'), '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--'];
  try {
    await promisify(execFile)('bwrap', [...walls, ...asAgent(), 'prlimit', '--core=0', '--', 'true'], {
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
