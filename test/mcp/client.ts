/** The MCP client as the proxy uses it, with an outbound port that reaches the tests' servers. */
import type { FetchLimits } from '#core/ports/outbound.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem, type OutboundOptions } from '#aws/outbound/redirects.https.ts';
import { createMcpClient, type McpClientOptions } from '#aws/mcp/mcp-client.streamable-http.ts';
import type { McpCall, McpClient, McpTarget } from '#core/ports/mcp-client.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

const LIMITS: FetchLimits = { maxBytes: 10_000_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 3 };

export interface ClientOptions extends Partial<Omit<McpClientOptions, 'fetch'>> {
  readonly outbound?: Partial<OutboundOptions>;
  readonly limits?: Partial<FetchLimits>;
}

export function clientForTests({ outbound, limits, ...options }: ClientOptions = {}): McpClient {
  const guarded = { allow: ALLOW_HERE, resolve: resolveBySystem, ...outbound };
  return createMcpClient({ now: Date.now, ...options, fetch: createGuardedFetch(guarded, { ...LIMITS, ...limits }) });
}

export function bearer(token: string): NonNullable<McpTarget['bearer']> {
  return {
    token: async () => token,
    onUnauthorized: async () => {
      throw new Error('there is no other token');
    },
  };
}

export function targetOf(url: string, more: Partial<McpTarget> = {}): McpTarget {
  return { url, bearer: null, cacheKey: null, deadline: Date.now() + 120_000, ...more };
}

export function callOf(tool: string, input: McpCall['input'] = {}, more: Partial<McpCall> = {}): McpCall {
  return { tool, input, schema: null, hints: {}, resume: null, ...more };
}

/** A signal that is never aborted. */
export const ON: AbortSignal = new AbortController().signal;
