import { expect, it } from 'vitest';
import { FACTS, policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

const ASK = '@id("big") @advice("ask") @reason("Big refunds are confirmed.") permit(principal, action, resource);';

it('scenario 35: a call that a policy wants confirmed waits, and is allowed after a person has confirmed it', async () => {
  const { decide } = policiesOf(policyOf(ASK));
  const asked = await decide(FACTS, { amount: 1 });
  expect(asked).toMatchObject({
    decision: 'ask',
    code: 'asks',
    reason: 'Big refunds are confirmed.',
    policyIds: ['big'],
  });
  expect(await decide({ ...FACTS, isConfirmed: true }, { amount: 1 })).toMatchObject({
    decision: 'allow',
    code: 'confirmed',
  });
});

it('scenario 35: a permit beside that policy does not remove the confirmation', async () => {
  for (const fields of [{}, { default: 'permit' as const }]) {
    const { decide } = policiesOf(policyOf(`${ASK} permit(principal, action, resource);`, fields));
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'ask' });
  }
});

it('scenario 35: a confirmation does not overrule a forbid', async () => {
  const { decide } = policiesOf(policyOf(`${ASK} forbid(principal, action, resource);`));
  expect(await decide({ ...FACTS, isConfirmed: true }, { amount: 1 })).toMatchObject({
    decision: 'deny',
    code: 'forbidden',
  });
});

it('scenario 35: a policy can distinguish calls that a person has confirmed', async () => {
  const { decide } = policiesOf(
    policyOf('permit(principal, action, resource) when { context.call.approved_by_human };'),
  );
  expect(await decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny' });
  expect(await decide({ ...FACTS, isConfirmed: true }, { amount: 1 })).toMatchObject({ decision: 'allow' });
});
