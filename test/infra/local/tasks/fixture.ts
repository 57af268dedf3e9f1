import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerPart } from '../../../../infra/local/template/parts.ts';
import type { ContainerStart } from '../../../../infra/local/tasks/runner.ts';

/**
 * A server that runs the body of each request in a shell, to test the isolation from inside. It answers GET /host/port with
 * what is said at that address, and with nothing where it cannot connect.
 */
const SERVER = `
import { createServer } from 'node:http';
import { exec } from 'node:child_process';
import { connect } from 'node:net';
const listen = process.env.SANDBOX_LISTEN;
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const [, host, port] = request.url.split('/');
    const socket = connect({ host, port: Number(port), localAddress: process.env.SANDBOX_RELAY_HOST, timeout: 5000 });
    socket.on('error', () => response.end()).on('timeout', () => socket.destroy(new Error('timeout')));
    socket.pipe(response);
    return;
  }
  let body = '';
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => exec(body, (error, stdout, stderr) => response.end(JSON.stringify({ code: error?.code ?? 0, stdout, stderr }))));
});
process.on('SIGTERM', () => { console.log('asked to stop'); process.exit(0); });
if (process.env.FAIL_START) process.exit(7);
if (listen.startsWith('/')) server.listen(listen);
else server.listen(Number(listen.split(':')[1]), listen.split(':')[0]);
console.log('listening');
`;

export const PORT = 8086;

/** A command with a program that starts a worker. */
export const WORKER = `node -e "const { Worker } = require('node:worker_threads'); new Worker('console.log(\\"from a worker\\")', { eval: true })"`;

export interface TaskFixture {
  readonly folder: string;
  readonly container: ContainerPart;
  readonly output: string[];
  start(
    host: string,
    environment?: Readonly<Record<string, string>>,
    network?: ContainerStart['network'],
  ): Promise<ContainerStart>;
  close(): Promise<void>;
}

export async function createTaskFixture(): Promise<TaskFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-tasks-'));
  const imageDir = join(folder, 'asset.0a1b');
  await mkdir(imageDir);
  await writeFile(join(imageDir, 'server.mjs'), SERVER);
  const container: ContainerPart = {
    name: 'sandbox',
    image: 'sandbox:0a1b',
    imageDir,
    environment: {},
    command: [],
    port: PORT,
    user: null,
  };
  const output: string[] = [];
  return {
    folder,
    container,
    output,
    async start(host, environment = {}, network = 'none') {
      const taskDir = join(folder, 'tasks', host);
      await mkdir(taskDir, { recursive: true });
      const write = (text: Uint8Array): void => void output.push(Buffer.from(text).toString());
      return {
        taskId: host.replaceAll('.', ''),
        container,
        cpu: 512,
        memoryMb: 1024,
        taskDir,
        host,
        network,
        environment,
        write,
      };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface ShellResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command inside the task at this address. */
export async function shell(host: string, command: string): Promise<ShellResult> {
  const response = await fetch(`http://${host}:${PORT}/`, { method: 'POST', body: command });
  return (await response.json()) as ShellResult;
}
