import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPolicyCheck } from '#aws/policy/policy-check.cedar.ts';
import { guarded, isCurrent, loadCedar } from '#aws/policy/cedar-module.ts';
import { limitBroken } from '#core/policy/text-limits.ts';
import { FACTS, PAY, policiesOf, policyOf, REFUND } from '#test/functions/core/policy/facts.ts';
import { propertyRuns } from '#test/property-runs.ts';

const policy = (condition: string) => `permit(principal, action, resource) when { ${condition} };`;
const around = (open: string, inner: string, close: string) => (n: number) =>
  policy(open.repeat(n) + inner + close.repeat(n));
const chain = (one: string, operator: string, end = '') => {
  return (n: number) => policy(Array.from({ length: n + 1 }, () => one).join(operator) + end);
};
const X = 'context.args.amount';

/** Every way to make an expression deeper by each of `n`. */
const DEEPER: Readonly<Record<string, (n: number) => string>> = {
  or: chain(`${X} == 1`, ' || '),
  and: chain(`${X} == 1`, '&&'),
  'or and and': chain('true && false', ' || '),
  'or of groups': chain('(true && (1 == 1))', ' || '),
  plus: chain('1', ' + ', ' > 0'),
  minus: chain('1', '-', ' > 0'),
  times: chain('2', ' * ', ' > 0'),
  attributes: (n) => policy(`true || context${'.then'.repeat(n)} == 1`),
  indexes: (n) => policy(`true || context${'["a"]'.repeat(n)} == 1`),
  methods: (n) => policy(`true || ${X}${'.isEmpty()'.repeat(n)}`),
  'else if': around('if false then true else ', 'true', ''),
  'if in then': around('if true then (', 'true', ') else false'),
  'if in if': around('if (', 'true', ') then true else false'),
  'if in then without brackets': around('if true then ', 'true', ' else false'),
  parentheses: around('(', 'true', ')'),
  'parentheses with comments': around('(//\n', 'true', ')'),
  not: around('!(', 'true', ')'),
  minuses: around('-(', '1', ') != 3'),
  sets: around('[', '1', '] == 1'),
  records: around('{a: ', '1', '} == 1'),
  functions: around('decimal(', '"1.0"', ') == decimal("1.0")'),
  contains: around('[', '1', '].contains(1)'),
  'or to the right': around('false || (', 'true', ')'),
  unless: (n) => `permit(principal, action, resource)${' unless { false }'.repeat(n)};`,
  when: (n) => `permit(principal, action, resource)${' when { true }'.repeat(n)};`,
  is: chain('(principal is MA::Session in MA::Workspace::"w")', ' || '),
  'after a text': (n) =>
    `@note("(((\\"// ") ${policy('(resource.host == "//" || '.repeat(n) + 'true' + ')'.repeat(n))}`,
  'after an open text': (n) => `${around('(', 'true', ')')(n)} @a("${'('.repeat(n)}`,
};

async function pass(text: string) {
  const cedar = await loadCedar();
  await createPolicyCheck().check(text, [{ url: PAY, tool: REFUND }]);
  const { decide, isVisible } = policiesOf(policyOf(text));
  await decide(FACTS, { amount: 1, note: 'x' });
  await isVisible(FACTS);
  return isCurrent(cedar) ? 'passed' : 'exhausted Cedar';
}

