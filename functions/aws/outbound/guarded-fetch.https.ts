/**
 * Guarded requests as a `fetch`, for libraries that take one: the MCP SDK's transports and OAuth helpers, and
 * openid-client. It, and its response's body, reject with `OutboundError` when the other side is at fault, and with the
 * signal's reason when that was aborted. Cookies are neither sent nor kept. The caller chooses the headers.
 */
import { OutboundError, type FetchLimits, type GuardedFetch, type GuardedInit } from '#core/ports/outbound.ts';
import { startDeadline, type Deadline } from '#aws/deadline.ts';
import {
  capped,
  followRedirects,
  type FinalAnswer,
  type OutgoingRequest,
  type OutboundOptions,
} from '#aws/outbound/redirects.https.ts';

/** Statuses without a body, by the Fetch standard. */
const WITHOUT_BODY: readonly number[] = [204, 205, 304];
/** Headers that describe the bytes on the wire, and not the decoded body; and cookies, which are not kept. */
const NOT_HANDED_OVER: readonly string[] = ['content-encoding', 'content-length', 'transfer-encoding', 'set-cookie'];

/** `limits` apply to a request, its redirects and its body together. */
export function createGuardedFetch(options: OutboundOptions, limits: FetchLimits): GuardedFetch {
  return async function guardedFetch(input, init = {}) {
    if (input instanceof Request) return guardedFetch(input.url, { ...(await parts(input)), ...init });
    const signal = init.signal ?? undefined;
    const deadline = startDeadline(limits.totalMs, signal);
    try {
      const answered = await followRedirects(options, await outgoingOf(String(input), init, limits), deadline);
      return responseOf(answered, { maxBytes: limits.maxBytes, deadline, signal });
    } catch (error) {
      deadline.clear();
      signal?.throwIfAborted();
      throw error;
    }
  };
}

async function parts(request: Request): Promise<GuardedInit> {
  const { method, headers, redirect, signal } = request;
  return { method, headers, redirect, signal, body: request.body === null ? null : await request.text() };
}

async function outgoingOf(url: string, init: GuardedInit, limits: FetchLimits): Promise<OutgoingRequest> {
  // `Response` reads every kind of body, and knows the content type of a form.
  const sent = new Response(init.body ?? null);
  const headers = new Headers(init.headers);
  const type = sent.headers.get('content-type');
  if (type !== null && !headers.has('content-type')) headers.set('content-type', type);
  return {
    url,
    method: methodOf(init.method ?? 'GET'),
    headers: Object.fromEntries(headers),
    ...(sent.body === null ? {} : { body: await sent.text() }),
    idleMs: limits.idleMs,
    maxRedirects: redirectsOf(init.redirect ?? 'follow', limits.maxRedirects),
  };
}

function methodOf(name: string): OutgoingRequest['method'] {
  const method = name.toUpperCase();
  if (method === 'GET' || method === 'POST' || method === 'DELETE') return method;
  throw new TypeError('the guarded fetch sends GET, POST and DELETE only');
}

function redirectsOf(mode: NonNullable<RequestInit['redirect']>, maxRedirects: number): number | null {
  switch (mode) {
    case 'follow':
      return maxRedirects;
    case 'error':
      return 0;
    case 'manual':
      return null;
    default:
      return mode satisfies never;
  }
}

interface Reading {
  readonly maxBytes: number;
  readonly deadline: Deadline;
  readonly signal: AbortSignal | undefined;
}

function responseOf(answered: FinalAnswer, { maxBytes, deadline, signal }: Reading): Response {
  const { opened, destination } = answered;
  const { code: status } = opened;
  const headers = Object.entries(opened.headers).filter(([name]) => !NOT_HANDED_OVER.includes(name));
  const close = () => {
    opened.close();
    deadline.clear();
  };
  if (status < 200 || status > 599) {
    close();
    throw new OutboundError('unreadable', destination.host, `answered with status ${status}`, { sent: true });
  }
  if (WITHOUT_BODY.includes(status)) close();
  const body = WITHOUT_BODY.includes(status) ? null : streamOf(capped(answered, maxBytes), { close, signal });
  const response = new Response(body, { status, headers });
  // The constructor takes no URL. After redirects, relative URLs are relative to this one.
  Object.defineProperty(response, 'url', { value: destination.url.href });
  return response;
}

/** The deadline closes a body that is not read. */
function streamOf(
  chunks: AsyncGenerator<Uint8Array>,
  { close, signal }: { readonly close: () => void; readonly signal: AbortSignal | undefined },
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (done !== true) return controller.enqueue(value);
          close();
          controller.close();
        } catch (error) {
          close();
          controller.error(signal?.aborted === true ? signal.reason : error);
        }
      },
      cancel: close,
    },
    // Reads nothing before the caller asks.
    { highWaterMark: 0 },
  );
}
