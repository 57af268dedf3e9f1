import { afterEach, describe, expect, it } from 'vitest';
import { createAuthorizationServers } from '#aws/connect/authorization-server.mcp-sdk.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import type { AuthorizationServerOptions } from '#test/mcp/authorization-server-script.ts';
import { startFx, type Fx, type FxOptions } from '#test/mcp/fx.ts';
import { ALLOW_HERE, listenHere, type Listening } from '#test/mcp/listening.ts';

const LIMITS = { maxBytes: 100_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 3 };
const fetch = createGuardedFetch({ allow: ALLOW_HERE, resolve: resolveBySystem }, LIMITS);
const servers = createAuthorizationServers({ fetch, allow: ALLOW_HERE });
const METADATA = '/.well-known/oauth-protected-resource';

describe('the discovery of an authorization server', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });

  async function both(options: AuthorizationServerOptions = {}, server: FxOptions = {}) {
    const as = await startAuthorizationServer(options);
    const fx = await startFx({ tokens: {}, authorizationServers: [as.issuer], ...server });
    open.push(as, fx);
    return { as, fx, found: await servers.discover({ url: fx.url, resourceMetadata: null }) };
  }

  const asked = (one: Fx | AuthorizationServer) => one.requests.map(({ method, path }) => `${method} ${path}`);

  /** A server with fixed responses by path. */
  async function answering(answers: Readonly<Record<string, unknown>>): Promise<Listening & { asked: string[] }> {
    const paths: string[] = [];
    const here = await listenHere((request, response) => {
      paths.push(`${request.method} ${request.url}`);
      const answer = answers[request.url ?? ''];
      if (answer === undefined) return void response.writeHead(404).end();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer));
    });
    open.push(here);
    return { ...here, asked: paths };
  }

  it('begins at the URL of the challenge', async () => {
    const { fx, found } = await both();
    expect(found).toMatchObject({ status: 'discovered', resource: fx.url });
    expect(asked(fx)).toEqual(['POST /mcp', `GET ${METADATA}/mcp`]);
    const hinted = await servers.discover({ url: fx.url, resourceMetadata: `${fx.origin}${METADATA}/hint` });
    expect(hinted.status).toBe('discovered');
    expect(asked(fx).slice(2)).toEqual([`GET ${METADATA}/hint`]);
  });

  it('without a challenge looks below the path and then at the root', async () => {
    const { as } = await both();
    const answers: Record<string, unknown> = {};
    const here = await answering(answers);
    answers[METADATA] = { resource: here.origin, authorization_servers: [as.issuer] };
    const found = await servers.discover({ url: `${here.origin}/mcp`, resourceMetadata: null });
    expect(found).toMatchObject({ status: 'discovered', resource: here.origin });
    expect(here.asked).toEqual(['POST /mcp', `GET ${METADATA}/mcp`, `GET ${METADATA}`]);
  });

  it('refuses metadata of another resource', async () => {
    const { as } = await both();
    const resource = 'https://evil.example.com/mcp';
    const here = await answering({ [`${METADATA}/mcp`]: { resource, authorization_servers: [as.issuer] } });
    const found = await servers.discover({ url: `${here.origin}/mcp`, resourceMetadata: null });
    expect(found).toMatchObject({ status: 'trouble', error: 'resource_mismatch' });
  });

  const ODD = {
    ...{
      service_documentation: null,
      op_policy_uri: 7,
      revocation_endpoint: 'none',
      jwks_uri: null,
      ui_locales_supported: 'en',
    },
    ...{ grant_types_supported: null, response_types_supported: null, subject_types_supported: null },
    ...{ registration_endpoint: null, scopes_supported: null, token_endpoint_auth_methods_supported: null },
    ...{ client_id_metadata_document_supported: null, authorization_response_iss_parameter_supported: null },
  };
  it.each(['oauth', 'oidc'] as const)(
    'takes null for what may be absent, and reads no other field: %s',
    async (metadata) => {
      const { as, fx } = await both({ metadata, says: (honest) => ({ ...honest, ...ODD }) });
      const answers: Record<string, unknown> = {};
      const here = await answering(answers);
      const named = { resource: here.origin, authorization_servers: [null, as.issuer], scopes_supported: null };
      answers[METADATA] = { ...named, jwks_uri: 7, resource_name: null, bearer_methods_supported: 'header' };
      const found = await servers.discover({ url: `${here.origin}/mcp`, resourceMetadata: null });
      expect(found).toMatchObject({
        ...{ status: 'discovered', issuer: as.issuer, registrationEndpoint: null, namesItself: false },
        ...{ takesMetadataUrl: false, authMethods: [], neededScopes: null, serverScopes: [] },
      });
      expect(await servers.discover({ url: fx.url, resourceMetadata: null })).toMatchObject({ status: 'discovered' });
    },
  );

  it('reads a registration and a token with nulls, and with fields of wrong types that nothing reads', async () => {
    const client = { client_id: 'c', client_secret: null, client_secret_expires_at: null, redirect_uris: null };
    const odd = { client_name: 7, jwks: null, logo_uri: 'none', token_endpoint_auth_method: null };
    const here = await answering({
      '/register': { ...client, ...odd },
      '/token': {
        access_token: 't',
        token_type: null,
        refresh_token: null,
        expires_in: null,
        scope: null,
        id_token: 7,
      },
    });
    const discovered = {
      ...{ status: 'discovered' as const, issuer: here.origin, authorizationEndpoint: `${here.origin}/authorize` },
      ...{ tokenEndpoint: `${here.origin}/token`, registrationEndpoint: `${here.origin}/register` },
      ...{
        namesItself: false,
        takesMetadataUrl: false,
        authMethods: [],
        resource: 'x',
        neededScopes: null,
        serverScopes: [],
      },
    };
    const about = {
      client_name: 'a',
      redirect_uris: [],
      grant_types: [],
      response_types: [],
      token_endpoint_auth_method: 'none',
    };
    expect(await servers.register(discovered, { ...about, application_type: 'web' })).toEqual({
      ...{ status: 'registered', id: 'c', auth: 'none', secret: null },
    });
    const flow = {
      ...discovered,
      nonce: 'n',
      until: '',
      scopes: [],
      client: { id: 'c', auth: 'none' as const, secret: null },
    };
    const answer = { code: 'c', iss: null, verifier: 'v', redirectUrl: 'https://x.example.com/', clientSecret: null };
    expect(await servers.exchange(flow, answer)).toEqual({
      ...{ status: 'granted', accessToken: 't', refreshToken: null, expiresInSeconds: null, scopes: null },
    });
  });

  it('looks for metadata in the order of the specification', async () => {
    const { as, found } = await both({ path: '/tenant', metadata: 'oidc' });
    expect(found).toMatchObject({ status: 'discovered', issuer: as.issuer });
    expect(asked(as)).toEqual([
      'GET /.well-known/oauth-authorization-server/tenant',
      'GET /.well-known/openid-configuration/tenant',
    ]);
  });

  it('refuses metadata of another issuer', async () => {
    const { found } = await both({ says: (honest) => ({ ...honest, issuer: 'https://evil.example.com' }) });
    expect(found).toMatchObject({ status: 'trouble', error: 'issuer_mismatch' });
    expect(JSON.stringify(found)).not.toContain('evil');
  });

  it.each([{ methods: undefined }, { methods: ['plain'] }])(
    'refuses a server without PKCE S256: $methods',
    async ({ methods }) => {
      const { found } = await both({ says: (honest) => ({ ...honest, code_challenge_methods_supported: methods }) });
      expect(found).toMatchObject({ status: 'trouble', error: 'pkce_unsupported' });
    },
  );

  it('finds the issuer that was asked, compared as text, and whether it promises to name itself', () => {
    const flow = {
      ...{ nonce: 'n', until: '', issuer: 'https://as.example.com', tokenEndpoint: '', resource: '', scopes: [] },
      client: { id: 'c', auth: 'none' as const, secret: null },
    };
    const isFrom = (namesItself: boolean, iss: string | null) => servers.isFrom({ ...flow, namesItself }, iss);
    expect([isFrom(true, 'https://as.example.com'), isFrom(false, 'https://as.example.com')]).toEqual([true, true]);
    expect([isFrom(true, null), isFrom(false, null)]).toEqual([false, true]);
    for (const other of ['https://as.example.com/', 'https://AS.example.com', 'https://evil.example.com', '']) {
      expect([isFrom(true, other), isFrom(false, other)]).toEqual([false, false]);
    }
  });

  it('prefers the scopes of a challenge to those of the metadata', async () => {
    const { fx } = await both({}, { scopesSupported: ['files:read', 'files:write'] });
    const hinted = `Bearer resource_metadata="${fx.origin}${METADATA}/mcp", scope="files:read profile"`;
    fx.intercept = () => new Response(null, { status: 401, headers: { 'www-authenticate': hinted } });
    const url = { url: fx.url, resourceMetadata: null };
    expect(await servers.discover(url)).toMatchObject({ neededScopes: ['files:read', 'profile'] });
    fx.intercept = () => undefined;
    expect(await servers.discover(url)).toMatchObject({ neededScopes: ['files:read', 'files:write'] });
  });

  it.each(['authorization_endpoint', 'token_endpoint', 'registration_endpoint'])(
    'refuses a forbidden %s before a user is sent there',
    async (name) => {
      for (const url of ['http://as.example.com/x', 'https://169.254.169.254/x', 'javascript:alert(1)']) {
        const { found } = await both({ says: (honest) => ({ ...honest, [name]: url }) });
        expect([url, found.status]).toEqual([url, 'trouble']);
      }
    },
  );

  it('reports a server that names no authorization server', async () => {
    const here = await answering({ [`${METADATA}/mcp`]: { resource: 'x' } });
    const found = await servers.discover({ url: `${here.origin}/mcp`, resourceMetadata: null });
    expect(found).toMatchObject({ status: 'trouble', error: 'no_authorization_server' });
    await here.close();
    open.splice(0);
    expect(await servers.discover({ url: `${here.origin}/mcp`, resourceMetadata: null })).toMatchObject({
      status: 'trouble',
      error: 'server_unreachable',
    });
  });

  it('is followed by an exchange that passes on no malformed token and quotes no answer', async () => {
    const { as } = await both();
    const flow = {
      ...{ nonce: 'n', until: '', issuer: as.issuer, tokenEndpoint: as.tokenEndpoint, resource: 'x', scopes: [] },
      ...{ namesItself: false, client: { id: 'client-1', auth: 'none' as const, secret: null } },
    };
    const answer = { code: 'c', iss: null, verifier: 'v', redirectUrl: 'https://x.example.com/', clientSecret: null };
    const bodies = [
      '<html>SECRET</html>',
      '{"error":"invalid_grant","error_description":"SECRET"}',
      '{"error":"SECRET words"}',
      '{"access_token":"SECRET","token_type":"mac"}',
      '{"access_token":"SECRET\\u0007","token_type":"Bearer"}',
      '{"token_type":"Bearer"}',
    ];
    for (const body of bodies) {
      as.answer({ do: 'say', code: body.includes('error') ? 400 : 200, body });
      const granted = await servers.exchange(flow, answer);
      expect([body, granted.status]).toEqual([body, 'trouble']);
      expect(JSON.stringify(granted)).not.toContain('SECRET');
    }
    as.answer({ do: 'say', code: 200, body: '{"access_token":"t","token_type":"bearer","expires_in":"60"}' });
    expect(await servers.exchange(flow, answer)).toEqual({
      ...{ status: 'granted', accessToken: 't', refreshToken: null, expiresInSeconds: 60, scopes: null },
    });
  });
});
