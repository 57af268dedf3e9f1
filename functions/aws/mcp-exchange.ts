/**
 * What goes over the wire while one MCP request is made: which headers may go out, how much may come in, and what came.
 * The MCP SDK turns most of it into words; here it is kept, because a failure is told by what happened.
 */
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/client';
import { startDeadline, type Deadline } from '#aws/deadline.ts';
import type { GuardedFetch, GuardedInit } from '#aws/guarded-fetch.https.ts';
import { OutboundError } from '#aws/outbound-error.ts';

/** All that ever goes to an MCP server (governance T22), besides what HTTP itself needs. */
const OUTBOUND_HEADERS =
  /^(?:accept|authorization|content-type|last-event-id|mcp-(?:session-id|protocol-version|method|name|param-.+))$/;

/** What of a body is kept, for the log and for whoever tries a credential. */
const MAX_HEAD_CHARS = 2000;
/** After an answer has ended, somebody reads it within this time, or it was no answer. */
const READ_WITHIN_MS = 250;

/** How one request of the exchange went. */
export interface Sighting {
  /** JSON-RPC method; of what resumes a stream, the method whose answer it waits for. */
  readonly method: string;
  response: Response | null;
  /** The first characters of the answer. */
  head: string;
  /** What ended it, when that was the way out. */
  fault: OutboundError | null;
}

export interface Exchange {
  readonly fetch: GuardedFetch;
  readonly deadline: Deadline;
  /** The token is about to be asked for, which may take its time. */
  preparing(): void;
  /** Of the last request that wanted an answer. */
  last(): Sighting | null;
  end(): void;
}

export interface ExchangeOptions {
  readonly fetch: GuardedFetch;
  readonly signal: AbortSignal;
  readonly totalMs: number;
  /** Of all answers together. */
  readonly maxBytes: number;
  /** Whether answers come on one stream that stays open, as in the transport before streamable HTTP. */
  readonly standingStream: boolean;
}

/** What came is no answer to what was asked. The message is ours. */
export class BadAnswerError extends Error {
  override readonly name = 'BadAnswerError';
}

export function startExchange(options: ExchangeOptions): Exchange {
  const unanswered = new AbortController();
  const deadline = startDeadline(options.totalMs, AbortSignal.any([options.signal, unanswered.signal]));
  let last: Sighting | null = null;
  let room = options.maxBytes;
  let silence: NodeJS.Timeout | undefined;

  const busy = () => clearTimeout(silence);
  const ended = () => {
    busy();
    if (options.standingStream) return;
    const error = new BadAnswerError('the answer ended and was none to what was asked');
    silence = setTimeout(() => unanswered.abort(error), READ_WITHIN_MS);
  };

  async function* watched(body: AsyncIterable<Uint8Array>, sighting: Sighting): AsyncGenerator<Uint8Array> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body) {
        room -= chunk.length;
        if (room < 0) throw new OutboundError('too_large', hostOf(sighting), 'answered too much', { sent: true });
        if (sighting.head.length < MAX_HEAD_CHARS) sighting.head += decoder.decode(chunk, { stream: true });
        yield chunk;
      }
    } catch (error) {
      if (error instanceof OutboundError) sighting.fault = error;
      throw error;
    } finally {
      ended();
    }
  }

  async function send(url: string | URL, init: GuardedInit, sighting: Sighting): Promise<Response> {
    try {
      const response = await options.fetch(url, { ...init, headers: allowed(init.headers) });
      sighting.response = response;
      if (response.body === null) ended();
      return response.body === null ? response : withBody(response, watched(response.body, sighting));
    } catch (error) {
      if (error instanceof OutboundError) sighting.fault = error;
      throw error;
    }
  }

  return {
    deadline,
    preparing: busy,
    last: () => last,
    end: () => {
      busy();
      deadline.clear();
    },
    async fetch(input, init = {}) {
      busy();
      const url = input instanceof Request ? input.url : input;
      if (init.method === 'GET' && !options.standingStream && !new Headers(init.headers).has('last-event-id')) {
        return NOTHING_TO_LISTEN_FOR();
      }
      const method = methodOf(init) ?? (init.method === 'GET' ? (last?.method ?? 'GET') : null);
      if (method === null) return options.fetch(url, { ...init, headers: allowed(init.headers) });
      last = { method, response: null, head: '', fault: null };
      return send(url, init, last);
    },
  };
}

/** Nobody here waits for what a server may want to say unasked; it need not keep a connection open for it. */
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

function hostOf({ response }: Sighting): string {
  return URL.parse(response?.url ?? '')?.hostname ?? 'the server';
}

/** What a refusal says of how to be let in. */
export interface Challenge {
  readonly error: string | undefined;
  readonly scopes: readonly string[];
  readonly resourceMetadata: string | null;
}

export function challengeOf({ response }: Sighting): Challenge {
  if (response === null) return { error: undefined, scopes: [], resourceMetadata: null };
  const { error, scope, resourceMetadataUrl } = extractWWWAuthenticateParams(response);
  return {
    error,
    scopes: scope?.split(' ').filter((name) => name !== '') ?? [],
    resourceMetadata: resourceMetadataUrl?.href ?? null,
  };
}
