import { compliantIf, type Rule } from './rule.ts';
import { isObject, isProxyDefinition, list, properties } from './template.ts';

export const sandboxHoldsNoSecret: Rule = {
  id: 'sandbox-holds-no-secret',
  reason:
    'The agent’s tools can read every setting and secret of their container. The egress proxy has settings, which the template shows, and reads secrets through its role only.',
  judge(resource, template) {
    if (resource.Type !== 'AWS::ECS::TaskDefinition') return 'not-applicable';
    const containers = list(properties(resource)['ContainerDefinitions']);
    const kinds = [...SECRETS, ...(isProxyDefinition(resource, template) ? [] : ['Environment'])];
    return compliantIf(containers.every((container) => isObject(container) && !has(container, kinds)));
  },
};

const SECRETS = ['Secrets', 'EnvironmentFiles'];

function has(container: Readonly<Record<string, unknown>>, kinds: readonly string[]): boolean {
  return kinds.some((name) => list(container[name]).length > 0);
}
