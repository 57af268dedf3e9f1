/** The harness's rights and bundle for each model provider. Every validation is run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Brainstem } from '#infra/brainstem.ts';
import { onlyHarnessAsksTheModel } from '#infra/rules/only-harness-asks-the-model.ts';
import { onlyHarnessReadsModelKey } from '#infra/rules/only-harness-reads-model-key.ts';
import type { Rule } from '#infra/rules/rule.ts';
import { allowed, entryWithRole, functionOf, isObject, list, properties, target } from '#infra/rules/template.ts';
import { synthesize, type Synthesized } from '../synthesized.ts';

const WORKSPACE = 'wrkspc_01abc';

/** The harness's settings and rights for its model, which no other entry has. */
function modelOf({ template }: Synthesized) {
  const environment = properties(functionOf(template, 'harness') ?? { Type: '' })['Environment'];
  const variables = isObject(environment) && isObject(environment['Variables']) ? environment['Variables'] : {};
  const settings = Object.fromEntries(Object.entries(variables).filter(([name]) => name.startsWith('MODEL_')));
  const rights = Object.values(template.Resources)
    .filter(({ Type }) => Type === 'AWS::IAM::Policy')
    .filter((policy) =>
      list(properties(policy)['Roles']).some((one) => entryWithRole(template, target(one)) === 'harness'),
    )
    .flatMap(allowed)
    .filter(({ Action }) =>
      Action.some((action) => /^(secretsmanager|bedrock|aws-external-anthropic|kms)/.test(action)),
    )
    .map(({ Action, Resource }) => ({ actions: Action, on: Resource.map(inWords).toSorted() }));
  return {
    settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, inWords(value)])),
    rights,
  };
}

/** A joined text with its references in braces. */
function inWords(value: unknown): string {
  if (!isObject(value)) return String(value);
  if (typeof value['Ref'] === 'string') return `{${value['Ref'].replace('AWS::', '')}}`;
  return list(list(value['Fn::Join'])[1]).map(inWords).join('');
}

const keySecrets = ({ template }: Synthesized) =>
  Object.values(template.Resources).filter(
    (resource) => resource.Type === 'AWS::SecretsManager::Secret' && !properties(resource)['GenerateSecretString'],
  );
const verdicts = ({ judge }: Rule, { template }: Synthesized) =>
  new Set(Object.values(template.Resources).map((resource) => judge(resource, template)));

const SILENCE = { MODEL_SILENCE_SECONDS: '{"default":120,"models":{}}' };

describe('a stack with Amazon Bedrock as the model provider', () => {
  let stack: Synthesized;
  beforeAll(() => {
    stack = synthesize({ 'model.provider': 'bedrock' });
  });

  test('lets the harness stream answers from models of one maker, and tells it the endpoint', () => {
    expect(modelOf(stack)).toEqual({
      settings: {
        MODEL_BASE_URL: 'https://bedrock-runtime.{Region}.amazonaws.com',
        MODEL_REGION: '{Region}',
        ...SILENCE,
      },
      rights: [
        {
          actions: ['bedrock:InvokeModelWithResponseStream'],
          on: [
            'arn:{Partition}:bedrock:*::foundation-model/anthropic.*',
            'arn:{Partition}:bedrock:{Region}:{AccountId}:inference-profile/*.anthropic.*',
          ].toSorted(),
        },
      ],
    });
  });

  test('has no model key, no command to set one, and no other role that may invoke models', () => {
    expect(keySecrets(stack)).toEqual([]);
    expect(Object.keys(stack.template.Outputs)).not.toContain('SetModelApiKey');
    expect(Object.keys(stack.template.Parameters)).not.toContain('ModelBaseUrl');
    expect(verdicts(onlyHarnessAsksTheModel, stack)).toEqual(new Set(['compliant', 'not-applicable']));
    expect(verdicts(onlyHarnessReadsModelKey, stack)).toEqual(new Set(['not-applicable']));
  });

  test('has a harness bundle of at most 1,050 KB', () => {
    expect(stack.sizes['harness']).toBeLessThanOrEqual(1_050_000);
  });

  test('may use another Region for the model', () => {
    const { settings, rights } = modelOf(synthesize({ 'model.provider': 'bedrock', 'model.region': 'eu-west-1' }));
    expect(settings).toEqual({
      MODEL_BASE_URL: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
      MODEL_REGION: 'eu-west-1',
      ...SILENCE,
    });
    expect(rights[0]?.on).toContain('arn:{Partition}:bedrock:eu-west-1:{AccountId}:inference-profile/*.anthropic.*');
  });
});

describe('a stack with Claude Platform on AWS as the model provider', () => {
  let stack: Synthesized;
  beforeAll(() => {
    stack = synthesize({ 'model.provider': 'claude-platform-on-aws', 'model.workspaceId': WORKSPACE });
  });

  test('lets the harness send requests in one workspace, and tells it which', () => {
    expect(modelOf(stack)).toEqual({
      settings: {
        MODEL_BASE_URL: 'https://aws-external-anthropic.{Region}.api.aws',
        MODEL_REGION: '{Region}',
        MODEL_WORKSPACE_ID: WORKSPACE,
        ...SILENCE,
      },
      rights: [
        {
          actions: ['aws-external-anthropic:CreateInference'],
          on: [`arn:{Partition}:aws-external-anthropic:{Region}:{AccountId}:workspace/${WORKSPACE}`],
        },
      ],
    });
  });

  test('has no model key, and no other role that may send requests', () => {
    expect(keySecrets(stack)).toEqual([]);
    expect(verdicts(onlyHarnessAsksTheModel, stack)).toEqual(new Set(['compliant', 'not-applicable']));
  });

  test('has a harness bundle of at most 1,050 KB', () => {
    expect(stack.sizes['harness']).toBeLessThanOrEqual(1_050_000);
  });
});

test('a stack may reach Bedrock through a VPC endpoint', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-model-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const app = new App({ outdir });
  const stack = new Stack(app, 'Own');
  const agents = new Brainstem(stack, 'Agents', { model: { provider: 'bedrock', baseUrl: 'https://vpce.example' } });
  expect(agents.harness.modelApiKey).toBeNull();
  expect(JSON.stringify(app.synth().getStackByName('Own').template)).toContain(
    '"MODEL_BASE_URL":"https://vpce.example"',
  );
});

test('a stack may give single models more time to be silent', () => {
  const { settings } = modelOf(
    synthesize({ 'model.provider': 'bedrock', 'model.silenceSeconds': '60', 'model.silenceSecondsOf': '{"a":300}' }),
  );
  expect(settings).toMatchObject({ MODEL_SILENCE_SECONDS: '{"default":60,"models":{"a":300}}' });
});
