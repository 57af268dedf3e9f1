/**
 * TLS that the proxy opens: only towards hosts for which the caller's grant has a substitution or a repository. Within it
 * the proxy is an HTTP/1.1 server towards the program and an HTTP/1.1 client towards the real server, and each request is
 * judged by itself.
 */
import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createSecureContext, rootCertificates, TLSSocket, type SecureContext } from 'node:tls';
import type { Granted } from '#contract/egress.ts';
import type { CredentialId, ResourceId } from '#contract/ids.ts';
import { authorityOf } from '#core/egress/target.ts';
import { createAuthority } from './authority.ts';
import { NotReached } from './connect.ts';
import type { Exchange, Refusal } from './exchange.ts';
import { forward, MAX_HEADER_BYTES } from './forward.ts';
import { openedExchange, plainExchange } from './opened-exchange.ts';
import { refuseConnection, refuseRequest } from './reply.ts';

/** What one request may do; judged anew for each request, because a grant changes while a connection is open. */
export type Judged =
  | {
      readonly status: 'allowed';
      readonly granted: Granted;
      /** `repositories`: the caller reaches nothing of this host but the paths of its repositories. */
      readonly reaches: 'host' | 'repositories';
    }
  | { readonly status: 'refused'; readonly refusal: Refusal };

/** A tunnel that a program has asked for, to a host and port that the caller's grant allowed a moment ago. */
export interface Opening {
  /** In ASCII and lower case, without brackets and without a trailing dot. */
  readonly host: string;
  readonly port: number;
  /** Opens a TCP connection to a judged address of the host, and counts its bytes. Rejects with `NotReached`. */
  connect(): Promise<Socket>;
  judge(): Promise<Judged>;
  readonly use: OpenedUse;
}

/** For the canonical line and the report. */
export interface OpenedUse {
  /** The secret of this credential or repository went out. */
  usedSecret(id: CredentialId | ResourceId): void;
  /** A request within the tunnel was refused. */
  refused(rule: string): void;
}

export interface OpenedTls {
  /** The certificate of the proxy's authority, in PEM, which `GET /ca.pem` answers. */
  readonly certificate: string;
  /**
   * Serves a tunnel whose `CONNECT` was answered with 200. Resolves when the client's side has closed. Every connection
   * that it opened is closed then.
   */
  openTunnel(client: Duplex, opening: Opening): Promise<void>;
  /** What changes one plain HTTP request to that host; null when nothing does. */
  exchangeOf(granted: Granted, to: Pick<Opening, 'host' | 'port' | 'use'>): Exchange | null;
}

/** `extraCa`: certificates in PEM that servers may have besides those of public authorities; null for none. */
export function openedTls({ extraCa }: { readonly extraCa: string | null }): OpenedTls {
  const authority = createAuthority();
  const trusted = createSecureContext({
    ca: extraCa === null ? [...rootCertificates] : [...rootCertificates, extraCa],
    minVersion: 'TLSv1.2',
  });
  const tunnels = new WeakMap<Duplex, Tunnel>();
  const server = tunnelServer(tunnels);
  return {
    certificate: authority.certificate,
    exchangeOf: plainExchange,
    async openTunnel(client, opening) {
      const secured = await handshake(client, opening.host, authority.contextFor(opening.host));
      if (secured === null) {
        opening.use.refused('tls');
        return void client.destroy();
      }
      const agent = agentTo(opening, trusted, () => endWhenIdle(tunnel, secured));
      const tunnel: Tunnel = { opening, agent, last: Promise.resolve(), waiting: 0, serverHasClosed: false };
      tunnels.set(secured, tunnel);
      server.emit('connection', secured);
      await new Promise((resolve) => void secured.once('close', resolve));
      agent.destroy();
      client.destroy();
    },
  };
}

interface Tunnel {
  readonly opening: Opening;
  readonly agent: Agent;
  /** Requests are served one after the other, as the server sees them. */
  last: Promise<void>;
  waiting: number;
  serverHasClosed: boolean;
}

const HANDSHAKE_MS = 15_000;
const KEEP_ALIVE_MS = 60_000;
const IDLE_MS = 15 * 60_000;
/** A program may send further requests before it has the answer to the first. */
const MAX_WAITING = 16;

/** Null when the program wanted another host than that of its `CONNECT`, or something else than HTTP/1.1 over TLS. */
async function handshake(client: Duplex, host: string, secureContext: SecureContext): Promise<TLSSocket | null> {
  const secured = new TLSSocket(client, {
    isServer: true,
    secureContext,
    // HTTP/2 would carry many hosts in one connection.
    ALPNProtocols: ['http/1.1'],
  });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const late = setTimeout(() => resolve(false), HANDSHAKE_MS);
  secured.on('error', () => resolve(false));
  for (const over of ['end', 'close']) secured.once(over, () => resolve(false));
  secured.once('secure', () => resolve(true));
  const isDone = await promise;
  clearTimeout(late);
  if (isDone && isNamed(host, secured.servername)) return secured;
  secured.destroy();
  return null;
}

/** An address has no name in TLS. */
function isNamed(host: string, servername: string | false | null): boolean {
  return typeof servername === 'string' && servername !== '' ? servername.toLowerCase() === host : isIP(host) !== 0;
}

