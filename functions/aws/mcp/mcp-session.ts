/** One session with an MCP server, for one request of one user. */
import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type AuthProvider,
} from '@modelcontextprotocol/client';
import type { McpFailure, McpTarget, UrlRequest } from '#core/ports/mcp-client.ts';
import type { GuardedFetch } from '#core/ports/outbound.ts';
import { answerTo, capabilitiesFor, urlRequest, type Forms } from '#aws/mcp/mcp-elicitation.ts';
import { startTraffic, type McpTraffic, type TrafficOptions } from '#aws/mcp/mcp-traffic.ts';
import { failureOf } from '#aws/mcp/mcp-failure.ts';
import { refusalOf } from '#aws/mcp/mcp-refusal.ts';
import { countRequestsFrom } from '#aws/mcp/mcp-request-ids.ts';
import { isForOtherTransport, foundTransport, type Transport } from '#aws/mcp/mcp-transport.ts';

export interface Session {
  readonly client: Client;
  /** URLs that the server asked people to open while it answered a request, as the older era allows. */
  readonly pushed: readonly UrlRequest[];
  /** For the SDK, in milliseconds. */
  readonly timeout: number;
  /** The number of listed tools that do not have the form of a tool. */
  badTools(): number;
}

export interface Visit<Value> {
  readonly target: McpTarget;
  readonly method: 'tools/list' | 'tools/call';
  readonly fetch: GuardedFetch;
  /** Epoch milliseconds. */
  now(): number;
  readonly maxBytes: number;
  readonly forms: Forms;
  /** Whether people have done what an earlier visit was asked for. */
  readonly isResumed: boolean;
  readonly signal: AbortSignal;
  /** Of this visit, however many transports it tries: a token is renewed once. */
  readonly bearer: McpTarget['bearer'];
  onConnected(transport: Transport): void;
  work(session: Session): Promise<Value>;
}

type Visited<Value> =
  | { readonly status: 'done'; readonly value: Value }
  | { readonly status: 'failed'; readonly failure: McpFailure }
  /** The server has lost the session that it began for the request, and did not read the request. */
  | { readonly status: 'lost session'; readonly failure: McpFailure }
  /** The server seems to speak by another transport. Unless the failure says so, nothing has begun. */
  | { readonly status: 'other transport'; readonly failure: McpFailure };

const CLIENT = { name: 'brainstem', version: '0.1.0' };
const MAX_PAGES = 20;
const RECONNECTION = {
  initialReconnectionDelay: 500,
  maxReconnectionDelay: 5000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: 2,
};
/** The end of a session only helps the server, so the call waits no longer for it. */
const GOODBYE_MS = 1000;
/** By how much the SDK's time limit is longer than this client's, so that this client's ends a request. */
const GRACE_MS = 1000;

/**
 * Rejects when the signal is aborted, and with the error of `bearer.token`; everything else is a value. When the server loses
 * the session, the visit begins once more with a new one.
 */
export async function visit<Value>(
  going: Visit<Value>,
  tried: Transport,
): Promise<Exclude<Visited<Value>, { readonly status: 'lost session' }>> {
  const first = await visitOnce(going, tried);
  const visited = first.status === 'lost session' ? await visitOnce(going, tried) : first;
  return visited.status === 'lost session' ? { status: 'failed', failure: visited.failure } : visited;
}

