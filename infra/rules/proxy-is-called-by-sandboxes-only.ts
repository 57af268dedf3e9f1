import { EGRESS_PORT } from '#contract/egress.ts';
import { compliantIf, type Rule } from './rule.ts';
import { isObject, list, properties, settingOf, target, type Template } from './template.ts';

export const proxyIsCalledBySandboxesOnly: Rule = {
  id: 'proxy-is-called-by-sandboxes-only',
  reason: 'The egress proxy has a public address and speaks to the internet, so it may take calls of sandboxes only.',
  judge(resource, template) {
    const group = groupOf(template, 'EGRESS');
    if (group === undefined || resource !== template.Resources[group]) return 'not-applicable';
    const sandboxes = groupOf(template, 'SANDBOX');
    const ingress = list(properties(resource)['SecurityGroupIngress']);
    const egress = list(properties(resource)['SecurityGroupEgress']);
    return compliantIf(
      sandboxes !== undefined &&
        sandboxes !== group &&
        ingress.every((rule) => isObject(rule) && isCall(rule) && caller(rule) === sandboxes) &&
        egress.length > 0 &&
        egress.every((rule) => isObject(rule) && rule['IpProtocol'] === 'tcp'),
    );
  },
};

function groupOf(template: Template, kind: string): string | undefined {
  return target(settingOf(template, 'provision', `${kind}_SECURITY_GROUP`));
}

function isCall(rule: Readonly<Record<string, unknown>>): boolean {
  return rule['IpProtocol'] === 'tcp' && rule['FromPort'] === EGRESS_PORT && rule['ToPort'] === EGRESS_PORT;
}

/** A rule names one source: a group, a block of addresses or a list of them. */
function caller({ SourceSecurityGroupId, CidrIp, CidrIpv6, SourcePrefixListId }: Readonly<Record<string, unknown>>) {
  const others = [CidrIp, CidrIpv6, SourcePrefixListId].some((other) => other !== undefined);
  return others ? undefined : target(SourceSecurityGroupId);
}
