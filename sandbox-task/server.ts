import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type * as z from 'zod';
import { CancelRequest, ChangeRead, ChangesKept, ExecuteRequest, Manifest } from '../functions/contract/hands.ts';
import { parseJson, problemsOf, readBody } from './body.ts';
import type { Calls } from './calls.ts';
import type { Changes } from './changes.ts';
import type { Contents } from './contents.ts';
import type { IdleEnd } from './idle-end.ts';
import type { Log } from './log.ts';
import { BrokenStream } from './parcels.ts';
import type { Awaited as WayOutAwaited, Relay } from './relay.ts';
import type { Repositories } from './repositories.ts';
import { awaitingCalls, awaitingWayOut, type BytesReply, refusal, type Reply, tooLarge } from './reply.ts';

/** The longest request sends an archive of packages; the calling function ends before this limit. */
const REQUEST_TIMEOUT_MS = 900_000;
/** A session makes fewer calls at once: 26 threads, each with the calls of an answer, also when each is sent again. */
const MAX_CONNECTIONS_OF_ONE = 1000;

interface SandboxServerOptions {
  readonly tokenSha256: string;
  readonly calls: Calls;
  readonly contents: Contents;
  readonly changes: Changes;
  readonly relay: Pick<Relay, 'use' | 'hindrance' | 'awaited' | 'leave'>;
  readonly repositories: Pick<Repositories, 'areAwaited'>;
  /** Whether programs go on that the agent started. */
  readonly programsLive: () => boolean;
  readonly isStopping: () => boolean;
  readonly idle: Pick<IdleEnd, 'used' | 'kept' | 'isDue'>;
  readonly log: Log;
}

/**
 * The routes of the contract in `hands.ts`. The returned server is not listening yet.
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
      (reply) => {
        if (options.isStopping()) response.setHeader('connection', 'close');
        if ('bytes' in reply) return sendBytes(reply, response);
        const { status, body } = reply;
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
      // The caller disconnected while it sent its request, so no one reads a response.
      () => response.destroy(),
    );
  });
  return server;
}

/** A body that fails breaks the connection, so that its reader has no whole file. */
function sendBytes({ bytes, body }: BytesReply, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes });
  pipeline(body, response).catch(() => response.destroy());
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
  readonly path: string;
  readonly serve: (request: IncomingMessage, options: SandboxServerOptions) => Promise<Reply | BytesReply>;
}

/** The routes that need the token. */
const ROUTES: readonly Route[] = [
  { path: 'POST /execute', serve: ofJson(ExecuteRequest, execute) },
  { path: 'POST /cancel', serve: ofJson(CancelRequest, cancel) },
  { path: 'PUT /manifest', serve: whileItRuns(ofJson(Manifest, expectContents)) },
  { path: 'PUT /contents', serve: whileItRuns(takeContents) },
  { path: 'GET /changes', serve: unlessItStops(listChanges) },
  { path: 'POST /changes', serve: unlessItStops(ofJson(ChangesKept, keepChanges)) },
  { path: 'POST /changes/bytes', serve: unlessItStops(ofJson(ChangeRead, readChange)) },
];

const KNOWN = [...ROUTES.map(({ path }) => path), 'GET /health'].join(', ');

async function replyTo(request: IncomingMessage, options: SandboxServerOptions): Promise<Reply | BytesReply> {
  const asked = `${request.method} ${request.url}`;
  if (asked === 'GET /health') return { status: 200, body: { status: options.isStopping() ? 'stopping' : 'ready' } };
  const route = ROUTES.find(({ path }) => path === asked);
  if (route === undefined) return refusal('not_found', `there are ${KNOWN}`);
  if (!presentsToken(request, options.tokenSha256))
    return refusal('unauthorized', 'the bearer token is not the right one');
  return route.serve(request, options);
}

function unlessItStops(serve: Route['serve']): Route['serve'] {
  return async (request, options) =>
    options.isStopping() ? refusal('stopping', 'the sandbox is stopping') : serve(request, options);
}

/** A route whose requests count as calls for the idle time. */
function whileItRuns(serve: Route['serve']): Route['serve'] {
  return unlessItStops(async (request, options) => {
    options.idle.used();
    try {
      return await serve(request, options);
    } finally {
      options.idle.used();
    }
  });
}

/** A route with a JSON body. */
function ofJson<Shape extends z.ZodType>(
  schema: Shape,
  answer: (body: z.infer<Shape>, options: SandboxServerOptions) => Promise<Reply | BytesReply>,
): Route['serve'] {
  return async (request, options) => {
    const body = await readBody(request);
    if (body === null) return tooLarge();
    const parsed = schema.safeParse(parseJson(body));
    if (!parsed.success) return refusal('invalid_request', problemsOf(parsed.error));
    return answer(parsed.data, options);
  };
}

async function cancel({ call }: CancelRequest, { calls, relay, log }: SandboxServerOptions): Promise<Reply> {
  const stopped = calls.stop(call, 'the call was stopped because it was interrupted');
  // It may have been told before it began.
  relay.leave(call);
  log('INFO', 'cancel', { call, stopped });
  return { status: 200, body: { stopped } };
}

