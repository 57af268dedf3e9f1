import { SANDBOX_PORT } from '#contract/hands.ts';
import { compliantIf, type Rule } from './rule.ts';
import { functionOf, isObject, list, properties, type Resource, settingOf, target, type Template } from './template.ts';

const HTTPS = 443;

export const sandboxIsCalledByExecuteOnly: Rule = {
  id: 'sandbox-is-called-by-execute-only',
  reason:
    'A sandbox is untrusted: only execute may call it, and it may call only the endpoints through which it starts.',
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
    egress.every((rule) => isTcp(rule, HTTPS))
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

function source(rule: unknown): string | undefined {
  return isObject(rule) && rule['CidrIp'] === undefined ? target(rule['SourceSecurityGroupId']) : undefined;
}
