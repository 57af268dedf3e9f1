/** The program as a process of its own, with the resolver of this machine and an AWS that answers on loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { EgressRequest, type EgressReport } from '#contract/egress.ts';
import { bundleOf } from '#test/run-cache.ts';
import { granted, HERE, listening, said } from './running-proxy.ts';

const MAIN = new URL('../../egress-proxy/main.ts', import.meta.url).pathname;
const ALLOW = JSON.stringify([{ host: 'localhost', cidr: '127.0.0.0/8', http: true }]);
const DAY_MS = 86_400_000;

/** The function `egress` behind Lambda's API, and the credentials of a task behind the address that its variables name. */
async function startAws() {
  const reports: EgressReport[] = [];
  const state = { failures: 0, credentials: 0, grants: 0 };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (request.url === '/credentials' && request.headers.authorization === 'token-of-task') {
      state.credentials += 1;
      const expires = new Date(Date.now() + DAY_MS).toISOString();
      const credentials = {
        AccessKeyId: 'AKIATEST',
        SecretAccessKey: 'secret-of-role',
        Token: 'session',
        Expiration: expires,
      };
      return void response.end(JSON.stringify(credentials));
    }
    const { authorization = '', 'x-amz-security-token': session } = request.headers;
    const isSigned = /^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/eu-west-1\/lambda\/aws4_request, /.test(
      authorization,
    );
    if (request.url !== '/2015-03-31/functions/egress/invocations' || !isSigned || session !== 'session')
      return void response.writeHead(403).end('{}');
    const asked = EgressRequest.parse(JSON.parse(body));
    if (asked.ask === 'grant') {
      state.grants += 1;
      return void response.end(JSON.stringify(granted()));
    }
    if (state.failures > 0) {
      state.failures -= 1;
      return void response.writeHead(200, { 'x-amz-function-error': 'Unhandled' }).end('{}');
    }
    reports.push(asked);
    response.end('{}');
  });
  onTestFinished(() => server.closeAllConnections());
  return { port: await listening(server), reports, state };
}

