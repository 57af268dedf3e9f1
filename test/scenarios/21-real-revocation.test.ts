import { expect, it } from 'vitest';
import { connected, secretsOf, tokenIn } from '#test/functions/core/vault/refresh.fixture.ts';

it('scenario 21: a revoked consent is asked about once, told once, and needs a new consent', async () => {
  const { server, first, bearer, engine, row, rows, secrets, lines } = await connected({ expiresInMs: 30_000 });
  server.grants.revoke(first.refresh_token);
  expect(await bearer()).toEqual({ status: 'needs_reauth', retryAfterMs: null, detail: 'the consent was revoked' });
  expect(await row()).toMatchObject({ state: 'needs_reauth', lease: null });
  expect(lines).toMatchObject([{ outcome: 'revoked', detail: '127.0.0.1 answered invalid_grant' }]);

  for (const { bearer: again } of [engine(), engine(), engine()]) {
    expect(await again()).toMatchObject({ status: 'needs_reauth' });
  }
  expect(server.tokenRequests).toHaveLength(1);
  expect(lines).toHaveLength(1);

  const now = await row();
  const consented = server.consented();
  await rows.credentials.replace({ ...now, version: now.version + 1, secrets: secrets.seed(secretsOf(consented)) });
  expect(server.grants.accepts(tokenIn(await bearer()))).not.toBeNull();
});

it('scenario 21: a refresh token that is refused leaves all secrets where they are', async () => {
  const { server, first, bearer, row, secrets } = await connected();
  const before = await row();
  server.grants.revoke(first.refresh_token);
  await bearer();
  expect((await row()).secrets).toEqual(before.secrets);
  expect(secrets.versions).toBe(1);
});
