/** Calls to a sandbox over HTTP, inside the VPC. */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type * as z from 'zod';
import {
  ChangesResponse,
  ContentsResponse,
  ExecuteError,
  ExecuteResponse,
  ManifestResponse,
  type ExecuteRequest,
} from '#contract/hands.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Parcel, Put, SandboxClient, SandboxPlace, SandboxReply } from '#core/ports/sandboxes.ts';

/** The server ends a call itself at its timeout; without an answer so much later it is taken for dead. */
const REPLY_GRACE_MS = 20_000;
const CONNECT_TIMEOUT_MS = 3000;
const MAX_REPLY_BYTES = 4_000_000;
/**
 * Where contents move, a sandbox is taken for dead after so long without a byte: unpacking delays the last ones, and
 * contents that another process sends come first.
 */
const SILENCE_MS = 120_000;

export function createSandboxClient(): SandboxClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    execute: (place, request) => execute(agent, place, request),
    cancel(place, call) {
      const outgoing = send(agent, place, { method: 'POST', path: '/cancel', content: { call } });
      // A sandbox that cannot be reached has ended, or ends the call at its time limit.
      outgoing.on('error', () => undefined);
      outgoing.on('response', (incoming) => incoming.resume());
    },
    async expect(place, manifest) {
      const reply = await answerOf(send(agent, place, { method: 'PUT', path: '/manifest', content: manifest }));
      const told = parsed(reply, ManifestResponse);
      return told.status === 'parsed' ? { status: 'told', lacking: told.body.lacking } : told;
    },
    put,
    async changes(place) {
      const reply = await answerOf(send(agent, place, { method: 'GET', path: '/changes' }));
      const told = parsed(reply, ChangesResponse);
      return told.status === 'parsed' ? told.body : null;
    },
    async read(place, { path, sha256, bytes }) {
      const outgoing = send(agent, place, { method: 'POST', path: '/changes/bytes', content: { path, sha256 } });
      outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy());
      const incoming = await responseTo(outgoing);
      if (incoming?.statusCode === 200 && incoming.headers['content-length'] === String(bytes)) {
        return { bytes, body: incoming };
      }
      incoming?.resume();
      return null;
    },
    async keep(place, content) {
      await answerOf(send(agent, place, { method: 'POST', path: '/changes', content }));
    },
  };
}

interface Outgoing {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly content?: unknown;
}

