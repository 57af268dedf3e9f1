import { compliantIf, type Rule } from './rule.ts';
import { isProxyDefinition, properties } from './template.ts';

export const sandboxHasNoTaskRole: Rule = {
  id: 'sandbox-has-no-task-role',
  reason: 'The agent’s tools could use the AWS credentials of a task role.',
  judge(resource, template) {
    if (resource.Type !== 'AWS::ECS::TaskDefinition') return 'not-applicable';
    return compliantIf(isProxyDefinition(resource, template) || properties(resource)['TaskRoleArn'] === undefined);
  },
};
