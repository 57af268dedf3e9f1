import { expect, it, onTestFinished } from 'vitest';
import { validateCredential } from '#core/mcp/validate-credential.ts';
import { CredentialId } from '#contract/ids.ts';
import { CredentialValidation } from '#contract/credential-validation.ts';
import { enterpriseOf } from '#core/vault/enterprise.ts';
import { NOW } from '#test/functions/core/given.ts';
import { connected, FOREVER, newCredential, PLACE, type Setting } from '#test/functions/core/vault/refresh.fixture.ts';
import { clientForTests } from '#test/mcp/client.ts';
import { startFx } from '#test/mcp/fx.ts';

/** A credential for a server that accepts only the tokens in `tokens`. */
async function stored(setting: Setting = {}) {
  const setup = await connected({ expiresInMs: 3_000_000, ...setting });
  const fx = await startFx({ tokens: {} });
  onTestFinished(fx.close);
  const row = await setup.row();
  const auth = { ...row.credential.auth, mcp_server_url: fx.url } as typeof row.credential.auth;
  setup.rows.put({ ...row, credential: { ...row.credential, auth } });
  // The server accepts every token that its authorization server has issued.
  const trust = () => {
    fx.intercept = ({ headers }) => {
      const token = headers['authorization']?.replace(/^Bearer /, '') ?? '';
      if (token !== setup.first.access_token && setup.server.grants.accepts(token) !== null) fx.tokens?.set(token, []);
      return undefined;
    };
  };
  const world = { ...setup.world, newClient: () => clientForTests() };
  const until = () => ({ deadline: Date.now() + 120_000, signal: FOREVER });
  const validate = (place = PLACE) => validateCredential(world, place, until());
  return { ...setup, world, fx, trust, validate };
}

const TOLD = {
  type: 'vault_credential_validation',
  credential_id: PLACE.credential,
  vault_id: PLACE.vault,
  validated_at: NOW,
  has_refresh_token: true,
};
const REFUSED = {
  status_code: 401,
  content_type: 'application/json',
  body: '{"error":"refused"}',
  body_truncated: false,
};

it('scenario 7: a token that the server accepts is valid, and nothing is refreshed', async () => {
  const { fx, first, server, validate } = await stored();
  fx.tokens?.set(first.access_token, []);
  expect(await validate()).toEqual({ ...TOLD, status: 'valid', mcp_probe: null, refresh: null });
  expect(server.requests).toEqual([]);
});

it('scenario 7: the validation of a credential for a server that the organisation manages never uses it', async () => {
  const { fx, first, server, world, validate } = await stored();
  fx.tokens?.set(first.access_token, []);
  const login = { issuer: 'https://login.example.com', clientId: 'brainstem', clientSecretArn: null, userClaim: 'sub' };
  const managed = { url: fx.url, resource: fx.url, issuer: server.issuer, clientId: 'client-1', clientSecretArn: null };
  Object.assign(world, { enterprise: enterpriseOf({ login, servers: [{ ...managed, scopes: [] }] }) });
  expect(await validate()).toEqual({ ...TOLD, status: 'unknown', mcp_probe: null, refresh: null });
  expect([...fx.requests, ...server.requests]).toEqual([]);
});

it('scenario 7: the validation of an identity sends it to no server', async () => {
  const { fx, world, validate } = await stored();
  const login = { issuer: fx.url, clientId: 'brainstem', clientSecretArn: null, userClaim: 'sub' };
  Object.assign(world, { enterprise: enterpriseOf({ login, servers: [] }) });
  expect(await validate()).toEqual({ ...TOLD, status: 'unknown', mcp_probe: null, refresh: null });
  expect(fx.requests).toEqual([]);
});

it('scenario 7: a refused token is refreshed when the authorization server is up, and the new one is tried', async () => {
  const { trust, server, row, validate } = await stored();
  trust();
  const refresh = { status: 'succeeded', http_response: null };
  expect(await validate()).toEqual({ ...TOLD, status: 'valid', mcp_probe: null, refresh });
  expect(server.tokenRequests).toHaveLength(1);
  expect((await row()).version).toBe(2);
});

it('scenario 7: a credential is invalid when the server refuses the new token too', async () => {
  const { server, validate } = await stored();
  const told = (await validate()) ?? expect.fail('no answer');
  expect(told).toMatchObject({ status: 'invalid', refresh: { status: 'succeeded', http_response: null } });
  expect(['initialize', 'server/discover']).toContain(told.mcp_probe?.method);
  expect(told.mcp_probe?.http_response).toEqual(REFUSED);
  expect(server.tokenRequests).toHaveLength(1);
});

