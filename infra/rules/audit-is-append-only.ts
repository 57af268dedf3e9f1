import { compliantIf, type Rule } from './rule.ts';
import { allowed, holdersOf, reachesTable, settingOf, target, type Template } from './template.ts';

/** The functions that act for users, tell what was done in a session, or change what decides about such acts. */
const WRITERS: readonly unknown[] = ['api', 'mcp-proxy', 'connect', 'egress'];

export const auditIsAppendOnly: Rule = {
  id: 'audit-is-append-only',
  reason: 'An audit trail proves nothing if a record can change, or if another function than its actor can write it.',
  judge(resource, template) {
    const onAudit = allowed(resource).filter((statement) => reachesTable(statement, auditTable(template)));
    if (onAudit.length === 0 || resource.Type === 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    const holders = holdersOf(resource, template);
    const mayWrite = holders.length > 0 && holders.every((holder) => WRITERS.includes(holder));
    const permitted = mayWrite ? ['dynamodb:Query', 'dynamodb:PutItem'] : ['dynamodb:Query'];
    return compliantIf(onAudit.flatMap(({ Action }) => Action).every((action) => permitted.includes(action)));
  },
};

function auditTable(template: Template): string | undefined {
  return target(settingOf(template, 'api', 'AUDIT_TABLE'));
}
