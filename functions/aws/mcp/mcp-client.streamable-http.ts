/** MCP by its official SDK: over streamable HTTP in both protocol eras, and over its predecessor where a server has no other. */
import { isInputRequiredResult, ProtocolError, ProtocolErrorCode, type Tool } from '@modelcontextprotocol/client';
import type { McpTool } from '#contract/mcp.ts';
import { createExpiring, type Expiring } from '#core/ports/expiring.ts';
import type { McpCall, McpCalled, McpClient, McpFailure, McpListed, McpTarget } from '#core/ports/mcp-client.ts';
import { type GuardedFetch, OutboundError } from '#core/ports/outbound.ts';
import { elicitationsOf, resumptionOf, wantedOf, type Forms, type Resumption } from '#aws/mcp/mcp-elicitation.ts';
import { BadAnswerError } from '#aws/mcp/mcp-traffic.ts';
import { answerOf, toolOf } from '#aws/mcp/mcp-results.ts';
import { visit, type Session, type Visit } from '#aws/mcp/mcp-session.ts';
import { EVENTS_TRANSPORT, UNKNOWN_TRANSPORT, type Transport } from '#aws/mcp/mcp-transport.ts';

export interface McpClientOptions {
  /** Guarded. */
  readonly fetch: GuardedFetch;
  /** Epoch milliseconds. */
  now(): number;
  /** The limit for all answers to one request of this client. @default 20,000,000 */
  readonly maxBytes?: number;
  /** @default 'decline' */
  readonly forms?: Forms;
}

interface Memory {
  readonly transports: Expiring<Transport>;
  readonly lists: Expiring<McpListed>;
}

interface Listing {
  readonly status: 'listed';
  readonly tools: readonly McpTool[];
  readonly badTools: number;
  readonly ttlMs: number;
  readonly isPublic: boolean;
}

const MAX_BYTES = 20_000_000;
const MAX_TOOLS = 2000;
const MAX_TOOLS_TTL_MS = 300_000;
const TRANSPORT_TTL_MS = 86_400_000;
const MAX_REMEMBERED = 500;
/** How often this client tells a server that it fills in no form. */
const MAX_ROUNDS = 4;

/** Remembers transports and tool lists, each for the callers that may share it. It remembers no session: that is one user's. */
export function createMcpClient({ fetch, now, maxBytes = MAX_BYTES, forms = 'decline' }: McpClientOptions): McpClient {
  const memory: Memory = {
    transports: createExpiring(now, MAX_REMEMBERED),
    lists: createExpiring(now, MAX_REMEMBERED),
  };
  const common = (target: McpTarget, signal: AbortSignal) => {
    return { target, signal, fetch, maxBytes, forms, now, bearer: refusedOnce(target.bearer) };
  };
  return {
    async listTools(target, signal) {
      const known = memory.lists.find(keyOf(target)) ?? memory.lists.find(target.url);
      if (known !== undefined) return known;
      const askedAt = new Date(now()).toISOString();
      const visit = { ...common(target, signal), method: 'tools/list', isResumed: false, work: listed } as const;
      const listing = await overSomeTransport(memory, visit);
      if (listing.status === 'failed') return listing;
      const { tools, badTools, ttlMs, isPublic } = listing;
      const fresh: McpListed = { status: 'listed', tools, badTools, askedAt };
      const untilMs = now() + Math.min(ttlMs, MAX_TOOLS_TTL_MS);
      memory.lists.keep(isPublic ? target.url : keyOf(target), fresh, untilMs);
      return fresh;
    },
    callTool(target, call, signal) {
      const work = (session: Session) => called(session, call, forms);
      const isResumed = call.resume !== null;
      return overSomeTransport(memory, { ...common(target, signal), method: 'tools/call', isResumed, work });
    },
  };
}

