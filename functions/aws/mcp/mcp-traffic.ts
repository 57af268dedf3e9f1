/**
 * The HTTP traffic of one MCP request: which headers go out, how much may come in, and what came. The SDK turns most of it
 * into messages; this file keeps it, because a failure is classified by what happened.
 */
import { startDeadline, type Deadline } from '#aws/deadline.ts';
import { type GuardedFetch, type GuardedInit, OutboundError } from '#core/ports/outbound.ts';
import { readBody } from '#aws/mcp/mcp-bodies.ts';
import { readMessage } from '#aws/mcp/mcp-messages.ts';

/** The only headers that go to an MCP server (docs/security.md#users), besides those that HTTP itself needs. */
const OUTBOUND_HEADERS =
  /^(?:accept|authorization|content-type|last-event-id|mcp-(?:session-id|protocol-version|method|name|param-.+))$/;

/** The part of a body that is kept: the server's own words are read from it, and shown cut. */
const MAX_HEAD_CHARS = 20_000;
/** When the SDK has not accepted an answer this long after its end, it was not an answer to the request. */
const READ_WITHIN_MS = 250;

/** How one HTTP request went. */
export interface SentRequest {
  /** The JSON-RPC method, or `GET` for a stream. */
  readonly method: string;
  /** The JSON-RPC id; undefined for what has none. */
  readonly id: unknown;
  /** Whether it named a session that the server began. */
  readonly inSession: boolean;
  response: Response | null;
  /** The first characters of the answer. */
  head: string;
  /** The error of the guarded fetch that ended it; null for any other end. */
  fault: OutboundError | null;
}

export interface McpTraffic {
  readonly fetch: GuardedFetch;
  readonly deadline: Deadline;
  /** Runs work of this service before the next request, such as reading a token. It does not count as silence. */
  during<Value>(work: () => Promise<Value>): Promise<Value>;
  /** The last request that wanted an answer. */
  last(): SentRequest | null;
  /** The message of a session that the server answered with HTTP 404, if there was one. */
  lost(): SentRequest | null;
  /** The number of tools in all answers that were left out because they do not have the form of a tool. */
  badTools(): number;
  end(): void;
}

export interface TrafficOptions {
  readonly fetch: GuardedFetch;
  readonly signal: AbortSignal;
  readonly totalMs: number;
  /** The limit for all answers together. */
  readonly maxBytes: number;
  /**
   * The use of streams that are opened with GET. `none`: only the answer to the request matters. `aside`: a server of the
   * older era may ask for input there. `answers`: before streamable HTTP, all answers came on one stream.
   */
  readonly streams: 'none' | 'aside' | 'answers';
}

/** The server's answer does not fit the request. This service writes the message. */
export class BadAnswerError extends Error {
  override readonly name = 'BadAnswerError';
}

export function startTraffic(options: TrafficOptions): McpTraffic {
  const over = new AbortController();
  const deadline = startDeadline(options.totalMs, AbortSignal.any([options.signal, over.signal]));
  // Where all answers come on one stream, silence only means that there is no answer yet.
  const silence = createSilence(options.streams === 'answers' ? null : over);
  const take = createRoom(options.maxBytes, over);
  let last: SentRequest | null = null;
  let lost: SentRequest | null = null;
  let badTools = 0;
  const read = (message: unknown) => readMessage(message, () => (badTools += 1));

  async function send(url: string | URL, init: GuardedInit, { sent, ended }: Sending): Promise<Response> {
    try {
      const response = await options.fetch(url, { ...init, headers: allowed(init.headers) });
      sent.response = response;
      if (response.status === 404 && sent.inSession && init.method === 'POST') lost = sent;
      if (response.body === null) ended();
      if (response.body === null) return response;
      const body = watched(response.body, { sent, ended, take });
      return withBody(response, readBody(response.headers.get('content-type'), body, read));
    } catch (error) {
      if (error instanceof OutboundError) sent.fault = error;
      ended();
      throw error;
    }
  }

  return {
    deadline,
    async during(work) {
      const ended = silence.begun();
      try {
        return await work();
      } finally {
        ended();
      }
    },
    last: () => last,
    lost: () => lost,
    badTools: () => badTools,
    end: () => {
      silence.close();
      deadline.clear();
    },
    async fetch(input, init = {}) {
      const url = input instanceof Request ? input.url : input;
      const isStream = (init.method ?? 'GET') === 'GET';
      const isAside = isStream && !new Headers(init.headers).has('last-event-id');
      if (isAside && options.streams === 'none') return NOTHING_TO_LISTEN_FOR();
      const { method, id } = isStream ? STREAM : messageOf(init);
      const inSession = new Headers(init.headers).has('mcp-session-id');
      const sent: SentRequest = {
        method: method ?? 'notification',
        id,
        inSession,
        response: null,
        head: '',
        fault: null,
      };
      if (method !== null && (!isStream || options.streams === 'answers')) last = sent;
      return send(url, init, { sent, ended: isAside ? () => {} : silence.begun() });
    },
  };
}

