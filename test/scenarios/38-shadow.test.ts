import { describe, expect, it } from 'vitest';
import { FACTS, policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

const FORBID = '@id("never") forbid(principal, action, resource);';

describe('scenario 38: a set in shadow mode', () => {
  it('scenario 38: allows what it would deny, and says so', async () => {
    const { decide, isVisible } = policiesOf(policyOf(FORBID, { mode: 'shadow' }));
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({
      decision: 'allow',
      code: 'would_deny',
      mode: 'shadow',
      would: 'deny',
      policyIds: ['never'],
    });
    expect(await isVisible(FACTS)).toBe(true);
  });

  it('scenario 38: is in force at most ten seconds after it was switched to enforce', async () => {
    const { decide, stored } = policiesOf(policyOf(FORBID, { mode: 'shadow' }));
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'allow' });
    stored.document = policyOf(FORBID, { mode: 'enforce', version: 2 });
    stored.nowMs = 10_000;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', mode: 'enforce' });
    // What it says is the same, so it is not read again.
    expect(stored).toMatchObject({ pointers: 2, versions: 1 });
  });

  it('scenario 38: is asked for no more often than every few seconds', async () => {
    const { decide, stored } = policiesOf(policyOf(FORBID));
    for (const nowMs of [0, 1000, 2000, 4999]) {
      stored.nowMs = nowMs;
      await decide(FACTS, { amount: 1 });
    }
    expect(stored.pointers).toBe(1);
  });

  it('scenario 38: is read beforehand by whoever prepares it, and denies all the same when that failed', async () => {
    const { decide, prepare, stored } = policiesOf(policyOf(FORBID));
    await prepare(FACTS.workspace);
    await decide(FACTS, { amount: 1 });
    expect(stored.pointers).toBe(1);
    Object.assign(stored, { fails: true, nowMs: 10_000 });
    await prepare(FACTS.workspace);
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
  });
});

describe('scenario 38: a set that can not be read', () => {
  it('scenario 38: denies everything, and is asked for again by the next call', async () => {
    const { decide, isVisible, stored } = policiesOf(policyOf('permit(principal, action, resource);'));
    stored.fails = true;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
    expect(await isVisible(FACTS)).toBe(false);
    stored.fails = false;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'allow' });
  });

  it('scenario 38: denies as soon as nobody can say any more what is in force', async () => {
    const { decide, stored } = policiesOf(policyOf('permit(principal, action, resource);'));
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'allow' });
    stored.fails = true;
    stored.nowMs = 10_000;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
  });

  it.each([
    ['is not the text that was saved', { ...policyOf('permit(principal, action, resource);'), policies: '' }],
    ['is no Cedar', policyOf('permit(everybody);')],
  ])('scenario 38: denies what %s', async (_, document) => {
    const { decide } = policiesOf({ ...document, mode: 'shadow' });
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
  });
});
