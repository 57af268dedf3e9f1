import * as z from 'zod';
import type { SchedulePart } from './parts.ts';
import { ACCOUNT, REGION } from './identities.ts';
import type { Stack } from './stack.ts';

const Rule = z.object({
  ScheduleExpression: z.string().optional(),
  State: z.string().default('ENABLED'),
  Targets: z.array(z.object({ Arn: z.string(), Input: z.string().optional() })).default([]),
});

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Enabled rules with a rate and functions as targets; one part per target. */
export function scheduleParts(stack: Stack): readonly SchedulePart[] {
  return stack.of(Rule, 'AWS::Events::Rule').flatMap(({ logicalId, name, arn, properties }) => {
    const { ScheduleExpression, State, Targets } = properties;
    if (ScheduleExpression === undefined || State !== 'ENABLED') return [];
    const everyMs = rateMs(ScheduleExpression);
    if (everyMs === null) throw new Error(`${logicalId}: only rate(…) schedules run here, not ${ScheduleExpression}`);
    return Targets.filter(({ Arn }) => Arn.startsWith('arn:aws:lambda:')).map(({ Arn, Input }) => ({
      name,
      everyMs,
      functionArn: Arn,
      input: Input === undefined ? scheduledEvent(arn) : JSON.parse(Input),
    }));
  });
}

function rateMs(expression: string): number | null {
  const [, count, unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const unitMs = UNIT_MS[unit];
  return unitMs === undefined ? null : Number(count) * unitMs;
}

/** What EventBridge sends when the rule gives no input of its own. */
function scheduledEvent(ruleArn: string): unknown {
  return {
    version: '0',
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: ACCOUNT,
    region: REGION,
    resources: [ruleArn],
    detail: {},
  };
}
