/** The walls of a bubblewrap sandbox: what it can see and write, and as which user it runs. */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_USER } from '#contract/hands.ts';
import { isRoot } from './folders.ts';
import type { ContainerStart } from './runner.ts';
import { hasHosts } from './way-out.ts';

/** Configuration that programs under /usr look up; each is optional, none is private. */
const ETC = ['alternatives', 'ca-certificates', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'localtime', 'ssl/certs'];
/** How the names of hosts are resolved on this machine. */
const RESOLVER = ['resolv.conf', 'nsswitch.conf', 'host.conf', 'gai.conf'].map((name) => `/etc/${name}`);
/** For a build of packages: what this machine's apt knows, without its passwords. */
const INTERNET = [
  ...['apt.conf.d', 'keyrings', 'preferences.d', 'sources.list', 'sources.list.d', 'trusted.gpg.d'].map(
    (name) => `/etc/apt/${name}`,
  ),
  '/var/lib/dpkg',
];
/** Made beforehand, because bubblewrap makes the missing parents of a mount readable to their owner alone. */
const FOLDERS = ['/etc', '/etc/ssl', '/home', '/opt', '/opt/node', '/opt/node/bin', '/opt/brainstem', '/run'];
const INTERNET_FOLDERS = ['/etc/apt', '/var', '/var/lib'];
const ROOT_LINKS = ['bin', 'lib', 'lib32', 'lib64', 'sbin'];

type Walls = Pick<ContainerStart, 'taskDir' | 'network' | 'memoryMb'>;

/** Order matters to bubblewrap: later mounts lie on top of earlier ones. */
export function sandboxArguments({ taskDir, network, memoryMb }: Walls): readonly string[] {
  const beyond = hasHosts(network) ? { folders: INTERNET_FOLDERS, files: INTERNET } : { folders: [], files: [] };
  const resolver = network === 'machine' ? [...RESOLVER, '/etc/hosts'] : [];
  return [
    ...namespaceArguments(network === 'machine' ? 'machine' : 'own'),
    ...['--die-with-parent', '--new-session', '--hostname', 'sandbox'],
    ...[...FOLDERS, ...beyond.folders].flatMap((folder) => ['--perms', '0755', '--dir', folder]),
    ...['--ro-bind', '/usr', '/usr'],
    ...ROOT_LINKS.flatMap(bindRootFolder),
    ...ETC.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...['passwd', 'group', 'hosts'].flatMap((name) => ['--ro-bind', join(taskDir, 'etc', name), `/etc/${name}`]),
    ...[...beyond.files, ...resolver].flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    // What is in there counts as memory of the task, which must have room for programs too.
    ...['--perms', '1777', '--size', String((memoryMb / 2) * 1024 * 1024), '--tmpfs', '/tmp'],
    ...['--bind', join(taskDir, 'home'), '/home/agent'],
    ...['--bind', join(taskDir, 'run'), '/run/brainstem'],
    ...['--bind', join(taskDir, 'packages'), '/opt/packages'],
    ...['--bind', join(taskDir, 'mnt'), '/mnt'],
    ...['--bind', join(taskDir, 'workspace'), '/workspace', '--chdir', '/workspace'],
  ];
}

/**
 * An ordinary user gets a user namespace, in which it is user 1000. Root would stay the machine's root in there, exempt
 * from process limits and owner of everything it can see; so it makes the other namespaces as itself and changes user
 * inside (the container's own command, or `asAgent`), which needs these capabilities.
 */
export function namespaceArguments(network: 'own' | 'machine' = 'own'): readonly string[] {
  const shared = network === 'machine' ? ['--share-net'] : [];
  if (!isRoot()) return ['--unshare-all', ...shared, '--uid', String(AGENT_USER), '--gid', String(AGENT_USER)];
  const net = network === 'machine' ? [] : ['--unshare-net'];
  const namespaces = ['--unshare-ipc', '--unshare-pid', ...net, '--unshare-uts', '--unshare-cgroup-try'];
  const capabilities = ['SETUID', 'SETGID', 'SETPCAP'].flatMap((cap) => ['--cap-add', `CAP_${cap}`]);
  return [...namespaces, '--cap-drop', 'ALL', ...capabilities];
}

export function asAgent(): readonly string[] {
  if (!isRoot()) return [];
  const identity = [`--reuid=${AGENT_USER}`, `--regid=${AGENT_USER}`, '--clear-groups'];
  return ['setpriv', ...identity, '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--'];
}

/**
 * For a server without the right to change users: a command of the agent runs in a sandbox within the sandbox. It sees
 * neither the server's process nor the folder of its socket, and cannot change the session's files.
 */
export function outOfSight(filter: string): readonly string[] {
  return filtered(filter, unseen('/run/brainstem', SESSION_FOLDERS));
}

/** The folder that holds these two is read-only as well, so that a command can move neither away. */
const SESSION_FOLDERS = [
  ...['--ro-bind-try', '/mnt/session', '/mnt/session'],
  ...['--bind-try', '/mnt/session/outputs', '/mnt/session/outputs'],
];

export function unseen(folder: string, binds: readonly string[] = []): readonly string[] {
  const namespaces = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--cap-drop', 'ALL'];
  return [
    ...namespaces,
    '--die-with-parent',
    '--dev-bind',
    '/',
    '/',
    ...binds,
    '--proc',
    '/proc',
    '--tmpfs',
    folder,
    '--',
  ];
}

/**
 * bubblewrap reads a filter of system calls from an open file. It is looked for in the system's folders only, because
 * the agent can write to some of those in the PATH of its commands.
 */
export function filtered(filter: string, walls: readonly string[]): readonly [string, ...string[]] {
  return [
    '/bin/sh',
    '-c',
    `exec 9<"$0" && exec "$(PATH=/usr/local/bin:/usr/bin:/bin command -v bwrap)" --seccomp 9 "$@"`,
    filter,
    ...walls,
  ];
}

/** `/bin` is a link into /usr on most systems and a folder of its own on some. */
function bindRootFolder(name: string): readonly string[] {
  try {
    return ['--symlink', readlinkSync(`/${name}`), `/${name}`];
  } catch {
    return ['--ro-bind-try', `/${name}`, `/${name}`];
  }
}
