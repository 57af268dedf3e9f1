import { compliantIf, type Rule } from './rule.ts';
import { allowed, allows, type PolicyStatement, properties, target, type Template } from './template.ts';

export const onlyExecutionRoleIsPassed: Rule = {
  id: 'only-execution-role-is-passed',
  reason: 'RunTask may name another task role, so a function that may pass a role can give it to a sandbox.',
  judge(resource, template) {
    const passing = allowed(resource).filter((statement) => allows(statement, 'iam:PassRole'));
    if (passing.length === 0) return 'not-applicable';
    return compliantIf(passing.every((statement) => passesExecutionRoleToEcs(statement, template)));
  },
};

function passesExecutionRoleToEcs({ Resource, Condition }: PolicyStatement, template: Template): boolean {
  const executionRoles = Object.values(template.Resources)
    .filter(({ Type }) => Type === 'AWS::ECS::TaskDefinition')
    .map((definition) => target(properties(definition)['ExecutionRoleArn']));
  const toEcs = Condition['StringEquals']?.['iam:PassedToService'] === 'ecs-tasks.amazonaws.com';
  return toEcs && Resource.every((role) => target(role) !== undefined && executionRoles.includes(target(role)));
}
