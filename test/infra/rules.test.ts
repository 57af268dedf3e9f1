import { beforeAll, describe, expect, test } from 'vitest';
import { RULES } from '#infra/rules/rules.ts';
import { functionOf, type Template } from '#infra/rules/template.ts';
import { synthesize } from './synthesized.ts';

// The tests change templates in ways that no type describes.
// oxlint-disable-next-line typescript/no-explicit-any
type Draft = Record<string, any>;

interface Breakage {
  readonly what: string;
  readonly change: (resources: Draft, template: Template) => void;
}

const first = (resources: Draft, type: string): Draft => {
  const found = Object.values(resources).find((resource) => resource.Type === type);
  if (!found) throw new Error(`the template has no ${type}`);
  return found.Properties;
};
const changeDefinition = (resources: Draft, from: string, to: string): void => {
  const text = first(resources, 'AWS::StepFunctions::StateMachine').DefinitionString['Fn::Sub'];
  text[0] = text[0].replace(from, to);
};
const container = (resources: Draft): Draft => first(resources, 'AWS::ECS::TaskDefinition').ContainerDefinitions[0];
const definitionOf = (resources: Draft, container: string): Draft =>
  Object.values(resources).find(
    ({ Type, Properties }) =>
      Type === 'AWS::ECS::TaskDefinition' && Properties.ContainerDefinitions[0].Name === container,
  )?.Properties;
const proxyDefinition = (resources: Draft): Draft => definitionOf(resources, 'egress-proxy');
const proxyContainer = (resources: Draft): Draft => proxyDefinition(resources).ContainerDefinitions[0];
const proxyRole = (resources: Draft): Draft => ({ Ref: proxyDefinition(resources).TaskRoleArn['Fn::GetAtt'][0] });
const proxyPolicy = (resources: Draft): Draft =>
  Object.values(resources).find(
    ({ Type, Properties }) =>
      Type === 'AWS::IAM::Policy' && Properties.Roles.some((role: Draft) => role.Ref === proxyRole(resources).Ref),
  )?.Properties;
const buildContainer = (resources: Draft): Draft => {
  const definitions = Object.values(resources).filter(({ Type }) => Type === 'AWS::ECS::TaskDefinition');
  return definitions
    .map(({ Properties }) => Properties.ContainerDefinitions[0])
    .find(({ Name }) => Name === 'packages');
};
const groupOf = (resources: Draft, description: string): Draft => {
  const groups = Object.values(resources).filter(({ Type }) => Type === 'AWS::EC2::SecurityGroup');
  return groups.find(({ Properties }) => Properties.GroupDescription.startsWith(description)).Properties;
};
const sandboxGroup = (resources: Draft): Draft => groupOf(resources, 'Sandboxes');
const proxyGroup = (resources: Draft): Draft => groupOf(resources, 'The egress proxy');
const buildGroup = (resources: Draft): Draft => groupOf(resources, 'Builds');
/** The firewall of the resolver in the VPC of a security group. */
const firewall = (resources: Draft, groupIn: (resources: Draft) => Draft): Draft => {
  const vpc = JSON.stringify(groupIn(resources).VpcId);
  const ofType = (type: string): Draft[] =>
    Object.values(resources)
      .filter(({ Type }) => Type === `AWS::Route53Resolver::${type}`)
      .map(({ Properties }) => Properties);
  const inVpc = (one: Draft, property: string): boolean =>
    // An attribute and a reference name one VPC.
    JSON.stringify(one[property]).includes(/[A-Z]\w+Vpc\w*/.exec(vpc)?.[0] ?? 'none');
  const association = ofType('FirewallRuleGroupAssociation').find((one) => inVpc(one, 'VpcId'));
  const config = ofType('FirewallConfig').find((one) => inVpc(one, 'ResourceId'));
  const rules = resources[association?.FirewallRuleGroupId['Fn::GetAtt'][0]].Properties.FirewallRules;
  const [allowed, all] = rules.map((rule: Draft) => resources[rule.FirewallDomainListId['Fn::GetAtt'][0]].Properties);
  if (association === undefined || config === undefined) throw new Error('the VPC has no firewall');
  return { association, config, rules, allowed, all };
};
/** The sandboxes' VPC and one of its route tables. */
const confined = (resources: Draft): { readonly VpcId: unknown; readonly RouteTableId: unknown } => {
  const { VpcId } = sandboxGroup(resources);
  const [id] = Object.entries(resources).find(
    ([, { Type, Properties }]) =>
      Type === 'AWS::EC2::RouteTable' && JSON.stringify(Properties.VpcId) === JSON.stringify(VpcId),
  ) ?? ['none'];
  return { VpcId, RouteTableId: { Ref: id } };
};
const peering = (resources: Draft): Draft => first(resources, 'AWS::EC2::VPCPeeringConnection');
/** A route from the sandboxes' subnets. */
const routeOut = (resources: Draft): Draft => {
  const routes = Object.values(resources).filter(({ Type }) => Type === 'AWS::EC2::Route');
  const ofSandboxes = routes.find(
    ({ Properties }) => Properties.VpcPeeringConnectionId && Properties.DestinationCidrBlock === '10.1.0.0/16',
  );
  return ofSandboxes?.Properties;
};
const change = (template: Template, entry: string, name: string, value: unknown): void => {
  propertiesOf(template, entry).Environment.Variables[name] = value;
};
const egressArn = (template: Template): unknown => {
  const [id] = Object.entries(template.Resources).find(([, one]) => one === functionOf(template, 'egress')) ?? ['none'];
  return { 'Fn::GetAtt': [id, 'Arn'] };
};
const propertiesOf = (template: Template, entry: string): Draft => {
  const found = functionOf(template, entry)?.Properties;
  if (!found) throw new Error(`no function for the entry ${entry}`);
  return found;
};
const roleOf = (template: Template, entry: string): unknown => ({
  Ref: propertiesOf(template, entry).Role['Fn::GetAtt'][0],
});
const allow = (resources: Draft, role: unknown, Action: unknown, Resource: unknown, more: object = {}): void => {
  const statement = { Effect: 'Allow', Action, Resource, ...more };
  resources.Added = {
    Type: 'AWS::IAM::Policy',
    Properties: { Roles: [role], PolicyDocument: { Statement: [statement] } },
  };
};
const settingOf = (template: Template, entry: string, name: string): Draft =>
  propertiesOf(template, entry).Environment.Variables[name];
