import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiKeyId } from '#contract/ids.ts';
import { type TokenBuckets, LEASE_SECONDS, take } from '#core/ports/token-bucket.ts';
import { createRateLimiter, type RateLimits } from '#core/requests/admission.ts';
import { isRefusal } from '#core/ports/errors.ts';

const KEY = ApiKeyId.parse('apikey_1');
const START_MS = Date.parse('2026-11-21T10:00:00.000Z');

/** Instances that share buckets and a clock, which stands still unless a test moves it. */
function instances(limits: Partial<RateLimits>, count = 1, maxLease = Number.POSITIVE_INFINITY) {
  let nowMs = START_MS;
  let calls = 0;
  let held = Promise.resolve();
  let release = () => {};
  const spent = new Map<string, number>();
  const buckets: TokenBuckets = {
    async take(name, bucket, wanted) {
      calls += 1;
      await held;
      const taken = take(bucket, spent.get(name) ?? 0, { nowUs: nowMs * 1000, wanted });
      if (taken.status === 'taken') spent.set(name, taken.spentUntilUs);
      return taken;
    },
  };
  const limiting = { limits: { creates: null, reads: null, ...limits }, buckets, nowMs: () => nowMs, maxLease };
  const limiters = Array.from({ length: count }, () => createRateLimiter(limiting));
  return {
    pass: (ms: number) => void (nowMs += ms),
    nowMs: () => nowMs,
    calls: () => calls,
    /** The bucket does not answer until the test releases it. */
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      [held, release] = [promise, resolve];
    },
    release: () => release(),
    tick: () => new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))),
    async admits(instance = 0, method = 'GET'): Promise<boolean> {
      const admission = await limiters[instance]?.admit(KEY, method);
      if (admission === undefined || isRefusal(admission)) return false;
      await admission.renewal;
      return true;
    },
    ask: (instance = 0, method = 'GET') => limiters[instance]?.admit(KEY, method),
  };
}

describe('a rate limit', () => {
  it('is exceeded by no more than its burst, with any number of instances and in any period', async () => {
    const request = fc.record({ instance: fc.nat(4), afterMs: fc.oneof(fc.constant(0), fc.nat(200), fc.nat(20_000)) });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), fc.array(request, { maxLength: 200 }), async (rate, asked) => {
        const all = instances({ reads: rate }, 5);
        const served: number[] = [];
        for (const { instance, afterMs } of asked) {
          all.pass(afterMs);
          if (await all.admits(instance)) served.push(all.nowMs());
        }
        for (const [i, from] of served.entries()) {
          for (const [j, to] of served.entries()) {
            if (j >= i) expect(j - i + 1).toBeLessThanOrEqual(rate * ((to - from) / 60_000 + 1) + 1);
          }
        }
      }),
    );
  });

  it('admits all traffic below it for any time', async () => {
    const one = instances({ reads: 60 });
    for (let second = 0; second < 300; second += 1) {
      expect(await one.admits()).toBe(true);
      one.pass(1000);
    }
  });

  it('admits a minute’s requests at once, and then says when to send the next', async () => {
    const one = instances({ reads: 60 });
    let admitted = 0;
    while (admitted < 1000 && (await one.admits())) admitted += 1;
    expect(admitted).toBe(60 - LEASE_SECONDS);
    expect(await one.ask()).toEqual({
      status: 'refused',
      type: 'rate_limit_error',
      message: "the API key's rate limit of reads per minute is reached: send it again in 1 s",
      retryAfterSeconds: 1,
    });
    one.pass(1000);
    expect(await one.admits()).toBe(true);
    expect(await one.admits()).toBe(false);
  });

  it('states the wait in whole seconds, also when the next token is far away', async () => {
    const one = instances({ creates: 1 });
    expect(await one.admits(0, 'POST')).toBe(true);
    one.pass(500);
    expect(await one.ask(0, 'POST')).toMatchObject({ retryAfterSeconds: 60 });
    expect(await one.ask(0, 'DELETE')).toMatchObject({ retryAfterSeconds: 60 });
    one.pass(59_500);
    expect(await one.admits(0, 'DELETE')).toBe(true);
  });

  it('reads no bucket where none is set, and not again while the bucket is known to be empty', async () => {
    const one = instances({ creates: 1 });
    for (let n = 0; n < 100; n += 1) expect(await one.admits(0, 'GET')).toBe(true);
    expect(one.calls()).toBe(0);
    await one.admits(0, 'POST');
    await one.admits(0, 'POST');
    expect(one.calls()).toBe(2);
    for (let n = 0; n < 100; n += 1) expect(await one.admits(0, 'POST')).toBe(false);
    expect(one.calls()).toBe(2);
  });

  it.each([50, 67, 200, 900])(
    'makes only the first request of steady traffic wait: one every %i ms',
    async (everyMs) => {
      const one = instances({ reads: 1200 });
      let waits = 0;
      const count = Math.floor(120_000 / everyMs);
      for (let n = 0; n < count; n += 1) {
        one.hold();
        const asked = one.ask();
        waits += (await Promise.race([asked, one.tick()])) === undefined ? 1 : 0;
        one.release();
        const admission = await asked;
        if (admission === undefined || isRefusal(admission)) throw new Error(`request ${n} is refused`);
        await admission.renewal;
        one.pass(everyMs);
      }
      expect(waits).toBe(1);
      // The limiter takes a lease every four seconds, and a few small ones at first.
      expect(one.calls()).toBeLessThanOrEqual(120 / 4 + 10);
    },
  );

  it('admits nothing from an expired lease, because old leases could be spent all at once', async () => {
    const one = instances({ reads: 1200 });
    await one.admits();
    const waits = async (): Promise<boolean> => {
      one.hold();
      const asked = one.ask();
      const served = await Promise.race([asked, one.tick()]);
      one.release();
      const admission = await asked;
      if (admission !== undefined && !isRefusal(admission)) await admission.renewal;
      return served === undefined;
    };
    one.pass(LEASE_SECONDS * 1000);
    expect(await waits()).toBe(true);
    one.pass(LEASE_SECONDS * 1000 - 1);
    expect(await waits()).toBe(false);
  });

  it('takes one token at a time when more would expire unused', async () => {
    const one = instances({ reads: 1200 }, 1, 1);
    await one.admits();
    await one.admits();
    expect(one.calls()).toBe(2);
  });

  it('is counted per key, and separately for creates and reads', async () => {
    const one = instances({ creates: 1, reads: 1 });
    expect([await one.admits(0, 'GET'), await one.admits(0, 'POST'), await one.admits(0, 'GET')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('is checked by the next request when a lease in the background failed', async () => {
    let fail = false;
    const buckets: TokenBuckets = {
      take: async (_name, bucket, wanted) =>
        fail ? Promise.reject(new Error('no answer')) : take(bucket, 0, { nowUs: START_MS * 1000, wanted }),
    };
    const limits = { creates: null, reads: 60 };
    const limiter = createRateLimiter({ limits, buckets, nowMs: () => START_MS, maxLease: 2 });
    await limiter.admit(KEY, 'GET');
    fail = true;
    const last = await limiter.admit(KEY, 'GET');
    expect(isRefusal(last)).toBe(false);
    await expect(limiter.admit(KEY, 'GET')).rejects.toThrow('no answer');
  });
});
