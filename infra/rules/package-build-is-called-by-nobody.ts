import { compliantIf, type Rule } from './rule.ts';
import { functionOf, isObject, list, properties, setting, target } from './template.ts';

export const packageBuildIsCalledByNobody: Rule = {
  id: 'package-build-is-called-by-nobody',
  reason: 'A build of packages runs strangers’ code with a way to the internet: nothing may come in on that way.',
  judge(resource, template) {
    const provision = functionOf(template, 'provision');
    const group = provision && target(setting(provision, 'PACKAGES_SECURITY_GROUP'));
    if (group === undefined || resource !== template.Resources[group]) return 'not-applicable';
    const egress = list(properties(resource)['SecurityGroupEgress']);
    const isSandboxGroup = provision && target(setting(provision, 'SANDBOX_SECURITY_GROUP')) === group;
    return compliantIf(
      !isSandboxGroup &&
        list(properties(resource)['SecurityGroupIngress']).length === 0 &&
        egress.length > 0 &&
        egress.every((rule) => isObject(rule) && rule['IpProtocol'] === 'tcp' && rule['FromPort'] === rule['ToPort']),
    );
  },
};
