import { open } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ContainerStart } from './runner.ts';

const START_LIMIT_MS = 60_000;
const POLL_MS = 5;

/**
 * Makes a container's server reachable at its task's address, for as long as the container runs. A container without a
 * port serves nobody, and there is nothing to wait for.
 */
export async function pipeToServer(
  { taskDir, host, container }: Pick<ContainerStart, 'taskDir' | 'host' | 'container'>,
  socketName: string,
  exited: Promise<number>,
): Promise<{ readonly exited: Promise<number> }> {
  if (container.port === 0) return { exited };
  const socket = { socketDir: join(taskDir, 'run'), socketName };
  const pipe = await pipeToSocket({ host, port: container.port, ...socket }, exited);
  return { exited: exited.finally(() => pipe.close()) };
}

interface SocketPipe {
  close(): Promise<void>;
}

interface SocketPipeOptions {
  readonly host: string;
  readonly port: number;
  readonly socketDir: string;
  readonly socketName: string;
}

/**
 * Makes the server behind a Unix socket reachable at a loopback address, byte for byte: to its callers it looks like a
 * task with a private address, while the task itself has no network.
 */
async function pipeToSocket(options: SocketPipeOptions, exited: Promise<number>): Promise<SocketPipe> {
  // A Unix socket's path has at most 107 bytes, a data folder's may have more: go through the folder's descriptor.
  const folder = await open(options.socketDir);
  const path = `/proc/self/fd/${folder.fd}/${options.socketName}`;
  const server = createServer({ noDelay: true }, (client) => couple(client, connect(path)));
  try {
    await waitUntilAccepts(() => connect(path), exited);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port, options.host, resolve);
    });
  } catch (error) {
    await folder.close();
    throw error;
  }
  const clients = new Set<Socket>();
  server.on('connection', (client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
  });
  return {
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const client of clients) client.destroy();
      await closed;
      await folder.close();
    },
  };
}

/** @throws when the container ends, or nothing accepts in time */
export async function waitUntilAccepts(dial: () => Socket, exited: Promise<number>): Promise<void> {
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

function couple(client: Socket, server: Socket): void {
  client.pipe(server);
  server.pipe(client);
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}
