import { expect, it, onTestFinished } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import { createTokens } from '#core/vault/tokens.ts';
import { SILENT } from '#test/functions/core/given.ts';
import { tokenOf } from '#test/functions/core/mcp/proxy-stage.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession, userOf } from '#test/mcp/proxy-sessions.ts';

const NEVER = () => Promise.reject(new Error('nothing is refreshed here'));
const ARN = 'arn:aws:kms:eu-west-1:123456789012:key/1';

/** Tokens of credentials that never expire, over a store of secrets that a test can switch off. */
function tokensOver(store: { isDown: boolean }) {
  return createTokens({
    credentials: { find: NEVER },
    leases: { take: NEVER, rotated: NEVER, revoked: NEVER, failed: NEVER },
    secrets: {
      async read({ credential }) {
        if (store.isDown) throw new Fault('secret_unavailable', `${ARN} did not answer`);
        return { access_token: tokenOf({ credential: { id: credential } } as Parameters<typeof tokenOf>[0]) };
      },
      write: NEVER,
    },
    outbound: { fetch: NEVER },
    identityOutbound: { fetch: NEVER },
    stamp: { now: () => new Date().toISOString() },
    pause: async () => undefined,
    newToken: () => 'holder',
    random: () => 0,
    enterprise: null,
    journal: SILENT,
  });
}

it('scenario 43: while rows cannot be read no cached token is used, and the call is repeated', async () => {
  const fx = await startFx();
  onTestFinished(fx.close);
  const alice = userOf(fx, 'alice');
  fx.tokens = new Map([[alice.token, []]]);
  const tokens = tokensOver({ isDown: false });
  await fxSession(fx, { holdings: [alice], over: { tokens } }).call();

  const match = () => Promise.reject(new Fault('records_unavailable', 'the vault table did not answer'));
  const blind = fxSession(fx, { holdings: [alice], over: { tokens, credentials: { match } } });
  await expect(blind.call()).rejects.toMatchObject({ code: 'records_unavailable', retryable: true });
  expect(fx.calls('sum')).toHaveLength(1);
  expect(blind.results()).toEqual([]);
});

it('scenario 43: while secrets cannot be read a cached token works on, and no other one can be read', async () => {
  const fx = await startFx();
  onTestFinished(fx.close);
  const [alice, bob] = [userOf(fx, 'alice'), userOf(fx, 'bob')];
  fx.tokens = new Map([alice, bob].map(({ token }) => [token, []]));
  const store = { isDown: false };
  const tokens = tokensOver(store);
  await fxSession(fx, { holdings: [alice], over: { tokens } }).call();

  store.isDown = true;
  const cached = fxSession(fx, { holdings: [alice], over: { tokens } });
  await cached.call();
  expect(cached.results()).toMatchObject([{ is_error: false }]);

  const uncached = fxSession(fx, { holdings: [bob], over: { tokens } });
  await uncached.call();
  expect(uncached.results()).toMatchObject([
    { is_error: true, content: [{ text: expect.stringMatching(/^authentication: .*cannot be had just now/) }] },
  ]);
  expect(uncached.outcomes()).toMatchObject([{ outcome: 'failed', error: 'unavailable' }]);
  expect(JSON.stringify([uncached.entries(), uncached.lines, uncached.audited])).not.toContain(ARN);
  expect(fx.calls('sum')).toHaveLength(2);
});
