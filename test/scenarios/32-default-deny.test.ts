import { expect, it } from 'vitest';
import { FACTS, policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

it('scenario 32: a workspace that denies by default denies what no policy permits', async () => {
  const { decide, isVisible } = policiesOf(policyOf('', { default: 'deny' }));
  expect(await decide(FACTS, { amount: 1 })).toMatchObject({
    decision: 'deny',
    code: 'no_matching_permit',
    policyIds: [],
    mode: 'enforce',
    policySha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(await isVisible(FACTS)).toBe(false);
});

it('scenario 32: a workspace without a policy set leaves calls to the agent’s own permissions', async () => {
  const { decide, isVisible } = policiesOf(null);
  const decision = await decide(FACTS, { amount: 1 });
  expect(decision).toMatchObject({ decision: 'allow', code: 'default_permit', mode: 'none', policySha256: null });
  expect(await isVisible(FACTS)).toBe(true);
});

it('scenario 32: a workspace that permits by default permits what no policy forbids', async () => {
  const text =
    '@reason("Refunds are for people.") forbid(principal, action == MA::Action::"pay.example.com/refund", resource);';
  const { decide } = policiesOf(policyOf(text, { default: 'permit' }));
  expect(await decide(FACTS, { amount: 1 })).toMatchObject({
    decision: 'deny',
    code: 'forbidden',
    reason: 'Refunds are for people.',
  });
  const other = { ...FACTS, tool: { ...FACTS.tool, name: 'charge' } };
  expect(await decide(other, { amount: 1 })).toMatchObject({ decision: 'allow', code: 'default_permit' });
});
