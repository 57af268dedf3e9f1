import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, onTestFinished, test } from 'vitest';
import { brainstemApp } from '#infra/app.ts';
import { Brainstem } from '#infra/brainstem.ts';
import { DesignRules } from '#infra/rules/design-rules.ts';
import { functionOf, properties } from '#infra/rules/template.ts';
import { buildOnce } from './built-modules.ts';
import { synthesize } from './synthesized.ts';

function appWithStack() {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-app-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  buildOnce();
  const app = brainstemApp({ outdir });
  const stack = app.node.findChild('Brainstem') as Stack;
  return { app, stack };
}

test('a deployment may use given images and delete its data with the stack', () => {
  const imageUri = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/sandbox:1';
  const proxyUri = imageUri.replace('sandbox', 'egress');
  const images = { 'sandbox.imageUri': imageUri, 'network.imageUri': proxyUri };
  const { template, assets } = synthesize({ ...images, removalPolicy: 'destroy' });
  const resources = Object.values(template.Resources);
  expect(assets.dockerImages).toEqual({});
  expect(JSON.stringify(resources.find(({ Type }) => Type === 'AWS::ECS::TaskDefinition'))).toContain(imageUri);
  expect(JSON.stringify(resources)).toContain(':ecr:eu-west-1:123456789012:repository/sandbox');
  expect(JSON.stringify(resources)).toContain(proxyUri);
  const kept = resources.filter((resource) => 'DeletionPolicy' in resource && resource.DeletionPolicy === 'Retain');
  expect(kept.map(({ Type }) => Type).toSorted()).toEqual(['AWS::ApiGateway::Account', 'AWS::IAM::Role']);
});

test('a refused option ends the app with one line and no stack trace', () => {
  const child = spawnSync(process.execPath, [join(import.meta.dirname, '../../infra/main.ts')], {
    env: { ...process.env, CDK_CONTEXT_JSON: JSON.stringify({ connect: 'login' }) },
    encoding: 'utf8',
  });
  expect(child).toMatchObject({ status: 1, stderr: 'Option connect must be an object\n' });
});

test('the construct refuses package sources by the same rules as the app', () => {
  const { stack } = appWithStack();
  const packages = { pipIndexUrl: 'https://me:secret@pip.example/simple' };
  const make = () => new Brainstem(stack, 'Mine', { packages });
  expect(make).toThrow('Option packages.pipIndexUrl must hold no user and no password');
});

test('a right that AwsSolutions finds too wide stops synthesis until it is acknowledged', () => {
  const { app, stack } = appWithStack();
  const role = new Role(stack, 'Wide', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  role.addToPolicy(new PolicyStatement({ actions: ['s3:*'], resources: ['arn:aws:s3:::another-bucket'] }));
  expect(() => app.synth()).toThrow('AwsSolutions-IAM5[Action::s3:*]');
});

test('a template that breaks a rule of infra/rules is not synthesized', () => {
  const { app, stack } = appWithStack();
  new LogGroup(stack, 'ForEver', { retention: RetentionDays.INFINITE });
  expect(() => app.synth()).toThrow('brainstem-design::log-group-expires');
});

test('the construct can be used in another app, in a stack with a known account and Region', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-own-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const app = new App({ outdir });
  const stack = new Stack(app, 'Own', { env: { account: '123456789012', region: 'eu-central-1' } });
  new Brainstem(stack, 'Agents', { maxOpenStreams: 200 });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new DesignRules());
  const assembly = app.synth();
  expect(assembly.manifest.missing).toBeUndefined();
  const { template } = assembly.getStackByName('Own');
  const stream = functionOf(template, 'stream') ?? { Type: '' };
  expect(properties(stream)['ReservedConcurrentExecutions']).toBe(200);
});
