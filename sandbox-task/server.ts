import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type * as z from 'zod';
import { CancelRequest, ExecuteRequest } from '../functions/contract/hands.ts';
import { parseJson, problemsOf, readBody } from './body.ts';
import type { Calls } from './calls.ts';
import type { Log } from './log.ts';
import type { Outputs } from './output.ts';
import type { Packages, Taken } from './packages.ts';
import { awaiting, refusal, type Reply, tooLarge } from './reply.ts';
import { awaitingResults, takeResult } from './results.ts';

/** The longest request sends an archive of packages; the calling function ends before this limit. */
const REQUEST_TIMEOUT_MS = 900_000;
/** A session makes fewer calls at once, also when each of them is sent again. */
const MAX_CONNECTIONS_OF_ONE = 200;

interface SandboxServerOptions {
  readonly tokenSha256: string;
  readonly calls: Calls;
  readonly packages: Packages;
  readonly outputs: Outputs;
  readonly isStopping: () => boolean;
  /** Called when a call, an archive or a result begins or ends. */
  readonly onCall: () => void;
  readonly log: Log;
}

/**
 * `POST /execute`, `POST /cancel`, `PUT /packages/<hash>`, `PUT /results/<call>` and `GET /health`; the contract is in
 * `hands.ts`. The returned server is not listening yet.
 */
export function sandboxServer(options: SandboxServerOptions): Server {
  // A command can be silent for many minutes. Probes keep the network from closing the connection as idle.
  const server = createServer({
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    keepAliveTimeout: 60_000,
    requestTimeout: REQUEST_TIMEOUT_MS,
  });
  server.on('connection', limitOfEachCaller());
  server.on('request', (request, response) => {
    replyTo(request, options).then(
      ({ status, body }) => {
        if (options.isStopping()) response.setHeader('connection', 'close');
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
      // The caller disconnected while it sent its request, so no one reads a response.
      () => response.destroy(),
    );
  });
  return server;
}

/** Programs of the agent can connect too, and must leave connections for the callers that have the token. */
function limitOfEachCaller(): (socket: Socket) => void {
  const open = new Map<string, number>();
  return (socket) => {
    // A program can take any address of its own machine.
    const caller = socket.remoteAddress?.replace(/^(::ffff:)?127\..*/, 'here');
    if (caller === undefined) return;
    const others = open.get(caller) ?? 0;
    if (others >= MAX_CONNECTIONS_OF_ONE) return void socket.destroy();
    open.set(caller, others + 1);
    socket.once('close', () => open.set(caller, (open.get(caller) ?? 1) - 1));
  };
}

interface Route {
  readonly path: RegExp;
  readonly serve: (request: IncomingMessage, options: SandboxServerOptions, named: string) => Promise<Reply>;
}

const KNOWN = 'POST /execute, POST /cancel, PUT /packages/<hash>, PUT /results/<call> and GET /health';

/** The routes that need the token. */
const ROUTES: readonly Route[] = [
  { path: /^POST \/execute$/, serve: ofJson(ExecuteRequest, execute) },
  { path: /^POST \/cancel$/, serve: ofJson(CancelRequest, cancel) },
  { path: /^PUT \/packages\/([^/]+)$/, serve: ofBytes(takePackages) },
  { path: /^PUT \/results\/([^/]+)$/, serve: ofBytes(takeResult) },
];

async function replyTo(request: IncomingMessage, options: SandboxServerOptions): Promise<Reply> {
  const asked = `${request.method} ${request.url}`;
  if (asked === 'GET /health') return { status: 200, body: { status: options.isStopping() ? 'stopping' : 'ready' } };
  const route = ROUTES.find(({ path }) => path.test(asked));
  if (route === undefined) return refusal('not_found', `there are ${KNOWN}`);
  if (!presentsToken(request, options.tokenSha256))
    return refusal('unauthorized', 'the bearer token is not the right one');
  return route.serve(request, options, route.path.exec(asked)?.[1] ?? '');
}

/** A route that stores bytes. Its requests count as calls for the idle time. */
function ofBytes(take: Route['serve']): Route['serve'] {
  return async (request, options, named) => {
    if (options.isStopping()) return refusal('stopping', 'the sandbox is stopping');
    options.onCall();
    try {
      return await take(request, options, named);
    } finally {
      options.onCall();
    }
  };
}

/** A route with a JSON body. */
function ofJson<Shape extends z.ZodType>(
  schema: Shape,
  answer: (body: z.infer<Shape>, options: SandboxServerOptions) => Promise<Reply>,
): Route['serve'] {
  return async (request, options) => {
    const body = await readBody(request);
    if (body === null) return tooLarge();
    const parsed = schema.safeParse(parseJson(body));
    if (!parsed.success) return refusal('invalid_request', problemsOf(parsed.error));
    return answer(parsed.data, options);
  };
}

async function cancel({ call }: CancelRequest, { calls, log }: SandboxServerOptions): Promise<Reply> {
  const stopped = calls.stop(call, 'the call was stopped because it was interrupted');
  log('INFO', 'cancel', { call, stopped });
  return { status: 200, body: { stopped } };
}

async function takePackages(
  request: IncomingMessage,
  { packages, log }: SandboxServerOptions,
  archive: string,
): Promise<Reply> {
  const startedAt = performance.now();
  const taken = await packages.take(archive, request);
  log('INFO', 'packages', { outcome: taken.status, durationMs: Math.round(performance.now() - startedAt) });
  return replyOf(taken);
}

function replyOf(taken: Taken): Reply {
  switch (taken.status) {
    case 'taken':
      return { status: 200, body: { status: 'taken' } };
    case 'unknown':
      return refusal('not_found', 'the sandbox does not wait for these packages');
    case 'too large':
      return refusal('request_too_large', 'the archive is too long');
    case 'invalid':
      return refusal('archive_invalid', `the archive cannot be unpacked: ${taken.reason}`);
    case 'interrupted':
      return refusal('stopping', 'the archive did not arrive as a whole');
    default:
      return taken satisfies never;
  }
}

async function execute(request: ExecuteRequest, options: SandboxServerOptions): Promise<Reply> {
  const { calls, log } = options;
  const facts = { call: request.call, tool: request.name };
  if (options.packages.areAwaited()) return refusal('packages_awaited', 'the packages have to be put first');
  options.onCall();
  try {
    const hindrance = calls.isKnown(request.call) ? null : await hindranceOf(request, options);
    // Two requests for one call may both have waited: `answer` begins it once.
    if (hindrance !== null) return hindrance;
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

/** Why a call that is not known here cannot begin; null when it can. */
async function hindranceOf(request: ExecuteRequest, options: SandboxServerOptions): Promise<Reply | null> {
  if (options.isStopping()) return refusal('stopping', 'the sandbox is stopping');
  const missing = await options.calls.untilEnded(request.after ?? []);
  if (missing !== null) return awaiting('calls_awaited', 'earlier calls have to end first', missing);
  // The sandbox may have begun to stop while this call waited.
  if (options.isStopping()) return refusal('stopping', 'the sandbox is stopping');
  return awaitingResults(request, options);
}

/** The hashes have one length and are compared in constant time, so the response time tells nothing about the token. */
function presentsToken(request: IncomingMessage, tokenSha256: string): boolean {
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(createHash('sha256').update(token).digest(), Buffer.from(tokenSha256, 'hex'));
}
