/** A proxy with a grant that holds secrets, real TLS servers of a test authority, and real clients behind a relay. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { Granted, Substitution } from '#contract/egress.ts';
import { CredentialId } from '#contract/ids.ts';
import { createAuthority } from '../../egress-proxy/authority.ts';
import { openedTls } from '../../egress-proxy/opened.ts';
import { GREETING, granted, HERE, listening, startProxy, tunnel } from './running-proxy.ts';

export const SECRET = 'tok/en+ "1":%é-0123456789abcdef';
export const PLACEHOLDER = `placeholder_${'a7c3e1b9'.repeat(6)}`;
/** The authority of the real servers, in the place of a public one. */
const root = createAuthority();

export function substitution(more: Partial<Substitution> = {}): Substitution {
  const credential = CredentialId.parse('vcrd_1');
  return { credential, placeholder: PLACEHOLDER, secret: SECRET, hosts: null, header: true, body: true, ...more };
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The server of any host, with a certificate for it; `as` gives it the certificate of another one. */
export async function serveTls(
  handler: Handler,
  as: (host: string) => string | SecureContext = (host) => host,
): Promise<number> {
  const contextFor = (host: string) => {
    const certified = as(host);
    return typeof certified === 'string' ? root.contextFor(certified) : certified;
  };
  const server = createHttpsServer(
    { SNICallback: (name, done) => done(null, contextFor(name)), ALPNProtocols: ['http/1.1'] },
    handler,
  );
  server.on('connection', (socket) => socket.on('error', () => undefined));
  onTestFinished(() => server.closeAllConnections());
  return listening(server);
}

/** What a server got. */
export interface Got {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Tells what it gets, and answers it in JSON. */
export async function serveEcho(): Promise<{ readonly port: number; readonly got: Got[] }> {
  const got: Got[] = [];
  const port = await serveTls(async (request, response) => {
    const { method, url, headers } = request;
    const one = { line: `${method} ${url}`, headers, body: (await buffer(request)).toString() };
    got.push(one);
    response.end(JSON.stringify(one));
  });
  return { port, got };
}

/** All that the other side says after these bytes, until it ends. */
export async function exchange(socket: TLSSocket, ...parts: readonly (string | Buffer)[]): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const ended = new Promise(
    (resolve) => void socket.once('error', resolve).once('close', resolve).once('end', resolve),
  );
  for (const part of parts) {
    socket.write(part);
    // The next part is another record of TLS, and mostly another chunk.
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await ended;
  return Buffer.concat(chunks).toString('latin1');
}

export function bytesOf(line: string, headers: readonly string[], body = ''): string {
  return [line, ...headers, 'Connection: close', '', body].join('\r\n');
}

export async function stage(grant: Partial<Granted> = { substitutions: [substitution()] }, reach?: Granted['reach']) {
  const opened = openedTls({ extraCa: root.certificate });
  const proxy = await startProxy({ grant: async () => granted(reach, grant), opened });
  const folder = mkdtempSync(join(tmpdir(), 'opened-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, opened.certificate);
  const relay = await relayTo(proxy.port);
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    HTTPS_PROXY: `http://${HERE}:${relay}`,
    https_proxy: `http://${HERE}:${relay}`,
    NODE_USE_ENV_PROXY: '1',
    NODE_EXTRA_CA_CERTS: ca,
    CURL_CA_BUNDLE: ca,
    SSL_CERT_FILE: ca,
    GIT_SSL_CAINFO: ca,
    REQUESTS_CA_BUNDLE: ca,
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
  };
  /** A program as in a sandbox; rejects when it fails. */
  const run = async (command: string, ...args: readonly string[]) => {
    const options = { env, cwd: folder, maxBuffer: 1 << 28 };
    return (await promisify(execFile)(command, args, options)).stdout;
  };
  /** TLS to the proxy in a tunnel to this host. */
  const tls = async (
    host: string,
    port: number,
    { servername = host, alpn = ['http/1.1'] } = {},
  ): Promise<TLSSocket> => {
    const { socket } = await tunnel(proxy, `${host}:${port}`);
    // A program that lies about the name does not look at the certificate's.
    const checkServerIdentity = () => undefined;
    const secured = connectTls({
      socket,
      servername,
      ca: opened.certificate,
      ALPNProtocols: alpn,
      checkServerIdentity,
    });
    onTestFinished(() => void secured.destroy());
    return secured;
  };
  return { ...proxy, opened, folder, ca, env, run, tls };
}

/** What the relay of a task does: it greets for the program. */
async function relayTo(port: number): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (client: Socket) => {
    const proxy = connect({ port, host: HERE, allowHalfOpen: true });
    client.on('error', () => proxy.destroy());
    proxy.on('error', () => client.destroy()).write(GREETING);
    client.pipe(proxy).pipe(client);
    onTestFinished(() => void [client, proxy].map((socket) => socket.destroy()));
  });
  return listening(server);
}
