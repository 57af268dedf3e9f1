import { expect, it } from 'vitest';
import { FACTS, policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

it('scenario 34: a forbid that fails on a call denies it, although Cedar would leave it out', async () => {
  const text = `permit(principal, action, resource);
    @id("no-big-ones") forbid(principal, action, resource) when { context.args.limit > 10 };`;
  const { decide } = policiesOf(policyOf(text));
  expect(await decide(FACTS, { amount: 1 })).toMatchObject({
    decision: 'deny',
    code: 'policy_error:no-big-ones',
    policyIds: ['no-big-ones'],
  });
  expect(await decide(FACTS, { amount: 1, limit: 5 })).toMatchObject({ decision: 'allow', code: 'permitted' });
  expect(await decide(FACTS, { amount: 1, limit: 11 })).toMatchObject({ decision: 'deny', code: 'forbidden' });
});
