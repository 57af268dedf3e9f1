/** The proxy: a connection begins with the relay's greeting, and then speaks HTTP as to any forward proxy. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isOpened } from '#core/egress/decide.ts';
import { absoluteTarget, authorityOf, tunnelTarget, type Target } from '#core/egress/target.ts';
import { NotReached, PROBE_AFTER_MS, type Connect } from './connect.ts';
import type { Refusal } from './exchange.ts';
import { endingOf, forward, MAX_HEADER_BYTES } from './forward.ts';
import { WITHOUT_GRANT, type Judge, type Verdict } from './judge.ts';
import type { Grants } from './grants.ts';
import { addressOf, greetingOf, type Caller } from './greeting.ts';
import type { Log } from './log.ts';
import type { OpenConnections } from './open-connections.ts';
import type { OpenedTls, Opening } from './opened.ts';
import { refuseConnection, refuseRequest } from './reply.ts';
import { carry } from './tunnel.ts';
import type { Ending, Use, Uses } from './uses.ts';

interface EgressProxyOptions {
  readonly grants: Grants;
  readonly judge: Judge;
  readonly connect: Connect;
  readonly uses: Uses;
  readonly opened: OpenedTls;
  readonly connections: OpenConnections;
  readonly times: ServerTimes;
  readonly log: Log;
  /** Called when a connection has begun or ended. */
  readonly onConnections: () => void;
}

export interface ServerTimes {
  readonly greetingMs: number;
  /** From the greeting, or from the first byte of a later request, to the end of its headers. */
  readonly headersMs: number;
  readonly keepAliveMs: number;
  /** A connection that carries nothing for so long has ended. */
  readonly idleMs: number;
}

export const SERVER_TIMES: ServerTimes = {
  greetingMs: 5_000,
  headersMs: 30_000,
  keepAliveMs: 60_000,
  idleMs: 15 * 60_000,
};

interface Serving extends EgressProxyOptions {
  readonly callers: WeakMap<Duplex, Caller>;
  /** Connections in which an answer is due. What else was written to them would be taken for a part of it. */
  readonly answering: WeakSet<Duplex>;
}

interface EgressProxy {
  /** Not listening yet. */
  readonly server: Server;
  /** Ends all connections at once. */
  endAll(): void;
}

export function egressProxy(options: EgressProxyOptions): EgressProxy {
  const serving: Serving = { ...options, callers: new WeakMap(), answering: new WeakSet() };
  const { connections, onConnections } = options;
  const open = new Set<Socket>();
  const server = httpServer(serving);
  // A connection speaks HTTP after its greeting. The server itself must be the one that listens: it watches the times.
  const speakHttp = server.listeners('connection');
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    const address = addressOf(socket);
    if (!connections.opened(address)) return refuseConnection(socket, TOO_MANY);
    open.add(socket);
    onConnections();
    socket.once('close', () => {
      open.delete(socket);
      connections.closed(address);
      onConnections();
    });
    void greeted(socket, serving).then((isCaller) => {
      if (!isCaller) return void socket.destroy();
      for (const speak of speakHttp) speak.call(server, socket);
      socket.resume();
    });
  });
  return { server, endAll: () => open.forEach((socket) => socket.destroy()) };
}

async function greeted(socket: Socket, { callers, times, log }: Serving): Promise<boolean> {
  const caller = await greetingOf(socket, times.greetingMs);
  if (caller === null) log('INFO', 'no greeting', { address: addressOf(socket) });
  else callers.set(socket, caller);
  return caller !== null;
}

const TOO_MANY: Refusal = {
  status: 503,
  rule: 'too_many_connections',
  sentence: 'this sandbox has as many connections as one may have; end some of them first',
};

function httpServer(serving: Serving): Server {
  const { times } = serving;
  const server = createServer({
    // `allowHalfOpen` is set by Node: a client that has sent everything may still read.
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: PROBE_AFTER_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: times.headersMs,
    // An upload may last for hours.
    requestTimeout: 0,
    keepAliveTimeout: times.keepAliveMs,
    connectionsCheckingInterval: Math.min(5_000, times.headersMs),
    insecureHTTPParser: false,
    requireHostHeader: false,
  });
  server.timeout = times.idleMs;
  // Node would drop further headers without a word. MAX_HEADER_BYTES limits them.
  server.maxHeadersCount = 0;
  server.on('request', (request, response) => {
    const { socket } = request;
    serving.answering.add(socket);
    response.once('close', () => serving.answering.delete(socket));
    serveRequest(request, response, serving).catch(() => response.destroy());
  });
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    if (serving.answering.has(client)) return void client.destroy();
    if (head.length > 0) client.unshift(head);
    serveTunnel(request.url ?? '', client, serving).catch(() => client.destroy());
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET' || serving.answering.has(socket)) return void socket.destroy();
    refuseConnection(socket, unreadable(error.code));
  });
  return server;
}

