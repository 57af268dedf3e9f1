import { START_SERVER } from '#contract/hands.ts';
import { compliantIf, type Rule } from './rule.ts';
import { isObject, list, properties } from './template.ts';

export const sandboxIsConfined: Rule = {
  id: 'sandbox-is-confined',
  reason:
    'Tools must run as an ordinary user without capabilities, on a root file system that they cannot change. Only the server of a sandbox may begin as root, with a command that leaves root at once.',
  judge(resource) {
    if (resource.Type !== 'AWS::ECS::TaskDefinition') return 'not-applicable';
    const containers = list(properties(resource)['ContainerDefinitions']);
    return compliantIf(containers.length > 0 && containers.every(isConfined));
  },
};

/** What the command that starts the server needs, and what passes signals on to it. */
const KEPT = ['KILL', 'SETGID', 'SETPCAP', 'SETUID'];
/** What a container of Docker, and so of Fargate, begins with. */
const GIVEN = [
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'NET_BIND_SERVICE', 'NET_RAW'],
  ...['SETFCAP', 'SYS_CHROOT', ...KEPT],
];

function isConfined(container: unknown): boolean {
  if (!isObject(container)) return false;
  const { User, Command, ReadonlyRootFilesystem, LinuxParameters } = container;
  const capabilities = isObject(LinuxParameters) ? LinuxParameters['Capabilities'] : undefined;
  if (!isObject(capabilities) || ReadonlyRootFilesystem !== true || list(capabilities['Add']).length > 0) return false;
  const drop = list(capabilities['Drop']);
  if (typeof User !== 'string') return false;
  if (!/^(root|0)(:|$)/.test(User)) return drop.includes('ALL');
  const leavesRoot = JSON.stringify(Command) === JSON.stringify(START_SERVER);
  return leavesRoot && GIVEN.every((capability) => KEPT.includes(capability) || drop.includes(capability));
}
