import { rmSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { readTemplate } from '#infra/local/template/read-template.ts';
import type { Template } from '#infra/local/template/parts.ts';
import { lambda, writeCdkOut } from '#test/infra/local/cdk-out.fixture.ts';

const PARAMETERS = { ModelBaseUrl: 'http://127.0.0.1:1' };
const dirs: string[] = [];

function read(
  resources: Readonly<Record<string, unknown>> = {},
  parameters: Record<string, string> = PARAMETERS,
): Template {
  const dir = writeCdkOut(resources);
  dirs.push(dir);
  return readTemplate(dir, parameters);
}

afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

test('a function part has its code folder, environment and role', () => {
  const harness = read().functions.find(({ logicalId }) => logicalId === 'Harness');
  expect(harness).toMatchObject({
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:Brainstem-Harness',
    handler: 'index.handler',
    timeoutMs: 30_000,
    memoryMb: 512,
    reserved: null,
    environment: { POWERTOOLS_SERVICE_NAME: 'harness', MODEL_BASE_URL: 'http://127.0.0.1:1' },
    roleArn: 'arn:aws:iam::000000000000:role/Brainstem-HarnessRole',
  });
  expect(harness?.codeDir).toMatch(/asset\.a{64}$/);
});

test('the internet access of a subnet follows from its route table', () => {
  const subnet = (VpcId: string) => ({ Type: 'AWS::EC2::Subnet', Properties: { VpcId } });
  const association = (SubnetId: string, RouteTableId: string) => ({
    Type: 'AWS::EC2::SubnetRouteTableAssociation',
    Properties: { SubnetId: { Ref: SubnetId }, RouteTableId: { Ref: RouteTableId } },
  });
  const route = (RouteTableId: string, DestinationCidrBlock: string, through: object) => ({
    Type: 'AWS::EC2::Route',
    Properties: { RouteTableId: { Ref: RouteTableId }, DestinationCidrBlock, ...through },
  });
  const gateway = { GatewayId: { Ref: 'Internet' } };
  const { subnets } = read({
    Internet: { Type: 'AWS::EC2::InternetGateway', Properties: {} },
    Nat: { Type: 'AWS::EC2::NatGateway', Properties: {} },
    ...Object.fromEntries(['Alone', 'Inside', 'Public', 'Behind'].map((name) => [name, subnet('vpc')])),
    ...Object.fromEntries(
      ['InsideTable', 'PublicTable', 'BehindTable'].map((id) => [id, { Type: 'AWS::EC2::RouteTable' }]),
    ),
    A: association('Inside', 'InsideTable'),
    B: association('Public', 'PublicTable'),
    C: association('Behind', 'BehindTable'),
    ToInside: route('InsideTable', '10.0.0.0/8', gateway),
    ToInternet: route('PublicTable', '0.0.0.0/0', gateway),
    ToNat: route('BehindTable', '0.0.0.0/0', { NatGatewayId: { Ref: 'Nat' } }),
  });
  expect(subnets.map(({ wayOut }) => wayOut)).toEqual([null, null, 'gateway', 'nat']);
});

test('a global table becomes the input of CreateTable', () => {
  const [table] = read().tables;
  expect(table?.ttlAttribute).toBe('expiresAt');
  expect(Object.keys(table?.createTable ?? {}).toSorted()).toEqual([
    'AttributeDefinitions',
    'BillingMode',
    'GlobalSecondaryIndexes',
    'KeySchema',
    'TableName',
  ]);
});

test('a role has the statements of its own and attached policies, and of AWS policies only logging', () => {
  const harness = read().roles.find(({ name }) => name === 'Brainstem-HarnessRole');
  expect(harness?.statements.map(({ actions }) => actions)).toEqual([
    ['dynamodb:GetItem'],
    ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
    ['dynamodb:UpdateItem'],
    ['s3:GetObject'],
  ]);
  expect(harness?.statements[2]?.conditions).toEqual({
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['sesn_*'] },
  });
});

test('a state machine has its substitutions filled in', () => {
  const [machine] = read().machines;
  expect(JSON.stringify(machine?.definition)).toContain(
    '"FunctionName":"arn:aws:lambda:us-east-1:000000000000:function:Brainstem-Execute"',
  );
  expect(JSON.stringify(machine?.definition)).not.toContain('${');
});

test('routes distinguish streamed and buffered methods', () => {
  expect(read().routes.map(({ method, path, transfer }) => [method, path, transfer])).toEqual([
    ['ANY', '/v1/{proxy+}', 'buffered'],
    ['GET', '/v1', 'stream'],
  ]);
});