function send(agent: Agent, place: SandboxPlace, { method, path, content }: Outgoing): ClientRequest {
  const body = content === undefined ? '' : JSON.stringify(content);
  const outgoing = httpRequest(`http://${place.address}${path}`, {
    agent,
    method,
    headers: {
      authorization: `Bearer ${place.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
  });
  outgoing.end(body);
  return outgoing;
}

function execute(agent: Agent, place: SandboxPlace, call: ExecuteRequest): Promise<SandboxReply> {
  const { promise, resolve, reject } = Promise.withResolvers<SandboxReply>();
  const outgoing = send(agent, place, { method: 'POST', path: '/execute', content: call });
  const connected = untilConnected(outgoing);
  const replying = setTimeout(() => outgoing.destroy(), call.timeoutMs + REPLY_GRACE_MS);
  outgoing.on('close', () => clearTimeout(replying));
  outgoing.on('error', () => resolve({ status: connected() ? 'interrupted' : 'unreachable' }));
  outgoing.on('response', (incoming) => {
    collect(incoming).then((bytes) => resolve(replyOf(incoming, bytes)), reject);
  });
  return promise;
}

/** Destroys a request that does not connect in time; tells whether it ever connected. */
function untilConnected(outgoing: ClientRequest): () => boolean {
  let connected = false;
  const connecting = setTimeout(() => outgoing.destroy(), CONNECT_TIMEOUT_MS);
  const onConnected = () => {
    connected = true;
    clearTimeout(connecting);
  };
  outgoing.on('socket', (socket) => (socket.connecting ? socket.once('connect', onConnected) : onConnected()));
  outgoing.on('close', () => clearTimeout(connecting));
  return () => connected;
}

/** Each parcel is a line of JSON and then its bytes. The receiver's pace sets the sender's. */
async function put(place: SandboxPlace, parcels: AsyncIterable<Parcel>): Promise<Put> {
  const outgoing = httpRequest(`http://${place.address}/contents`, {
    method: 'PUT',
    agent: false,
    headers: { authorization: `Bearer ${place.token}`, 'content-type': 'application/octet-stream' },
  });
  const failure: { cause?: unknown } = {};
  const reply = answerOf(outgoing);
  // A sandbox that refuses may answer before it has taken everything: its answer counts, not the broken pipe.
  await pipeline(Readable.from(streamOf(parcels, failure), { objectMode: false }), outgoing).catch(() => undefined);
  const told = parsed(await reply, ContentsResponse);
  if ('cause' in failure) throw failure.cause;
  return told.status === 'parsed' ? { status: 'put', refused: told.body.refused } : told;
}

async function* streamOf(parcels: AsyncIterable<Parcel>, failure: { cause?: unknown }): AsyncIterable<Uint8Array> {
  for await (const { entry, content } of watched(parcels, failure)) {
    const { path, version } = entry;
    yield Buffer.from(`${JSON.stringify({ path, version, bytes: content.bytes })}\n`);
    yield* watched(content.body, failure);
  }
}

/** Tells a failure of the source from one of the connection, which a stream throws into what it reads from. */
async function* watched<T>(source: AsyncIterable<T>, failure: { cause?: unknown }): AsyncIterable<T> {
  const items = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await items.next().catch((cause: unknown) => {
        failure.cause = cause;
        throw cause;
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await items.return?.();
  }
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Null when there is no whole answer. */
async function answerOf(outgoing: ClientRequest): Promise<Answer | null> {
  untilConnected(outgoing);
  outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy());
  const incoming = await responseTo(outgoing);
  if (incoming === null) return null;
  const body = await collect(incoming);
  return body === null ? null : { status: incoming.statusCode ?? 0, body };
}

function responseTo(outgoing: ClientRequest): Promise<IncomingMessage | null> {
  return new Promise((resolve) => {
    outgoing.once('response', resolve);
    outgoing.on('error', () => resolve(null));
  });
}

type Parsed<Body> =
  | { readonly status: 'parsed'; readonly body: Body }
  | { readonly status: 'refused' }
  | { readonly status: 'interrupted' };

function parsed<Shape extends z.ZodType>(answer: Answer | null, shape: Shape): Parsed<z.infer<Shape>> {
  // 401: another sandbox has the address. 503: it is stopping. The repeated call finds out both.
  if (answer === null || answer.status === 401 || answer.status === 503) return { status: 'interrupted' };
  const body = answer.status === 200 ? shape.safeParse(json(answer.body)) : null;
  return body?.success ? { status: 'parsed', body: body.data } : { status: 'refused' };
}

/** The body; null when the connection broke or the reply is larger than any sandbox of ours would send. */
async function collect(incoming: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_REPLY_BYTES)
        throw new Fault('sandbox_lost', `the sandbox answered more than ${MAX_REPLY_BYTES} bytes`);
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    return null;
  }
  return Buffer.concat(chunks);
}

/** Generated code runs in the sandbox, so its reply is parsed like any untrusted input. */
function replyOf(incoming: IncomingMessage, body: Buffer | null): SandboxReply {
  if (body === null) return { status: 'interrupted' };
  // 503: it is stopping. 401: another sandbox has the address.
  if (incoming.statusCode === 503 || incoming.statusCode === 401) return { status: 'unreachable' };
  if (incoming.statusCode === 425) return awaited(json(body));
  if (incoming.statusCode !== 200) {
    return { status: 'refused', reason: `The sandbox did not take this call (HTTP ${incoming.statusCode}).` };
  }
  const response = ExecuteResponse.safeParse(json(body));
  if (!response.success) throw new Fault('sandbox_lost', 'the sandbox answered in another shape');
  return { status: 'answered', response: response.data };
}

function awaited(body: unknown): SandboxReply {
  const said = ExecuteError.safeParse(body);
  if (said.data?.error === 'calls_awaited') return { status: 'awaits calls', missing: said.data.calls ?? [] };
  if (said.data?.error === 'repositories_awaited') return { status: 'awaits calls', missing: [] };
  if (said.data?.error === 'way_out_awaited')
    return { status: 'awaits way out', unreachable: said.data.unreachable ?? null };
  return { status: 'awaits contents' };
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}
