import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createPolicyCheck } from '#aws/policy/policy-check.cedar.ts';
import { FACTS, PAY, policiesOf, policyOf, REFUND } from './facts.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../../docs/policies.md'), 'utf8');
const [, EXAMPLE = ''] = /```cedar\n([^`]+)```/.exec(PAGE) ?? [];

it('the policies in docs/policies.md pass the check and decide as their names say', async () => {
  const tools = [{ url: PAY, tool: REFUND }];
  expect(await createPolicyCheck().check(EXAMPLE, tools)).toEqual({ problems: [], unchecked: [] });
  const { decide } = policiesOf(policyOf(EXAMPLE));
  const child = { ...FACTS, thread: { ...FACTS.thread, isPrimary: false, depth: 1 } };
  expect(await decide(FACTS, { amount: 50 })).toMatchObject({ decision: 'allow', policyIds: ['small-refunds'] });
  expect(await decide(FACTS, { amount: 500 })).toMatchObject({ decision: 'ask', policyIds: ['big-refunds'] });
  expect(await decide({ ...FACTS, user: null }, { amount: 50 })).toMatchObject({ code: 'no_matching_permit' });
  expect(await decide(child, { amount: 50 })).toMatchObject({ decision: 'deny', policyIds: ['no-subagents'] });
});
