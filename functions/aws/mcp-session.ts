/** One connection to an MCP server: as long as one request of ours takes, and nobody else's. */
import {
  Client,
  ProtocolError,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type AuthProvider,
  type PriorDiscovery,
} from '@modelcontextprotocol/client';
import type { McpFailure, McpTarget, UrlRequest } from '#core/mcp/mcp-client.ts';
import type { GuardedFetch } from '#aws/guarded-fetch.https.ts';
import { answerTo, capabilitiesFor, urlRequest, type Forms } from '#aws/mcp-elicitation.ts';
import { startExchange, type Exchange, type Sighting } from '#aws/mcp-exchange.ts';
import { failureOf } from '#aws/mcp-failure.ts';

/** How a server is spoken to, as far as it is known. */
export type Way =
  | { readonly transport: 'streamable'; readonly prior: PriorDiscovery | null }
  /** HTTP with server-sent events, from before streamable HTTP. */
  | { readonly transport: 'events' };

export const UNKNOWN_WAY: Way = { transport: 'streamable', prior: null };
export const EVENTS_WAY: Way = { transport: 'events' };

export interface Session {
  readonly client: Client;
  /** URLs that the server asked people to open in the middle of a request, which is the older era's second way to ask. */
  readonly pushed: readonly UrlRequest[];
  /** For the SDK's own clock, which comes second. */
  readonly timeout: number;
}

export interface Visit<Value> {
  readonly target: McpTarget;
  readonly method: 'tools/list' | 'tools/call';
  readonly fetch: GuardedFetch;
  readonly now: number;
  readonly maxBytes: number;
  readonly forms: Forms;
  /** Whether people have done what an earlier visit was asked for. */
  readonly isResumed: boolean;
  readonly signal: AbortSignal;
  /** Of this visit, however many ways are tried: a token is refused once. */
  readonly bearer: McpTarget['bearer'];
  onConnected(way: Way): void;
  work(session: Session): Promise<Value>;
}

export type Visited<Value> =
  | { readonly status: 'done'; readonly value: Value }
  | { readonly status: 'failed'; readonly failure: McpFailure }
  /** It was refused because the server is spoken to in another way; nothing has begun. */
  | { readonly status: 'another way'; readonly failure: McpFailure };

const CLIENT = { name: 'brainstem', version: '0.1.0' };
export const MAX_PAGES = 20;
const RECONNECTION = {
  initialReconnectionDelay: 500,
  maxReconnectionDelay: 5000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: 2,
};
/** Saying goodbye is for the server's sake; nobody waits longer for it. */
const GOODBYE_MS = 1000;
/** What a server of another era, or of another transport, answers to what it does not know. */
const NOT_MY_WAY: readonly number[] = [400, 404, 405, 406, 415];
const UNSUPPORTED_VERSION = -32022;
const METHOD_NOT_FOUND = -32601;

/** Rejects when the signal is aborted, and with what `bearer.token` throws; everything else is a value. */
export async function visit<Value>(going: Visit<Value>, way: Way): Promise<Visited<Value>> {
  const { target, signal, now } = going;
  const host = new URL(target.url).hostname;
  const timeout = Math.max(0, target.deadline - now);
  const standingStream = way.transport === 'events';
  const exchange = startExchange({ ...going, totalMs: timeout, standingStream });
  const credential = credentialOf(going.bearer, exchange);
  const transport = transportOf(way, target.url, { exchange, authProvider: credential.provider });
  const pushed: UrlRequest[] = [];
  const client = clientOf(going, pushed);
  try {
    const prior = way.transport === 'streamable' ? way.prior : ({ kind: 'legacy' } as const);
    const connecting = client.connect(transport, { timeout: timeout + 1000, ...(prior === null ? {} : { prior }) });
    await exchange.deadline.race(connecting);
    going.onConnected(wayOf(client, way));
    const session = { client, pushed, timeout: timeout + 1000 };
    return { status: 'done', value: await exchange.deadline.race(going.work(session)) };
  } catch (error) {
    signal.throwIfAborted();
    if (credential.fault() !== undefined) throw credential.fault();
    const last = exchange.last();
    const why = exchange.deadline.over(host, last !== null) ?? error;
    const failure = failureOf(why, { last, host, now, method: going.method, token: credential.used() });
    return { status: !failure.sent && isAnotherWay(way, error, last) ? 'another way' : 'failed', failure };
  } finally {
    await leave(client, transport, exchange);
  }
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
    // Nobody is there at this moment. The call is made again when somebody has been.
    return { action: 'cancel' };
  });
  return client;
}

interface Wires {
  readonly exchange: Exchange;
  readonly authProvider: AuthProvider | undefined;
}

function transportOf(
  way: Way,
  url: string,
  { exchange, authProvider }: Wires,
): StreamableHTTPClientTransport | SSEClientTransport {
  const options = { fetch: exchange.fetch, ...(authProvider === undefined ? {} : { authProvider }) };
  if (way.transport === 'events') return new SSEClientTransport(new URL(url), options);
  return new StreamableHTTPClientTransport(new URL(url), {
    ...options,
    onInsufficientScope: 'throw',
    reconnectionOptions: RECONNECTION,
    reconnectionScheduler(reconnect, delayMs) {
      exchange.preparing();
      const timer = setTimeout(reconnect, delayMs);
      return () => clearTimeout(timer);
    },
  });
}

/** Remembers which token went out, so that it can be taken out of what comes back, and what went wrong on our side. */
function credentialOf(bearer: McpTarget['bearer'], exchange: Exchange) {
  let used: string | null = null;
  let fault: unknown;
  const provider: AuthProvider | undefined =
    bearer === null
      ? undefined
      : {
          async token() {
            exchange.preparing();
            try {
              const token = await bearer.token();
              used = token ?? null;
              return token;
            } catch (error) {
              fault = error;
              throw error;
            }
          },
          onUnauthorized: () => bearer.onUnauthorized(),
        };
  return { provider, used: () => used, fault: () => fault };
}

function wayOf(client: Client, way: Way): Way {
  if (way.transport === 'events') return way;
  const discover = client.getDiscoverResult();
  const isModern = client.getProtocolEra() === 'modern' && discover !== undefined;
  return { transport: 'streamable', prior: isModern ? { kind: 'modern', discover } : { kind: 'legacy' } };
}

function isAnotherWay(way: Way, error: unknown, last: Sighting | null): boolean {
  if (last === null) return false;
  // Its stream did not open.
  if (way.transport === 'events') return last.method === 'GET';
  const isRefused = NOT_MY_WAY.includes(last.response?.status ?? 200);
  if (way.prior === null) return isRefused && last.method === 'initialize';
  return isRefused || (error instanceof ProtocolError && [UNSUPPORTED_VERSION, METHOD_NOT_FOUND].includes(error.code));
}

async function leave(
  client: Client,
  transport: StreamableHTTPClientTransport | SSEClientTransport,
  exchange: Exchange,
): Promise<void> {
  const isOver = exchange.deadline.signal.aborted;
  exchange.end();
  if (!isOver && transport instanceof StreamableHTTPClientTransport && transport.sessionId !== undefined) {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, GOODBYE_MS);
    // A server need not let its sessions be ended.
    await Promise.race([transport.terminateSession().catch(() => {}), late]);
    clearTimeout(timer);
  }
  await client.close().catch(() => {});
}
