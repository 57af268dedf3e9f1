/**
 * Sends one request on and brings its answer back, streaming both. Node's parser has refused what two servers could
 * read differently (two lengths, a length beside chunks, folded lines), and the request is written anew.
 */
import {
  request as httpRequest,
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { pipeline, type Duplex, type Readable } from 'node:stream';
import { NotReached } from './connect.ts';
import type { AnswerParts, Exchange, HeaderList, Refusal, RequestParts } from './exchange.ts';
import { refuseRequest } from './reply.ts';
import type { Ending } from './uses.ts';

export const MAX_HEADER_BYTES = 32_768;

interface Forwarding {
  /** The server's name and port for the header `Host`: a header of the program could name another host. */
  readonly authority: string;
  readonly path: string;
  /** Opens the connection of this request, or is an agent that keeps some. */
  readonly via: { readonly connect: () => Promise<Duplex> } | { readonly agent: Agent };
  readonly exchange: Exchange | null;
}

/** For one connection only. Others are between the proxy and its neighbours. */
const HOP_BY_HOP: readonly string[] = [
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
];

/** Resolves when the answer has ended or the client has gone. */
export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  forwarding: Forwarding,
): Promise<Ending> {
  const asked = partsOf(request, forwarding);
  try {
    const sending = (await forwarding.exchange?.outgoing(asked)) ?? asked;
    if ('sentence' in sending) return refused(response, sending);
    const answer = await answerTo(sending, { request, response, via: forwarding.via });
    const received = answerParts(answer);
    const passing = (await forwarding.exchange?.incoming(received)) ?? received;
    if ('sentence' in passing) {
      answer.destroy();
      return refused(response, passing);
    }
    await passOn(passing, response);
    return { verdict: 'allowed', rule: null };
  } catch (error) {
    return refused(response, refusalOf(error, forwarding.authority));
  }
}

function refused(response: ServerResponse, refusal: Refusal): Ending {
  refuseRequest(response, refusal);
  return endingOf(refusal);
}

export function endingOf(refusal: Refusal): Ending {
  if (refusal.rule === 'unreachable') return { verdict: 'unreachable', rule: null };
  return { verdict: 'refused', rule: refusal.rule };
}

function refusalOf(error: unknown, authority: string): Refusal {
  if (error instanceof NotReached) return error.refusal;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'closed';
  return { status: 502, rule: 'unreachable', sentence: `${authority} gave no answer that can be passed on (${code})` };
}

function partsOf(request: IncomingMessage, { path, authority }: Forwarding): RequestParts {
  const { method = 'GET', headers } = request;
  const isChunked = headers['transfer-encoding'] !== undefined;
  const hasBody = isChunked || Number(headers['content-length'] ?? 0) > 0;
  // The proxy has already told the client to go on.
  const kept = endToEnd(request.rawHeaders).filter(([name]) => !['host', 'expect'].includes(name.toLowerCase()));
  return { method, path, headers: [['Host', authority], ...kept], body: hasBody ? request : null };
}

function answerParts(answer: IncomingMessage): AnswerParts {
  const { statusCode: status = 502, statusMessage: reason = '', rawHeaders } = answer;
  return { status, reason, headers: endToEnd(rawHeaders), body: answer };
}

/** The headers that are for the other end. `Connection` names more that are not. */
function endToEnd(raw: readonly string[]): HeaderList {
  const list = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as const] : []));
  const named = list.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, value]) => value.split(','));
  // The length tells where the message ends, whatever a sender says of it.
  const dropped = new Set([...HOP_BY_HOP, ...named.map((name) => name.trim().toLowerCase())]);
  dropped.delete('content-length');
  return list.filter(([name]) => !dropped.has(name.toLowerCase()));
}

interface Sending {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly via: Forwarding['via'];
}

/** The server's final answer, of which the headers have arrived. */
function answerTo(parts: RequestParts, { request, response, via }: Sending): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = httpRequest({
    method: parts.method,
    path: parts.path,
    headers: [...parts.headers, ...framingOf(parts), ...('agent' in via ? [] : LAST)].flat(),
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    ...('agent' in via ? { agent: via.agent } : { createConnection: connecting(via.connect) }),
  });
  outgoing.once('response', resolve);
  outgoing.on('error', reject);
  outgoing.once('close', () => reject(new Error('the connection was closed')));
  response.once('close', () => outgoing.destroy());
  sendBody(parts.body, request, outgoing);
  return promise;
}

/** Node's client asks for a connection by a callback, and only a client without an agent does. */
function connecting(connect: () => Promise<Duplex>) {
  return (_options: object, done?: (error: Error | null, socket: Duplex) => void): undefined => {
    const none = undefined as unknown as Duplex;
    connect().then(
      (socket) => done?.(null, socket),
      (error: unknown) => done?.(error instanceof Error ? error : new Error('no connection'), none),
    );
  };
}

/** The connection is used once. */
const LAST: HeaderList = [['Connection', 'close']];

function framingOf({ method, headers, body }: RequestParts): HeaderList {
  if (headers.some(([name]) => name.toLowerCase() === 'content-length')) return [];
  if (body !== null) return [['Transfer-Encoding', 'chunked']];
  return ['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(method) ? [] : [['Content-Length', '0']];
}

/** A server may answer before it has read the whole body, and then close: its answer counts. */
function sendBody(body: Readable | null, request: IncomingMessage, outgoing: ClientRequest): void {
  if (body === null) return void outgoing.end();
  let answered = false;
  outgoing.once('response', () => (answered = true));
  pipeline(body, outgoing, (error) => {
    if (error == null) return;
    if (!answered) outgoing.destroy(error);
    // The client can send the rest, so that its next request is found behind it.
    request.resume();
  });
}

async function passOn({ status, reason, headers, body }: AnswerParts, response: ServerResponse): Promise<void> {
  response.sendDate = false;
  response.writeHead(status, reason, headers.flat());
  await new Promise<void>((resolve) => {
    // A body that breaks off breaks the connection, so that the client does not take it for the whole.
    pipeline(body, response, () => resolve());
  });
}
