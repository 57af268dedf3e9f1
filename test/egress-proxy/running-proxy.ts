/** An egress proxy in this process, with the service and the resolver that a test gives it, and connections to it. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { EgressUse, Grant, Granted, GrantRequest, Reach } from '#contract/egress.ts';
import { SessionId, WorkspaceId } from '#contract/ids.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import { CONNECT_TIMES, connectBy, type ConnectTimes } from '../../egress-proxy/connect.ts';
import { grantsFrom } from '../../egress-proxy/grants.ts';
import { judgeBy } from '../../egress-proxy/judge.ts';
import { CONNECTION_LIMITS, openConnections, type ConnectionLimits } from '../../egress-proxy/open-connections.ts';
import { openedTls, type OpenedTls } from '../../egress-proxy/opened.ts';
import type { Resolve } from '../../egress-proxy/resolve.ts';
import { egressProxy, SERVER_TIMES, type ServerTimes } from '../../egress-proxy/server.ts';
import { usesTold } from '../../egress-proxy/uses.ts';

export const HERE = '127.0.0.1';
/** Names of this machine, as a customer would allow servers in a private network. */
export const ALLOW: AllowedHosts = ['www.example.com', 'other.example.com'].map((host) => ({
  host,
  cidr: '127.0.0.0/8',
  http: true,
}));
export const GREETING = 'EGRESS sesn_1/sandbox/1 token-1\n';

export function granted(reach: Reach = { type: 'unrestricted' }, more: Partial<Granted> = {}): Granted {
  const subject = {
    type: 'session',
    workspace: WorkspaceId.parse('wrkspc_1'),
    session: SessionId.parse('sesn_1'),
  } as const;
  return { status: 'granted', subject, reach, substitutions: [], repositories: [], ...more };
}

export interface ProxyOptions {
  readonly grant?: (asked: Omit<GrantRequest, 'ask'>) => Promise<Grant>;
  readonly keepMs?: number;
  readonly resolve?: Resolve;
  readonly allow?: AllowedHosts;
  readonly times?: Partial<ServerTimes>;
  readonly connectTimes?: Partial<ConnectTimes>;
  readonly limits?: Partial<ConnectionLimits>;
  readonly opened?: OpenedTls;
}

export async function startProxy(options: ProxyOptions = {}) {
  const uses: EgressUse[] = [];
  const asked: Omit<GrantRequest, 'ask'>[] = [];
  const resolved: string[] = [];
  const lines: (readonly [message: string, facts: Readonly<Record<string, unknown>>])[] = [];
  const log = (_level: string, message: string, facts = {}) => void lines.push([message, facts]);
  const grant = options.grant ?? (async () => granted());
  const resolve = options.resolve ?? (async () => [HERE]);
  const grants = grantsFrom({ grant: (question) => (asked.push(question), grant(question)) }, log, options.keepMs);
  const told = usesTold({ add: (use) => void uses.push(use) }, log);
  const connections = openConnections({ ...CONNECTION_LIMITS, ...options.limits });
  const { server, endAll } = egressProxy({
    grants,
    judge: judgeBy(grants, { allow: options.allow ?? ALLOW, ownHosts: [] }),
    connect: connectBy((host) => (resolved.push(host), resolve(host)), { ...CONNECT_TIMES, ...options.connectTimes }),
    uses: told,
    opened: options.opened ?? openedTls({ extraCa: null }),
    connections,
    times: { ...SERVER_TIMES, ...options.times },
    log,
    onConnections: () => undefined,
  });
  const port = await listening(server);
  onTestFinished(() => endAll());

  /** A connection to the proxy, after its greeting. */
  const dial = async (greeting = GREETING): Promise<Socket> => {
    const socket = connect({ port, host: HERE, allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(greeting);
    return socket;
  };
  return { port, uses, asked, resolved, lines, connections, told, dial };
}

export type RunningProxy = Awaited<ReturnType<typeof startProxy>>;

export async function listening(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, HERE, resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** All that a socket says until it ends or breaks. */
export async function said(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  if (!socket.readableEnded && !socket.destroyed) {
    await new Promise<void>((resolve) => socket.once('end', () => resolve()).once('close', () => resolve()));
  }
  return Buffer.concat(chunks).toString('latin1');
}

/** What the proxy answers to these bytes after the greeting, in a connection that it ends. */
export async function answerTo({ dial }: Pick<RunningProxy, 'dial'>, bytes: string): Promise<string> {
  const socket = await dial();
  socket.write(bytes, 'latin1');
  return said(socket);
}

/** A tunnel, or the answer that refused it. */
export async function tunnel({ dial }: Pick<RunningProxy, 'dial'>, authority: string) {
  const socket = await dial();
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  return { socket, status: Number(/^HTTP\/1\.1 (\d+)/.exec(head.toString())?.[1]), head: head.toString() };
}
