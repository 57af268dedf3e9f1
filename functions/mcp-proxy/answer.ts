/** What each of those who ask the MCP proxy is answered. */
import type { McpListings, McpProxyRequest, McpVerdicts } from '#contract/mcp-proxy.ts';
import type { CredentialValidation } from '#contract/credential-validation.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import { judgeCalls } from '#core/mcp/judge-calls.ts';
import { listServers } from '#core/mcp/list-servers.ts';
import type { Until } from '#core/mcp/proxy-world.ts';
import { validateCredential } from '#core/mcp/validate-credential.ts';
import type { ProxyWorld } from '#aws/worlds/mcp-proxy.ts';

/** Left of the function's time to append what a call came to, and to record it. */
const TIME_TO_CONCLUDE_MS = 3000;
/**
 * Turns wait for listings a minute at most, and users at an API for what becomes of a credential half of that. After a
 * call there may be a hook to hear, which has five seconds.
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
