import { expect, it, onTestFinished } from 'vitest';
import type { TokenAnswer } from '#test/mcp/authorization-server-script.ts';
import { connected, tokenIn, VAULT } from '#test/functions/core/vault/refresh.fixture.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

const DOWN: readonly (readonly [string, TokenAnswer])[] = [
  ['503', { do: 'say', code: 503, type: 'text/html', body: '<h1>Come back later</h1>' }],
  ['a 500 that says invalid_grant', { do: 'say', code: 500, body: '{"error":"invalid_grant"}' }],
  ['a connection that breaks', { do: 'drop' }],
  ['invalid_client', { do: 'say', code: 401, body: '{"error":"invalid_client"}' }],
];

it.each(DOWN)('scenario 22: with %s a token that is still valid is used', async (_name, down) => {
  const { server, first, bearer, row } = await connected({ expiresInMs: 30_000 });
  server.always(down);
  for (let call = 0; call < 3; call += 1) expect(tokenIn(await bearer())).toBe(first.access_token);
  expect(server.tokenRequests).toHaveLength(1);
  expect(await row()).toMatchObject({ version: 1, state: 'ok', lease: null, failures: 1 });
});

it.each(DOWN)('scenario 22: with %s an expired token is retried later, without a new consent', async (_name, down) => {
  const { server, bearer, engine, row, stamp } = await connected();
  server.always(down);
  const waits: (number | null)[] = [];
  for (let round = 0; round < 8; round += 1) {
    const answer = await bearer();
    if (answer.status !== 'unavailable') expect.fail(`not ${answer.status}`);
    waits.push((answer.retryAfterMs ?? 0) / 1000);
    expect(await engine().bearer()).toMatchObject({ status: 'unavailable' });
    expect(server.tokenRequests).toHaveLength(round + 1);
    stamp.advance(answer.retryAfterMs ?? 0);
  }
  expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
  expect(await row()).toMatchObject({ state: 'ok', lease: null });

  server.always(null);
  expect(server.grants.accepts(tokenIn(await bearer()))).not.toBeNull();
  expect(await row()).toMatchObject({ failures: 0, cooldownUntil: null });
});

it('scenario 22: a call with an expired token is not sent, and the client reads when to retry, without a link', async () => {
  const { server, tokens, row } = await connected();
  server.always({ do: 'say', code: 503, body: '' });
  const fx = await startFx();
  onTestFinished(fx.close);
  const match = async () => [{ vault: VAULT, stored: await row() }];
  const session = fxSession(fx, { over: { tokens, credentials: { match } } });
  await session.call();
  expect(session.results()).toMatchObject([
    { is_error: true, content: [{ text: expect.stringMatching(/^authentication: .*\(retry_after_ms: 30000\)$/) }] },
  ]);
  expect(session.errors()).toMatchObject([
    { error: { type: 'mcp_authentication_failed_error', retry_status: { type: 'retrying' } } },
  ]);
  expect(session.offers).toEqual([]);
  expect(fx.requests).toEqual([]);
  expect(server.tokenRequests).toHaveLength(1);
});

it('scenario 22: a token endpoint that does not answer is given up after its time limit, without a new consent', async () => {
  const { server, bearer, world, engine, row } = await connected();
  server.always({ do: 'hang' });
  const { outbound } = world;
  const hurried = engine({
    outbound: { fetch: (request) => outbound.fetch({ ...request, limits: { ...request.limits, totalMs: 50 } }) },
  });
  expect(await hurried.bearer()).toMatchObject({ status: 'unavailable', retryAfterMs: 30_000 });
  expect(await bearer()).toMatchObject({ status: 'unavailable' });
  expect(server.tokenRequests).toHaveLength(1);
  expect(await row()).toMatchObject({ state: 'ok', lease: null, failures: 1 });
});

it('scenario 22: a token endpoint that answers within eight seconds is waited for', async () => {
  const { engine } = await connected();
  const limits: unknown[] = [];
  const outbound = {
    fetch: async (request: { readonly limits: unknown }) => {
      limits.push(request.limits);
      return { status: 'failed' as const, failure: 'timeout' as const, message: 'it took too long' };
    },
  };
  await engine({ outbound }).bearer();
  expect(limits).toMatchObject([{ totalMs: 8000, idleMs: 8000, maxRedirects: 0 }]);
});
