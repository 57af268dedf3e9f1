/** Plays the template's REST API: its routes, its limits, its own error answers, buffered and streamed responses. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { LambdaPool } from '../lambda/pool.ts';
import { serveLoopback, splitUrl, type LoopbackServer } from '../loopback.ts';
import type { RoutePart, Template } from '../template/parts.ts';
import { ProxyAnswer, ProxyHead, sendBuffered, writeHead } from './answer.ts';
import { createProxyEvent } from './event.ts';
import { createRefusals, type Refusal, type SendRefusal } from './refusals.ts';
import { createRouter, type FindRoute } from './routes.ts';

const MAX_BODY_BYTES = 10 * 1024 * 1024;
const MAX_DRAINED_BYTES = 8 * MAX_BODY_BYTES;
const MAX_HEADER_BYTES = 10_240;
const BUFFERED_LIMIT_MS = 29_000;
/** API Gateway closes a stream in which nothing was written for five minutes. */
const STREAM_IDLE_MS = 5 * 60_000;
/** Longer than clients keep theirs, so that a client never writes into a connection that is being closed. */
const KEEP_ALIVE_MS = 120_000;

export interface GatewayOptions {
  readonly template: Pick<Template, 'routes' | 'account' | 'gatewayResponses' | 'binaryMediaTypes'>;
  readonly lambda: Pick<LambdaPool, 'invoke' | 'stream'>;
  /** 0 takes any free port. */
  readonly port: number;
  readonly bufferedLimitMs?: number;
  readonly streamIdleMs?: number;
}

interface Api {
  readonly options: GatewayOptions;
  readonly findRoute: FindRoute;
  readonly refuse: SendRefusal;
}

/** @throws the server's own error, for example `EADDRINUSE` */
export async function serveGateway(options: GatewayOptions): Promise<LoopbackServer> {
  const { routes, gatewayResponses } = options.template;
  const api: Api = { options, findRoute: createRouter(routes), refuse: createRefusals(gatewayResponses) };
  return serveLoopback((request, response) => serve(api, request, response), {
    port: options.port,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    noDelay: true,
    requestTimeout: 0,
  });
}

async function serve(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { path, query } = splitUrl(request);
  const match = api.findRoute(request.method ?? 'GET', path);
  // The body is read to its end also where the answer is known, because a client that is still sending reads no answer.
  const body = await readBody(request);
  if (body === 'aborted') return;
  if (match === null) return api.refuse(response, 'noRoute');
  if (body === 'too long') return api.refuse(response, 'tooLong');
  const event = createProxyEvent({ request, path, query, match, body, ...api.options.template });
  try {
    await (match.route.transfer === 'stream' ? answerStreamed : answerBuffered)(api, {
      route: match.route,
      event,
      response,
    });
  } catch (error) {
    const refusal = refusalFor(error);
    if (response.headersSent) response.destroy();
    else api.refuse(response, refusal);
  }
}

interface Exchange {
  readonly route: RoutePart;
  readonly event: unknown;
  readonly response: ServerResponse;
}

async function answerBuffered(api: Api, { route, event, response }: Exchange): Promise<void> {
  const limit = setTimeout(() => api.refuse(response, 'timedOut'), api.options.bufferedLimitMs ?? BUFFERED_LIMIT_MS);
  try {
    const answer = ProxyAnswer.parse(await api.options.lambda.invoke(route.functionArn, event));
    if (!response.headersSent && !response.destroyed) sendBuffered(response, answer);
  } finally {
    clearTimeout(limit);
  }
}

async function answerStreamed(api: Api, { route, event, response }: Exchange): Promise<void> {
  const { metadata, body } = await api.options.lambda.stream(route.functionArn, event);
  if (response.destroyed) return void body.destroy();
  const idleMs = api.options.streamIdleMs ?? STREAM_IDLE_MS;
  const idle = setTimeout(() => response.destroy(), idleMs);
  body.on('data', () => idle.refresh());
  try {
    writeHead(response, ProxyHead.parse(metadata));
    response.flushHeaders();
    // `pipeline` ends the body when the client leaves. The function is not told, as in Lambda.
    await pipeline(body, response);
  } finally {
    clearTimeout(idle);
    body.destroy();
  }
}

function refusalFor(error: unknown): Refusal {
  const name = error instanceof Error ? error.name : '';
  if (name === 'Lambda.TooManyRequestsException') return 'throttled';
  return name === 'RequestEntityTooLargeException' ? 'tooLong' : 'failed';
}

function readBody(request: IncomingMessage): Promise<Buffer | 'too long' | 'aborted'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > MAX_DRAINED_BYTES) request.destroy();
    });
    request.on('end', () => resolve(bytes > MAX_BODY_BYTES ? 'too long' : Buffer.concat(chunks)));
    request.on('close', () => resolve('aborted'));
  });
}
