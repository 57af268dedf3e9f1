import { expect, it, onTestFinished } from 'vitest';
import { bucketOf } from '#core/ports/token-bucket.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession, userOf } from '#test/mcp/proxy-sessions.ts';

const PER_MINUTE = 10;

const textOf = (session: ReturnType<typeof fxSession>) => {
  const [block] = session.results().at(-1)?.content ?? [];
  return block?.type === 'text' ? block.text : '';
};

it('scenario 40: the last of eleven calls in a minute is refused, for this user and server only', async () => {
  const [fx, other] = await Promise.all([startFx(), startFx()]);
  onTestFinished(async () => void (await Promise.all([fx.close(), other.close()])));
  const rate = bucketOf(PER_MINUTE);
  const first = fxSession(fx, { rate });
  const { buckets } = first.world;
  await first.call();
  for (let made = 1; made < PER_MINUTE; made += 1) await fxSession(fx, { rate, over: { buckets } }).call();
  expect(fx.calls('sum')).toHaveLength(PER_MINUTE);

  const eleventh = fxSession(fx, { rate, over: { buckets } });
  await eleventh.call();
  expect(textOf(eleventh)).toMatch(/^rate_limited: .*\(retry_after_ms: 6000\)$/);
  expect(eleventh.outcomes()).toMatchObject([{ outcome: 'failed', error: 'rate_limited', http_status: null }]);
  expect(fx.calls('sum')).toHaveLength(PER_MINUTE);

  const bob = fxSession(fx, { rate, holdings: [userOf(fx, 'bob')], over: { buckets } });
  await bob.call();
  const elsewhere = fxSession(other, { rate, over: { buckets } });
  await elsewhere.call();
  expect([bob, elsewhere].map((session) => session.results()[0]?.is_error)).toEqual([false, false]);
});

it.each(['sum', 'refund'])(
  'scenario 40: a server’s own Retry-After is reported, and %s not sent again',
  async (tool) => {
    const fx = await startFx();
    onTestFinished(fx.close);
    fx.intercept = ({ rpc }) =>
      rpc?.method === 'tools/call'
        ? new Response('slower', { status: 429, headers: { 'retry-after': '7' } })
        : undefined;
    const session = fxSession(fx, { tool, input: { a: 1, b: 2, amount: 3 } });
    await session.call();
    expect(textOf(session)).toMatch(/^rate_limited: .*\(retry_after_ms: 7000\)$/);
    expect(session.outcomes()).toMatchObject([{ outcome: 'failed', error: 'rate_limited', http_status: 429 }]);
    await session.call();
    expect(fx.calls(tool)).toHaveLength(1);
  },
);

it.each([500, 502, 503])(
  'scenario 40: a call that may have had an effect is not sent again after a %i',
  async (status) => {
    const fx = await startFx();
    onTestFinished(fx.close);
    fx.intercept = ({ rpc }) => (rpc?.method === 'tools/call' ? new Response('broken', { status }) : undefined);
    const session = fxSession(fx, { tool: 'refund', input: { amount: 3 } });
    await session.call();
    expect(textOf(session)).toMatch(/^server_error: .*may or may not have had an effect/);
    expect(fx.calls('refund')).toHaveLength(1);
  },
);
