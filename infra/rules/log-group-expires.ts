import { compliantIf, type Rule } from './rule.ts';
import { properties } from './template.ts';

export const logGroupExpires: Rule = {
  id: 'log-group-expires',
  reason: 'A log group without a retention period keeps its lines forever.',
  judge(resource) {
    if (resource.Type !== 'AWS::Logs::LogGroup') return 'not-applicable';
    return compliantIf(typeof properties(resource)['RetentionInDays'] === 'number');
  },
};
