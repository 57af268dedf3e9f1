import { expect, it } from 'vitest';
import { connected, SERVER_URL, tokenIn } from '#test/functions/core/vault/refresh.fixture.ts';

it('scenario 16: a token that ends in 30 s is refreshed before it is used, and its row gets the next version', async () => {
  const { server, first, bearer, row } = await connected({ expiresInMs: 30_000, refresh: { scope: 'files:read' } });
  const token = tokenIn(await bearer());
  expect(server.tokenRequests).toHaveLength(1);
  expect(Object.fromEntries(server.tokenRequests[0]?.form ?? [])).toEqual({
    grant_type: 'refresh_token',
    refresh_token: first.refresh_token,
    client_id: 'client-1',
    resource: SERVER_URL,
    scope: 'files:read',
  });
  expect(token).not.toBe(first.access_token);
  expect(server.grants.accepts(token)).not.toBeNull();
  expect(await row()).toMatchObject({
    version: 2,
    lease: null,
    grantedScopes: ['files:read'],
    credential: { auth: { expires_at: '2026-11-21T11:00:00.000Z' }, updated_at: '2026-11-21T10:00:00.000Z' },
  });
});

it('scenario 16: the token request names the configured resource, and no scope when none is configured', async () => {
  const { server, bearer } = await connected({ refresh: { resource: 'https://api.example.com' } });
  tokenIn(await bearer());
  expect(server.tokenRequests[0]?.form.get('resource')).toBe('https://api.example.com');
  expect(server.tokenRequests[0]?.form.has('scope')).toBe(false);
});

it('scenario 16: a token that is valid for long is used as it is', async () => {
  const { server, first, bearer } = await connected({ expiresInMs: 3_000_000 });
  expect(tokenIn(await bearer())).toBe(first.access_token);
  expect(server.requests).toEqual([]);
});
