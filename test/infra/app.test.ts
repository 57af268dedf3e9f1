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
import { synthesize } from './synthesized.ts';

function appWithStack() {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-app-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const app = brainstemApp({ outdir });
  const stack = app.node.findChild('Brainstem') as Stack;
  return { app, stack };
}

test('options of a deployment without Docker, for a short time, into a place without saved queries', () => {
  const imageUri = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/sandbox:1';
  const { template, assets } = synthesize({ sandboxImage: imageUri, removalPolicy: 'destroy', savedQueries: 'no' });
  const resources = Object.values(template.Resources);
  expect(assets.dockerImages).toEqual({});
  expect(JSON.stringify(resources.find(({ Type }) => Type === 'AWS::ECS::TaskDefinition'))).toContain(imageUri);
  expect(JSON.stringify(resources)).toContain(':ecr:eu-west-1:123456789012:repository/sandbox');
  expect(resources.filter(({ Type }) => Type === 'AWS::Logs::QueryDefinition')).toEqual([]);
  const kept = resources.filter((resource) => 'DeletionPolicy' in resource && resource.DeletionPolicy === 'Retain');
  expect(kept.map(({ Type }) => Type).toSorted()).toEqual(['AWS::ApiGateway::Account', 'AWS::IAM::Role']);
});

test('a removal policy that does not exist is refused by name', () => {
  expect(() => brainstemApp({ context: { removalPolicy: 'keep' } })).toThrow(
    'Context removalPolicy must be retain or destroy',
  );
});

test('a store for OAuth tokens that does not exist is refused by name', () => {
  expect(() => brainstemApp({ context: { oauthTokens: 'dynamodb' } })).toThrow(
    'Context oauthTokens must be secrets-manager or dynamodb-kms',
  );
});

test.each(['0', '1.5', 'many', '1000001'])('a rate limit of %s is refused by name', (createsPerMinute) => {
  expect(() => brainstemApp({ context: { createsPerMinute } })).toThrow(
    'createsPerMinute must be an integer from 1 to 1000000',
  );
});

test('where packages come from is refused by the field’s name when it is no address, and never holds anything else', () => {
  const app = (packages: unknown) => () => brainstemApp({ context: { packages } });
  expect(app('{"npmRegistry":"nowhere"}')).toThrow('Context packages.npmRegistry: ');
  expect(app({ npmToken: 'secret' })).toThrow('Context packages.npmToken: is not a known field');
  expect(app({ goProxy: 'https://me:secret@go.example,direct' })).toThrow(
    'Context packages.goProxy: must hold no user',
  );
});

test.each([
  ['"login"', 'Context connect: expected object, received string'],
  ['{"clientId":"brainstem"}', 'Context connect.issuer: '],
  ['{"issuer":', 'Context connect must be JSON'],
])('connect as %s is refused by option, path and rule', (connect, words) => {
  expect(() => brainstemApp({ context: { connect } })).toThrow(words);
});

test('an option that is refused is told in one line, without a stack', () => {
  const child = spawnSync(process.execPath, [join(import.meta.dirname, '../../infra/app.ts')], {
    env: { ...process.env, CDK_CONTEXT_JSON: JSON.stringify({ connect: 'login' }) },
    encoding: 'utf8',
  });
  expect(child).toMatchObject({ status: 1, stderr: 'Context connect must be JSON\n' });
});

test('a construct of one’s own is told the same of its sources', () => {
  const { stack } = appWithStack();
  const packages = { pipIndexUrl: 'https://me:secret@pip.example/simple' };
  const make = () => new Brainstem(stack, 'Mine', { packages, setAccountLogRole: false });
  expect(make).toThrow('packages.pipIndexUrl: must hold no user and no password');
});

test('a right that AwsSolutions finds too wide stops synthesis until it is acknowledged', () => {
  const { app, stack } = appWithStack();
  const role = new Role(stack, 'Wide', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  role.addToPolicy(new PolicyStatement({ actions: ['s3:*'], resources: ['arn:aws:s3:::somebody-elses'] }));
  expect(() => app.synth()).toThrow('AwsSolutions-IAM5[Action::s3:*]');
});

test('a template that breaks one of our own rules is not synthesized', () => {
  const { app, stack } = appWithStack();
  new LogGroup(stack, 'ForEver', { retention: RetentionDays.INFINITE });
  expect(() => app.synth()).toThrow('brainstem-design::log-group-expires');
});

test('the construct fits an app of one’s own, in a stack whose account and Region are known', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'brainstem-own-'));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const app = new App({ outdir });
  const stack = new Stack(app, 'Own', { env: { account: '123456789012', region: 'eu-central-1' } });
  new Brainstem(stack, 'Agents', { reservedConcurrency: { stream: 200, harness: 100 }, setAccountLogRole: false });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new DesignRules());
  const assembly = app.synth();
  expect(assembly.manifest.missing).toBeUndefined();
});
