import { compliantIf, type Rule } from './rule.ts';
import { isObject, list, properties } from './template.ts';

export const sandboxHoldsNoSecret: Rule = {
  id: 'sandbox-holds-no-secret',
  reason: 'The agent’s tools can read every setting and secret of their container.',
  judge(resource) {
    if (resource.Type !== 'AWS::ECS::TaskDefinition') return 'not-applicable';
    const containers = list(properties(resource)['ContainerDefinitions']);
    return compliantIf(containers.every((container) => isObject(container) && !hasSettings(container)));
  },
};

function hasSettings(container: Readonly<Record<string, unknown>>): boolean {
  return ['Secrets', 'Environment', 'EnvironmentFiles'].some((name) => list(container[name]).length > 0);
}