async function visitOnce<Value>(going: Visit<Value>, tried: Transport): Promise<Visited<Value>> {
  const { target, signal, now } = going;
  const host = new URL(target.url).hostname;
  const totalMs = Math.max(0, target.deadline - now());
  const timeout = totalMs + GRACE_MS;
  const traffic = startTraffic({ ...going, totalMs, streams: streamsOf(tried, going.method) });
  const credential = credentialOf(going.bearer, traffic);
  const transport = transportOf(tried, target.url, { traffic, authProvider: credential.provider });
  countRequestsFrom(transport, now());
  const pushed: UrlRequest[] = [];
  const client = clientOf(going, pushed);
  try {
    const prior = tried.kind === 'streamable' ? tried.prior : ({ kind: 'legacy' } as const);
    const connecting = client.connect(transport, { timeout, ...(prior === null ? {} : { prior }) });
    await traffic.deadline.race(connecting);
    going.onConnected(foundTransport(client, tried));
    return {
      status: 'done',
      value: await traffic.deadline.race(going.work({ client, pushed, timeout, badTools: traffic.badTools })),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (credential.fault() !== undefined) throw credential.fault();
    const last = traffic.last();
    const why = traffic.deadline.over(host, last !== null) ?? error;
    const failure = failureOf(why, { last, host, now: now(), method: going.method, tokens: [...credential.used] });
    const lost = traffic.lost();
    // A 404 to another message, such as a person's answer, does not say that the call has not begun.
    const isFirst = lost === last || last?.method === 'initialize';
    if (lost !== null && isFirst && refusalOf(error, lost) === 'unread') return { status: 'lost session', failure };
    return { status: isForOtherTransport(tried, error, last) ? 'other transport' : 'failed', failure };
  } finally {
    await leave(client, transport, traffic);
  }
}

function streamsOf({ kind }: Transport, method: Visit<unknown>['method']): TrafficOptions['streams'] {
  if (kind === 'events') return 'answers';
  return method === 'tools/list' ? 'none' : 'aside';
}

function clientOf({ forms, isResumed }: Pick<Visit<unknown>, 'forms' | 'isResumed'>, pushed: UrlRequest[]): Client {
  const client = new Client(CLIENT, {
    capabilities: capabilitiesFor(forms),
    versionNegotiation: { mode: 'auto' },
    inputRequired: { autoFulfill: false },
    listMaxPages: MAX_PAGES,
  });
  client.setRequestHandler('elicitation/create', ({ params }) => {
    const url = urlRequest(`pushed-${pushed.length}`, params);
    if (url === null) return { ...answerTo(params, forms) };
    if (isResumed) return { action: 'accept' };
    pushed.push(url);
    // No user is present. The call is made again after a user has opened the URL.
    return { action: 'cancel' };
  });
  return client;
}

interface Wires {
  readonly traffic: McpTraffic;
  readonly authProvider: AuthProvider | undefined;
}

function transportOf(
  tried: Transport,
  url: string,
  { traffic, authProvider }: Wires,
): StreamableHTTPClientTransport | SSEClientTransport {
  const options = { fetch: traffic.fetch, ...(authProvider === undefined ? {} : { authProvider }) };
  if (tried.kind === 'events') return new SSEClientTransport(new URL(url), options);
  return new StreamableHTTPClientTransport(new URL(url), {
    ...options,
    onInsufficientScope: 'throw',
    reconnectionOptions: RECONNECTION,
    reconnectionScheduler(reconnect, delayMs) {
      const { promise: waited, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(() => {
        reconnect();
        resolve();
      }, delayMs);
      void traffic.during(() => waited);
      return () => clearTimeout(timer);
    },
  });
}

/** Remembers the tokens that were sent, so that they can be redacted from answers, and the error of reading one. */
function credentialOf(bearer: McpTarget['bearer'], traffic: McpTraffic) {
  const used = new Set<string>();
  let fault: unknown;
  const provider: AuthProvider | undefined =
    bearer === null
      ? undefined
      : {
          async token() {
            try {
              const token = await traffic.during(() => bearer.token());
              if (token !== undefined) used.add(token);
              return token;
            } catch (error) {
              fault = error;
              throw error;
            }
          },
          onUnauthorized: () => traffic.during(() => bearer.onUnauthorized()),
        };
  return { provider, used, fault: () => fault };
}

async function leave(
  client: Client,
  transport: StreamableHTTPClientTransport | SSEClientTransport,
  traffic: McpTraffic,
): Promise<void> {
  const isOver = traffic.deadline.signal.aborted;
  traffic.end();
  if (!isOver && transport instanceof StreamableHTTPClientTransport && transport.sessionId !== undefined) {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, GOODBYE_MS);
    // A server may refuse to end a session.
    await Promise.race([transport.terminateSession().catch(() => {}), late]);
    clearTimeout(timer);
  }
  await client.close().catch(() => {});
}