it('scenario 7: a credential is invalid when the authorization server answers 400, and its text is shown without secrets', async () => {
  const { server, first, row, validate } = await stored({ clientSecret: 'client-secret-value' });
  const words = `no ${first.refresh_token} of client-secret-value, ${'x'.repeat(2000)}`;
  const body = JSON.stringify({ error: 'invalid_grant', error_description: words });
  server.answer({ do: 'say', code: 400, body });
  const told = CredentialValidation.parse(await validate());
  expect(told).toMatchObject({ status: 'invalid', refresh: { status: 'failed', http_response: { status_code: 400 } } });
  const response = told.refresh?.http_response;
  expect(response).toMatchObject({ content_type: 'application/json', body_truncated: true });
  expect(response?.body).toMatch(/^{"error":"invalid_grant","error_description":"no \[redacted\] of \[redacted\], x+$/);
  expect(response?.body).toHaveLength(1000);
  expect((await row()).state).toBe('needs_reauth');
});

it('scenario 7: a credential has the status unknown when the authorization server is down', async () => {
  const { server, validate, stamp } = await stored();
  server.answer({ do: 'say', code: 503, type: 'text/plain', body: 'later' });
  const response = { status_code: 503, content_type: 'text/plain', body: 'later', body_truncated: false };
  expect(await validate()).toMatchObject({ status: 'unknown', refresh: { status: 'failed', http_response: response } });
  expect(await validate()).toMatchObject({ status: 'unknown', refresh: null });
  expect(server.tokenRequests).toHaveLength(1);
  stamp.advance(60_000);
  await server.close();
  expect(await validate()).toMatchObject({
    status: 'unknown',
    refresh: { status: 'connect_error', http_response: null },
  });
});

it('scenario 7: a credential has the status unknown when its server is unreachable, and nothing is refreshed', async () => {
  const { fx, server, validate } = await stored();
  await fx.close();
  const told = await validate();
  expect(told).toMatchObject({ status: 'unknown', mcp_probe: { http_response: null }, refresh: null });
  expect(server.requests).toEqual([]);
});

it('scenario 7: a token in a malformed answer is not shown', async () => {
  const { server, validate, stamp } = await stored();
  const told = async () => (await validate())?.refresh?.http_response?.body ?? '';
  server.answer({ do: 'grant', change: { token_type: 'DPoP', refresh_token: undefined } });
  expect(await told()).toMatch(/"token_type":"DPoP","access_token":"\[redacted\]","expires_in"/);
  stamp.advance(60_000);
  server.answer({ do: 'say', code: 200, type: 'text/plain', body: 'access_token=gho_abcdefgh&scope=a' });
  expect(await told()).toBe('access_token=[redacted]&scope=a');
});

it('scenario 7: a credential without a refresh token is not refreshed', async () => {
  const { rows, fx, secrets, validate } = await stored();
  const auth = { type: 'static_bearer' as const, mcp_server_url: fx.url };
  await rows.save(newCredential(auth, secrets.seed({ token: 'static-token' }), NOW));
  const told = await validate();
  expect(told).toMatchObject({
    has_refresh_token: false,
    status: 'invalid',
    mcp_probe: { http_response: { status_code: 401 } },
  });
  expect(told?.refresh).toEqual({ status: 'no_refresh_token', http_response: null });
  fx.tokens?.set('static-token', []);
  expect(await validate()).toMatchObject({ status: 'valid', mcp_probe: null, refresh: null });
});

it('scenario 7: a credential with a revoked consent is tried with the token that it has, without a token request', async () => {
  const { rows, row, fx, first, server, validate } = await stored();
  rows.put({ ...(await row()), state: 'needs_reauth' });
  expect(await validate()).toMatchObject({
    status: 'invalid',
    mcp_probe: { http_response: { status_code: 401 } },
    refresh: null,
  });
  fx.tokens?.set(first.access_token, []);
  expect(await validate()).toMatchObject({ status: 'valid', refresh: null });
  expect(server.requests).toEqual([]);
});

it('scenario 7: a credential without a server, a secret or a row is reported as such', async () => {
  const { rows, secrets, validate, fx } = await stored();
  await rows.credentials.archive(PLACE, NOW);
  expect(await validate()).toMatchObject({ status: 'invalid', mcp_probe: null, refresh: null });
  const auth = {
    type: 'environment_variable' as const,
    secret_name: 'API_KEY',
    networking: { type: 'unrestricted' as const },
    injection_location: { header: true, body: true },
  };
  await rows.save(newCredential(auth, secrets.seed({ secret_value: 'value' }), NOW));
  expect(await validate()).toMatchObject({ status: 'unknown', mcp_probe: null, refresh: null });
  expect(await validate({ ...PLACE, credential: CredentialId.parse('vcrd_other') })).toBeNull();
  expect(fx.requests).toEqual([]);
});
