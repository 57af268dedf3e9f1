import { compliantIf, type Rule } from './rule.ts';
import { allowed, holdersOf, reachesTable, settingOf, target, type Template } from './template.ts';

const APPEND_ONLY = ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'];

export const logIsAppendOnly: Rule = {
  id: 'log-is-append-only',
  reason:
    'The service rebuilds a session from its log, so entries must not change. Only the API deletes, and only whole sessions.',
  judge(resource, template) {
    const onLog = allowed(resource).filter((statement) => reachesTable(statement, logTable(template)));
    if (onLog.length === 0 || resource.Type === 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    const holders = holdersOf(resource, template);
    const isApi = holders.length === 1 && holders[0] === 'api';
    const permitted = isApi ? [...APPEND_ONLY, 'dynamodb:DeleteItem'] : APPEND_ONLY;
    return compliantIf(onLog.flatMap(({ Action }) => Action).every((action) => permitted.includes(action)));
  },
};

function logTable(template: Template): string | undefined {
  return target(settingOf(template, 'harness', 'LOG_TABLE'));
}