interface Sending {
  readonly sent: SentRequest;
  /** Called when its answer has ended. */
  ended(): void;
}

/** When every request has ended and the SDK does nothing for a moment, no answer came: then the request is aborted. */
function createSilence(over: AbortController | null) {
  let underWay = 0;
  let timer: NodeJS.Timeout | undefined;
  const close = () => clearTimeout(timer);
  return {
    close,
    begun() {
      close();
      underWay += 1;
      return function ended() {
        underWay -= 1;
        if (underWay > 0 || over === null) return;
        const error = new BadAnswerError('the answer ended and did not answer the request');
        timer = setTimeout(() => over.abort(error), READ_WITHIN_MS);
      };
    },
  };
}

type Take = (bytes: number, sent: SentRequest) => void;

/** Limits all answers together: many small answers must not exceed the limit of a large one. */
function createRoom(maxBytes: number, over: AbortController): Take {
  let room = maxBytes;
  return (bytes, { response }) => {
    room -= bytes;
    if (room >= 0) return;
    const host = URL.parse(response?.url ?? '')?.hostname ?? null;
    const error = new OutboundError('too_large', host, `answered more than ${maxBytes} bytes`, { sent: true });
    over.abort(error);
    throw error;
  };
}

async function* watched(
  body: AsyncIterable<Uint8Array>,
  { sent, ended, take }: Sending & { readonly take: Take },
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of body) {
      take(chunk.length, sent);
      if (sent.head.length < MAX_HEAD_CHARS) sent.head += decoder.decode(chunk, { stream: true });
      yield chunk;
    }
  } catch (error) {
    if (error instanceof OutboundError) sent.fault = error;
    throw error;
  } finally {
    ended();
  }
}

/** The answer of a server that sends nothing unasked. */
const NOTHING_TO_LISTEN_FOR = () => new Response(null, { status: 405 });

function allowed(headers: GuardedInit['headers']): Record<string, string> {
  return Object.fromEntries([...new Headers(headers)].filter(([name]) => OUTBOUND_HEADERS.test(name)));
}

interface Asked {
  /** Null for a message that wants no answer: a notification, a response, the end of a session. */
  readonly method: string | null;
  readonly id?: unknown;
}

const STREAM: Asked = { method: 'GET' };

function messageOf({ body }: GuardedInit): Asked {
  if (typeof body !== 'string') return { method: null };
  const { id, method } = JSON.parse(body) as { readonly id?: unknown; readonly method?: unknown };
  return { method: typeof method === 'string' && id !== undefined ? method : null, id };
}

function withBody(response: Response, body: AsyncIterable<Uint8Array>): Response {
  const { status, statusText, headers, url } = response;
  const watched = new Response(ReadableStream.from(body), { status, statusText, headers });
  Object.defineProperty(watched, 'url', { value: url });
  return watched;
}
