import { compliantIf, type Rule } from './rule.ts';
import {
  allowed,
  allows,
  functionOf,
  holdersOf,
  type PolicyStatement,
  secretName,
  setting,
  target,
} from './template.ts';

export const onlyHarnessReadsModelKey: Rule = {
  id: 'only-harness-reads-model-key',
  reason: 'A function that reads the model’s key can spend money with it.',
  judge(resource, template) {
    const reading = allowed(resource).filter((statement) => allows(statement, 'secretsmanager:GetSecretValue'));
    if (reading.length === 0) return 'not-applicable';
    const harness = functionOf(template, 'harness');
    const key = harness && setting(harness, 'MODEL_API_KEY_SECRET_ARN');
    // A harness that asks the model with its own role has no key.
    if (harness && key === undefined) return 'not-applicable';
    if (!reading.some((statement) => mayBe(statement, key))) return 'compliant';
    const readers = holdersOf(resource, template);
    return compliantIf(readers.length > 0 && readers.every((entry) => entry === 'harness'));
  },
};

/** Whether a resource may be the key: anything that is not certainly another secret. */
function mayBe({ Resource }: PolicyStatement, key: unknown): boolean {
  return Resource.some((one) => {
    if (key === undefined || JSON.stringify(one) === JSON.stringify(key)) return true;
    return target(one) === undefined && !isAnother(secretName(one), key);
  });
}

/** Compares the literal part of the name. CloudFormation names a secret of the template without a slash. */
function isAnother(name: string, key: unknown): boolean {
  const [literal = ''] = name.split(/[*?]/);
  if (literal === '') return false;
  return target(key) === undefined ? !secretName(key).startsWith(literal) : literal.includes('/') || literal === name;
}
