import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, onTestFinished, test } from 'vitest';
import { Brainstem } from '#infra/brainstem.ts';
import { DesignRules } from '#infra/rules/design-rules.ts';
import {
  allowed,
  allows,
  entryWithRole,
  list,
  type PolicyStatement,
  properties,
  target,
  type Template,
} from '#infra/rules/template.ts';

const PLACE = ':secretsmanager:eu-central-1:123456789012:secret:';

/** The rights of each entry's role in a stack with the customer's model key, after every validation. */
function rightsWith(modelApiKey: (stack: Stack) => ISecret): (entry: string) => readonly PolicyStatement[] {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-key-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const app = new App({ outdir });
  const stack = new Stack(app, 'Own', { env: { account: '123456789012', region: 'eu-central-1' } });
  new Brainstem(stack, 'Agents', { model: { provider: 'anthropic', apiKey: modelApiKey(stack) } });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new DesignRules());
  app.synth();
  const template = JSON.parse(readFileSync(join(outdir, 'Own.template.json'), 'utf8')) as Template;
  return (entry) =>
    Object.values(template.Resources)
      .filter(({ Type }) => Type === 'AWS::IAM::Policy')
      .filter((policy) =>
        list(properties(policy)['Roles']).some((role) => entryWithRole(template, target(role)) === entry),
      )
      .flatMap(allowed);
}

const about = (statements: readonly PolicyStatement[], action: string) =>
  statements.filter((statement) => allows(statement, action)).map(({ Resource }) => JSON.stringify(Resource));

test('the harness may read a model key that is given by its name, with the six characters that end the ARN', () => {
  const rights = rightsWith((stack) => Secret.fromSecretNameV2(stack, 'Key', 'models/anthropic'));
  const [readable, ...others] = about(rights('harness'), 'secretsmanager:GetSecretValue');
  expect(readable).toContain(`${PLACE}models/anthropic-??????`);
  expect(others).toEqual([]);
  expect(about(rights('api'), 'secretsmanager:GetSecretValue')).toEqual([]);
});

test('the harness may read a model key that is given by a partial ARN', () => {
  const partial = `arn:aws${PLACE}models/anthropic`;
  const rights = rightsWith((stack) => Secret.fromSecretPartialArn(stack, 'Key', partial));
  expect(about(rights('harness'), 'secretsmanager:GetSecretValue')).toEqual([`["${partial}-??????"]`]);
});

test('the harness may decrypt a model key under the customer’s KMS key through Secrets Manager only', () => {
  const keyArn = 'arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555';
  const rights = rightsWith((stack) =>
    Secret.fromSecretAttributes(stack, 'Key', {
      secretCompleteArn: `arn:aws${PLACE}models/anthropic-AbCdEf`,
      encryptionKey: Key.fromKeyArn(stack, 'Customers', keyArn),
    }),
  );
  const opening = rights('harness').filter((statement) => allows(statement, 'kms:Decrypt'));
  expect(opening).toMatchObject([
    {
      Resource: [keyArn],
      Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.eu-central-1.amazonaws.com' } },
    },
  ]);
});