/** Tries the transport that worked last, then streamable HTTP in the era of the server's answer, then server-sent events. */
async function overSomeTransport<Value>(
  { transports }: Memory,
  going: Omit<Visit<Value>, 'onConnected'>,
): Promise<Value | McpFailure> {
  const key = keyOf(going.target);
  const onConnected = (transport: Transport) => transports.keep(key, transport, going.now() + TRANSPORT_TTL_MS);
  const known = transports.find(key);
  if (known !== undefined) {
    const visited = await visit({ ...going, onConnected }, known);
    if (visited.status !== 'other transport') return visited.status === 'done' ? visited.value : visited.failure;
    transports.drop(key);
    // The request may have been carried out, so it is not sent again; the next request finds the transport anew.
    if (visited.failure.sent) return visited.failure;
  }
  const visited = await visit({ ...going, onConnected }, UNKNOWN_TRANSPORT);
  if (visited.status !== 'other transport') return visited.status === 'done' ? visited.value : visited.failure;
  const before = await visit({ ...going, onConnected }, EVENTS_TRANSPORT);
  if (before.status === 'done') return before.value;
  return before.status === 'failed' ? before.failure : visited.failure;
}

/** An answer depends on the server's URL and on the user; a public list is kept by the URL alone. */
function keyOf({ url, cacheKey }: McpTarget): string {
  return `${url} ${cacheKey ?? ''}`;
}

/** A bearer that is renewed once: a second refusal is final, however many requests are made. */
function refusedOnce(bearer: McpTarget['bearer']): McpTarget['bearer'] {
  if (bearer === null) return null;
  let isRefused = false;
  return {
    token: () => bearer.token(),
    async onUnauthorized() {
      if (isRefused) throw new BadAnswerError('it refused a second token');
      isRefused = true;
      await bearer.onUnauthorized();
    },
  };
}

async function listed({ client, timeout, badTools }: Session): Promise<Listing> {
  const result = await client.listTools(undefined, { timeout, cacheMode: 'bypass' });
  if (result.tools.length > MAX_TOOLS) {
    throw new OutboundError('too_large', null, `has more than ${MAX_TOOLS} tools`, { sent: true });
  }
  const { ttlMs, cacheScope } = result as { readonly ttlMs?: unknown; readonly cacheScope?: unknown };
  return {
    status: 'listed',
    tools: result.tools.map(toolOf),
    badTools: badTools(),
    ttlMs: typeof ttlMs === 'number' ? ttlMs : 0,
    isPublic: cacheScope === 'public',
  };
}

async function called(session: Session, call: McpCall, forms: Forms): Promise<McpCalled> {
  try {
    return await asked(session, call, forms);
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== ProtocolErrorCode.UrlElicitationRequired) throw error;
    const requests = elicitationsOf(error.data);
    if (requests.length === 0) throw new BadAnswerError('it asks for a URL that no user can open');
    return { status: 'input_required', requests, state: null };
  }
}

async function asked({ client, pushed, timeout }: Session, call: McpCall, forms: Forms): Promise<McpCalled> {
  let resumption: Resumption = client.getProtocolEra() === 'modern' ? resumptionOf(call.resume) : {};
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const params = { name: call.tool, arguments: { ...call.input }, ...resumption };
    const result = await client.callTool(params, { timeout, allowInputRequired: true, ...definitionOf(call) });
    if (!isInputRequiredResult(result)) {
      // This client answered `cancel` in the user's place, so the server's answer is not the result that the user would get.
      return pushed.length > 0 ? { status: 'input_required', requests: pushed, state: null } : answerOf(result);
    }
    const { urls, answers } = wantedOf(result.inputRequests ?? {}, forms);
    const state = result.requestState ?? null;
    if (urls.length > 0) return { status: 'input_required', requests: urls, state };
    resumption = { inputResponses: answers, ...(state === null ? {} : { requestState: state }) };
  }
  throw new BadAnswerError('it asks for input again and again');
}

/** The SDK reads from the schema which headers mirror which arguments, and nothing else. */
function definitionOf({ tool, schema }: McpCall): { toolDefinition?: Tool } {
  return schema === null ? {} : { toolDefinition: { name: tool, inputSchema: schema as Tool['inputSchema'] } };
}
