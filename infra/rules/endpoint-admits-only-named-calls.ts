import { compliantIf, type Rule } from './rule.ts';
import { allowed, type PolicyStatement } from './template.ts';

export const endpointAdmitsOnlyNamedCalls: Rule = {
  id: 'endpoint-admits-only-named-calls',
  reason: 'An endpoint without a policy lets a sandbox write to any account, with credentials smuggled in.',
  judge(resource) {
    if (resource.Type !== 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    const statements = allowed(resource);
    return compliantIf(statements.length > 0 && statements.every(isBounded));
  },
};

/** Bounded by the resources it names, or by the account whose principals may call. */
function isBounded({ Action, Resource, Condition }: PolicyStatement): boolean {
  const ours = Condition['StringEquals']?.['aws:PrincipalAccount'] !== undefined;
  return !Action.includes('*') && (ours || (Resource.length > 0 && !Resource.includes('*')));
}
