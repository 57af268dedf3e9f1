/**
 * Finds the token endpoints of issuers in their metadata, at the URLs that the MCP SDK knows. The SDK's own reader is not
 * used, because it requires fields that identity providers leave out.
 */
import { buildDiscoveryUrls, type FetchLike } from '@modelcontextprotocol/client';
import * as z from 'zod';
import type { AllowedHosts } from '#contract/outbound.ts';
import type { FoundEndpoint, TokenEndpoints } from '#core/vault/id-jag.ts';
import { createExpiring } from '#core/ports/expiring.ts';
import { jsonOrNull } from '#core/vault/token-endpoint.ts';
import { judgeUrl } from '#core/outbound/destination.ts';
import { OutboundError } from '#core/ports/outbound.ts';

interface TokenEndpointsOptions {
  /** Guarded. */
  readonly fetch: FetchLike;
  readonly allow: AllowedHosts;
  readonly nowMs: () => number;
}

/** RFC 8414 and OpenID Connect Discovery. */
const Metadata = z.looseObject({
  issuer: z.string(),
  token_endpoint: z.string(),
  token_endpoint_auth_methods_supported: z.array(z.string()).nullish(),
});

/** For so long an instance uses an endpoint without a new discovery. */
const MOST_MS = 3_600_000;
/** More than the servers of one organisation. */
const MOST_ENTRIES = 1000;

export function createTokenEndpoints({ fetch, allow, nowMs }: TokenEndpointsOptions): TokenEndpoints {
  const known = createExpiring<FoundEndpoint>(nowMs, MOST_ENTRIES);

  async function discover(issuer: string): Promise<FoundEndpoint | string> {
    const told = await metadataOf(fetch, issuer);
    if (typeof told === 'string') return told;
    const { issuer: ownName, token_endpoint: url, token_endpoint_auth_methods_supported: methods } = told;
    const judged = judgeUrl(url, allow);
    if (judged.status === 'blocked') return `names a token endpoint whose host ${judged.rule}`;
    return { status: 'found', issuer: ownName, url, authMethods: methods ?? [] };
  }

  return {
    async find(issuer) {
      const remembered = known.find(issuer);
      if (remembered !== undefined) return remembered;
      const found = await discover(issuer).catch((error: unknown) => {
        if (error instanceof OutboundError) return `did not answer: ${error.message}`;
        throw error;
      });
      if (typeof found === 'string') return { status: 'failed', detail: `${new URL(issuer).host} ${found}` };
      known.keep(issuer, found, nowMs() + MOST_MS);
      return found;
    },
  };
}

/**
 * The first metadata that is this issuer's, or the reason why there is none. Error pages are skipped, and so is metadata
 * of another issuer, because some hosts have one answer for all of their issuers. RFC 8414 §3.3: a server that answers
 * for another issuer could take tokens that are meant for that one.
 */
async function metadataOf(fetch: FetchLike, issuer: string): Promise<z.infer<typeof Metadata> | string> {
  let isOfAnother = false;
  for (const { url } of buildDiscoveryUrls(issuer)) {
    const response = await fetch(url, { headers: { accept: 'application/json' } });
    const { data } = Metadata.safeParse(jsonOrNull(await response.text()));
    if (!response.ok || data === undefined) continue;
    if (bare(data.issuer) === bare(issuer)) return data;
    isOfAnother = true;
  }
  return isOfAnother ? 'names another issuer' : 'has no metadata that can be read';
}

/** Issuers are written with and without a slash at the end. */
function bare(issuer: string): string {
  return issuer.replace(/\/$/, '');
}