function run(variables: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [bundleOf(MAIN)], {
    env: { PATH: process.env['PATH'], EGRESS_LISTEN: `${HERE}:0`, ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => void lines.push(JSON.parse(line)));
  // With all that it has said.
  const exited = once(child, 'close') as Promise<[number | null]>;
  return { child, lines, exited };
}

async function startProgram(more: Readonly<Record<string, string>> = {}) {
  const aws = await startAws();
  const program = run({
    EGRESS_FUNCTION: 'egress',
    AWS_REGION: 'eu-west-1',
    EGRESS_ALLOW: ALLOW,
    AWS_ENDPOINT_URL: `http://${HERE}:${aws.port}`,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${HERE}:${aws.port}/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'token-of-task',
    ...more,
  });
  const listens = () => program.lines.find(({ message }) => message === 'listening')?.['address'];
  await expect.poll(listens).toBeDefined();
  const { port } = listens() as { readonly port: number };
  const dial = async (greeting: string, bytes: string) => {
    const socket = connect({ port, host: HERE, allowHalfOpen: true }).on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    socket.write(greeting + bytes);
    return socket;
  };
  return { ...program, aws, dial };
}

/** The most memory that the process has had. */
const mostMb = ({ pid }: ChildProcess) =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

it('carries 100 MB and 200 callers in little memory, and tells all of it before it stops', async () => {
  const chunk = Buffer.alloc(1 << 20);
  const server = createTcpServer({ allowHalfOpen: true }, async (socket) => {
    socket.on('error', () => undefined);
    const [asked] = (await once(socket, 'data')) as [Buffer];
    for (let mb = 0; mb < Number(asked); mb += 1) if (!socket.write(chunk)) await once(socket, 'drain');
    socket.end('end');
  });
  const port = await listening(server);
  const { child, lines, exited, aws, dial } = await startProgram();
  const tunnel = async (caller: number, mb: number) => {
    const socket = await dial(
      `EGRESS sesn_${caller % 8}/sandbox/1 token-${caller % 8}\n`,
      `CONNECT localhost:${port} HTTP/1.1\r\n\r\n`,
    );
    await once(socket, 'data');
    socket.end(String(mb));
    return said(socket);
  };
  expect((await tunnel(0, 100)).length).toBe((100 << 20) + 3);
  const ends = await Promise.all(Array.from({ length: 200 }, (_, caller) => tunnel(caller, 0)));
  expect(ends.every((end) => end === 'end')).toBe(true);
  expect(mostMb(child)).toBeLessThan(250);
  expect(aws.state).toMatchObject({ credentials: 1, grants: 8 });
  // The function fails at first. A tunnel that is open keeps the program for a while.
  aws.state.failures = 1;
  const open = await dial('EGRESS sesn_1/sandbox/1 token-1\n', `CONNECT localhost:${port} HTTP/1.1\r\n\r\n`);
  await once(open, 'data');
  child.kill('SIGTERM');
  await expect.poll(() => lines.at(-1)?.['message']).toBe('stopping');
  open.end('0');
  expect(await said(open)).toBe('end');
  expect(await exited).toEqual([0, null]);
  const uses = aws.reports.flatMap((report) => report.uses);
  expect(uses.reduce((sum, { connections }) => sum + connections, 0)).toBe(202);
  expect(uses.reduce((sum, { bytesIn }) => sum + bytesIn, 0)).toBe((100 << 20) + 3 * 202);
  expect(JSON.stringify(lines)).not.toMatch(/token-|secret-of-role/);
});

it('ends by itself when it is idle, and not while a connection is open', async () => {
  const server = createTcpServer((socket) => void socket.on('error', () => undefined).resume());
  const port = await listening(server);
  const { exited, lines, dial } = await startProgram({ EGRESS_IDLE_SECONDS: '1' });
  const socket = await dial('EGRESS sesn_1/sandbox/1 token-1\n', `CONNECT localhost:${port} HTTP/1.1\r\n\r\n`);
  await sleep(1_300);
  expect(lines.some(({ message }) => message === 'stopping')).toBe(false);
  socket.destroy();
  expect(await exited).toEqual([0, null]);
  expect(lines.find(({ message }) => message === 'stopping')).toMatchObject({ reason: 'idle' });
});

it('grants nothing when it has no credentials', async () => {
  const { dial, aws } = await startProgram({ AWS_CONTAINER_AUTHORIZATION_TOKEN: 'another' });
  const socket = await dial('EGRESS sesn_1/sandbox/1 token-1\n', 'CONNECT localhost:443 HTTP/1.1\r\n\r\n');
  expect(await said(socket)).toMatch(/^HTTP\/1\.1 503 the service could not be asked/);
  expect(aws.state.grants).toBe(0);
});

it('does not start without a setting, or with one of another form, and names it without its value', async () => {
  const given = { EGRESS_FUNCTION: 'egress', AWS_REGION: 'eu-west-1' };
  const cases = [
    [{ AWS_REGION: 'eu-west-1' }, 'EGRESS_FUNCTION'],
    [{ ...given, EGRESS_ALLOW: '[{"host":"hidden"}]' }, 'EGRESS_ALLOW'],
    [{ ...given, EGRESS_OWN_HOSTS: 'hidden' }, 'EGRESS_OWN_HOSTS'],
    [{ ...given, EGRESS_LISTEN: 'hidden' }, 'EGRESS_LISTEN'],
  ] as const;
  await Promise.all(
    cases.map(async ([variables, name]) => {
      const { exited, lines } = run(variables);
      expect(await exited).toEqual([1, null]);
      expect(JSON.stringify(lines)).toContain(name);
      expect(JSON.stringify(lines)).not.toContain('hidden');
    }),
  );
});