async function expectContents(manifest: Manifest, { contents, log }: SandboxServerOptions): Promise<Reply> {
  const lacking = await contents.expect(manifest);
  log('INFO', 'manifest', {
    entries: manifest.entries.length + (manifest.thread?.entries.length ?? 0),
    lacking: lacking.length,
  });
  return { status: 200, body: { lacking: [...lacking] } };
}

async function takeContents(request: IncomingMessage, { contents, log }: SandboxServerOptions): Promise<Reply> {
  const startedAt = performance.now();
  try {
    const taken = await contents.take(request);
    log('INFO', 'contents', { refused: taken.refused.length, durationMs: Math.round(performance.now() - startedAt) });
    return { status: 200, body: taken };
  } catch (error) {
    if (!(error instanceof BrokenStream)) throw error;
    // A closed connection would lose the response.
    request.resume();
    return refusal('invalid_request', error.message);
  }
}

async function listChanges(_request: IncomingMessage, options: SandboxServerOptions): Promise<Reply> {
  const isLast = options.idle.isDue();
  // Before the look at what changed, so that nothing is missed of a program that ends in between.
  const live = options.programsLive();
  const told = await options.changes.list();
  return { status: 200, body: { ...told, ...(isLast && { isLast }), ...(live && { programsLive: live }) } };
}

async function keepChanges(done: ChangesKept, { changes, idle }: SandboxServerOptions): Promise<Reply> {
  changes.keep(done);
  idle.kept();
  return { status: 200, body: { status: 'kept' } };
}

async function readChange(change: ChangeRead, { changes }: SandboxServerOptions): Promise<Reply | BytesReply> {
  return (await changes.read(change)) ?? refusal('file_changed', 'the file is no longer what was told');
}

async function execute(request: ExecuteRequest, options: SandboxServerOptions): Promise<Reply> {
  const { calls, log } = options;
  const facts = { call: request.call, tool: request.name };
  if (options.contents.areAwaited({})) return awaitingContents();
  options.idle.used();
  try {
    if (request.wayOut !== undefined) await options.relay.use(request.wayOut, request.call);
    const hindrance = calls.isKnown(request.call) ? null : await hindranceOf(request, options);
    // Two requests for one call may both have waited: `answer` begins it once.
    if (hindrance !== null) return hindrance;
    const answer = await unlessWayOutIsAwaited(request, options, calls.answer(request));
    if ('unreachable' in answer) return awaitingWayOut(answer.unreachable);
    if (answer.status === 'mismatch') return refusal('call_mismatch', 'the call id was used for another tool or input');
    const { output, ...rest } = answer.response;
    log('INFO', 'call', { ...facts, ...rest, outputChars: output.length });
    // Before the look at what changed. A call of this thread that runs tells by itself what it leaves.
    const live = !calls.isBusy(request.thread) && options.programsLive();
    const changed = await options.changes.waiting();
    const told = { ...(live && { programsLive: live }), ...(changed > 0 && { changed }) };
    return { status: 200, body: { ...answer.response, ...told } };
  } catch (error) {
    log('ERROR', 'call', { ...facts, error: error instanceof Error ? error.name : typeof error });
    return refusal('internal', 'the call failed inside the sandbox server');
  } finally {
    options.idle.used();
  }
}

/** What the work comes to, unless a program waits for a way out first: the work goes on then. */
async function unlessWayOutIsAwaited<T>(
  request: ExecuteRequest,
  { relay }: SandboxServerOptions,
  work: Promise<T>,
): Promise<T | WayOutAwaited> {
  if (request.wayOut === undefined) return work;
  const ended = new AbortController();
  const working = work.finally(() => {
    ended.abort();
    relay.leave(request.call);
  });
  working.catch(() => undefined);
  return Promise.race<T | WayOutAwaited>([working, relay.awaited(request.call, ended.signal)]);
}

/** Why a call that is not known here cannot begin; null when it can. */
async function hindranceOf(request: ExecuteRequest, options: SandboxServerOptions): Promise<Reply | null> {
  if (options.isStopping()) return refusal('stopping', 'the sandbox is stopping');
  const missing = await options.calls.untilEnded(request.after ?? []);
  if (missing !== null) return awaitingCalls(missing);
  // The sandbox may have begun to stop while this call waited.
  if (options.isStopping()) return refusal('stopping', 'the sandbox is stopping');
  if (options.contents.areAwaited(request)) return awaitingContents();
  const wayOut = request.wayOut === undefined ? null : await options.relay.hindrance(request.call);
  if (wayOut !== null) return awaitingWayOut(wayOut.unreachable);
  // A call that names no contents is made without them.
  if (request.contents === undefined) return null;
  const cloning = options.repositories.areAwaited(request.contents).then((areAwaited) => ({ areAwaited }));
  const clones = await unlessWayOutIsAwaited(request, options, cloning);
  if ('unreachable' in clones) return awaitingWayOut(clones.unreachable);
  return clones.areAwaited ? refusal('repositories_awaited', 'the repositories have to be cloned first') : null;
}

const awaitingContents = () => refusal('contents_awaited', 'the contents of this version have to be put first');

/** The hashes have one length and are compared in constant time, so the response time tells nothing about the token. */
function presentsToken(request: IncomingMessage, tokenSha256: string): boolean {
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(createHash('sha256').update(token).digest(), Buffer.from(tokenSha256, 'hex'));
}
