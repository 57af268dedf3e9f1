import { expect, it } from 'vitest';
import { connected, secretsOf, tokenIn } from '#test/functions/core/vault/refresh.fixture.ts';

it('scenario 20: invalid_grant for a token that was replaced meanwhile leads to the newer one, and changes nothing', async () => {
  const { server, rows, secrets, row, bearer, lines } = await connected();
  const asking = Promise.withResolvers<void>();
  server.answer({ do: 'say', code: 400, body: '{"error":"invalid_grant"}', after: asking.promise });
  const call = bearer();
  await expect.poll(() => server.tokenRequests).toHaveLength(1);

  const stale = await row();
  const consented = server.consented();
  const { auth } = stale.credential;
  const credential = { ...stale.credential, auth: { ...auth, expires_at: '2026-11-21T12:00:00.000Z' } as typeof auth };
  const replaced = { ...stale, credential, version: stale.version + 1, secrets: secrets.seed(secretsOf(consented)) };
  expect(await rows.credentials.replace(replaced)).toBe('saved');
  const after = await row();
  asking.resolve();

  expect(tokenIn(await call)).toBe(consented.access_token);
  expect(server.tokenRequests).toHaveLength(1);
  expect(await row()).toEqual(after);
  expect(lines).toMatchObject([{ outcome: 'superseded' }]);
});
