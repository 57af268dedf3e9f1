/** One request to an address that was judged. The answer is a stream. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import type { Destination } from '#core/outbound/destination.ts';
import { judgedLookup } from '#core/outbound/judged-lookup.ts';
import type { RequestParts } from '#core/outbound/redirect.ts';
import type { Deadline } from '#aws/deadline.ts';
import { OutboundError } from '#core/ports/outbound.ts';

interface PinnedRequest {
  readonly destination: Destination;
  /** Judged, all of them. */
  readonly addresses: readonly string[];
  readonly request: RequestParts;
  readonly deadline: Deadline;
  readonly idleMs: number;
}

export interface Opened {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed as it is read; throws `OutboundError`. */
  readonly body: AsyncIterable<Uint8Array>;
  close(): void;
}

const MAX_HEADER_BYTES = 32_768;
/** Codes of node's HTTP parser and of its decompressors. */
const UNREADABLE = /^(?:HPE_|Z_|ERR__ERROR_|ERR_BROTLI)/;

export async function sendPinned(attempt: PinnedRequest): Promise<Opened> {
  const seen = { idle: false, sent: false };
  const outgoing = sendRequest(attempt);
  outgoing.on('timeout', () => {
    seen.idle = true;
    outgoing.destroy();
  });
  outgoing.on('socket', (socket) => {
    socket.once(attempt.destination.secure ? 'secureConnect' : 'connect', () => (seen.sent = true));
  });
  const explain = (error: unknown) => explained(error, attempt, seen);
  const incoming = await responseTo(outgoing).catch((error: unknown) => {
    throw explain(error);
  });
  return {
    code: incoming.statusCode ?? 0,
    headers: joined(incoming),
    body: explaining(() => decoded(incoming, attempt.destination.host), explain),
    close: () => outgoing.destroy(),
  };
}

function sendRequest({ destination, addresses, request, deadline, idleMs }: PinnedRequest): ClientRequest {
  const { url, host, port, secure } = destination;
  const options: RequestOptions = {
    host,
    port,
    path: url.pathname + url.search,
    method: request.method,
    headers: { 'accept-encoding': 'gzip, br', ...request.headers, host: url.port === '' ? host : `${host}:${port}` },
    lookup: judgedLookup(addresses),
    // An agent would reuse connections that were judged for another caller, and use the environment's proxies.
    agent: false,
    rejectUnauthorized: true,
    timeout: idleMs,
    signal: deadline.signal,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  return (secure ? httpsRequest : httpRequest)(options).end(request.body);
}

function responseTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  outgoing.on('response', resolve);
  outgoing.on('error', reject);
  // The request was destroyed before a response, without an error of its own.
  outgoing.on('close', () => reject(new Error('the connection was closed')));
  return promise;
}

function decoded(incoming: IncomingMessage, host: string): Readable {
  const encoding = incoming.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  switch (encoding) {
    case '':
    case 'identity':
      return incoming;
    case 'gzip':
    case 'x-gzip':
      // The reader of the last stream gets the error.
      return pipeline(incoming, createGunzip(), () => {});
    case 'br':
      return pipeline(incoming, createBrotliDecompress(), () => {});
    default:
      throw new OutboundError('unreadable', host, 'answered in a content encoding that was not asked for', {
        sent: true,
      });
  }
}

async function* explaining(open: () => Readable, explain: (error: unknown) => Error): AsyncGenerator<Uint8Array> {
  try {
    yield* open() as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw explain(error);
  }
}

interface Seen {
  readonly idle: boolean;
  /** Whether the connection was made, so that the server may have the request. */
  readonly sent: boolean;
}

function explained(error: unknown, { destination, deadline, idleMs }: PinnedRequest, { idle, sent }: Seen): Error {
  const { host } = destination;
  if (error instanceof OutboundError) return error;
  const over = deadline.over(host, sent);
  if (over !== null) return over;
  const more = { cause: error, sent };
  if (idle) return new OutboundError('timeout', host, `said nothing for ${idleMs} ms`, more);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'closed';
  if (UNREADABLE.test(code)) {
    return new OutboundError('unreadable', host, `answered what cannot be read (${code})`, more);
  }
  return new OutboundError('unreachable', host, `could not be reached (${code})`, more);
}

function joined(incoming: IncomingMessage): Readonly<Record<string, string>> {
  const entries = Object.entries(incoming.headers).map(([name, value]) => [name, [value ?? []].flat().join(', ')]);
  return Object.fromEntries(entries) as Record<string, string>;
}
