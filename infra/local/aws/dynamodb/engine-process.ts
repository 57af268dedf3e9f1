/**
 * One process of the DynamoDB engine. The engine takes any signature, so it runs in a network of its own, which no other
 * process of this machine reaches: connections are made in there and handed over as open sockets.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { isRoot } from '../../tasks/folders.ts';
import { diesWithThis } from '../../processes.ts';
import { takeConnections } from './connections.ts';

export interface EngineProcess {
  readonly child: ChildProcess;
  /** Of the engine itself, which may be a child of `child`. */
  readonly pid: number;
  /** Each answer is a new connection. */
  connect(): Promise<Socket>;
}

/** Below the ports that the system gives to connections, and above those of well-known services. */
const PORTS = { first: 15_000, end: 30_000 } as const;
/** Of a network that has nothing else. */
const OWN_PORT = 8000;

/**
 * Starts an engine on the file at `path`. Where bubblewrap does not work, the engine listens on a port of this machine, and
 * `report` is told what that means.
 */
export async function launchEngine(path: string, report: (message: string) => void): Promise<EngineProcess> {
  try {
    return await launchApart(path);
  } catch {
    // A broken file fails in the open as well, and that is the error to tell.
    const engine = await launchInTheOpen(path);
    report(
      'The DynamoDB engine checks no signatures and listens on a loopback port, because bubblewrap does not work here: ' +
        'other users of this machine, and sandboxes that are plain processes, can read and write its tables.',
    );
    return engine;
  }
}

/** @throws when no engine exists for this machine; the message says what to do instead */
export function engineBinary(): string {
  try {
    const require = createRequire(import.meta.url);
    return join(dirname(require.resolve('@dynoxide/linux-x64/package.json')), 'dynoxide');
  } catch (cause) {
    throw new Error(
      `there is no native DynamoDB engine for ${process.platform}-${process.arch}: start DynamoDB Local (or any other ` +
        'endpoint) and give its address in AWS_ENDPOINT_URL_DYNAMODB',
      { cause },
    );
  }
}

/**
 * Tells the engine's process id, which is that of this shell, and becomes the engine. Until its input ends, a second shell
 * starts one program after another that makes the number of connections that a line asks for.
 */
const SHELL = `
exec 4<&0
(while read -r count <&4; do "$1" -e "$2" "$3" "$count" </dev/null; done) &
exec 4<&- 3>&-
echo "pid $$" >&2
shift 3
exec "$@" </dev/null
`;

/** Plain JavaScript, which Node.js loads fastest. It ends when the runtime has what it asked for, or is gone. */
const MAKE_CONNECTIONS = `
const { connect } = require('node:net');
const [port, count] = process.argv.slice(1).map(Number);
const dial = () =>
  connect(port, '127.0.0.1')
    .once('connect', function () { process.send('connection', this); })
    .once('error', () => setTimeout(dial, 2));
for (let made = 0; made < count; made += 1) dial();
process.once('message', () => process.exit());
process.once('disconnect', () => process.exit());
`;

async function launchApart(path: string): Promise<EngineProcess> {
  // Root keeps its right to write in a folder of another user, which it has without bubblewrap.
  const rights = isRoot() ? ['--cap-add', 'CAP_DAC_OVERRIDE'] : [];
  const walls = ['--unshare-net', '--die-with-parent', ...rights, '--dev-bind', '/', '/', '--'];
  const connections = [process.execPath, MAKE_CONNECTIONS, String(OWN_PORT)];
  const shell = ['/bin/sh', '-c', SHELL, 'sh', ...connections, engineBinary(), ...serve(OWN_PORT, path)];
  const child = spawn('bwrap', [...walls, ...shell], {
    // In a process group of its own, so that Ctrl-C in a terminal reaches the runtime alone, which stops the engine in order.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
    env: { PATH: process.env['PATH'] ?? '' },
  });
  const connect = takeConnections(child);
  const said = await listening(child);
  const [, pid] = /^pid (\d+)$/m.exec(said) ?? [];
  return { child, pid: Number(pid), connect };
}

/** The engine does not tell which port the system gave it, so this tries random ports until one is free. */
async function launchInTheOpen(path: string): Promise<EngineProcess> {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.end);
    const [command, args] = diesWithThis(engineBinary(), serve(port, path));
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true, env: {} });
    try {
      await listening(child);
      return { child, pid: child.pid ?? 0, connect: () => Promise.resolve(connect(port, '127.0.0.1')) };
    } catch (error) {
      if (!(error instanceof Error && /in use/i.test(error.message))) throw error;
    }
  }
}

function serve(port: number, path: string): readonly string[] {
  return ['serve', '--host', '127.0.0.1', '--port', String(port), '--db-path', path];
}

/** What the process has said by then. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((ready, failed) => {
    const said: string[] = [];
    child.stderr?.on('data', (chunk: Buffer) => {
      said.push(chunk.toString());
      if (said.join('').includes('listening on')) ready(said.join(''));
    });
    child.once('error', failed);
    child.once('exit', (code) =>
      failed(new Error(`the DynamoDB engine did not start (exit ${code}): ${said.join('').trim()}`)),
    );
  });
}
