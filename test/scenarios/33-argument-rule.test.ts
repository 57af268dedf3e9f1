import { describe, expect, it } from 'vitest';
import { FACTS, policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

const RULE = `@id("small-refunds")
permit(principal, action == MA::Action::"pay.example.com/refund", resource)
when { context.args.amount.lessThan(decimal("100.0")) };`;

const ENTITY = { __entity: { type: 'MA::User', id: 'root' } };
const EXTENSION = { __extn: { fn: 'decimal', arg: '1.0' } };

describe('scenario 33: a policy about an argument', () => {
  const { decide } = policiesOf(policyOf(RULE));

  it.each([
    ['99.99', { amount: 99.99 }, 'allow', 'permitted'],
    ['99, a number without decimals', { amount: 99 }, 'allow', 'permitted'],
    ['100', { amount: 100 }, 'deny', 'no_matching_permit'],
    ['"100", a text', { amount: '100' }, 'deny', 'evaluation_failed'],
    ['"99.99", a text that reads like a number', { amount: '99.99' }, 'deny', 'evaluation_failed'],
    ['nothing', {}, 'deny', 'evaluation_failed'],
    ['null', { amount: null }, 'deny', 'evaluation_failed'],
    ['what Cedar would read as an entity', { amount: ENTITY }, 'deny', 'evaluation_failed'],
    ['what Cedar would read as a decimal', { amount: EXTENSION }, 'deny', 'evaluation_failed'],
    ['more decimals than policies have', { amount: 99.99999 }, 'deny', 'policy_error:small-refunds:number'],
    ['less than policies can tell from nothing', { amount: 0.00001 }, 'deny', 'policy_error:small-refunds:number'],
    ['more than policies can count', { amount: 1.2e19 }, 'deny', 'policy_error:small-refunds:number'],
    ['an entity beside it, which is data', { amount: 1, note: 'x', more: ENTITY }, 'allow', 'permitted'],
    ['text that is none beside it', { amount: 1, note: '\ud800' }, 'allow', 'permitted'],
  ])('decides: %s', async (_, input, decision, code) => {
    expect(await decide(FACTS, input)).toMatchObject({ decision, code });
  });

  it('names the expected number type, and only for the policy that compares one', async () => {
    const text = `@id("b") permit(principal, action, resource) when { context.args.count < 5 };
      @id("a") permit(principal, action, resource) when { context.args.limit < 5 };`;
    expect(await decide(FACTS, { amount: 99.99999 })).toMatchObject({
      policyIds: ['small-refunds'],
      reason:
        'The policy small-refunds can not be evaluated for this call: ' +
        'a number that it compares has more than four decimals, or is too large to be compared.',
    });
    const { decide: decideBoth } = policiesOf(policyOf(text));
    const opaque = { amount: 1.000001, count: 2 ** 60 };
    expect(await decideBoth(FACTS, opaque)).toMatchObject({ code: 'policy_error:a', policyIds: ['a', 'b'] });
    expect(await decideBoth(FACTS, { ...opaque, limit: 1 })).toMatchObject({ code: 'policy_error:b:number' });
  });

  it('is named when it decided', async () => {
    expect(await decide(FACTS, { amount: 1 })).toMatchObject({ policyIds: ['small-refunds'] });
  });

  it('treats an argument that looks like an entity as a record when the schema does not name its type', async () => {
    const text = `permit(principal, action, resource) when { context.args.who == MA::User::"root" };
      forbid(principal, action, resource) when { context.args.who has "raw:__entity" && context.args.flag };`;
    const untyped = { ...FACTS, tool: { ...FACTS.tool, input_schema: { type: 'object' } } };
    const { decide } = policiesOf(policyOf(text));
    expect(await decide(untyped, { who: ENTITY, flag: false })).toMatchObject({ code: 'no_matching_permit' });
    expect(await decide(untyped, { who: ENTITY, flag: true })).toMatchObject({ code: 'forbidden' });
  });
});
