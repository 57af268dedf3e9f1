/** Calls to a sandbox over HTTP, inside the VPC. */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { ExecuteError, ExecuteResponse, type ExecuteRequest } from '#contract/hands.ts';
import { Fault } from '#core/ports/errors.ts';
import type { SandboxClient, SandboxPlace, SandboxReply } from '#core/ports/sandboxes.ts';

/** The server ends a call itself at its timeout; without an answer so much later it is taken for dead. */
const REPLY_GRACE_MS = 20_000;
const CONNECT_TIMEOUT_MS = 3000;
const MAX_REPLY_BYTES = 4_000_000;

export function createSandboxClient(): SandboxClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    execute: (place, request) => execute(agent, place, request),
    give: (place, call, text) => give(agent, place, { call, text }),
    cancel(place, call) {
      const outgoing = post(agent, place, '/cancel', { call });
      // A sandbox that cannot be reached has ended, or ends the call at its time limit.
      outgoing.on('error', () => undefined);
      outgoing.on('response', (incoming) => incoming.resume());
    },
  };
}

function post(agent: Agent, place: SandboxPlace, path: '/execute' | '/cancel', content: unknown): ClientRequest {
  const body = JSON.stringify(content);
  return send(agent, place, { method: 'POST', path, type: 'application/json', body });
}

interface Outgoing {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

function send(agent: Agent, place: SandboxPlace, { method, path, type, body }: Outgoing): ClientRequest {
  const outgoing = httpRequest(`http://${place.address}${path}`, {
    agent,
    method,
    headers: {
      authorization: `Bearer ${place.token}`,
      'content-type': type,
      'content-length': Buffer.byteLength(body),
    },
  });
  outgoing.end(body);
  return outgoing;
}

function give(
  agent: Agent,
  place: SandboxPlace,
  { call, text }: { readonly call: string; readonly text: string },
): ReturnType<SandboxClient['give']> {
  const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<SandboxClient['give']>>>();
  const path = `/results/${encodeURIComponent(call)}`;
  const outgoing = send(agent, place, { method: 'PUT', path, type: 'text/plain; charset=utf-8', body: text });
  giveUpAfter(outgoing, REPLY_GRACE_MS);
  outgoing.on('error', () => resolve('interrupted'));
  outgoing.on('response', (incoming) => {
    incoming.resume();
    const { statusCode = 0 } = incoming;
    // 401: another sandbox has the address. 503: it is stopping. The call itself finds out both.
    const isGone = statusCode === 401 || statusCode === 503;
    resolve(statusCode === 200 ? 'kept' : isGone ? 'interrupted' : 'refused');
  });
  return promise;
}

function execute(agent: Agent, place: SandboxPlace, call: ExecuteRequest): Promise<SandboxReply> {
  const { promise, resolve, reject } = Promise.withResolvers<SandboxReply>();
  const outgoing = post(agent, place, '/execute', call);
  const connected = giveUpAfter(outgoing, call.timeoutMs + REPLY_GRACE_MS);
  outgoing.on('error', () => resolve({ status: connected() ? 'interrupted' : 'unreachable' }));
  outgoing.on('response', (incoming) => {
    collect(incoming).then((bytes) => resolve(replyOf(incoming, bytes)), reject);
  });
  return promise;
}

/** Destroys a request that does not connect or does not end in time; tells whether it ever connected. */
function giveUpAfter(outgoing: ClientRequest, replyMs: number): () => boolean {
  let connected = false;
  const connecting = setTimeout(() => outgoing.destroy(), CONNECT_TIMEOUT_MS);
  const replying = setTimeout(() => outgoing.destroy(), replyMs);
  const onConnected = () => {
    connected = true;
    clearTimeout(connecting);
  };
  outgoing.on('socket', (socket) => (socket.connecting ? socket.once('connect', onConnected) : onConnected()));
  outgoing.on('close', () => {
    clearTimeout(connecting);
    clearTimeout(replying);
  });
  return () => connected;
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
  const calls = said.data?.calls ?? [];
  if (said.data?.error === 'results_awaited') return { status: 'awaits results', calls };
  if (said.data?.error === 'calls_awaited') return { status: 'awaits calls', missing: calls };
  return { status: 'awaits packages' };
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}
