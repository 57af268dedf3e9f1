import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, onTestFinished, test } from 'vitest';
import { Brainstem } from '#infra/brainstem.ts';
import type { ClaudeApi } from '#infra/options/model-options.ts';
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
import { buildOnce } from '../built-modules.ts';

const SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:models/anthropic-AbCdEf';

type Key = Pick<ClaudeApi, 'apiKeySecretArn' | 'apiKeyKmsKeyArn'>;

/** The rights of each entry's role in a stack with the customer's model key, after every validation. */
function rightsWith(key: (stack: Stack) => Key): (entry: string) => readonly PolicyStatement[] {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-key-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const app = new App({ outdir });
  const stack = new Stack(app, 'Own', { env: { account: '123456789012', region: 'eu-central-1' } });
  buildOnce();
  new Brainstem(stack, 'Agents', { model: { provider: 'anthropic', ...key(stack) } });
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

test('the harness alone may read a model key that is given by its ARN', () => {
  const rights = rightsWith(() => ({ apiKeySecretArn: SECRET_ARN }));
  expect(about(rights('harness'), 'secretsmanager:GetSecretValue')).toEqual([`["${SECRET_ARN}"]`]);
  expect(about(rights('api'), 'secretsmanager:GetSecretValue')).toEqual([]);
});

test('the harness may read a model key from a secret that the same app creates', () => {
  const rights = rightsWith((stack) => {
    const secret = new Secret(stack, 'Key');
    Validations.of(secret).acknowledge({ id: 'AwsSolutions-SMG4', reason: 'The provider issues the key.' });
    return { apiKeySecretArn: secret.secretArn };
  });
  expect(about(rights('harness'), 'secretsmanager:GetSecretValue')).toEqual([
    expect.stringMatching(/^\[\{"Ref":"Key\w+"\}\]$/),
  ]);
});

test('a model key that is given without the six characters that end its ARN is refused', () => {
  const byName = SECRET_ARN.replace(/-\w{6}$/, '');
  expect(() => rightsWith(() => ({ apiKeySecretArn: byName }))).toThrow(
    'Option model.apiKeySecretArn must be the whole',
  );
});

test('the harness may decrypt a model key under the customer’s KMS key through Secrets Manager only', () => {
  const keyArn = 'arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555';
  const rights = rightsWith(() => ({ apiKeySecretArn: SECRET_ARN, apiKeyKmsKeyArn: keyArn }));
  const opening = rights('harness').filter((statement) => allows(statement, 'kms:Decrypt'));
  expect(opening).toMatchObject([
    {
      Resource: [keyArn],
      Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.eu-central-1.amazonaws.com' } },
    },
  ]);
});
