import { compliantIf, type Rule } from './rule.ts';
import { allowed, allows, type PolicyStatement, properties, proxyRole, target, type Template } from './template.ts';

export const onlyExecutionRoleIsPassed: Rule = {
  id: 'only-execution-role-is-passed',
  reason:
    'RunTask may name another task role, so a function that may pass a role can give it to a sandbox. The role of the egress proxy is the only one besides: it can ask the function egress, which answers for the task that has the token and the address.',
  judge(resource, template) {
    const passing = allowed(resource).filter((statement) => allows(statement, 'iam:PassRole'));
    if (passing.length === 0) return 'not-applicable';
    return compliantIf(passing.every((statement) => passesOwnRolesToEcs(statement, template)));
  },
};

function passesOwnRolesToEcs({ Resource, Condition }: PolicyStatement, template: Template): boolean {
  const roles = Object.values(template.Resources)
    .filter(({ Type }) => Type === 'AWS::ECS::TaskDefinition')
    .map((definition) => target(properties(definition)['ExecutionRoleArn']));
  const own = [...roles, proxyRole(template)];
  const toEcs = Condition['StringEquals']?.['iam:PassedToService'] === 'ecs-tasks.amazonaws.com';
  return toEcs && Resource.every((role) => target(role) !== undefined && own.includes(target(role)));
}
