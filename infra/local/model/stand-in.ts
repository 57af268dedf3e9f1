/**
 * A stand-in for the model: an HTTP server that speaks the Messages API as each provider puts it on the wire, and
 * answers from a script. The harness cannot tell it from a real endpoint, streaming, errors and refusals included.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkRequest, type Refusal } from './check-request.ts';
import { defaultScript } from './default-script.ts';
import { errorEnvelope } from './error-envelope.ts';
import { isFields } from './fields.ts';
import { framesOf, messageOf } from './frames.ts';
import { recordRequests, type Ended, type RecordedRequest } from './recorded-requests.ts';
import type { ModelRequest, Reply, ReplyError, Script } from './script.ts';
import { sendStream } from './send-stream.ts';
import type { Wire } from './wire.ts';
import { wireOf } from './wires.ts';

interface StandInOptions {
  readonly script?: Script;
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly host?: string;
}

export interface StandIn {
  /** For a client's `baseURL` or `ANTHROPIC_BASE_URL`. */
  readonly url: string;
  /** The newest accepted requests, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** The newest requests that broke a rule of the API and were answered with 400 or 401. */
  readonly refusals: readonly Refusal[];
  /** Replaces the script; the next request sees the new one. */
  script(script: Script): void;
  /** Resolves with the n-th accepted request since start, counted from 1, as soon as it has arrived. */
  waitForRequest(n: number): Promise<RecordedRequest>;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 32 * 1024 * 1024;
const KEPT_REFUSALS = 100;

export async function startStandIn(options: StandInOptions = {}): Promise<StandIn> {
  const record = recordRequests();
  const refusals: Refusal[] = [];
  let script = options.script ?? defaultScript;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const arrivedAtMs = performance.timeOrigin + performance.now();
    const text = await readBody(request);
    const path = request.url?.split('?', 1)[0] ?? '/';
    const wire = request.method === 'POST' ? wireOf(path) : null;
    if (wire === null) return sendJson(response, 404, errorEnvelope(noRoute(request.method, path)));
    if (text === null) return sendFailure(response, wire, TOO_LARGE);
    const parsed = parseJson(text);
    const { headers, body } = wire.canonical(path, request.headers, isFields(parsed) ? parsed : undefined);
    const refusal = checkRequest(headers, body);
    if (refusal !== null) {
      refusals.push(refusal);
      if (refusals.length > KEPT_REFUSALS) refusals.shift();
      return sendFailure(response, wire, refusal);
    }
    const asked = body as ModelRequest;
    const deltasAtMs: number[] = [];
    const ended = endOf(response);
    const index = record.add({ arrivedAtMs, request: asked, headers: request.headers, deltasAtMs, ended });
    const reply = await play(script, asked, index);
    const onDelta = () => void deltasAtMs.push(nowMs());
    await sendReply(response, { wire, asked, chars: text.length, reply, onDelta });
  }

  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  server.keepAliveTimeout = 60_000;
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    requests: record.kept,
    refusals,
    script: (next) => void (script = next),
    waitForRequest: record.wait,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const TOO_LARGE: ReplyError = { status: 413, type: 'request_too_large', message: 'Request exceeds the maximum size' };

const noRoute = (method: string | undefined, path: string) => ({
  type: 'not_found_error',
  message: `the stand-in has no ${method} ${path}`,
});

/** A script that throws is a fault of the test or of the stand-in; the harness sees what a broken API would send. */
async function play(script: Script, request: ModelRequest, index: number): Promise<Reply> {
  try {
    return await script(request, index);
  } catch (cause) {
    return { error: { status: 500, type: 'api_error', message: `the stand-in's script failed: ${String(cause)}` } };
  }
}

/** Comparable between processes of one machine. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function endOf(response: ServerResponse): Promise<Ended> {
  return new Promise((resolve) => {
    const end = (by: Ended['by']) => () => resolve({ atMs: nowMs(), by });
    response.once('finish', end('answer')).once('close', end('client'));
  });
}

interface Answer {
  readonly wire: Wire;
  readonly asked: ModelRequest;
  readonly chars: number;
  readonly reply: Reply;
  readonly onDelta: () => void;
}

async function sendReply(response: ServerResponse, { wire, asked, chars, reply, onDelta }: Answer): Promise<void> {
  if (reply.delayMs !== undefined) await sleep(reply.delayMs);
  if (reply.error !== undefined && reply.error.afterFrames === undefined)
    return sendFailure(response, wire, reply.error);
  if (asked.stream === true) {
    response.writeHead(200, { ...headers(), 'content-type': wire.contentType });
    return sendStream(response, { wire, frames: framesOf(reply, asked, chars), reply, onDelta });
  }
  await reply.hold;
  sendJson(response, 200, messageOf(reply, asked, chars));
}

function sendFailure(response: ServerResponse, wire: Wire, failure: ReplyError): void {
  const { headers, body } = wire.failure(failure);
  for (const [name, value] of Object.entries({ ...headers, ...failure.headers })) response.setHeader(name, value);
  sendJson(response, failure.status, body);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { ...headers(), 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function headers(): Record<string, string> {
  return { 'request-id': `req_${randomUUID().replaceAll('-', '')}` };
}

/** Null when the body is larger than the API takes; the rest of it is read and dropped, so that the answer arrives. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes <= MAX_BODY_BYTES ? Buffer.concat(chunks).toString('utf8') : null;
}

/** Undefined, which no check accepts, when the text is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
