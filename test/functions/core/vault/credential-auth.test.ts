import { describe, expect, it } from 'vitest';
import { CredentialCreate, CredentialUpdate } from '#contract/credential-requests.ts';
import type { CredentialAuth } from '#contract/credentials.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { parseBody } from '#core/requests/parse.ts';
import { changeAuth, separateAuth } from '#core/vault/credential-auth.ts';

const NOW = '2026-11-21T10:00:00.000Z';
const SERVER = 'https://mcp.example.com/mcp';
const ENDPOINT = 'https://auth.example.com/token';
const rules = { now: NOW, allow: [] };

const refresh = {
  client_id: 'client',
  token_endpoint: ENDPOINT,
  refresh_token: 'refresh',
  token_endpoint_auth: { type: 'client_secret_basic', client_secret: 'secret' },
};
const oauth = { type: 'mcp_oauth', mcp_server_url: SERVER, access_token: 'access' };
const bearer = { type: 'static_bearer', mcp_server_url: SERVER, token: 'bearer' };
const variable = {
  type: 'environment_variable',
  secret_name: 'TOKEN',
  secret_value: 'value',
  networking: { type: 'unrestricted' },
};

const NO_HOSTS = ['https://a.example.com', 'a.example.com:443', 'a.example.com/x', '::1', '[::1]', '*', 'a.*.com', ''];

/** A request after the schema parsed it. */
function separated(auth: unknown, allow: Parameters<typeof separateAuth>[1]['allow'] = []) {
  const body = parseBody(CredentialCreate, JSON.stringify({ auth }));
  return isRefusal(body) ? body : separateAuth(body.auth, { now: NOW, allow });
}

function changed(saved: CredentialAuth, auth: unknown) {
  const body = parseBody(CredentialUpdate, JSON.stringify({ auth }));
  return isRefusal(body) ? body : changeAuth(saved, body.auth, rules);
}

