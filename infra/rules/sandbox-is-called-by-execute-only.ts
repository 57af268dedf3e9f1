import { EGRESS_PORT } from '#contract/egress.ts';
import { SANDBOX_PORT } from '#contract/hands.ts';
import { compliantIf, type Rule } from './rule.ts';
import {
  functionOf,
  isObject,
  list,
  mentions,
  properties,
  type Resource,
  settingOf,
  target,
  type Template,
} from './template.ts';

const HTTPS = 443;

export const sandboxIsCalledByExecuteOnly: Rule = {
  id: 'sandbox-is-called-by-execute-only',
  reason:
    'A sandbox is untrusted: only execute may call it, and it may call only the endpoints through which it starts, and the egress proxy.',
  judge(resource, template) {
    if (resource === sandboxGroup(template)) return compliantIf(isCalledByExecuteOnly(resource, template));
    // A separate resource can add a rule to a group, and the group does not show it.
    const outside = ['AWS::EC2::SecurityGroupIngress', 'AWS::EC2::SecurityGroupEgress'].includes(resource.Type);
    return outside ? 'not-compliant' : 'not-applicable';
  },
};

function isCalledByExecuteOnly(group: Resource, template: Template): boolean {
  const ingress = list(properties(group)['SecurityGroupIngress']);
  const egress = list(properties(group)['SecurityGroupEgress']);
  const callers = executeGroups(template);
  // A group without egress rules lets all traffic out.
  return (
    ingress.every((rule) => isTcp(rule, SANDBOX_PORT) && callers.includes(source(rule))) &&
    egress.length > 0 &&
    egress.every((rule) => isTcp(rule, HTTPS) || (isTcp(rule, EGRESS_PORT) && isToTheProxys(rule, template)))
  );
}

function sandboxGroup(template: Template): Resource | undefined {
  const id = target(settingOf(template, 'provision', 'SANDBOX_SECURITY_GROUP'));
  return id === undefined ? undefined : template.Resources[id];
}

function executeGroups(template: Template): readonly unknown[] {
  const execute = functionOf(template, 'execute');
  const network = execute && properties(execute)['VpcConfig'];
  return isObject(network) ? list(network['SecurityGroupIds']).map(target) : [];
}

function isTcp(rule: unknown, port: number): boolean {
  return isObject(rule) && rule['IpProtocol'] === 'tcp' && rule['FromPort'] === port && rule['ToPort'] === port;
}

/** Whether a rule is for the addresses of the proxy's VPC, and no more. */
function isToTheProxys(rule: unknown, template: Template): boolean {
  const subnets = mentions(settingOf(template, 'provision', 'EGRESS_SUBNETS'));
  const blocks = subnets.map((id) => {
    const vpc = template.Resources[target(propertiesOf(template.Resources[id])['VpcId']) ?? ''];
    return propertiesOf(vpc)['CidrBlock'];
  });
  return isObject(rule) && typeof rule['CidrIp'] === 'string' && blocks.includes(rule['CidrIp']);
}

function propertiesOf(resource: Resource | undefined) {
  return resource === undefined ? {} : properties(resource);
}

function source(rule: unknown): string | undefined {
  return isObject(rule) && rule['CidrIp'] === undefined ? target(rule['SourceSecurityGroupId']) : undefined;
}
