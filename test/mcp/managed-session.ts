/**
 * A session that calls an MCP server managed by its user's organisation. Identity provider, authorization server, MCP
 * server, vaults, pages and tokens are real; the session's log is in memory.
 */
import { expect, onTestFinished } from 'vitest';
import { CredentialId } from '#contract/ids.ts';
import type { McpOAuthCreate } from '#contract/credential-requests.ts';
import type { TokenIssuers } from '#core/vault/id-jag.ts';
import { createManagedTokens } from '#core/vault/managed-tokens.ts';
import { carryBearer, identify, type Identity } from '#core/mcp/caller.ts';
import { createCredential } from '#core/vault/create-credential.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createStamp, newToken } from '#aws/stamp.ts';
import { createTokenEndpoints } from '#aws/vault/token-endpoints.mcp-sdk.ts';
import { startFlow, WORKSPACE, type FlowOptions } from '#test/functions/connect/flow.ts';
import { CLIENT_SECRET } from '#test/functions/connect/identity-provider.ts';
import { outboundHere } from '#test/functions/core/vault/refresh.fixture.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';
import { tokensOver } from '#test/mcp/tokens-over-tables.ts';

const LIMITS = { maxBytes: 1_000_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 3 };

/** Alice's session. Her vault is empty, and the MCP server accepts what its authorization server has issued. */
export async function managedSession({ tool = 'sum', ...options }: FlowOptions & { readonly tool?: string } = {}) {
  const flow = await startFlow({ isManaged: true, ...options });
  onTestFinished(() => flow.close());
  const { as, fx, idp, world, db } = flow;
  fx.intercept = ({ headers }) => {
    const token = headers['authorization']?.replace(/^Bearer /, '') ?? '';
    const consent = as.grants.accepts(token);
    if (consent !== null) fx.tokens?.set(token, consent.scope.split(' '));
    return undefined;
  };
  const vault = await flow.vaultOf('alice');
  const { credentials, enterprise, stamp, journal } = world;
  const tokens = tokensOver(db, { credentials, secrets: flow.shelf, stamp, journal, enterprise });
  const managedTokens = createManagedTokens({
    enterprise: world.enterprise,
    tokens,
    identityProviders: issuersHere(),
    authorizationServers: issuersHere(),
    clientSecret: async (arn) => (arn === idp.login.clientSecretArn ? CLIENT_SECRET : expect.fail(arn)),
    stamp: world.stamp,
    journal: world.journal,
  });
  const session = fxSession(fx, {
    ...{ tool, ...(tool === 'sum' ? {} : { input: {} }) },
    holdings: [{ vault, stored: [] }],
    over: { credentials, enterprise, tokens, managedTokens, links: flow.links },
  });

  return {
    flow,
    session,
    vault,
    /**
     * Alice's token for the server, as a proxy instance requests it; with `user`, as if another vault had named another
     * user.
     */
    async bearer(user = 'alice') {
      const { url } = fx;
      const identity = await known(identify(world, { workspace: WORKSPACE, vaults: [vault.id] }, url));
      const carried = await carryBearer({ tokens, managedTokens }, { ...identity, user }, new AbortController().signal);
      return carried.status === 'carried' ? ((await carried.bearer?.token()) ?? null) : carried;
    },
    /** The customer's application has signed its user in and stores the tokens over the API. */
    async hold(auth: Partial<McpOAuthCreate> = {}) {
      const place = { workspace: WORKSPACE, vault: vault.id, credential: CredentialId.parse(`vcrd_${newToken()}`) };
      const issuer = { type: 'mcp_oauth' as const, mcp_server_url: idp.login.issuer };
      const identity = { ...issuer, access_token: idp.idToken('alice'), ...auth };
      const allowed = { identities: { enterprise, allow: ALLOW_HERE }, serversAllowed: ALLOW_HERE };
      const served = { ...world, ...allowed, secrets: flow.secrets.writer, stamp: createStamp() };
      expect(await createCredential(served, place, { auth: identity })).toMatchObject({ id: place.credential });
      return { ...place, idToken: identity.access_token };
    },
    /** The page of the last link in the session's errors. */
    asked() {
      const { error } = session.errors().at(-1) ?? expect.fail('there is no session.error');
      return /open (\S+)$/.exec(error.message)?.[1] ?? expect.fail(error.message);
    },
  };
}

async function known(identity: Promise<Identity>) {
  const found = await identity;
  return found.status === 'known' ? found : expect.fail(found.status);
}

function issuersHere(): TokenIssuers {
  const fetch = createGuardedFetch({ allow: ALLOW_HERE, resolve: resolveBySystem }, LIMITS);
  return { endpoints: createTokenEndpoints({ fetch, allow: ALLOW_HERE, nowMs: Date.now }), outbound: outboundHere };
}
