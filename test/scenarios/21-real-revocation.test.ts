import { expect, it, onTestFinished } from 'vitest';
import { connected, secretsOf, tokenIn, VAULT } from '#test/functions/core/vault/refresh.fixture.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

it('scenario 21: a revoked consent causes one token request and one error, and needs a new consent', async () => {
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

it('scenario 21: later calls end without a request to the server or the authorization server', async () => {
  const { server, first, tokens, row } = await connected();
  server.grants.revoke(first.refresh_token);
  const fx = await startFx();
  onTestFinished(fx.close);
  const match = async () => [{ vault: VAULT, stored: await row() }];
  for (let call = 0; call < 3; call += 1) {
    const session = fxSession(fx, { links: 'none', over: { tokens, credentials: { match } } });
    await session.call();
    expect(session.results()).toMatchObject([
      { is_error: true, content: [{ text: expect.stringMatching(/^authentic/) }] },
    ]);
    expect(session.errors()).toMatchObject([
      { error: { type: 'mcp_authentication_failed_error', message: expect.stringContaining('has to connect') } },
    ]);
    // The status must not be `exhausted`, which the SDK reads as the end of the turn; this turn goes on.
    expect(session.errors()).toMatchObject([{ error: { retry_status: { type: 'retrying' } } }]);
    expect(await session.state()).toMatchObject({ status: 'running' });
    expect(session.outcomes()).toMatchObject([{ outcome: 'failed', error: 'needs_reauth' }]);
  }
  expect(server.tokenRequests).toHaveLength(1);
  expect(fx.requests).toEqual([]);
});

it('scenario 21: a refused refresh token leaves all secrets in their store', async () => {
  const { server, first, bearer, row, secrets } = await connected();
  const before = await row();
  server.grants.revoke(first.refresh_token);
  await bearer();
  expect((await row()).secrets).toEqual(before.secrets);
  expect(secrets.versions).toBe(1);
});