test('a container knows the folder that its image is built from', () => {
  const [task] = read().tasks;
  expect(task).toMatchObject({ family: 'Sandbox', cpu: 1024, memoryMb: 2048 });
  expect(task?.arn).toBe('arn:aws:ecs:us-east-1:000000000000:task-definition/Sandbox:1');
  expect(task?.containers[0]).toMatchObject({ name: 'sandbox', port: 8080, user: 'agent' });
  expect(task?.containers[0]?.imageDir).toMatch(/asset\.b{64}$/);
});

test('schedules, custom resources and outputs are resolved, and resources with a false condition are left out', () => {
  const template = read();
  expect(template.schedules).toMatchObject([
    { everyMs: 60_000, functionArn: expect.stringContaining('Brainstem-Execute') },
  ]);
  expect(template.customResources.map(({ type }) => type)).toEqual(['Custom::FirstApiKey']);
  expect(template.customResources[0]?.properties).toEqual({ Secret: template.secrets[0]?.arn });
  expect(template.outputs['BaseUrl']).toMatch(/^https:\/\/\w+\.execute-api\.us-east-1\.amazonaws\.com\/live\/$/);
  expect(template.buckets.map(({ name }) => name)).toEqual(['brainstem-content']);
});

test('the same template has the same names each time', () => {
  const [first, second] = [read(), read()];
  expect(first.secrets).toEqual(second.secrets);
  expect(first.roles).toEqual(second.roles);
});

const machineSaying = (value: unknown): Record<string, unknown> => ({
  Probe: { Type: 'AWS::SecretsManager::Secret', Properties: { SecretString: value } },
});

test.each([
  [
    'Fn::Sub with variables',
    { 'Fn::Sub': ['${A}-${AWS::Region}-${!B}', { A: { Ref: 'AWS::AccountId' } }] },
    '000000000000-us-east-1-${B}',
  ],
  ['Fn::Sub with an attribute', { 'Fn::Sub': '${Content.Arn}/*' }, 'arn:aws:s3:::brainstem-content/*'],
  ['Fn::Select of Fn::Split', { 'Fn::Select': [1, { 'Fn::Split': ['-', 'a-b-c'] }] }, 'b'],
  ['Fn::Select of Fn::GetAZs', { 'Fn::Select': ['0', { 'Fn::GetAZs': '' }] }, 'us-east-1a'],
  ['Fn::If', { 'Fn::If': ['Elsewhere', 'there', 'here'] }, 'here'],
  ['a parameter', { Ref: 'ModelBaseUrl' }, 'http://127.0.0.1:1'],
  ['the bootstrap version', { Ref: 'BootstrapVersion' }, '/cdk-bootstrap/hnb659fds/version'],
])('%s is resolved', (_name, value, expected) => {
  const probe = read(machineSaying(value)).secrets.find(({ logicalId }) => logicalId === 'Probe');
  expect(probe?.value).toBe(expected);
});

test('AWS::NoValue removes the property', () => {
  const probe = read(machineSaying({ 'Fn::If': ['Elsewhere', 'x', { Ref: 'AWS::NoValue' }] }));
  expect(probe.secrets.find(({ logicalId }) => logicalId === 'Probe')?.value).toBeNull();
});

test.each([
  [
    'an unknown attribute',
    { 'Fn::GetAtt': ['Content', 'WebsiteURL'] },
    /^Probe: cannot resolve Fn::GetAtt Content\.WebsiteURL/,
  ],
  [
    'a resource that is missing',
    { Ref: 'Missing' },
    /^Probe: cannot resolve Missing: the template has no such resource/,
  ],
  ['an unknown function', { 'Fn::ImportValue': 'x' }, /^Probe: cannot resolve Fn::ImportValue/],
  ['an unknown type', { Ref: 'VpcDefault' }, /^Probe: cannot resolve VpcDefault: .*Custom::VpcRestrictDefaultSG/],
])('%s is an error that names the resource', (_name, value, message) => {
  expect(() => read(machineSaying(value))).toThrow(message);
});

test.each([
  [4096, null],
  [4097, 'Big: Lambda refuses environment variables of more than 4096 bytes: they have 4097'],
])('environment variables of %i bytes are refused as Lambda refuses them', (bytes, message) => {
  const filler = 'x'.repeat(bytes - '{"POWERTOOLS_SERVICE_NAME":"big","FILLER":""}'.length);
  const reading = () => read({ Big: lambda('big', 'HarnessRole', { FILLER: filler }) });
  if (message !== null) expect(reading).toThrow(message);
  else expect(reading().functions.length).toBeGreaterThan(1);
});

test('a parameter without a value is an error with its name', () => {
  expect(() => read({}, {})).toThrow(/^Harness: cannot resolve parameter ModelBaseUrl/);
});

test('a missing property is an error with the names of resource and property', () => {
  const broken = { Broken: { Type: 'AWS::StepFunctions::StateMachine', Properties: { DefinitionString: '{}' } } };
  expect(() => read(broken)).toThrow(/^Broken \(AWS::StepFunctions::StateMachine\): RoleArn/);
});