function unreadable(code: string | undefined): Refusal {
  const sentence =
    code === 'HPE_HEADER_OVERFLOW'
      ? `the headers of a request may have ${MAX_HEADER_BYTES} bytes`
      : `the request could not be read as HTTP/1.1 (${code ?? 'unknown'})`;
  return { status: 400, rule: 'unreadable', sentence };
}

async function serveRequest(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const caller = serving.callers.get(request.socket);
  if (caller === undefined) return void response.destroy();
  response.on('error', () => undefined);
  if (request.url === '/ca.pem' && request.method === 'GET') return serveCertificate(response, caller, serving);
  const target = absoluteTarget(request.url ?? '');
  const wrong = target === null ? NO_TARGET : wrongRequest(request);
  if (target === null || wrong !== null) return refuseRequest(response, wrong ?? NO_TARGET);
  const verdict = await serving.judge(caller, target);
  const use = serving.uses.begin({ ...target, subject: verdict.granted?.subject ?? null });
  if (verdict.status === 'refused') {
    refuseRequest(response, verdict.refusal);
    return use.end({ verdict: 'refused', rule: verdict.refusal.rule });
  }
  const connect = connectCounted({ caller, verdict, target, use, client: response, serving });
  const exchange = serving.opened.exchangeOf(verdict.granted, { ...target, use });
  use.end(
    await forward(request, response, {
      authority: authorityOf(target, 80),
      path: target.path,
      via: { connect },
      exchange,
    }),
  );
}

const NO_TARGET: Refusal = {
  status: 400,
  rule: 'form',
  sentence: 'this is a forward proxy: it takes CONNECT host:port, and requests for http://host/path',
};

function wrongRequest({ method, headers }: IncomingMessage): Refusal | null {
  if (method === 'TRACE') return { status: 405, rule: 'method', sentence: 'the method TRACE is not passed on' };
  if (headers.upgrade?.toLowerCase() === 'websocket') {
    return { status: 501, rule: 'upgrade', sentence: 'a WebSocket goes through CONNECT, and not through a request' };
  }
  return null;
}

async function serveCertificate(response: ServerResponse, caller: Caller, { grants, opened }: Serving): Promise<void> {
  const granted = await grants(caller);
  if (granted.status !== 'granted') return refuseRequest(response, WITHOUT_GRANT[granted.status]);
  response.writeHead(200, { 'content-type': 'application/x-pem-file' }).end(opened.certificate);
}

async function serveTunnel(authority: string, client: Socket, serving: Serving): Promise<void> {
  const caller = serving.callers.get(client);
  if (caller === undefined) return void client.destroy();
  client.on('error', () => undefined).setTimeout(serving.times.idleMs, () => client.destroy());
  const target = tunnelTarget(authority);
  if (target === null) return refuseConnection(client, NO_TARGET);
  const verdict = await serving.judge(caller, target);
  const use = serving.uses.begin({ ...target, subject: verdict.granted?.subject ?? null });
  if (verdict.status === 'refused') {
    refuseConnection(client, verdict.refusal);
    return use.end({ verdict: 'refused', rule: verdict.refusal.rule });
  }
  const connect = connectCounted({ caller, verdict, target, use, client, serving });
  use.end(
    isOpened(verdict.granted, target)
      ? await open(
          client,
          { host: target.host, port: target.port, connect, judge: () => serving.judge(caller, target), use },
          serving,
        )
      : await join(client, connect),
  );
}

async function open(client: Socket, opening: Opening, { opened }: Serving): Promise<Ending> {
  client.write(ESTABLISHED);
  await opened.openTunnel(client, opening);
  return { verdict: 'allowed', rule: null };
}

async function join(client: Socket, connect: Opening['connect']): Promise<Ending> {
  try {
    const upstream = await connect();
    client.write(ESTABLISHED);
    await carry(client, upstream);
    return { verdict: 'allowed', rule: null };
  } catch (error) {
    if (!(error instanceof NotReached)) return { verdict: 'unreachable', rule: null };
    refuseConnection(client, error.refusal);
    return endingOf(error.refusal);
  }
}

interface Connecting {
  readonly caller: Caller;
  readonly verdict: Extract<Verdict, { readonly status: 'allowed' }>;
  readonly target: Target;
  readonly use: Use;
  /** Nothing is connected for a client that has gone. */
  readonly client: Duplex | ServerResponse;
  readonly serving: Serving;
}

function connectCounted({ caller, verdict, target, use, client, serving }: Connecting): Opening['connect'] {
  const gone = new AbortController();
  client.once('close', () => gone.abort(new Error('the client has gone')));
  return async () => {
    const socket = await serving.connect(
      { host: target.host, port: target.port, admitted: verdict.admitted, asker: caller.address },
      gone.signal,
    );
    use.counts(socket);
    return socket.on('error', () => undefined);
  };
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';
