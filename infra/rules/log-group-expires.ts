import { compliantIf, type Rule } from './rule.ts';
import { properties } from './template.ts';

export const logGroupExpires: Rule = {
  id: 'log-group-expires',
  reason: 'A log group keeps its lines for ever unless it is told not to.',
  judge(resource) {
    if (resource.Type !== 'AWS::Logs::LogGroup') return 'not-applicable';
    return compliantIf(typeof properties(resource)['RetentionInDays'] === 'number');
  },
};
