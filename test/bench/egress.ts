/** The egress proxy as a process of its own, between a program and a server on this machine. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, request as httpRequest, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { EgressRequest, type Grant } from '#contract/egress.ts';
import { CredentialId, SessionId, WorkspaceId } from '#contract/ids.ts';
import { certificateFor } from '#test/ports/certificate.ts';
import { bundleOf } from '#test/run-cache.ts';
import { ms, spread, table } from './figures.ts';

const HERE = '127.0.0.1';
const HOST = 'localhost';
const REQUESTS = 400;
const CALLERS = 200;
const BYTES = 128 << 20;
const ROUNDS = 3;
const CERTIFICATE = certificateFor(HOST);
const MAIN = new URL('../../egress-proxy/main.ts', import.meta.url).pathname;
const ALLOW = JSON.stringify([{ host: HOST, cidr: '127.0.0.0/8', http: true }]);
const CHUNK = Buffer.alloc(1 << 18);

const TEXT = [
  'Client, proxy and server are on this machine, so the network costs nothing, and the three share its cores. Each request of',
  `the first table has a connection of its own, as \`curl\` makes it: ${REQUESTS} one after the other. The second one moves`,
  `${BYTES >> 20} MB in one connection, the median of ${ROUNDS}. Where TLS is opened, the proxy decrypts and encrypts each byte, and`,
  'looks for secrets in what comes back and for placeholders in what goes out.',
].join('\n');

interface Bench {
  readonly proxyPort: number;
  readonly plainPort: number;
  readonly securePort: number;
  readonly child: ChildProcess;
}

/** Callers whose ids begin with `opened` have a secret for the host. */
function grantFor(caller: string): Grant {
  const ids = { workspace: WorkspaceId.parse('wrkspc_1'), session: SessionId.parse('sesn_1') };
  const substitution = {
    credential: CredentialId.parse('vcrd_1'),
    placeholder: 'placeholder_0123456789abcdef',
    secret: 'a-secret-of-some-length',
    hosts: [HOST],
    header: true,
    body: true,
  };
  const substitutions = caller.startsWith('opened') ? [substitution] : [];
  return {
    status: 'granted',
    subject: { type: 'session', ...ids },
    reach: { type: 'unrestricted' },
    substitutions,
    repositories: [],
  };
}

export async function egress(progress: (text: string) => void): Promise<string> {
  const service = createHttpServer(async (request, response) => {
    const asked = EgressRequest.parse(JSON.parse(await text(request)));
    response.end(JSON.stringify(asked.ask === 'grant' ? grantFor(asked.caller) : {}));
  });
  const servers = [service, plainServer(), secureServer()] as const;
  const [servicePort = 0, plainPort = 0, securePort = 0] = await Promise.all(servers.map(listen));
  const { child, proxyPort } = await startProxy(servicePort);
  const bench = { proxyPort, plainPort, securePort, child };
  try {
    const latency = await latencies(bench);
    progress('egress: latency');
    const throughput = await throughputs(bench);
    progress('egress: throughput');
    return [TEXT, latency, throughput, await memory(bench)].join('\n\n');
  } finally {
    child.kill('SIGKILL');
    for (const server of servers) server.closeAllConnections();
    for (const server of servers) server.close();
  }
}

async function startProxy(servicePort: number): Promise<{ readonly child: ChildProcess; readonly proxyPort: number }> {
  const child = spawn(process.execPath, [bundleOf(MAIN)], {
    env: {
      EGRESS_FUNCTION: 'egress',
      AWS_REGION: 'eu-west-1',
      EGRESS_LISTEN: `${HERE}:0`,
      EGRESS_ALLOW: ALLOW,
      EGRESS_EXTRA_CA: CERTIFICATE.cert,
      UV_THREADPOOL_SIZE: '64',
      AWS_ENDPOINT_URL: `http://${HERE}:${servicePort}`,
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  lines.on('line', () => undefined);
  const { address } = JSON.parse(line) as { readonly address: { readonly port: number } };
  return { child, proxyPort: address.port };
}

function listen(server: TcpServer): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, HERE, () => resolve((server.address() as AddressInfo).port));
  });
}

/** `GET /<bytes>` answers so many; a `POST` is read and answered with nothing. */
function answer(server: Server): Server {
  return server.on('request', async (request, response) => {
    request.resume();
    const bytes = Number(request.url?.slice(1));
    response.writeHead(200, { 'content-length': bytes, 'content-type': 'application/octet-stream' });
    if (request.method === 'POST') await once(request, 'end');
    for (let left = bytes; left > 0; left -= CHUNK.length) {
      if (!response.write(left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK)) await once(response, 'drain');
    }
    response.end();
  });
}

const plainServer = () => answer(createHttpServer());
const secureServer = () => answer(createHttpsServer(CERTIFICATE));

/** Opens a connection to the server at that port. */
interface Way {
  readonly port: number;
  readonly open: () => Promise<Duplex>;
}

async function dial(port: number, localAddress?: string): Promise<Socket> {
  const socket = connect({ host: HERE, port, noDelay: true, ...(localAddress !== undefined && { localAddress }) });
  await once(socket, 'connect');
  return socket;
}

