import { compliantIf, type Rule } from './rule.ts';
import { isObject, list, properties, settingOf, target } from './template.ts';

export const packageBuildAcceptsNoCalls: Rule = {
  id: 'package-build-accepts-no-calls',
  reason: 'A build of packages runs untrusted code and reaches the internet, so nothing may connect to it.',
  judge(resource, template) {
    const group = target(settingOf(template, 'provision', 'PACKAGES_SECURITY_GROUP'));
    if (group === undefined || resource !== template.Resources[group]) return 'not-applicable';
    const egress = list(properties(resource)['SecurityGroupEgress']);
    const isSandboxGroup = target(settingOf(template, 'provision', 'SANDBOX_SECURITY_GROUP')) === group;
    return compliantIf(
      !isSandboxGroup &&
        list(properties(resource)['SecurityGroupIngress']).length === 0 &&
        egress.length > 0 &&
        egress.every((rule) => isObject(rule) && rule['IpProtocol'] === 'tcp' && rule['FromPort'] === rule['ToPort']),
    );
  },
};
