/**
 * What a container without a network reaches: tasks to which routes and security groups lead. A relay in the container's
 * own program (peer-relay.mjs) hands connections to a Unix socket in the task's folder, with the address that was dialled.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { chmod, copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerStart, PeerNetwork } from './runner.ts';
import { couple } from './socket-pipe.ts';

const SOCKET = 'peers.sock';
const MAX_LINE_BYTES = 64;

/** The file of the relay in the task's folder, and where a container has it. */
export const PEER_RELAY = { file: 'etc/peer-relay.mjs', inside: '/opt/brainstem/peer-relay.mjs' };

/** Null for a container that reaches no task, or has the network of this machine. */
export function peersOf({ network }: Pick<ContainerStart, 'network'>): PeerNetwork | null {
  return typeof network === 'object' && 'ports' in network ? network : null;
}

/** Options of Node.js with which a program has the relay, which is `file` for it. */
export function withPeerRelay(file: string, { ports }: PeerNetwork): readonly string[] {
  return ['--import', `file://${file}?${ports.map((port) => `port=${port}`).join('&')}`];
}

/** Opens the way to other tasks for one task. The returned function closes it, and every connection. */
export async function openPeerNetwork(
  start: Pick<ContainerStart, 'taskDir' | 'network'>,
): Promise<() => Promise<void>> {
  const peers = peersOf(start);
  if (peers === null) return async () => undefined;
  await copyFile(join(import.meta.dirname, 'peer-relay.mjs'), join(start.taskDir, PEER_RELAY.file));
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    keep(client);
    void dialledOn(client).then((asked) => {
      const peer = asked && peers.dial(asked.host, asked.port);
      if (peer === null) return void client.destroy();
      keep(peer);
      couple(client, peer);
    });
  });
  await listenIn(join(start.taskDir, 'run'), server);
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
}

/** A Unix socket's path has at most 107 bytes, a data folder's may have more: go through the folder's descriptor. */
async function listenIn(path: string, server: Server): Promise<void> {
  const folder = await open(path);
  try {
    const socket = `/proc/self/fd/${folder.fd}/${SOCKET}`;
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve));
    // The container's user is another one than this process where this process is root.
    await chmod(socket, 0o666);
  } finally {
    await folder.close();
  }
}

/** The first line: an address of the loopback network and a port. Null for anything else. */
function dialledOn(client: Socket): Promise<{ readonly host: string; readonly port: number } | null> {
  return new Promise((resolve) => {
    let read = Buffer.alloc(0);
    const take = (): void => {
      for (let chunk = client.read(); chunk !== null; chunk = client.read()) read = Buffer.concat([read, chunk]);
      const end = read.indexOf('\n');
      if (end < 0 && read.length <= MAX_LINE_BYTES) return;
      client.off('readable', take);
      if (end >= 0 && end + 1 < read.length) client.unshift(read.subarray(end + 1));
      const [, host, port] =
        /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}) (\d{1,5})$/.exec(read.toString('latin1', 0, Math.max(end, 0))) ?? [];
      resolve(host === undefined ? null : { host, port: Number(port) });
    };
    for (const over of ['end', 'close']) client.once(over, () => resolve(null));
    client.on('readable', take);
  });
}
