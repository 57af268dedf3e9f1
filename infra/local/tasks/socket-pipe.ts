import { open } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import type { ContainerStart } from './runner.ts';

const START_LIMIT_MS = 60_000;
const POLL_MS = 5;

/**
 * Makes the server behind a Unix socket in the task's folder reachable at the task's address, byte for byte, for as long as
 * the container runs: to its callers it looks like a task with a private address, while the task itself has no network.
 * A container with the network of this machine is at that address already, and one without a port has no server to wait for.
 */
export async function pipeToServer(
  start: Pick<ContainerStart, 'taskDir' | 'host' | 'container' | 'network'>,
  socketName: string,
  exited: Promise<number>,
): Promise<{ readonly exited: Promise<number> }> {
  if (start.network === 'machine') return acceptAt(start, exited);
  const { taskDir, host, container } = start;
  if (container.port === 0) return { exited };
  // A Unix socket's path has at most 107 bytes, a data folder's may have more: go through the folder's descriptor.
  const folder = await open(join(taskDir, 'run'));
  const dial = (): Socket => connect(`/proc/self/fd/${folder.fd}/${socketName}`);
  const clients = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
    couple(client, dial());
  });
  try {
    await waitUntilAccepts(dial, exited);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(container.port, host, resolve);
    });
  } catch (error) {
    await folder.close();
    throw error;
  }
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const client of clients) client.destroy();
    await closed;
    await folder.close();
  };
  return { exited: exited.finally(close) };
}

/** For a container that listens at its own address on this machine. */
export async function acceptAt(
  { host, container: { port } }: Pick<ContainerStart, 'host' | 'container'>,
  exited: Promise<number>,
): Promise<{ readonly exited: Promise<number> }> {
  if (port > 0) await waitUntilAccepts(() => connect(port, host), exited);
  return { exited };
}

/** @throws when the container ends, or nothing accepts in time */
async function waitUntilAccepts(dial: () => Socket, exited: Promise<number>): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  let code: number | null = null;
  const watching = exited.then((exitCode) => (code = exitCode));
  while (!(await accepts(dial))) {
    if (code !== null) throw new Error(`The container exited with code ${String(code)} before its server was ready.`);
    if (Date.now() > deadline)
      throw new Error(`The container's server was not ready after ${START_LIMIT_MS / 1000} s.`);
    await Promise.race([watching, new Promise((resolve) => setTimeout(resolve, POLL_MS))]);
  }
}

function accepts(dial: () => Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial();
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Each end is destroyed with the other. */
export function couple(client: Socket, server: Socket): void {
  const done = (): void => undefined;
  pipeline(client, server, done);
  pipeline(server, client, done);
}
