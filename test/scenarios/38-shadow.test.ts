import { describe, expect, it } from 'vitest';
import { FACTS, policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

const FORBID = '@id("never") forbid(principal, action, resource);';

describe('scenario 38: a policy set', () => {
  it('in shadow mode allows what it would deny, and reports the denial', async () => {
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

  it('is in force at most ten seconds after it is switched to enforce', async () => {
    const { decide, stored } = policiesOf(policyOf(FORBID, { mode: 'shadow' }));
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'allow' });
    stored.document = policyOf(FORBID, { mode: 'enforce', version: 2 });
    stored.nowMs = 10_000;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', mode: 'enforce' });
    // The text has not changed, so it is not read again.
    expect(stored).toMatchObject({ pointers: 2, versions: 1 });
  });

  it('is read at most every five seconds', async () => {
    const { decide, stored } = policiesOf(policyOf(FORBID));
    for (const nowMs of [0, 1000, 2000, 4999]) {
      stored.nowMs = nowMs;
      await decide(FACTS, { amount: 1 });
    }
    expect(stored.pointers).toBe(1);
  });

  it('is read in advance by prepare, and denies when that read failed', async () => {
    const { decide, prepare, stored } = policiesOf(policyOf(FORBID));
    await prepare(FACTS.workspace);
    await decide(FACTS, { amount: 1 });
    expect(stored.pointers).toBe(1);
    Object.assign(stored, { fails: true, nowMs: 10_000 });
    await prepare(FACTS.workspace);
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
  });
});

describe('scenario 38: a policy set that cannot be read', () => {
  it('denies everything, and is read again by the next call', async () => {
    const { decide, isVisible, stored } = policiesOf(policyOf('permit(principal, action, resource);'));
    stored.fails = true;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
    expect(await isVisible(FACTS)).toBe(false);
    stored.fails = false;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'allow' });
  });

  it('denies as soon as the cached set is too old', async () => {
    const { decide, stored } = policiesOf(policyOf('permit(principal, action, resource);'));
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'allow' });
    stored.fails = true;
    stored.nowMs = 10_000;
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
  });

  it.each([
    ['is not the text that was saved', { ...policyOf('permit(principal, action, resource);'), policies: '' }],
    ['is no Cedar', policyOf('permit(anyone);')],
  ])('denies when the stored text %s', async (_, document) => {
    const { decide } = policiesOf({ ...document, mode: 'shadow' });
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'policies_unreadable' });
  });
});