const tableArn = (template: Template): unknown => ({
  'Fn::GetAtt': [settingOf(template, 'harness', 'LOG_TABLE').Ref, 'Arn'],
});
const auditArn = (template: Template): unknown => ({
  'Fn::GetAtt': [settingOf(template, 'api', 'AUDIT_TABLE').Ref, 'Arn'],
});
const heads = (template: Template): unknown => ({
  'Fn::Join': ['', [{ 'Fn::GetAtt': [settingOf(template, 'sign-audit', 'AUDIT_HEADS_BUCKET').Ref, 'Arn'] }, '/*']],
});
const PUT = 'dynamodb:PutItem';
const vaultSecretsArn = (template: Template, suffix: string): unknown => {
  const [separator, parts] = settingOf(template, 'api', 'SECRETS_PREFIX')['Fn::Join'];
  return { 'Fn::Join': [separator, [...parts.slice(0, -1), `${parts.at(-1)}${suffix}`]] };
};
const executionRole = (resources: Draft): unknown => first(resources, 'AWS::ECS::TaskDefinition').ExecutionRoleArn;
const passedTo = (service: string) => ({ Condition: { StringEquals: { 'iam:PassedToService': service } } });

const BREAKAGES: Readonly<Record<string, readonly Breakage[]>> = {
  'sandbox-has-no-task-role': [
    { what: 'a task role', change: (r) => (first(r, 'AWS::ECS::TaskDefinition').TaskRoleArn = executionRole(r)) },
    {
      what: 'a task role of a build',
      change: (r) => (definitionOf(r, 'packages').TaskRoleArn = proxyDefinition(r).TaskRoleArn),
    },
    {
      what: 'a sandbox from the definition of the proxy',
      change: (_r, t) =>
        change(t, 'provision', 'SANDBOX_TASK_DEFINITION', settingOf(t, 'provision', 'EGRESS_TASK_DEFINITION')),
    },
  ],
  'sandbox-holds-no-secret': [
    { what: 'a secret', change: (r) => (container(r).Secrets = [{ Name: 'TOKEN', ValueFrom: 'arn' }]) },
    { what: 'a secret of the build', change: (r) => (buildContainer(r).Secrets = [{ Name: 'T', ValueFrom: 'arn' }]) },
    { what: 'a setting', change: (r) => (container(r).Environment = [{ Name: 'TOKEN', Value: 'x' }]) },
    { what: 'a secret of the proxy', change: (r) => (proxyContainer(r).Secrets = [{ Name: 'T', ValueFrom: 'arn' }]) },
  ],
  'sandbox-is-confined': [
    { what: 'another command as root', change: (r) => (container(r).Command = ['node', '/opt/brainstem/server.mjs']) },
    { what: 'the image’s command as root', change: (r) => delete container(r).Command },
    { what: 'more capabilities', change: (r) => (container(r).LinuxParameters.Capabilities.Drop = ['NET_RAW']) },
    { what: 'root in the build', change: (r) => (buildContainer(r).User = '0:0') },
    { what: 'no user, which is root', change: (r) => delete container(r).User },
    { what: 'the proxy as root', change: (r) => (proxyContainer(r).User = '0:0') },
    { what: 'a writable root', change: (r) => (container(r).ReadonlyRootFilesystem = false) },
    {
      what: 'capabilities',
      change: (r) => (container(r).LinuxParameters.Capabilities = { Add: ['SYS_PTRACE'], Drop: ['ALL'] }),
    },
  ],
  'sandbox-is-called-by-execute-only': [
    {
      what: 'a caller from anywhere',
      change: (r) =>
        sandboxGroup(r).SecurityGroupIngress.push({
          IpProtocol: 'tcp',
          FromPort: 8080,
          ToPort: 8080,
          CidrIp: '10.0.0.0/8',
        }),
    },
    { what: 'a second port', change: (r) => (sandboxGroup(r).SecurityGroupIngress[0].ToPort = 9090) },
    {
      what: 'another way out',
      change: (r) => (sandboxGroup(r).SecurityGroupEgress = [{ IpProtocol: '-1', CidrIp: '0.0.0.0/0' }]),
    },
    { what: 'no egress rule, which is every way out', change: (r) => (sandboxGroup(r).SecurityGroupEgress = []) },
    {
      what: 'a way to the proxy and beyond',
      change: (r) => (sandboxGroup(r).SecurityGroupEgress[1].CidrIp = '0.0.0.0/0'),
    },
    {
      what: 'a way to more of the network',
      change: (r) => (sandboxGroup(r).SecurityGroupEgress[1].CidrIp = '10.0.0.0/8'),
    },
    { what: 'more ports of the proxy', change: (r) => (sandboxGroup(r).SecurityGroupEgress[1].ToPort = 4000) },
    {
      what: 'a rule outside its group',
      change: (r) => (r.Added = { Type: 'AWS::EC2::SecurityGroupIngress', Properties: {} }),
    },
  ],
  'nothing-leaves-the-vpc': [
    { what: 'a NAT gateway', change: (r) => (r.Added = { Type: 'AWS::EC2::NatGateway' }) },
    { what: 'a route of no table', change: (r) => (r.Added = { Type: 'AWS::EC2::Route' }) },
    {
      what: 'a route out of the sandboxes’ subnets',
      change: (r) => (first(r, 'AWS::EC2::Route').RouteTableId = confined(r).RouteTableId),
    },
    {
      what: 'an internet gateway at the sandboxes’ VPC',
      change: (r) => (first(r, 'AWS::EC2::VPCGatewayAttachment').VpcId = confined(r).VpcId),
    },
    {
      what: 'a sandbox in the builds’ subnets',
      change: (_r, t) =>
        (propertiesOf(t, 'provision').Environment.Variables.SANDBOX_SUBNETS = settingOf(
          t,
          'provision',
          'PACKAGES_SUBNETS',
        )),
    },
    {
      what: 'a function in the builds’ subnets',
      change: (_r, t) =>
        (propertiesOf(t, 'execute').VpcConfig.SubnetIds = settingOf(t, 'provision', 'PACKAGES_SUBNETS')['Fn::Join'][1]),
    },
    {
      what: 'subnets of builds that are not known',
      change: (_r, t) => delete propertiesOf(t, 'provision').Environment.Variables.PACKAGES_SUBNETS,
    },
    ...[sandboxGroup, buildGroup].flatMap((groupIn): Breakage[] => [
      {
        what: 'a resolver without a firewall',
        change: (r) => (firewall(r, groupIn).association.VpcId = 'vpc-of-others'),
      },
      { what: 'a firewall that fails open', change: (r) => (firewall(r, groupIn).config.FirewallFailOpen = 'ENABLED') },
      { what: 'a firewall that may fail open', change: (r) => (firewall(r, groupIn).config.ResourceId = 'vpc-others') },
      { what: 'a firewall that blocks a part', change: (r) => (firewall(r, groupIn).all.Domains = ['*.example.com']) },
      { what: 'a firewall that only reports', change: (r) => (firewall(r, groupIn).rules[1].Action = 'ALERT') },
      { what: 'a firewall that blocks one type', change: (r) => (firewall(r, groupIn).rules[1].Qtype = 'TXT') },
      { what: 'every name', change: (r) => firewall(r, groupIn).allowed.Domains.push('*') },
      { what: 'names that are not known', change: (r) => (firewall(r, groupIn).rules[0].FirewallDomainListId = 'l') },
      { what: 'rules in the wrong order', change: (r) => (firewall(r, groupIn).rules[0].Priority = 3) },
      {
        what: 'a second group of rules',
        change: (r) =>
          (r.Added = {
            Type: 'AWS::Route53Resolver::FirewallRuleGroupAssociation',
            Properties: { ...firewall(r, groupIn).association, FirewallRuleGroupId: 'rslvr-frg-1', Priority: 100 },
          }),
      },
    ]),
    {
      what: 'a name of others in the sandboxes’ VPC',
      change: (r) => firewall(r, sandboxGroup).allowed.Domains.push('pypi.org'),
    },
    {
      what: 'a name that only ends like one of AWS',
      change: (r) =>
        firewall(r, sandboxGroup).allowed.Domains.push({ 'Fn::Join': ['', ['*.evil', { Ref: 'AWS::URLSuffix' }]] }),
    },
    {
      what: 'queries that are sent to another resolver',
      change: (r) => (r.Added = { Type: 'AWS::Route53Resolver::ResolverRuleAssociation', Properties: {} }),
    },
    {
      what: 'a route of the sandboxes to the internet',
      change: (r) => (routeOut(r).DestinationCidrBlock = '0.0.0.0/0'),
    },
    { what: 'a route to more than the proxy', change: (r) => (routeOut(r).DestinationCidrBlock = '10.0.0.0/8') },
    { what: 'a route with a second block', change: (r) => (routeOut(r).DestinationIpv6CidrBlock = '::/0') },
    { what: 'a route through a gateway too', change: (r) => (routeOut(r).GatewayId = 'igw-1') },
    { what: 'a route through a peering of others', change: (r) => (routeOut(r).VpcPeeringConnectionId = 'pcx-1') },
    { what: 'a peering with a VPC of others', change: (r) => (peering(r).PeerVpcId = 'vpc-1') },
    { what: 'a peering from elsewhere', change: (r) => (peering(r).VpcId = 'vpc-1') },
    { what: 'a peering with another account', change: (r) => (peering(r).PeerOwnerId = '123456789012') },
    {
      what: 'a second peering of the sandboxes',
      change: (r) =>
        (r.Added = {
          Type: 'AWS::EC2::VPCPeeringConnection',
          Properties: { ...peering(r), PeerVpcId: buildGroup(r).VpcId },
        }),
    },
    {
      what: 'a sandbox in the proxy’s subnets',
      change: (_r, t) => change(t, 'provision', 'SANDBOX_SUBNETS', settingOf(t, 'provision', 'EGRESS_SUBNETS')),
    },
    {
      what: 'a function in the proxy’s subnets',
      change: (_r, t) =>
        (propertiesOf(t, 'execute').VpcConfig.SubnetIds = settingOf(t, 'provision', 'EGRESS_SUBNETS')['Fn::Join'][1]),
    },
    {
      what: 'subnets of the proxy that are not known',
      change: (_r, t) => delete propertiesOf(t, 'provision').Environment.Variables.EGRESS_SUBNETS,
    },
    { what: 'public addresses', change: (r) => (first(r, 'AWS::EC2::Subnet').MapPublicIpOnLaunch = true) },
  ],
  'proxy-is-called-by-sandboxes-only': [
    {
      what: 'a caller from anywhere',
      change: (r) =>
        proxyGroup(r).SecurityGroupIngress.push({
          IpProtocol: 'tcp',
          FromPort: 3129,
          ToPort: 3129,
          CidrIp: '0.0.0.0/0',
        }),
    },
    { what: 'a second source', change: (r) => (proxyGroup(r).SecurityGroupIngress[0].CidrIp = '10.0.0.0/8') },
    { what: 'a source in IPv6', change: (r) => (proxyGroup(r).SecurityGroupIngress[0].CidrIpv6 = '::/0') },
    { what: 'a list of sources', change: (r) => (proxyGroup(r).SecurityGroupIngress[0].SourcePrefixListId = 'pl-1') },
    { what: 'no source', change: (r) => delete proxyGroup(r).SecurityGroupIngress[0].SourceSecurityGroupId },
    { what: 'more ports', change: (r) => (proxyGroup(r).SecurityGroupIngress[0].ToPort = 65_535) },
    { what: 'every protocol', change: (r) => (proxyGroup(r).SecurityGroupIngress[0].IpProtocol = '-1') },
    { what: 'no egress rule, which is every way out', change: (r) => (proxyGroup(r).SecurityGroupEgress = []) },
    { what: 'every protocol out', change: (r) => (proxyGroup(r).SecurityGroupEgress[0].IpProtocol = '-1') },
    {
      what: 'the group of the sandboxes',
      change: (_r, t) =>
        change(t, 'provision', 'EGRESS_SECURITY_GROUP', settingOf(t, 'provision', 'SANDBOX_SECURITY_GROUP')),
    },
  ],
  'only-the-proxy-asks-egress': [
    { what: 'the API asks', change: (r, t) => allow(r, roleOf(t, 'api'), 'lambda:InvokeFunction', egressArn(t)) },
    {
      what: 'the sweep asks by a pattern',
      change: (r, t) => allow(r, roleOf(t, 'sweep'), 'lambda:Invoke*', 'arn:aws:lambda:*:*:function:Brainstem*'),
    },
    { what: 'hidden in a wildcard', change: (r, t) => allow(r, roleOf(t, 'harness'), 'lambda:*', '*') },
    {
      what: 'a role from elsewhere asks',
      change: (r, t) => allow(r, { Ref: 'Elsewhere' }, 'lambda:InvokeFunction', egressArn(t)),
    },
    {
      what: 'a service asks',
      change: (r, t) =>
        (r.Added = { Type: 'AWS::Lambda::Permission', Properties: { FunctionName: egressArn(t), Principal: 's3' } }),
    },
    {
      what: 'an address of its own',
      change: (r, t) => (r.Added = { Type: 'AWS::Lambda::Url', Properties: { TargetFunctionArn: egressArn(t) } }),
    },
    {
      what: 'the proxy invokes another function',
      change: (r) =>
        (proxyPolicy(r).PolicyDocument.Statement[0].Resource = 'arn:aws:lambda:eu-west-1:1:function:other'),
    },
    {
      what: 'the proxy does something else with it',
      change: (r) => (proxyPolicy(r).PolicyDocument.Statement[0].Action = ['lambda:InvokeFunction', 'lambda:Get*']),
    },
    {
      what: 'the proxy reads secrets',
      change: (r, t) => allow(r, proxyRole(r), 'secretsmanager:GetSecretValue', vaultSecretsArn(t, '/*')),
    },
    {
      what: 'a policy of AWS for the proxy',
      change: (r) => (r[proxyRole(r).Ref].Properties.ManagedPolicyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess']),
    },
    { what: 'a second holder of its policy', change: (r, t) => proxyPolicy(r).Roles.push(roleOf(t, 'api')) },
  ],
  'package-build-accepts-no-calls': [
    {
      what: 'a caller',
      change: (r) =>
        (buildGroup(r).SecurityGroupIngress = [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, CidrIp: '0.0.0.0/0' }]),
    },
    { what: 'no egress rule, which is every way out', change: (r) => (buildGroup(r).SecurityGroupEgress = []) },
    {
      what: 'every port',
      change: (r) => (buildGroup(r).SecurityGroupEgress = [{ IpProtocol: '-1', CidrIp: '0.0.0.0/0' }]),
    },
    {
      what: 'the group of the sandboxes',
      change: (_r, t) =>
        (propertiesOf(t, 'provision').Environment.Variables.PACKAGES_SECURITY_GROUP = settingOf(
          t,
          'provision',
          'SANDBOX_SECURITY_GROUP',
        )),
    },
  ],
  'endpoint-admits-only-named-calls': [
    { what: 'no policy', change: (r) => delete first(r, 'AWS::EC2::VPCEndpoint').PolicyDocument },
    {
      what: 'any table of any account',
      change: (r) => (first(r, 'AWS::EC2::VPCEndpoint').PolicyDocument.Statement[0].Resource = '*'),
    },
  ],
  'only-execution-role-is-passed': [
    {
      what: 'any role',
      change: (r, t) => allow(r, roleOf(t, 'provision'), 'iam:PassRole', '*', passedTo('ecs-tasks.amazonaws.com')),
    },
    { what: 'to any service', change: (r, t) => allow(r, roleOf(t, 'provision'), 'iam:PassRole', executionRole(r)) },
    { what: 'hidden in a wildcard', change: (r, t) => allow(r, roleOf(t, 'api'), 'iam:*', '*') },
    {
      what: 'the role of a function',
      change: (r, t) =>
        allow(
          r,
          roleOf(t, 'provision'),
          'iam:PassRole',
          propertiesOf(t, 'egress').Role,
          passedTo('ecs-tasks.amazonaws.com'),
        ),
    },
  ],
  'only-harness-reads-model-key': [
    {
      what: 'the API reads it',
      change: (r, t) =>
        allow(
          r,
          roleOf(t, 'api'),
          'secretsmanager:GetSecretValue',
          settingOf(t, 'harness', 'MODEL_API_KEY_SECRET_ARN'),
        ),
    },
    { what: 'the sweep reads every secret', change: (r, t) => allow(r, roleOf(t, 'sweep'), 'secretsmanager:*', '*') },
  ],
  'only-harness-asks-the-model': [
    {
      what: 'the API asks Bedrock',
      change: (r, t) =>
        allow(r, roleOf(t, 'api'), 'bedrock:InvokeModel*', 'arn:aws:bedrock:*::foundation-model/anthropic.*'),
    },
    {
      what: 'a model of any maker',
      change: (r, t) => allow(r, roleOf(t, 'harness'), 'bedrock:InvokeModelWithResponseStream', 'arn:aws:bedrock:*::*'),
    },
    {
      what: 'a function that is not of the service',
      change: (r) => allow(r, { Ref: 'Elsewhere' }, 'aws-external-anthropic:CreateInference', 'arn:aws:anthropic'),
    },
    {
      what: 'hidden in a wildcard',
      change: (r, t) => allow(r, roleOf(t, 'harness'), 'bedrock:*', 'arn:aws:anthropic'),
    },
  ],
  'only-the-proxy-reads-secrets': [
    {
      what: 'the API reads one',
      change: (r, t) => allow(r, roleOf(t, 'api'), 'secretsmanager:GetSecretValue', vaultSecretsArn(t, '/*')),
    },
    {
      what: 'the harness reads those of a workspace',
      change: (r, t) => allow(r, roleOf(t, 'harness'), 'secretsmanager:Get*', vaultSecretsArn(t, '/wrkspc_1/*')),
    },
    {
      what: 'the egress proxy reads them itself',
      change: (r, t) => allow(r, proxyRole(r), 'secretsmanager:GetSecretValue', vaultSecretsArn(t, '/*')),
    },
    {
      what: 'a name that could be theirs',
      change: (r, t) => allow(r, roleOf(t, 'sweep'), 'secretsmanager:BatchGetSecretValue', 'arn:aws:*:secret:B*'),
    },
    { what: 'hidden in a wildcard', change: (r, t) => allow(r, roleOf(t, 'api'), 'secretsmanager:*', '*') },
    {
      what: 'a role of no function opens what their key sealed',
      change: (r, t) => {
        propertiesOf(t, 'api').Environment.Variables.VAULT_KEY_ARN = { 'Fn::GetAtt': ['TokenKey', 'Arn'] };
        allow(r, { Ref: 'Elsewhere' }, 'kms:Decrypt', { 'Fn::GetAtt': ['TokenKey', 'Arn'] });
      },
    },
    {
      what: 'the function egress opens what their key sealed',
      change: (r, t) => {
        propertiesOf(t, 'api').Environment.Variables.VAULT_KEY_ARN = { 'Fn::GetAtt': ['TokenKey', 'Arn'] };
        allow(r, roleOf(t, 'egress'), 'kms:Decrypt', { 'Fn::GetAtt': ['TokenKey', 'Arn'] });
      },
    },
    {
      what: 'the API opens the tokens of repositories that it sealed',
      change: (r, t) => allow(r, roleOf(t, 'api'), 'kms:Decrypt', settingOf(t, 'api', 'REPOSITORY_KEY_ARN')),
    },
    {
      what: 'the function mcp-proxy opens tokens of repositories',
      change: (r, t) => allow(r, roleOf(t, 'mcp-proxy'), 'kms:Decrypt', settingOf(t, 'api', 'REPOSITORY_KEY_ARN')),
    },
    { what: 'any key', change: (r, t) => allow(r, roleOf(t, 'api'), 'kms:*', 'arn:aws:kms:*:*:key/*') },
  ],
  'log-is-append-only': [
    { what: 'an update', change: (r, t) => allow(r, roleOf(t, 'api'), 'dynamodb:UpdateItem', tableArn(t)) },
    {
      what: 'a delete by the harness',
      change: (r, t) => allow(r, roleOf(t, 'harness'), 'dynamodb:DeleteItem', tableArn(t)),
    },
    { what: 'everything, on every table', change: (r, t) => allow(r, roleOf(t, 'execute'), 'dynamodb:*', '*') },
    {
      what: 'all but one action',
      change: (r, t) => allow(r, roleOf(t, 'api'), undefined, '*', { NotAction: 'iam:*' }),
    },
  ],
  'audit-is-append-only': [
    { what: 'an update', change: (r, t) => allow(r, roleOf(t, 'api'), 'dynamodb:UpdateItem', auditArn(t)) },
    { what: 'a delete', change: (r, t) => allow(r, roleOf(t, 'api'), 'dynamodb:DeleteItem', auditArn(t)) },
    { what: 'a batch', change: (r, t) => allow(r, roleOf(t, 'api'), 'dynamodb:BatchWriteItem', auditArn(t)) },
    { what: 'a record of the harness', change: (r, t) => allow(r, roleOf(t, 'harness'), PUT, auditArn(t)) },
    { what: 'a writer from elsewhere', change: (r, t) => allow(r, { Ref: 'Elsewhere' }, PUT, auditArn(t)) },
    { what: 'hidden in a wildcard', change: (r, t) => allow(r, roleOf(t, 'execute'), 'dynamodb:P*', '*') },
  ],
  'only-sign-audit-signs': [
    {
      what: 'a function that writes records signs',
      change: (r, t) => allow(r, roleOf(t, 'api'), 'kms:Sign', settingOf(t, 'sign-audit', 'AUDIT_KEY_ARN')),
    },
    {
      what: 'the signer lets others sign',
      change: (r, t) =>
        allow(r, roleOf(t, 'sign-audit'), 'kms:CreateGrant', settingOf(t, 'sign-audit', 'AUDIT_KEY_ARN')),
    },
    { what: 'hidden in a wildcard', change: (r, t) => allow(r, roleOf(t, 'mcp-proxy'), 'kms:*', '*') },
    {
      what: 'a function from elsewhere signs',
      change: (r, t) => allow(r, { Ref: 'Elsewhere' }, 'kms:Sign', settingOf(t, 'sign-audit', 'AUDIT_KEY_ARN')),
    },
    {
      what: 'another function replaces heads',
      change: (r, t) => allow(r, roleOf(t, 'sweep'), 's3:PutObject', heads(t)),
    },
    { what: 'the signer deletes heads', change: (r, t) => allow(r, roleOf(t, 'sign-audit'), 's3:Delete*', heads(t)) },
    { what: 'any bucket', change: (r, t) => allow(r, roleOf(t, 'api'), 's3:DeleteObjectVersion', 'arn:aws:s3:::*') },
  ],
  'any-resource-has-a-reason': [
    {
      what: 'any bucket',
      change: (r, t) => allow(r, roleOf(t, 'api'), ['xray:PutTraceSegments', 's3:GetObject'], '*'),
    },
  ],
  'run-logs-no-execution-data': [
    {
      what: 'execution data',
      change: (r) => (first(r, 'AWS::StepFunctions::StateMachine').LoggingConfiguration.IncludeExecutionData = true),
    },
    {
      what: 'every event',
      change: (r) => (first(r, 'AWS::StepFunctions::StateMachine').LoggingConfiguration.Level = 'ALL'),
    },
  ],
  'run-retries-are-ours': [
    {
      what: 'CDK’s own retry',
      change: (r) => changeDefinition(r, 'States.ALL', 'Lambda.ServiceException'),
    },
    {
      what: 'a task without one',
      change: (r) => changeDefinition(r, '"Retry":[{', '"Retried":[{'),
    },
    {
      what: 'no definition that can be read',
      change: (r) => delete first(r, 'AWS::StepFunctions::StateMachine').DefinitionString,
    },
  ],
  'api-logs-no-content': [
    {
      what: 'execution logs',
      change: (r) => (first(r, 'AWS::ApiGateway::Stage').MethodSettings[0].LoggingLevel = 'INFO'),
    },
    {
      what: 'data traces',
      change: (r) => (first(r, 'AWS::ApiGateway::Stage').MethodSettings[0].DataTraceEnabled = true),
    },
  ],
  'stream-routes-stream': [
    { what: 'a buffered stream', change: (r) => delete streamMethod(r).Integration.ResponseTransferMode },
    { what: 'a stream of 29 seconds', change: (r) => (streamMethod(r).Integration.TimeoutInMillis = 29_000) },
  ],
  'log-group-expires': [
    { what: 'lines kept for ever', change: (r) => delete first(r, 'AWS::Logs::LogGroup').RetentionInDays },
  ],
  'function-runs-node-24-on-arm': [
    { what: 'an older runtime', change: (r) => (first(r, 'AWS::Lambda::Function').Runtime = 'nodejs22.x') },
    { what: 'another processor', change: (r) => delete first(r, 'AWS::Lambda::Function').Architectures },
  ],
};

