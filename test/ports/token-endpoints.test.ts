import { afterEach, describe, expect, it } from 'vitest';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createTokenEndpoints } from '#aws/vault/token-endpoints.mcp-sdk.ts';
import { startAuthorizationServer } from '#test/mcp/authorization-server.ts';
import type { AuthorizationServerOptions } from '#test/mcp/authorization-server-script.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

const LIMITS = { maxBytes: 100_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 3 };
const fetch = createGuardedFetch({ allow: ALLOW_HERE, resolve: resolveBySystem }, LIMITS);

describe('the token endpoint of an issuer', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });

  async function issuer(options: AuthorizationServerOptions = {}) {
    const as = await startAuthorizationServer(options);
    open.push(as);
    const clock = { nowMs: Date.now() };
    const endpoints = createTokenEndpoints({ fetch, allow: ALLOW_HERE, nowMs: () => clock.nowMs });
    return { as, clock, find: () => endpoints.find(as.issuer) };
  }

  it.each(['oauth', 'oidc'] as const)('is found in metadata of the kind %s', async (metadata) => {
    const { as, find } = await issuer({ metadata, path: '/tenant' });
    expect(await find()).toMatchObject({ status: 'found', url: as.tokenEndpoint });
  });

  it('is found when the host has one metadata document for all its issuers', async () => {
    const { as } = await issuer({ metadata: 'oidc', path: '/tenant' });
    const told = { issuer: new URL(as.issuer).origin, token_endpoint: `${as.issuer}/of-another` };
    const ofHost: typeof fetch = async (url, init) =>
      String(url).includes('/oauth-authorization-server') ? Response.json(told) : fetch(url, init);
    const endpoints = createTokenEndpoints({ fetch: ofHost, allow: ALLOW_HERE, nowMs: Date.now });
    expect(await endpoints.find(as.issuer)).toMatchObject({ status: 'found', url: as.tokenEndpoint });
  });

  it('is returned with the issuer’s own spelling of its name', async () => {
    const { as, find } = await issuer({ says: (honest) => ({ ...honest, issuer: `${String(honest['issuer'])}/` }) });
    expect(await find()).toMatchObject({ status: 'found', issuer: `${as.issuer}/` });
  });

  it('is cached for an hour', async () => {
    const { as, clock, find } = await issuer();
    await find();
    await find();
    expect(as.requests).toHaveLength(1);
    clock.nowMs += 3_600_001;
    await find();
    expect(as.requests).toHaveLength(2);
  });

  it.each<[string, AuthorizationServerOptions['says'], string]>([
    ['of another issuer', (honest) => ({ ...honest, issuer: 'https://other.example.com' }), 'issuer'],
    ['at a private address', (honest) => ({ ...honest, token_endpoint: 'https://10.0.0.1/token' }), 'token endpoint'],
    ['over http', (honest) => ({ ...honest, token_endpoint: 'http://as.example.com/token' }), 'token endpoint'],
    ['that is none', (honest) => ({ ...honest, token_endpoint: undefined }), '127.0.0.1'],
  ])('is not used in the case "%s", and is looked up again', async (_what, says, detail) => {
    const { as, find } = await issuer({ ...(says !== undefined && { says }) });
    expect(await find()).toEqual({ status: 'failed', detail: expect.stringContaining(detail) });
    const asked = as.requests.length;
    await find();
    expect(as.requests.length).toBeGreaterThan(asked);
  });

  it('is a failure that names the host when the issuer is unreachable', async () => {
    const { as, find } = await issuer();
    await as.close();
    expect(await find()).toEqual({ status: 'failed', detail: expect.stringContaining('127.0.0.1') });
  });
});
