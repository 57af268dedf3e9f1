/**
 * What goes over the wire while one MCP request is made: which headers may go out, how much may come in, and what came.
 * The MCP SDK turns most of it into words; here it is kept, because a failure is told by what happened.
 */
import { startDeadline, type Deadline } from '#aws/deadline.ts';
import { type GuardedFetch, type GuardedInit, OutboundError } from '#core/ports/outbound.ts';

/** All that ever goes to an MCP server (docs/security.md#users), besides what HTTP itself needs. */
const OUTBOUND_HEADERS =
  /^(?:accept|authorization|content-type|last-event-id|mcp-(?:session-id|protocol-version|method|name|param-.+))$/;

/** What of a body is kept, for the log and for the validation of a credential. */
const MAX_HEAD_CHARS = 2000;
/** The SDK reads an answer within this time after its end, or it was no answer. */
const READ_WITHIN_MS = 250;

/** How one HTTP request went. */
export interface SentRequest {
  /** JSON-RPC method, or `GET` of a stream. */
  readonly method: string;
  response: Response | null;
  /** The first characters of the answer. */
  head: string;
  /** What ended it, when that was the way out. */
  fault: OutboundError | null;
}

export interface McpTraffic {
  readonly fetch: GuardedFetch;
  readonly deadline: Deadline;
  /** Something of ours that has to be waited for before the next request, such as a token. */
  during<Value>(work: () => Promise<Value>): Promise<Value>;
  /** Of the last request that wanted an answer. */
  last(): SentRequest | null;
  end(): void;
}

export interface TrafficOptions {
  readonly fetch: GuardedFetch;
  readonly signal: AbortSignal;
  readonly totalMs: number;
  /** Of all answers together. */
  readonly maxBytes: number;
  /**
   * What streams that are opened with GET are for: `none` are, when nothing is worth waiting for but the answer; a server
   * of the older era may ask something `aside`; before streamable HTTP, all `answers` came on one.
   */
  readonly streams: 'none' | 'aside' | 'answers';
}

/** What came is no answer to what was asked. The message is ours. */
export class BadAnswerError extends Error {
  override readonly name = 'BadAnswerError';
}

export function startTraffic(options: TrafficOptions): McpTraffic {
  const over = new AbortController();
  const deadline = startDeadline(options.totalMs, AbortSignal.any([options.signal, over.signal]));
  // Where all answers come on one stream, silence says nothing but that there is none yet.
  const silence = createSilence(options.streams === 'answers' ? null : over);
  const take = createRoom(options.maxBytes, over);
  let last: SentRequest | null = null;

  async function send(url: string | URL, init: GuardedInit, { sent, ended }: Sending): Promise<Response> {
    try {
      const response = await options.fetch(url, { ...init, headers: allowed(init.headers) });
      sent.response = response;
      if (response.body === null) ended();
      return response.body === null ? response : withBody(response, watched(response.body, { sent, ended, take }));
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
    end: () => {
      silence.close();
      deadline.clear();
    },
    async fetch(input, init = {}) {
      const url = input instanceof Request ? input.url : input;
      const isStream = (init.method ?? 'GET') === 'GET';
      const isAside = isStream && !new Headers(init.headers).has('last-event-id');
      if (isAside && options.streams === 'none') return NOTHING_TO_LISTEN_FOR();
      const method = isStream ? 'GET' : methodOf(init);
      const sent: SentRequest = { method: method ?? 'notification', response: null, head: '', fault: null };
      if (method !== null && (!isStream || options.streams === 'answers')) last = sent;
      return send(url, init, { sent, ended: isAside ? () => {} : silence.begun() });
    },
  };
}

interface Sending {
  readonly sent: SentRequest;
  /** Its answer has come to its end. */
  ended(): void;
}

/** When everything that was begun has ended, what it said is acted on at once; when nothing follows, it was no answer. */
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
        const error = new BadAnswerError('the answer ended and was none to what was asked');
        timer = setTimeout(() => over.abort(error), READ_WITHIN_MS);
      };
    },
  };
}

type Take = (bytes: number, sent: SentRequest) => void;

/** Many small answers are not to be more than one large one. */
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

/** As servers answer that have nothing to say unasked. */
const NOTHING_TO_LISTEN_FOR = () => new Response(null, { status: 405 });

function allowed(headers: GuardedInit['headers']): Record<string, string> {
  return Object.fromEntries([...new Headers(headers)].filter(([name]) => OUTBOUND_HEADERS.test(name)));
}

/** Of a request that wants an answer; a notification, a response and the end of a session want none. */
function methodOf({ body }: GuardedInit): string | null {
  if (typeof body !== 'string') return null;
  const message = JSON.parse(body) as { readonly id?: unknown; readonly method?: unknown };
  return typeof message.method === 'string' && message.id !== undefined ? message.method : null;
}

function withBody(response: Response, body: AsyncIterable<Uint8Array>): Response {
  const { status, statusText, headers, url } = response;
  const watched = new Response(ReadableStream.from(body), { status, statusText, headers });
  Object.defineProperty(watched, 'url', { value: url });
  return watched;
}