/**
 * One connection to the server for one of the program: when the server closes it, the program's is closed too, so that the
 * program sees what it would see without a proxy.
 */
function agentTo(opening: Opening, secureContext: SecureContext, onClose: () => void): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = (_options, done) => {
    secureTo(opening, secureContext).then(
      (socket) => done?.(null, socket.once('close', onClose)),
      (error: unknown) => done?.(error instanceof Error ? error : new Error('no connection'), NO_SOCKET),
    );
    return undefined;
  };
  return agent;
}

/** Node's types want a socket beside an error. */
const NO_SOCKET = undefined as unknown as Duplex;

async function secureTo({ host, connect: open }: Opening, secureContext: SecureContext): Promise<TLSSocket> {
  const socket = await open();
  const secured = connectTls({
    socket,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    secureContext,
    ALPNProtocols: ['http/1.1'],
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(new Error('late')), HANDSHAKE_MS);
  secured
    .once('error', reject)
    .once('close', () => reject(new Error('closed')))
    .once('secureConnect', resolve);
  try {
    await promise;
    return secured.off('error', reject).on('error', () => undefined);
  } catch (cause) {
    secured.on('error', () => undefined).destroy();
    throw new NotReached(notSecured(host, cause), cause);
  } finally {
    clearTimeout(late);
  }
}

function notSecured(host: string, cause: unknown): Refusal {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no handshake';
  return {
    status: 502,
    rule: 'server_certificate',
    sentence: `${host} did not prove with a certificate that this proxy trusts that it is this host (${code})`,
  };
}

function endWhenIdle(tunnel: Tunnel, client: TLSSocket): void {
  tunnel.serverHasClosed = true;
  if (tunnel.waiting === 0) client.end();
}

function tunnelServer(tunnels: WeakMap<Duplex, Tunnel>): Server {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    insecureHTTPParser: false,
    requireHostHeader: false,
  });
  server.timeout = IDLE_MS;
  server.on('request', (request, response) => {
    const tunnel = tunnels.get(request.socket);
    if (tunnel === undefined || tunnel.waiting >= MAX_WAITING) return void request.socket.destroy();
    tunnel.waiting += 1;
    tunnel.last = tunnel.last
      .then(() => serve(request, response, tunnel))
      .catch(() => void response.destroy())
      .finally(() => {
        tunnel.waiting -= 1;
        if (tunnel.serverHasClosed && tunnel.waiting === 0) request.socket.end();
      });
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    tunnels.get(socket)?.opening.use.refused(FORM.rule);
    refuseConnection(socket, FORM);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    tunnels.get(socket)?.opening.use.refused(UNREADABLE.rule);
    refuseConnection(socket, UNREADABLE);
  });
  return server;
}

async function serve(request: IncomingMessage, response: ServerResponse, { opening, agent }: Tunnel): Promise<void> {
  response.on('error', () => undefined);
  const refuse = (refusal: Refusal): void => {
    opening.use.refused(refusal.rule);
    refuseRequest(response, refusal);
  };
  const wrong = wrongWithin(request, opening);
  if (wrong !== null) return refuse(wrong);
  const judged = await opening.judge();
  if (judged.status === 'refused') return refuse(judged.refusal);
  const { rule } = await forward(request, response, {
    authority: authoritiesOf(opening)[0],
    path: request.url ?? '/',
    via: { agent },
    exchange: openedExchange(judged, opening),
  });
  if (rule !== null) opening.use.refused(rule);
}

/** What two servers could read differently, or what could carry a secret to another host or back. */
function wrongWithin(request: IncomingMessage, opening: Opening): Refusal | null {
  const { method, url = '', headers, rawHeaders } = request;
  if (!url.startsWith('/') && !(method === 'OPTIONS' && url === '*')) return FORM;
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
  const isThere = authoritiesOf(opening).includes(headers.host?.toLowerCase() ?? '');
  if (hosts.length !== 1 || !isThere) return otherHost(opening);
  if ((headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked') return UNREADABLE;
  // It answers with the request, and so with its secrets.
  if (method === 'TRACE') return { status: 405, rule: 'method', sentence: 'the method TRACE is not passed on' };
  return headers.upgrade?.toLowerCase() === 'websocket' ? websocket(opening) : null;
}

/** As the header `Host` names it; the first one is what the proxy writes. */
function authoritiesOf(opening: Opening): readonly [string, ...string[]] {
  const authority = authorityOf(opening, 443);
  return opening.port === 443 ? [authority, `${authority}:443`] : [authority];
}

const FORM: Refusal = {
  status: 400,
  rule: 'form',
  sentence: 'a request within a tunnel begins with a method and a path, and goes to the host of the tunnel',
};

const UNREADABLE: Refusal = {
  status: 400,
  rule: 'unreadable',
  sentence: 'the request could not be read as HTTP/1.1, in which alone this host is reached',
};

function otherHost({ host }: Opening): Refusal {
  return {
    status: 421,
    rule: 'other_host',
    sentence: `the header Host must name ${host} once, because the tunnel goes to that host`,
  };
}

function websocket({ host }: Opening): Refusal {
  return {
    status: 501,
    rule: 'upgrade',
    sentence:
      `a WebSocket to ${host} is refused, because a credential of this session may go there, and its echo would not be found; ` +
      `name other hosts in the credential's networking.allowed_hosts`,
  };
}
