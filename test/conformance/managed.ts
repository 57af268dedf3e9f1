/** A token that this service's own exchange gets from an organisation's identity provider for a signed-in user. */
import { discoverOAuthServerInfo } from '@modelcontextprotocol/client';
import { enterpriseOf } from '#core/vault/enterprise.ts';
import { createManagedTokens } from '#core/vault/managed-tokens.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import type { GuardedFetch } from '#core/ports/outbound.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createOutbound } from '#aws/outbound/outbound.https.ts';
import { createStamp } from '#aws/stamp.ts';
import { createTokenEndpoints } from '#aws/vault/token-endpoints.mcp-sdk.ts';
import { SILENT } from '#test/functions/core/given.ts';
import { newCredential, VAULT } from '#test/functions/core/vault/refresh.fixture.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

/** The runner's settings for user and clients. */
export interface SignedIn {
  readonly idToken: string;
  readonly identityProvider: { readonly issuer: string; readonly clientId: string };
  readonly client: { readonly id: string; readonly secret: string };
}

export interface Admitted {
  readonly token: string;
  readonly scopes: readonly string[];
}

/** `url`: the MCP server. The runner stands for the administrator who would have set its issuer. */
export async function admit(fetch: GuardedFetch, url: string, user: SignedIn): Promise<Admitted> {
  const { authorizationServerMetadata: metadata } = await discoverOAuthServerInfo(url, { fetchFn: fetch });
  if (metadata === undefined) throw new Error('the server names no authorization server');
  const { issuer, clientId } = user.identityProvider;
  const server = { url, resource: url, issuer: metadata.issuer, clientId: user.client.id, clientSecretArn: 'client' };
  const issuers = {
    endpoints: createTokenEndpoints({ fetch, allow: ALLOW_HERE, nowMs: Date.now }),
    outbound: createOutbound({ allow: ALLOW_HERE, resolve: resolveBySystem }),
  };
  const managed = { ...server, scopes: [] };
  const tokensFor = createManagedTokens({
    enterprise: enterpriseOf({
      login: { issuer, clientId, clientSecretArn: null, userClaim: 'sub' },
      servers: [managed],
    }),
    tokens: holding(user.idToken),
    identityProviders: issuers,
    authorizationServers: issuers,
    clientSecret: async () => user.client.secret,
    stamp: createStamp(),
    journal: SILENT,
  });
  const auth = { type: 'static_bearer', mcp_server_url: issuer } as const;
  const row = newCredential(auth, {}, createStamp().now());
  const stored = { ...row, version: 1, state: 'ok' as const, lease: null, cooldownUntil: null, failures: 0 };
  const answer = await tokensFor(managed, null).bearer({ vault: VAULT, stored }, new AbortController().signal);
  if (answer.status !== 'bearer') throw new Error(`${answer.status}: ${answer.detail}`);
  return { token: answer.token, scopes: [] };
}

/** A user who is signed in. */
function holding(token: string): Tokens {
  const bearer = async () => ({ status: 'bearer', token, version: 1, inUse: [token] }) as const;
  return { bearer, renew: bearer };
}
