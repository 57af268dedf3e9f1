import { compliantIf, type Rule } from './rule.ts';
import { isObject, list, properties } from './template.ts';

export const sandboxIsConfined: Rule = {
  id: 'sandbox-is-confined',
  reason: 'Tools must run as an ordinary user without capabilities, on a root file system that they cannot change.',
  judge(resource) {
    if (resource.Type !== 'AWS::ECS::TaskDefinition') return 'not-applicable';
    const containers = list(properties(resource)['ContainerDefinitions']);
    return compliantIf(containers.length > 0 && containers.every(isConfined));
  },
};

function isConfined(container: unknown): boolean {
  if (!isObject(container)) return false;
  const { User, ReadonlyRootFilesystem, LinuxParameters } = container;
  const capabilities = isObject(LinuxParameters) ? LinuxParameters['Capabilities'] : undefined;
  const dropsAll =
    isObject(capabilities) && list(capabilities['Drop']).includes('ALL') && list(capabilities['Add']).length === 0;
  const isRoot = typeof User !== 'string' || /^(root|0)(:|$)/.test(User);
  return !isRoot && ReadonlyRootFilesystem === true && dropsAll;
}