function streamMethod(resources: Draft): Draft {
  const methods = Object.values(resources).filter(({ Type }) => Type === 'AWS::ApiGateway::Method');
  return methods.find(({ Properties }) => Properties.Integration.ResponseTransferMode === 'STREAM').Properties;
}

/** Rules about resources that the stack does not have at all. */
const UNUSED = ['only-harness-asks-the-model'];

let template: Template;

beforeAll(() => {
  ({ template } = synthesize());
});

describe.each(RULES)('the rule $id', ({ id, judge }) => {
  const verdicts = (judged: Template) => Object.values(judged.Resources).map((resource) => judge(resource, judged));

  test('passes the stack', () => {
    expect(verdicts(template)).not.toContain('not-compliant');
    if (!UNUSED.includes(id)) expect(verdicts(template)).toContain('compliant');
  });

  const breakages = BREAKAGES[id] ?? [];

  test.each(breakages)('fails a template with this change: $what', ({ change }) => {
    const changed = structuredClone(template);
    change(changed.Resources as Draft, changed);
    expect(verdicts(changed)).toContain('not-compliant');
  });

  test('has a failing case', () => {
    expect(breakages).not.toHaveLength(0);
  });
});

describe('the rules about secrets', () => {
  const verdictsWith = (change: Breakage['change']): readonly string[] => {
    const changed = structuredClone(template);
    change(changed.Resources as Draft, changed);
    const added = changed.Resources['Added'] ?? { Type: 'none' };
    return RULES.map(({ judge }) => judge(added, changed));
  };

  test.each(['mcp-proxy', 'egress'])(
    'let %s read the secrets of vaults, which do not contain the model’s key',
    (entry) => {
      const verdicts = verdictsWith((resources, changed) => {
        resources.Proxy = structuredClone(functionOf(changed, 'sweep'));
        resources.Proxy.Properties.Role = { 'Fn::GetAtt': ['ProxyRole', 'Arn'] };
        resources.Proxy.Properties.Environment.Variables.POWERTOOLS_SERVICE_NAME = entry;
        allow(resources, { Ref: 'ProxyRole' }, 'secretsmanager:GetSecretValue', vaultSecretsArn(changed, '/*'));
      });
      expect(verdicts).not.toContain('not-compliant');
    },
  );

  test('let the harness read a model’s key that the customer has named', () => {
    const named = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:model-key-??????';
    const verdicts = verdictsWith((resources, changed) => {
      allow(resources, roleOf(changed, 'harness'), 'secretsmanager:GetSecretValue', named);
    });
    expect(verdicts).not.toContain('not-compliant');
  });
});
