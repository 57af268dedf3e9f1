import {
  discoverAuthorizationServerMetadata,
  exchangeAuthorization,
  refreshAuthorization,
  registerClient,
  startAuthorization,
} from '@modelcontextprotocol/client';
import { expect, it, onTestFinished } from 'vitest';
import type { AuthorizationServerOptions } from './authorization-server-script.ts';
import { startAuthorizationServer } from './authorization-server.ts';

const REDIRECT = 'https://brainstem.example.com/connect/callback';
const RESOURCE = new URL('https://mcp.example.com/mcp');

async function start(options: AuthorizationServerOptions = {}) {
  const server = await startAuthorizationServer(options);
  onTestFinished(() => server.close());
  return server;
}

/** Runs the whole flow with the SDK's own client. */
async function connect(options: AuthorizationServerOptions = {}) {
  const server = await start(options);
  const metadata = (await discoverAuthorizationServerMetadata(server.issuer)) ?? expect.fail('no metadata');
  const clientMetadata = { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'client_secret_basic' };
  const clientInformation = await registerClient(server.issuer, { metadata, clientMetadata });
  const { authorizationUrl, codeVerifier } = await startAuthorization(server.issuer, {
    metadata,
    clientInformation,
    redirectUrl: REDIRECT,
    scope: 'files:read',
    state: 'state-1',
    resource: RESOURCE,
  });
  const redirect = await fetch(authorizationUrl, { redirect: 'manual' });
  const back = new URL(redirect.headers.get('location') ?? '');
  const exchange = (verifier: string) =>
    exchangeAuthorization(server.issuer, {
      metadata,
      clientInformation,
      authorizationCode: back.searchParams.get('code') ?? '',
      codeVerifier: verifier,
      redirectUri: REDIRECT,
      resource: RESOURCE,
      iss: back.searchParams.get('iss') ?? '',
    });
  return { server, metadata, clientInformation, back, codeVerifier, exchange };
}

it.each([{ metadata: 'oauth' as const }, { metadata: 'oidc' as const }, { path: '/tenant' }])(
  'the test authorization server leads a client of the SDK from discovery to tokens: %o',
  async (options) => {
    const { server, back, codeVerifier, exchange } = await connect({ ...options, resources: [RESOURCE.href] });
    expect(Object.fromEntries(back.searchParams)).toMatchObject({ state: 'state-1', iss: server.issuer });
    const tokens = await exchange(codeVerifier);
    expect(server.grants.accepts(tokens.access_token)).toMatchObject({ scope: 'files:read', resource: RESOURCE.href });
  },
);

it('the test authorization server gives no token for a wrong verifier or a used code', async () => {
  const wrong = await connect();
  await expect(wrong.exchange('x'.repeat(43))).rejects.toThrow('the grant is not good for a token');
  const used = await connect();
  await used.exchange(used.codeVerifier);
  await expect(used.exchange(used.codeVerifier)).rejects.toThrow('the grant is not good for a token');
});

it('the test authorization server rotates refresh tokens, and revokes the family when one comes twice', async () => {
  const { server, metadata, clientInformation, codeVerifier, exchange } = await connect();
  const first = await exchange(codeVerifier);
  const refresh = (refreshToken: string | undefined) =>
    refreshAuthorization(server.issuer, { metadata, clientInformation, refreshToken: refreshToken ?? '' });
  const second = await refresh(first.refresh_token);
  expect(server.grants.accepts(second.access_token)).not.toBeNull();
  await expect(refresh(first.refresh_token)).rejects.toThrow('the grant is not good for a token');
  await expect(refresh(second.refresh_token)).rejects.toThrow('the grant is not good for a token');
  expect(server.grants.accepts(second.access_token)).toBeNull();
});

it('the test authorization server keeps the old refresh token in force when its answer has no new one', async () => {
  const server = await start();
  const { refresh_token } = server.consented();
  server.answer({ do: 'grant', change: { refresh_token: undefined } });
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token, client_id: 'client-1' });
  const answer = await fetch(server.tokenEndpoint, { method: 'POST', body });
  expect(await answer.json()).not.toHaveProperty('refresh_token');
  expect(server.grants.refresh('client-1', refresh_token, false)).not.toBeNull();
});