describe('a new credential', () => {
  it('is shown without its secrets and with its defaults filled in', () => {
    expect(separated(oauth)).toEqual({
      auth: { type: 'mcp_oauth', mcp_server_url: SERVER, expires_at: null, refresh: null },
      values: { access_token: 'access' },
      key: SERVER,
      keyField: 'mcp_server_url',
    });
    expect(
      separated({ ...oauth, refresh: { ...refresh, scope: '' }, expires_at: '2026-11-21T13:00:00+02:00' }),
    ).toEqual({
      auth: {
        type: 'mcp_oauth',
        mcp_server_url: SERVER,
        expires_at: '2026-11-21T11:00:00.000Z',
        refresh: {
          client_id: 'client',
          token_endpoint: ENDPOINT,
          token_endpoint_auth: { type: 'client_secret_basic' },
          resource: null,
          scope: null,
        },
      },
      values: { access_token: 'access', refresh_token: 'refresh', client_secret: 'secret' },
      key: SERVER,
      keyField: 'mcp_server_url',
    });
    expect(separated({ ...oauth, refresh: { ...refresh, token_endpoint_auth: { type: 'none' } } })).toMatchObject({
      values: { access_token: 'access', refresh_token: 'refresh' },
    });
    expect(separated(bearer)).toMatchObject({
      auth: { type: 'static_bearer', mcp_server_url: SERVER },
      values: { token: 'bearer' },
    });
    expect(separated(variable)).toEqual({
      auth: {
        type: 'environment_variable',
        secret_name: 'TOKEN',
        networking: { type: 'unrestricted' },
        injection_location: { header: true, body: true },
      },
      values: { secret_value: 'value' },
      key: 'TOKEN',
      keyField: 'secret_name',
    });
  });

  it('is identified by the canonical form of its URL and shown with the URL that was sent', () => {
    const sent = 'HTTPS://MCP.EXAMPLE.COM:443/mcp/';
    expect(separated({ ...bearer, mcp_server_url: sent })).toMatchObject({
      auth: { mcp_server_url: sent },
      key: SERVER,
    });
    expect(separated({ ...bearer, mcp_server_url: `${SERVER}?team=a` })).toMatchObject({ key: `${SERVER}?team=a` });
  });

  it('is injected only in the places that it names', () => {
    const locations = [{ header: true }, { body: true }, { header: true, body: false }].map((injection_location) =>
      separated({ ...variable, injection_location }),
    );
    expect(locations).toMatchObject([
      { auth: { injection_location: { header: true, body: false } } },
      { auth: { injection_location: { header: false, body: true } } },
      { auth: { injection_location: { header: true, body: false } } },
    ]);
  });

  it('may be for a private server that the customer allows', () => {
    const inside = { ...bearer, mcp_server_url: 'http://mcp.internal:8080/mcp' };
    expect(separated(inside)).toMatchObject({ type: 'invalid_request_error' });
    expect(separated(inside, [{ host: 'mcp.internal', cidr: '10.0.0.0/8', http: true }])).toMatchObject({
      key: 'http://mcp.internal:8080/mcp',
    });
  });

  const hosts = { type: 'limited', allowed_hosts: ['api.example.com', '192.0.2.1', '*.example.org'] };
  const refused: readonly (readonly [unknown, string | RegExp])[] = [
    [{ ...oauth, expires_at: NOW }, 'auth.expires_at: must be in the future'],
    [{ ...oauth, expires_at: '2026-11-21T11:59:59+02:00' }, 'auth.expires_at: must be in the future'],
    [{ ...oauth, expires_at: 'tomorrow' }, 'auth.expires_at: must be a valid datetime'],
    [{ ...oauth, access_token: '' }, 'auth.access_token: must have at least 1 character(s)'],
    [{ ...oauth, access_token: 'a\r\nb' }, 'auth.access_token: must not have control characters'],
    [{ ...oauth, mcp_server_url: 'ftp://mcp.example.com' }, 'auth.mcp_server_url: must be an http or https URL'],
    [{ ...oauth, mcp_server_url: 'http://mcp.example.com' }, 'auth.mcp_server_url: may be reached over https only'],
    [{ ...bearer, mcp_server_url: 'https://127.0.0.1/' }, /^auth\.mcp_server_url: is /],
    [
      { ...bearer, mcp_server_url: 'https://user:pass@mcp.example.com/' },
      /^auth\.mcp_server_url: must not be given cred/,
    ],
    [
      { ...oauth, refresh: { ...refresh, token_endpoint: 'http://127.0.0.1:9001/2018-06-01/runtime' } },
      'auth.refresh.token_endpoint: may be reached over https only',
    ],
    [
      { ...oauth, refresh: { ...refresh, token_endpoint: 'https://169.254.170.2/' } },
      /^auth\.refresh\.token_endpoint: is /,
    ],
    [
      { ...oauth, refresh: { ...refresh, token_endpoint_auth: { type: 'client_secret_post' } } },
      'auth.refresh.token_endpoint_auth.client_secret: is required',
    ],
    [
      { ...variable, injection_location: { header: false, body: false } },
      'auth.injection_location: header or body must be true',
    ],
    [{ ...variable, injection_location: {} }, 'auth.injection_location: header or body must be true'],
    [{ ...variable, injection_location: null }, 'auth.injection_location: must be an object'],
    [{ ...variable, injection_location: { header: null } }, 'auth.injection_location.header: must be a boolean'],
    [{ ...variable, secret_name: '1A' }, 'auth.secret_name: must be the name of an environment variable'],
    [
      { ...variable, networking: { ...hosts, allowed_hosts: Array.from({ length: 17 }, () => 'a.example.com') } },
      'auth.networking.allowed_hosts: must have at most 16 item(s)',
    ],
    ...NO_HOSTS.map((host): readonly [unknown, RegExp] => [
      { ...variable, networking: { type: 'limited', allowed_hosts: [host] } },
      /^auth\.networking\.allowed_hosts\.0: /,
    ]),
  ];
  it.each(refused)('is refused: %j', (auth, message) => {
    expect(separated(auth)).toMatchObject({
      type: 'invalid_request_error',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
  });

  it('may name hosts, IPv4 addresses and wildcards', () => {
    expect(separated({ ...variable, networking: hosts })).toMatchObject({ auth: { networking: hosts } });
  });
});

describe('an update of a credential', () => {
  const saved: Extract<CredentialAuth, { type: 'mcp_oauth' }> = {
    type: 'mcp_oauth',
    mcp_server_url: SERVER,
    expires_at: '2026-11-21T09:00:00.000Z',
    refresh: {
      client_id: 'client',
      token_endpoint: ENDPOINT,
      token_endpoint_auth: { type: 'client_secret_basic' },
      resource: null,
      scope: 'read',
    },
  };
  const auth = saved;

  it('replaces single secrets and keeps those that it does not name', () => {
    expect(changed(saved, { type: 'mcp_oauth' })).toEqual({ auth, values: {} });
    const nulls = { access_token: null, refresh: { refresh_token: null, scope: null } };
    expect(changed(saved, { type: 'mcp_oauth', ...nulls })).toEqual({ auth, values: {} });
    expect(changed(saved, { type: 'mcp_oauth', access_token: 'a' })).toEqual({ auth, values: { access_token: 'a' } });
    expect(changed(saved, { type: 'mcp_oauth', refresh: { refresh_token: 'r' } })).toEqual({
      auth,
      values: { refresh_token: 'r' },
    });
    const bearerAuth = { type: 'static_bearer', mcp_server_url: SERVER } as const;
    expect(changed(bearerAuth, { type: 'static_bearer', token: 't' })).toEqual({
      auth: bearerAuth,
      values: { token: 't' },
    });
  });

  it('ignores another type of client authentication and takes its secret', () => {
    const endpoint = { type: 'client_secret_post', client_secret: 's' };
    expect(changed(saved, { type: 'mcp_oauth', refresh: { token_endpoint_auth: endpoint } })).toEqual({
      auth,
      values: { client_secret: 's' },
    });
  });

  it('clears a scope by an empty text, and an expiry by null', () => {
    expect(changed(saved, { type: 'mcp_oauth', refresh: { scope: '' } })).toMatchObject({
      auth: { refresh: { scope: null } },
    });
    expect(changed(saved, { type: 'mcp_oauth', refresh: { scope: 'write' } })).toMatchObject({
      auth: { refresh: { scope: 'write' } },
    });
    expect(changed(saved, { type: 'mcp_oauth', expires_at: null })).toMatchObject({ auth: { expires_at: null } });
    expect(changed(saved, { type: 'mcp_oauth', expires_at: '2026-11-22T10:00:00Z' })).toMatchObject({
      auth: { expires_at: '2026-11-22T10:00:00.000Z' },
    });
  });

  const env: CredentialAuth = {
    type: 'environment_variable',
    secret_name: 'TOKEN',
    networking: { type: 'limited', allowed_hosts: ['a.example.com', 'b.example.com'] },
    injection_location: { header: true, body: false },
  };

  it('replaces networking as a whole and merges injection places', () => {
    const type = 'environment_variable';
    const networking = { type: 'limited', allowed_hosts: ['c.example.com'] };
    expect(changed(env, { type, networking, injection_location: { body: true }, secret_value: 'v' })).toEqual({
      auth: { ...env, networking, injection_location: { header: true, body: true } },
      values: { secret_value: 'v' },
    });
    expect(changed(env, { type, networking: null, injection_location: {} })).toEqual({ auth: env, values: {} });
  });

  const withoutSecret = { ...saved.refresh, token_endpoint_auth: { type: 'none' } };
  const STAYS = 'stays as it was created: archive the credential and create another';
  it.each([
    [saved, { type: 'static_bearer', token: 't' }, 'auth.type: stays "mcp_oauth"'],
    [saved, { type: 'mcp_oauth', mcp_server_url: SERVER }, `auth.mcp_server_url: ${STAYS}`],
    [saved, { type: 'mcp_oauth', refresh: { client_id: 'c' } }, `auth.refresh.client_id: ${STAYS}`],
    [saved, { type: 'mcp_oauth', refresh: { token_endpoint: ENDPOINT } }, `auth.refresh.token_endpoint: ${STAYS}`],
    [saved, { type: 'mcp_oauth', refresh: { resource: SERVER } }, `auth.refresh.resource: ${STAYS}`],
    [saved, { type: 'mcp_oauth', expires_at: '2020-01-01T00:00:00Z' }, 'auth.expires_at: must be in the future'],
    [env, { type: 'environment_variable', secret_name: 'OTHER' }, `auth.secret_name: ${STAYS}`],
    [
      env,
      { type: 'environment_variable', injection_location: { header: false } },
      'auth.injection_location: header or body must be true',
    ],
    [env, { type: 'environment_variable', injection_location: null }, 'auth.injection_location: must be an object'],
    [
      { ...saved, refresh: null },
      { type: 'mcp_oauth', refresh: { refresh_token: 'r' } },
      'auth.refresh: the credential was created without it',
    ],
    [
      { ...saved, refresh: withoutSecret },
      { type: 'mcp_oauth', refresh: { token_endpoint_auth: { type: 'client_secret_post', client_secret: 's' } } },
      'auth.refresh.token_endpoint_auth.client_secret: the credential\'s token_endpoint_auth stays of type "none"',
    ],
  ])('is refused: %j to %j', (before, update, message) => {
    expect(changed(before as CredentialAuth, update)).toMatchObject({ type: 'invalid_request_error', message });
  });
});
