/**
 * A stand-in for the model: an HTTP server that speaks the Messages API as each provider puts it on the wire, and
 * answers from a script. The harness cannot tell it from a real endpoint. The script sees each request as it came: tests
 * use one that refuses what the real API would refuse.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { serveLoopback, splitUrl, type LoopbackServer } from '../loopback.ts';
import { defaultScript } from './default-script.ts';
import { framesOf } from './frames.ts';
import type { Arrival, ModelRequest, Reply, ReplyError, Script } from './script.ts';
import { sendStream } from './send-stream.ts';
import { errorEnvelope, wireOf, type Wire } from './wires.ts';

const MAX_BODY_BYTES = 32 * 1024 * 1024;
const TOO_LARGE: ReplyError = { status: 413, type: 'request_too_large', message: 'Request exceeds the maximum size' };
const NO_OBJECT = invalid('request body: a JSON object is required');
const NO_STREAM = invalid('stream: the stand-in answers with a stream only');

export function startStandIn(script: Script = defaultScript): Promise<LoopbackServer> {
  return serveLoopback((request, response) => answer(script, request, response), { keepAliveTimeout: 60_000 });
}

async function answer(script: Script, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const atMs = performance.timeOrigin + performance.now();
  const body = await buffer(request);
  const { path } = splitUrl(request);
  const wire = request.method === 'POST' ? wireOf(path) : null;
  if (wire === null) {
    const message = `the stand-in has no ${request.method} ${path}`;
    return sendJson(response, 404, errorEnvelope({ type: 'not_found_error', message }));
  }
  if (body.length > MAX_BODY_BYTES) return sendFailure(response, wire, TOO_LARGE);
  const fields = parseObject(body.toString());
  if (fields === null) return sendFailure(response, wire, NO_OBJECT);
  const canonical = wire.canonical(path, request.headers, fields);
  if (canonical.body['stream'] !== true) return sendFailure(response, wire, NO_STREAM);
  const asked = canonical.body as unknown as ModelRequest;
  const reply = await play(script, asked, { atMs, headers: canonical.headers, response });
  await sendReply(response, { wire, asked, chars: body.length, reply });
}

function invalid(message: string): ReplyError {
  return { status: 400, type: 'invalid_request_error', message };
}

/** Null when the text is not a JSON object. */
function parseObject(json: string): Readonly<Record<string, unknown>> | null {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(json));
  } catch {
    return null;
  }
}

/** A script that throws is a fault of the stand-in or of the test; the harness sees what a broken API would send. */
async function play(script: Script, request: ModelRequest, arrival: Arrival): Promise<Reply> {
  try {
    return await script(request, arrival);
  } catch (cause) {
    return { error: { status: 500, type: 'api_error', message: `the stand-in's script failed: ${String(cause)}` } };
  }
}

interface Answer {
  readonly wire: Wire;
  readonly asked: ModelRequest;
  readonly chars: number;
  readonly reply: Reply;
}

async function sendReply(response: ServerResponse, { wire, asked, chars, reply }: Answer): Promise<void> {
  if (reply.delayMs !== undefined) await sleep(reply.delayMs);
  if (reply.error !== undefined && reply.error.afterFrames === undefined)
    return sendFailure(response, wire, reply.error);
  response.writeHead(200, { ...requestId(), 'content-type': wire.contentType });
  await sendStream(response, { wire, frames: framesOf(reply, asked, chars), reply });
}

function sendFailure(response: ServerResponse, wire: Wire, failure: ReplyError): void {
  const { headers, body } = wire.failure(failure);
  for (const [name, value] of Object.entries({ ...headers, ...failure.headers })) response.setHeader(name, value);
  sendJson(response, failure.status, body);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { ...requestId(), 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function requestId(): Record<string, string> {
  return { 'request-id': `req_${randomUUID().replaceAll('-', '')}` };
}