describe('a policy that is made deeper and deeper by', () => {
  it.each(Object.entries(DEEPER))('%s is refused long before it exhausts Cedar', async (_way, deeper) => {
    let most = 0;
    while (limitBroken(deeper(most + 1)) === null) most += 1;
    expect(most).toBeGreaterThanOrEqual(12);
    expect(most).toBeLessThanOrEqual(80);
    expect(limitBroken(deeper(5000))?.message).toMatch(/at most (?:24 deep|80 operators deep)/);
    expect(await pass(deeper(most))).toBe('passed');
  });

  it('any mixture of all ways never exhausts Cedar when it is not refused', async () => {
    const { Expression } = fc.letrec<{ Expression: string }>((tie) => ({
      Expression: fc.oneof(
        { maxDepth: 12, withCrossShrink: true },
        fc.constantFrom('true', X, '"(\\""', '1', 'context.call.hints', '[]'),
        fc
          .tuple(tie('Expression'), fc.constantFrom('||', '&&', '==', '+', '*', ' in '), tie('Expression'))
          .map((all) => all.join(' ')),
        fc
          .tuple(fc.constantFrom('(', '!(', '[', '-(', 'if (', '{a: '), tie('Expression'), fc.nat(7))
          .map(([open, inner, n]) => {
            const close = open === '[' ? ']' : open === '{a: ' ? '}' : open === 'if (' ? ') then true else false' : ')';
            return open.repeat(n + 1) + inner + close.repeat(n + 1);
          }),
        fc.tuple(tie('Expression'), fc.nat(30)).map(([inner, n]) => `${inner}${' || true'.repeat(n)}`),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(fc.array(Expression, { minLength: 1, maxLength: 3 }), async (conditions) => {
        const text = conditions.map(policy).join('\n');
        if (limitBroken(text) === null) expect(await pass(text)).toBe('passed');
      }),
      { numRuns: propertyRuns(100) },
    );
  });
});

describe('a text of policies', () => {
  it.each([
    ['many policies', Array.from({ length: 1000 }, () => policy('true && false || true')).join('\n')],
    ['a set of many values', policy(`[${Array.from({ length: 5000 }, (_, at) => at).join(', ')}].contains(${X})`)],
    ['many actions', `permit(principal, action in [${'MA::Action::"a", '.repeat(500)}MA::Action::"b"], resource);`],
    ['a record of many fields', policy(`{${Array.from({ length: 500 }, (_, at) => `a${at}: 1`).join(', ')}} == ${X}`)],
    [
      'brackets and operators in texts and comments',
      `// ${'('.repeat(500)}\n${policy(`"${'(||'.repeat(500)}" == "\\"${'['.repeat(99)}"`)}`,
    ],
    [
      'a list of hosts',
      policy(Array.from({ length: 70 }, (_, at) => `resource.host like "*.h${at}.example.com"`).join(' || ')),
    ],
  ])('may have %s', (_what, text) => {
    expect(limitBroken(text)).toBeNull();
  });

  it('is told the limit, its place and what to write instead', async () => {
    const text = `${policy('true')}\n${DEEPER['or']?.(100)}`;
    const { problems } = await createPolicyCheck().check(text, []);
    expect(problems).toMatchObject([
      { at: { line: 2 }, message: expect.stringContaining('at most 80 operators deep: write') },
    ]);
    expect(limitBroken(DEEPER['sets']?.(25) ?? '')).toMatchObject({
      at: { line: 1 },
      message: expect.stringContaining('24 deep'),
    });
  });

  it('may have patterns that are matched in time against a long argument', async () => {
    const patterns = (chars: number) => policy(`context.args.note like "*${'a'.repeat(chars)}b"`);
    expect(limitBroken(patterns(2500) + patterns(2500))?.message).toContain('at most 4000 characters together');
    const { decide } = policiesOf(policyOf(patterns(3900)));
    const since = performance.now();
    await decide(FACTS, { amount: 1, note: 'a'.repeat(50_000) });
    expect(performance.now() - since).toBeLessThan(60_000);
  });
});

describe('a policy that exhausts Cedar all the same', () => {
  /** More than any limit allows: it stands for a fault of Cedar itself. */
  async function exhaust() {
    const cedar = await loadCedar();
    expect(() => guarded(() => cedar.policySetTextToParts(around('(', 'true', ')')(2000)))).toThrow(/./);
    expect(isCurrent(cedar)).toBe(false);
  }

  it('changes nothing for the calls, lists and policies of others', async () => {
    const permits = policiesOf(policyOf(policy(`${X}.lessThan(decimal("100.0"))`)));
    const decisions = async () => [
      (await permits.decide(FACTS, { amount: 1.5 })).code,
      (await permits.decide(FACTS, { amount: 200.5 })).code,
      await permits.isVisible(FACTS),
      (await createPolicyCheck().check(policy('true'), [])).problems.length,
    ];
    const before = await decisions();
    expect(before).toEqual(['permitted', 'no_matching_permit', true, 0]);
    await exhaust();
    expect(await decisions()).toEqual(before);
    await Promise.all([decisions(), exhaust(), decisions(), exhaust()]);
    expect(await decisions()).toEqual(before);
  });

  it('and was saved denies its own calls only when it is in force, and none in shadow mode', async () => {
    const text = DEEPER['or']?.(800) ?? '';
    const enforced = policiesOf(policyOf(text));
    expect(await enforced.decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny', code: 'evaluation_failed' });
    expect(await enforced.isVisible(FACTS)).toBe(false);
    const shadow = policiesOf(policyOf(text, { mode: 'shadow' }));
    expect(await shadow.decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'allow', code: 'would_deny' });
    expect(await shadow.isVisible(FACTS)).toBe(true);
    shadow.stored.document = policyOf(text);
    shadow.stored.nowMs = 10_000;
    expect(await shadow.decide(FACTS, { amount: 1 })).toMatchObject({ decision: 'deny' });
  });
});
