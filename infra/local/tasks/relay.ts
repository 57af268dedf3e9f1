/**
 * Runs in a container without a network, before the container's own program: `node relay.mts PROGRAM ARGUMENTS…`. It
 * makes the way out, which is a Unix socket, an HTTP proxy at a port of the container, where package managers look.
 */
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

const [program = '', ...args] = process.argv.slice(2);

const server = createServer((client) => {
  const out = connect('/run/brainstem/way-out.sock');
  pipeline(client, out, () => undefined);
  pipeline(out, client, () => undefined);
});

server.listen(3128, '127.0.0.1', () => {
  const child = spawn(program, args, { stdio: 'inherit' });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.once('error', () => process.exit(127));
  child.once('exit', (code) => process.exit(code ?? 1));
});
