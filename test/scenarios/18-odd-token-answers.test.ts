import { expect, it } from 'vitest';
import type { TokenAnswer } from '#test/mcp/authorization-server-script.ts';
import { connected, IDENTITY, tokenIn } from '#test/functions/core/vault/refresh.fixture.ts';

it('scenario 18: an answer without a refresh token leaves the old one in force', async () => {
  const { server, first, bearer, row, stamp } = await connected();
  const before = await row();
  server.answer({ do: 'grant', change: { refresh_token: undefined } });
  tokenIn(await bearer());
  expect((await row()).secrets.refresh_token).toBe(before.secrets.refresh_token);
  stamp.advance(3_600_000);
  tokenIn(await bearer());
  expect(server.tokenRequests.map(({ form }) => form.get('refresh_token'))).toEqual([
    first.refresh_token,
    first.refresh_token,
  ]);
});

it('scenario 18: an id_token of another issuer is ignored', async () => {
  const { server, bearer } = await connected();
  server.answer({ do: 'grant', change: { id_token: 'eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2V2aWwifQ.' } });
  expect(server.grants.accepts(tokenIn(await bearer()))).not.toBeNull();
});

it('scenario 18: a sign-in that is renewed without an id_token has ended, and its user is asked to sign in again', async () => {
  const { server, engine, row, stamp, lines } = await connected();
  const { bearer } = engine({ enterprise: IDENTITY });
  expect(await bearer()).toMatchObject({ status: 'needs_reauth' });
  stamp.advance(3_600_000);
  expect(await bearer()).toMatchObject({ status: 'needs_reauth' });
  expect(server.tokenRequests).toHaveLength(1);
  expect((await row()).state).toBe('needs_reauth');
  expect(lines).toMatchObject([{ outcome: 'revoked', detail: expect.stringContaining('no id_token') }]);
});

it('scenario 18: a lifetime that is given as text is used', async () => {
  const { server, bearer, row } = await connected();
  server.answer({ do: 'grant', change: { expires_in: '600' } });
  tokenIn(await bearer());
  expect((await row()).credential.auth).toMatchObject({ expires_at: '2026-11-21T10:10:00.000Z' });
});

it('scenario 18: an access token without a type is a bearer token, with a warning', async () => {
  const { server, bearer, lines } = await connected();
  server.answer({ do: 'grant', change: { token_type: undefined } });
  expect(server.grants.accepts(tokenIn(await bearer()))).not.toBeNull();
  expect(lines).toMatchObject([{ message: 'refresh', outcome: 'rotated', detail: '127.0.0.1 answered no token_type' }]);
});

it.each<[string, TokenAnswer, string]>([
  ['HTML at 200', { do: 'say', code: 200, type: 'text/html', body: '<h1>Sign in</h1>' }, 'no access_token'],
  ['an error at 200', { do: 'say', code: 200, body: '{"error":"temporarily_unavailable"}' }, 'temporarily_unavailable'],
  [
    'no access_token',
    { do: 'grant', change: { access_token: undefined, refresh_token: undefined } },
    'no access_token',
  ],
  [
    'a token with a line break',
    { do: 'grant', change: { access_token: 'a\r\nx: y', refresh_token: undefined } },
    'no access_token',
  ],
  [
    'a token that is no bearer token',
    { do: 'grant', change: { token_type: 'DPoP', refresh_token: undefined } },
    'no bearer token',
  ],
  ['a list', { do: 'say', code: 200, body: '[]' }, 'no access_token'],
])('scenario 18: %s is a failure, and nothing is overwritten', async (_name, told, detail) => {
  const { server, bearer, row, secrets, lines } = await connected();
  const before = await row();
  server.answer(told);
  expect(await bearer()).toMatchObject({ status: 'unavailable' });
  expect(lines).toMatchObject([{ outcome: 'failed', detail: expect.stringContaining(detail) }]);
  expect(await row()).toEqual({ ...before, failures: 1, cooldownUntil: '2026-11-21T10:00:30.000Z' });
  expect(secrets.versions).toBe(1);
});
