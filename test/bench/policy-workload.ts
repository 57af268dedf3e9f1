/** Policies of a workspace with many tools and groups of users. Each call concerns one of them. */
import { policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

export function workload(count: number) {
  const rules = Array.from(
    { length: count },
    (_, index) => `@id("rule-${index}")
      permit(principal, action == MA::Action::"pay.example.com/${index === 0 ? 'refund' : `tool-${index}`}", resource)
      when { principal has user && principal.user == MA::User::"${index === 0 ? 'alice' : `user-${index}`}" }
      when { context.args has amount && context.args.amount.lessThan(decimal("100.0")) };`,
  );
  return policiesOf(policyOf(rules.join('\n')));
}

export const INPUT = { amount: 99.99, note: 'A note of a usual length for its reader here.' };
