import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type * as z from 'zod';
import {
  CancelRequest,
  type CancelResponse,
  type ExecuteError,
  ExecuteRequest,
  type ExecuteResponse,
} from '../functions/contract/hands.ts';
import type { Calls } from './calls.ts';
import type { Log } from './log.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

const STATUS_BY_ERROR = {
  invalid_request: 400,
  unauthorized: 401,
  not_found: 404,
  call_mismatch: 409,
  request_too_large: 413,
  internal: 500,
  stopping: 503,
} as const;

interface Reply {
  readonly status: number;
  readonly body: ExecuteResponse | CancelResponse | ExecuteError | { readonly status: 'ready' | 'stopping' };
}

export interface SandboxServerOptions {
  readonly tokenSha256: string;
  readonly calls: Calls;
  readonly isStopping: () => boolean;
  /** A call begins or ends. */
  readonly onCall: () => void;
  readonly log: Log;
}

/** `POST /execute`, `POST /cancel` and `GET /health`; the contract is in `hands.ts`. The returned server is not listening yet. */
export function sandboxServer(options: SandboxServerOptions): Server {
  // A command can be silent for many minutes; probes keep the network from dropping the connection as an idle one.
  const server = createServer({ keepAlive: true, keepAliveInitialDelay: 30_000, keepAliveTimeout: 60_000 });
  server.on('request', (request, response) => {
    replyTo(request, options).then(
      ({ status, body }) => {
        if (options.isStopping()) response.setHeader('connection', 'close');
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
      // The caller went away while sending its request: there is nobody to answer.
      () => response.destroy(),
    );
  });
  return server;
}

async function replyTo(request: IncomingMessage, options: SandboxServerOptions): Promise<Reply> {
  const route = `${request.method} ${request.url}`;
  if (route === 'GET /health') return { status: 200, body: { status: options.isStopping() ? 'stopping' : 'ready' } };
  if (route !== 'POST /execute' && route !== 'POST /cancel') {
    return refusal('not_found', 'there are POST /execute, POST /cancel and GET /health');
  }
  if (!presentsToken(request, options.tokenSha256))
    return refusal('unauthorized', 'the bearer token is not the right one');
  const body = await readBody(request);
  if (body === null) return refusal('request_too_large', `the body is longer than ${MAX_BODY_BYTES} bytes`);
  return route === 'POST /cancel' ? cancel(parseJson(body), options) : begin(parseJson(body), options);
}

function cancel(body: unknown, { calls, log }: SandboxServerOptions): Reply {
  const parsed = CancelRequest.safeParse(body);
  if (!parsed.success) return refusal('invalid_request', problemsOf(parsed.error));
  const stopped = calls.stop(parsed.data.call, 'the call was stopped because it was interrupted');
  log('INFO', 'cancel', { call: parsed.data.call, stopped });
  return { status: 200, body: { stopped } };
}

async function begin(body: unknown, options: SandboxServerOptions): Promise<Reply> {
  const parsed = ExecuteRequest.safeParse(body);
  if (!parsed.success) return refusal('invalid_request', problemsOf(parsed.error));
  return execute(parsed.data, options);
}

async function execute(request: ExecuteRequest, options: SandboxServerOptions): Promise<Reply> {
  const { calls, log } = options;
  const facts = { call: request.call, tool: request.name };
  options.onCall();
  if (options.isStopping() && !calls.isKnown(request.call)) return refusal('stopping', 'the sandbox is stopping');
  try {
    const answer = await calls.answer(request);
    if (answer.status === 'mismatch') return refusal('call_mismatch', 'the call id was used for another tool or input');
    const { output, ...rest } = answer.response;
    log('INFO', 'call', { ...facts, ...rest, outputChars: output.length });
    return { status: 200, body: answer.response };
  } catch (error) {
    log('ERROR', 'call', { ...facts, error: error instanceof Error ? error.name : typeof error });
    return refusal('internal', 'the call failed inside the sandbox server');
  } finally {
    options.onCall();
  }
}

function refusal(error: keyof typeof STATUS_BY_ERROR, message: string): Reply {
  return { status: STATUS_BY_ERROR[error], body: { error, message } };
}

/** Hashes have one length and are compared in constant time, so an answer's timing says nothing about the token. */
function presentsToken(request: IncomingMessage, tokenSha256: string): boolean {
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(createHash('sha256').update(token).digest(), Buffer.from(tokenSha256, 'hex'));
}

/** Null for a body over the limit. It is read to its end all the same: a closed connection would hide the answer. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString('utf8');
}

/** Undefined for what is not JSON: no schema accepts it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemsOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; ');
}
