import { compliantIf, type Rule } from './rule.ts';
import { allowed, type PolicyStatement } from './template.ts';

export const endpointAdmitsOnlyNamedCalls: Rule = {
  id: 'endpoint-admits-only-named-calls',
  reason: 'An endpoint without a policy lets a sandbox with smuggled credentials write to any account.',
  judge(resource) {
    if (resource.Type !== 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    const statements = allowed(resource);
    return compliantIf(statements.length > 0 && statements.every(isBounded));
  },
};

/** A statement is bounded by the resources that it names, or by the account of its callers. */
function isBounded({ Action, Resource, Condition }: PolicyStatement): boolean {
  const ours = Condition['StringEquals']?.['aws:PrincipalAccount'] !== undefined;
  return !Action.includes('*') && (ours || (Resource.length > 0 && !Resource.includes('*')));
}
