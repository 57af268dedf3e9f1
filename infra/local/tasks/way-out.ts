/**
 * The only way out of a container in a subnet with a route to the internet: an HTTP proxy on a Unix socket in the task's
 * folder. It connects to the hosts for which the resolver of the task's VPC answers, and to the stores of this runtime
 * that the task was given a URL of. Neither is this machine: no listed name leads to a loopback or link-local address.
 */
import { lookup } from 'node:dns/promises';
import { chmod, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { BlockList, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline, type Duplex } from 'node:stream';
import type { ContainerStart } from './runner.ts';

export const WAY_OUT_SOCKET = 'way-out.sock';
/** Where the relay in the container listens. */
const PROXY_URL = 'http://127.0.0.1:3128';
const RELAY = '/opt/brainstem/relay.mts';

/** This machine itself, under each of its names, and servers that only a cloud's own machines have. */
const HERE = new BlockList();
HERE.addSubnet('127.0.0.0', 8);
HERE.addSubnet('0.0.0.0', 8);
HERE.addSubnet('169.254.0.0', 16);
HERE.addAddress('::1', 'ipv6');
HERE.addAddress('::', 'ipv6');
HERE.addSubnet('fe80::', 10, 'ipv6');

/** The file of the relay on this machine, and where the container has it. */
export const RELAY_FILE = { from: join(import.meta.dirname, 'relay.ts'), to: RELAY };

/** What a container runs to have the way out: the relay, which starts the container's own command. */
export function withRelay(node: string, command: readonly string[]): readonly string[] {
  return [node, RELAY, ...command];
}

/** Package managers read some of these, and Node's own `fetch` the last. */
export const PROXY_VARIABLES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => [name, PROXY_URL] as const),
  ),
  NODE_USE_ENV_PROXY: '1',
};

export function hasHosts(network: ContainerStart['network']): network is { readonly hosts: readonly string[] } {
  return typeof network === 'object' && 'hosts' in network;
}

interface WayOut {
  close(): Promise<void>;
}

type Target = { readonly host: string; readonly port: number };
type Judge = (target: Target) => Promise<Target | null>;

/** Opens the way out of one task. */
export async function openWayOut({ taskDir, network, environment }: ContainerStart): Promise<WayOut> {
  if (!hasHosts(network)) return { close: async () => undefined };
  const judge = judgeOf(network.hosts, ownStores(environment));
  const path = join(taskDir, 'run', WAY_OUT_SOCKET);
  const sockets = new Set<Duplex>();
  const keep = (socket: Duplex): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer((request, response) => {
    response.on('error', () => response.destroy());
    forward(request, judge)
      .then((answer) => {
        if (answer === null) return void response.writeHead(403).end('The host is not one that packages come from.\n');
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        pipeline(answer, response, () => undefined);
      })
      .catch(() => response.destroy());
  });
  server.on('connection', keep);
  server.on('connect', (request: IncomingMessage, client: Duplex) => {
    keep(client);
    tunnel(request.url ?? '', client, judge).then(
      (upstream) => upstream !== null && keep(upstream),
      () => client.destroy(),
    );
  });
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  // The container's user is another one than this process where this process is root.
  await chmod(path, 0o666);
  return {
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The URLs in a task's environment are to this runtime's stores, which check the signature of each request. */
function ownStores(environment: ContainerStart['environment']): ReadonlySet<string> {
  const urls = Object.values(environment).flatMap((value) => URL.parse(value) ?? []);
  return new Set(urls.map((url) => `${url.hostname}:${portOf(url)}`));
}

function judgeOf(hosts: readonly string[], stores: ReadonlySet<string>): Judge {
  return async ({ host, port }) => {
    if (stores.has(`${host}:${port}`)) return { host, port };
    const name = host.toLowerCase().replace(/\.$/, '');
    if (!hosts.some((listed) => (listed.startsWith('*.') ? name.endsWith(listed.slice(1)) : name === listed)))
      return null;
    const { address, family } = await lookup(name);
    // The connection goes to the address that was judged.
    return HERE.check(address, family === 6 ? 'ipv6' : 'ipv4') ? null : { host: address, port };
  };
}

async function forward(request: IncomingMessage, judge: Judge): Promise<IncomingMessage | null> {
  const url = URL.parse(request.url ?? '');
  if (url?.protocol !== 'http:') return null;
  const to = await judge({ host: url.hostname, port: portOf(url) });
  if (to === null) return null;
  const { 'proxy-connection': _, 'proxy-authorization': __, ...headers } = request.headers;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const path = `${url.pathname}${url.search}`;
  const outgoing = httpRequest({ ...to, method: request.method, path, headers, agent: false }, resolve);
  outgoing.once('error', reject);
  pipeline(request, outgoing, (error) => error && reject(error));
  return promise;
}

async function tunnel(authority: string, client: Duplex, judge: Judge): Promise<Socket | null> {
  const url = URL.parse(`https://${authority}`);
  const to = url === null ? null : await judge({ host: url.hostname, port: portOf(url) });
  if (to === null) {
    client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    return null;
  }
  const upstream = connect(to.port, to.host);
  upstream.once('connect', () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    pipeline(client, upstream, () => undefined);
    pipeline(upstream, client, () => undefined);
  });
  upstream.once('error', () => client.destroy());
  return upstream;
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