async function tunnel({ proxyPort }: Bench, to: { caller: string; port: number; from?: string }): Promise<Socket> {
  const socket = await dial(proxyPort, to.from);
  socket.write(`EGRESS ${to.caller} token\nCONNECT ${HOST}:${to.port} HTTP/1.1\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.toString().startsWith('HTTP/1.1 200')) throw new Error(head.toString());
  return socket;
}

async function secured(socket: Duplex, ca: string): Promise<Duplex> {
  const tls = connectTls({ socket, servername: HOST, ca: [ca, CERTIFICATE.cert] });
  await once(tls, 'secureConnect');
  return tls;
}

/** The certificate of the proxy's authority. */
async function authorityOf({ proxyPort }: Bench): Promise<string> {
  const socket = await dial(proxyPort);
  socket.write('EGRESS plain token\nGET /ca.pem HTTP/1.1\r\nConnection: close\r\n\r\n');
  return (await text(socket)).split('\r\n\r\n')[1] ?? '';
}

function send({ port, open }: Way, options: { path: string; method?: string; body?: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const { path, method = 'GET', body = 0 } = options;
    const headers = {
      host: `${HOST}:${port}`,
      ...(body > 0 && { 'content-length': body, 'content-type': 'text/plain' }),
    };
    const createConnection = (_: object, done?: (error: Error | null, socket: Duplex) => void): undefined =>
      void open().then((socket) => done?.(null, socket), reject);
    const request = httpRequest({ path, method, headers, createConnection }, async (response) => {
      const { length } = await buffer(response);
      if (response.statusCode === 200) resolve(length);
      else reject(new Error(`answered ${response.statusCode}`));
    });
    request.on('error', reject);
    void (async () => {
      for (let left = body; left > 0; left -= CHUNK.length) if (!request.write(CHUNK)) await once(request, 'drain');
      request.end();
    })();
  });
}

async function latencies(bench: Bench): Promise<string> {
  const { plainPort, securePort, proxyPort } = bench;
  const ca = await authorityOf(bench);
  const plain = (open: Way['open']) => ({ port: plainPort, open });
  const secure = (open: () => Promise<Socket>) => ({ port: securePort, open: async () => secured(await open(), ca) });
  const directly = { plain: plain(() => dial(plainPort)), secure: secure(() => dial(securePort)) };
  const ways: readonly (readonly [name: string, direct: Way, through: Way, path: string])[] = [
    [
      'HTTP, by a request to the proxy',
      directly.plain,
      plain(() => greeted(proxyPort)),
      `http://${HOST}:${plainPort}/100`,
    ],
    ['HTTP, by `CONNECT`', directly.plain, plain(() => tunnel(bench, { caller: 'plain', port: plainPort })), '/100'],
    ['HTTPS, untouched', directly.secure, secure(() => tunnel(bench, { caller: 'plain', port: securePort })), '/100'],
    ['HTTPS, opened', directly.secure, secure(() => tunnel(bench, { caller: 'opened', port: securePort })), '/100'],
  ];
  const rows: (readonly string[])[] = [];
  for (const [name, direct, through, path] of ways) {
    const without = spread(await times(direct, '/100'));
    const added = spread(await times(through, path));
    const told = ({ p50, p95 }: typeof added) => `${ms(p50)} / ${ms(p95)}`;
    rows.push([name, told(without), told(added), `${ms(added.p50 - without.p50)} / ${ms(added.p95 - without.p95)}`]);
  }
  return table(['Request', 'direct (p50 / p95)', 'through the proxy', 'added'], rows);
}

async function greeted(port: number): Promise<Socket> {
  const socket = await dial(port);
  socket.write('EGRESS plain token\n');
  return socket;
}

async function times(way: Way, path: string): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let one = 0; one < REQUESTS + 20; one += 1) {
    const began = performance.now();
    await send(way, { path });
    // The first ones compile code and ask for the grant.
    if (one >= 20) samples.push(performance.now() - began);
  }
  return samples;
}

async function throughputs(bench: Bench): Promise<string> {
  const { plainPort, securePort } = bench;
  const ca = await authorityOf(bench);
  const secure = async (open: Promise<Socket>) => secured(await open, ca);
  const through = (caller: string, port: number) => tunnel(bench, { caller, port });
  const ways: readonly (readonly [name: string, way: Way])[] = [
    ['HTTP, direct', { port: plainPort, open: () => dial(plainPort) }],
    ['HTTP, by `CONNECT`', { port: plainPort, open: () => through('plain', plainPort) }],
    ['HTTPS, direct', { port: securePort, open: () => secure(dial(securePort)) }],
    ['HTTPS, untouched', { port: securePort, open: () => secure(through('plain', securePort)) }],
    ['HTTPS, opened', { port: securePort, open: () => secure(through('opened', securePort)) }],
  ];
  const rows: (readonly string[])[] = [];
  for (const [name, way] of ways) {
    const down = await rate(() => send(way, { path: `/${BYTES}` }));
    const up = await rate(() => send(way, { path: '/0', method: 'POST', body: BYTES }));
    rows.push([name, down, up]);
  }
  return table(['In one connection', 'down', 'up'], rows);
}

async function rate(move: () => Promise<number>): Promise<string> {
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    await move();
    samples.push((BYTES >> 20) / ((performance.now() - began) / 1000));
  }
  return `${spread(samples).p50.toFixed(0)} MB/s`;
}

/** Each caller at an address of its own, as sandboxes have, with a tunnel that is open and has carried a request. */
async function memory(bench: Bench): Promise<string> {
  const before = residentMb(bench.child);
  const open = await Promise.all(
    Array.from({ length: CALLERS }, async (_, one) => {
      const from = `127.0.${2 + (one >> 7)}.${1 + (one % 128)}`;
      const socket = await tunnel(bench, { caller: `plain-${one}`, port: bench.plainPort, from });
      socket.write(`GET /1000000 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      await once(socket.resume(), 'data');
      return socket;
    }),
  );
  const during = residentMb(bench.child);
  for (const socket of open) socket.destroy();
  return `Memory of the proxy: ${before.toFixed(0)} MB after the above, ${during.toFixed(0)} MB with tunnels of ${CALLERS} callers open.`;
}

const residentMb = ({ pid }: ChildProcess) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
