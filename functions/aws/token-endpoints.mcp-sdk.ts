/** Where issuers take token requests, by the MCP SDK's discovery, which knows the places of both kinds of metadata. */
import { discoverAuthorizationServerMetadata, type FetchLike } from '@modelcontextprotocol/client';
import type { AllowedHosts } from '#contract/outbound.ts';
import type { FoundEndpoint, TokenEndpoints } from '#core/enterprise/managed-tokens.ts';
import { judgeUrl } from '#core/outbound/destination.ts';
import { trouble } from '#aws/connect-trouble.mcp-sdk.ts';

export interface TokenEndpointsOptions {
  /** Guarded. */
  readonly fetch: FetchLike;
  readonly allow: AllowedHosts;
  readonly nowMs: () => number;
}

/** An endpoint that has moved is found again after so long. */
const MOST_MS = 3_600_000;

export function createTokenEndpoints({ fetch, allow, nowMs }: TokenEndpointsOptions): TokenEndpoints {
  const known = new Map<string, { readonly found: FoundEndpoint; readonly untilMs: number }>();

  async function discover(issuer: string): Promise<FoundEndpoint | string> {
    const metadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn: fetch });
    if (metadata === undefined) return 'has no metadata';
    // RFC 8414 §3.3: whoever answers for another issuer could take what is meant for it.
    if (metadata.issuer.replace(/\/$/, '') !== issuer.replace(/\/$/, '')) return 'names another issuer';
    const { token_endpoint: url, token_endpoint_auth_methods_supported: authMethods = [] } = metadata;
    const judged = judgeUrl(url, allow);
    return judged.status === 'blocked'
      ? `names a token endpoint that ${judged.rule}`
      : { status: 'found', url, authMethods };
  }

  return {
    async find(issuer) {
      const entry = known.get(issuer);
      if (entry !== undefined && nowMs() < entry.untilMs) return entry.found;
      const host = new URL(issuer).host;
      try {
        const found = await discover(issuer);
        if (typeof found === 'string') return { status: 'failed', detail: `${host} ${found}` };
        known.set(issuer, { found, untilMs: nowMs() + MOST_MS });
        return found;
      } catch (error) {
        return { status: 'failed', detail: `${host}: ${trouble('server_unreachable', error).detail}` };
      }
    },
  };
}
