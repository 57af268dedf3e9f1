import { expect, it } from 'vitest';
import { basicPair } from '#test/mcp/oauth-client.ts';
import { connected, tokenIn } from '#test/functions/core/vault/refresh.fixture.ts';

const ID = 'client:1 % + é';
const SECRET = 'se:cr%et + ü/=';

async function refreshedAs(auth: 'none' | 'client_secret_basic' | 'client_secret_post') {
  const secret = auth === 'none' ? null : SECRET;
  const { server, bearer } = await connected({
    server: { clients: [{ id: ID, auth, secret, redirectUris: null }] },
    refresh: { client_id: ID, token_endpoint_auth: { type: auth } },
    ...(secret === null ? {} : { clientSecret: secret }),
  });
  expect(server.grants.accepts(tokenIn(await bearer()))).not.toBeNull();
  return server.tokenRequests[0] ?? expect.fail('no token request');
}

it('scenario 19: client_secret_basic sends id and secret form-encoded in the header, and neither in the body', async () => {
  const { headers, form } = await refreshedAs('client_secret_basic');
  const header = String(headers['authorization']);
  expect(basicPair(header)).toEqual({ id: ID, secret: SECRET });
  expect(Buffer.from(header.slice('Basic '.length), 'base64').toString()).toBe(
    'client%3A1+%25+%2B+%C3%A9:se%3Acr%25et+%2B+%C3%BC%2F%3D',
  );
  expect([form.has('client_id'), form.has('client_secret')]).toEqual([false, false]);
});

it('scenario 19: client_secret_post sends both in the body only', async () => {
  const { headers, form } = await refreshedAs('client_secret_post');
  expect(headers['authorization']).toBeUndefined();
  expect([form.get('client_id'), form.get('client_secret')]).toEqual([ID, SECRET]);
});

it('scenario 19: a public client sends its id in the body only', async () => {
  const { headers, form } = await refreshedAs('none');
  expect(headers['authorization']).toBeUndefined();
  expect([form.get('client_id'), form.has('client_secret')]).toEqual([ID, false]);
});
