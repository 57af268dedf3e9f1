/** Answers one request to the MCP proxy, within the time that the function and the caller have. */
import type { McpListings, McpProxyRequest, McpVerdicts } from '#contract/mcp-proxy.ts';
import type { CredentialValidation } from '#contract/credential-validation.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import { judgeCalls } from '#core/mcp/judge-calls.ts';
import { listServers } from '#core/mcp/list-servers.ts';
import type { Until } from '#core/mcp/proxy-world.ts';
import { validateCredential } from '#core/mcp/validate-credential.ts';
import type { ProxyWorld } from '#aws/worlds/mcp-proxy.ts';

/** The part of the function's time that is kept to append and record the outcome of a call. */
const TIME_TO_CONCLUDE_MS = 3000;
/**
 * A turn waits a minute at most for listings, and a client of the API half of that for a validation. After a call, a hook
 * may have five seconds.
 */
const MOST_MS = { list: 45_000, judge: 9000, call: 110_000, validate: 22_000 };

export async function answer(
  world: ProxyWorld,
  request: McpProxyRequest,
  remainingMs: number,
): Promise<McpListings | McpVerdicts | CredentialValidation | null> {
  const until = untilOf(Math.min(remainingMs - TIME_TO_CONCLUDE_MS, MOST_MS[request.do]));
  switch (request.do) {
    case 'list':
      return { servers: [...(await listServers(world, request, until))] };
    case 'judge':
      return { verdicts: [...(await judgeCalls(world, request, request.calls))] };
    case 'call':
      await makeCall(world, request, until);
      return null;
    case 'validate':
      return validateCredential(world, request, until);
    default:
      return request satisfies never;
  }
}

function untilOf(ms: number): Until {
  return { deadline: Date.now() + ms, signal: AbortSignal.timeout(Math.max(1, ms)) };
}
