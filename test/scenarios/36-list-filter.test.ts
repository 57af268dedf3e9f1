import { describe, expect, it } from 'vitest';
import { FACTS, policiesOf, policyOf, tool } from '#test/functions/core/policy/facts.ts';

const TOOLS = Array.from({ length: 10 }, (_, index) => tool(`t${index}`));
const forTool = (index: number, user = 'alice') => ({ ...FACTS, user, tool: TOOLS[index] ?? tool('none') });

const THREE_OF_TEN = `
permit(principal, action == MA::Action::"pay.example.com/t1", resource) when { principal.user == MA::User::"alice" };
permit(principal, action == MA::Action::"pay.example.com/t2", resource)
  when { principal.user == MA::User::"alice" && context.args.amount < 5 };
permit(principal, action in [MA::Action::"pay.example.com/t3", MA::Action::"pay.example.com/t4"], resource)
  when { principal.user == MA::User::"alice" };
forbid(principal, action == MA::Action::"pay.example.com/t4", resource);
forbid(principal, action == MA::Action::"pay.example.com/t3", resource) when { context.args.amount > 5 };
permit(principal, action, resource) when { principal.user == MA::User::"bob" };`;

async function shown(policies: ReturnType<typeof policiesOf>, user: string): Promise<readonly string[]> {
  const visible = await Promise.all(TOOLS.map((_, index) => policies.isVisible(forTool(index, user))));
  return TOOLS.flatMap(({ name }, index) => (visible[index] === true ? [name] : []));
}

describe('scenario 36: the filter of listed tools', () => {
  it('shows a user who may call 3 of 10 tools those 3, and another user their own', async () => {
    const policies = policiesOf(policyOf(THREE_OF_TEN));
    expect(await shown(policies, 'alice')).toEqual(['t1', 't2', 't3']);
    expect(await shown(policies, 'bob')).toEqual(TOOLS.map(({ name }) => name).filter((name) => name !== 't4'));
    expect(await shown(policies, 'carol')).toEqual([]);
  });

  it('does not replace the check: a hidden tool that is called is denied', async () => {
    const { decide } = policiesOf(policyOf(THREE_OF_TEN));
    expect(await decide(forTool(7), {})).toMatchObject({ decision: 'deny' });
    expect(await decide(forTool(4), {})).toMatchObject({ decision: 'deny', code: 'forbidden' });
  });

  it('needs one parse and one read for a whole list', async () => {
    const policies = policiesOf(policyOf(THREE_OF_TEN));
    await shown(policies, 'alice');
    expect(policies.stored).toMatchObject({ pointers: 1, versions: 1 });
  });

  it.each([
    [
      'a permit that depends on an argument',
      'permit(principal, action, resource) when { context.args.amount < 5 };',
      true,
    ],
    [
      'a permit that depends on having arguments',
      'permit(principal, action, resource) when { context has args };',
      true,
    ],
    [
      'a permit that depends on a confirmation',
      'permit(principal, action, resource) when { context.call.approved_by_human };',
      true,
    ],
    [
      'a permit that depends on the time',
      'permit(principal, action, resource) unless { context.call.now > datetime("2020-01-01") };',
      true,
    ],
    [
      'a permit that the thread excludes',
      'permit(principal, action, resource) unless { context.call.thread_primary };',
      false,
    ],
    [
      'a permit that the user excludes',
      'permit(principal, action, resource) when { principal.user == MA::User::"bob" && context.args.x };',
      false,
    ],
    [
      'a forbid that does not depend on arguments',
      'permit(principal, action, resource); forbid(principal, action, resource) when { principal.depth == 0 };',
      false,
    ],
    [
      'a forbid that some arguments avoid',
      'permit(principal, action, resource); forbid(principal, action, resource) unless { context.args.x };',
      true,
    ],
    [
      'a permit that cannot be evaluated',
      'permit(principal, action, resource) when { principal.tenant == "x" };',
      true,
    ],
  ])('shows a tool exactly when some call of it could be permitted: %s', async (_, text, visible) => {
    expect(await policiesOf(policyOf(text)).isVisible(FACTS)).toBe(visible);
  });
});
