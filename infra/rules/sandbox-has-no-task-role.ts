import { compliantIf, type Rule } from './rule.ts';
import { properties } from './template.ts';

export const sandboxHasNoTaskRole: Rule = {
  id: 'sandbox-has-no-task-role',
  reason: 'A task role puts AWS credentials within reach of the agent’s tools.',
  judge(resource) {
    if (resource.Type !== 'AWS::ECS::TaskDefinition') return 'not-applicable';
    return compliantIf(properties(resource)['TaskRoleArn'] === undefined);
  },
};
