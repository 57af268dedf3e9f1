import { compliantIf, type Rule } from './rule.ts';
import {
  allowed,
  allows,
  entryWithRole,
  functionOf,
  list,
  type PolicyStatement,
  properties,
  secretName,
  setting,
  target,
  vaultSecrets,
} from './template.ts';

export const onlyHarnessReadsModelKey: Rule = {
  id: 'only-harness-reads-model-key',
  reason: 'Whoever reads the model’s key can spend on it.',
  judge(resource, template) {
    const reading = allowed(resource).filter((statement) => allows(statement, 'secretsmanager:GetSecretValue'));
    if (reading.length === 0) return 'not-applicable';
    const harness = functionOf(template, 'harness');
    const key = harness && setting(harness, 'MODEL_API_KEY_SECRET_ARN');
    // A harness that asks with its own role has no key that could be read.
    if (harness && key === undefined) return 'not-applicable';
    if (!reading.some((statement) => mayBe(statement, key, vaultSecrets(template)))) return 'compliant';
    const readers = list(properties(resource)['Roles']).map((role) => entryWithRole(template, target(role)));
    return compliantIf(readers.length > 0 && readers.every((entry) => entry === 'harness'));
  },
};

/** True unless every resource is certainly another one. */
function mayBe({ Resource }: PolicyStatement, key: unknown, ofVaults: string): boolean {
  return Resource.filter((one) => ofVaults === '' || secretName(one) !== `${ofVaults}*`).some(
    (one) => target(one) === undefined || key === undefined || JSON.stringify(one) === JSON.stringify(key),
  );
}
