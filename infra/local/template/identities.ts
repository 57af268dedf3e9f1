/**
 * The physical names and attributes that CloudFormation would give, made from the logical id alone: the same template
 * always gives the same names, so data written by one run is found by the next.
 */
import { createHash } from 'node:crypto';

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';

/** What `Ref` and `Fn::GetAtt` answer for one resource. */
export interface Identity {
  readonly name: string;
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** In each text, `{name}` is the physical name, `{id}` the logical id, `{hash}` is made from it and `{six}` from the name. */
interface Kind {
  /** Property of the resource that holds an explicit physical name. */
  readonly nameProperty?: string;
  readonly ref: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

const HERE = `${REGION}:${ACCOUNT}`;

/** For a resource that this runtime does not play; other resources mention its id. */
function opaque(prefix: string, attribute: string): Kind {
  return { ref: `${prefix}{hash}`, attributes: { [attribute]: `${prefix}{hash}` } };
}

/** For a resource to which `Ref` answers the name. */
function named(nameProperty: string, attributes: Readonly<Record<string, string>> = {}): Kind {
  return { nameProperty, ref: '{name}', attributes };
}

/** For a resource to which `Ref` answers the ARN, as does this attribute. */
function byArn(arn: string, attribute: string, nameProperty: string): Kind {
  return { nameProperty, ref: arn, attributes: { [attribute]: arn, Name: '{name}' } };
}

const TABLE = named('TableName', {
  Arn: `arn:aws:dynamodb:${HERE}:table/{name}`,
  StreamArn: `arn:aws:dynamodb:${HERE}:table/{name}/stream/2026-01-01T00:00:00.000`,
  TableId: '{hash}',
});

const KINDS: Readonly<Record<string, Kind>> = {
  'AWS::ApiGateway::Deployment': opaque('', 'DeploymentId'),
  'AWS::ApiGateway::GatewayResponse': opaque('', 'Id'),
  'AWS::ApiGateway::Method': opaque('', 'Id'),
  'AWS::ApiGateway::Resource': { ref: '{id}', attributes: { ResourceId: '{id}' } },
  'AWS::ApiGateway::RestApi': { ref: '{hash}', attributes: { RestApiId: '{hash}', RootResourceId: '{hash}-root' } },
  'AWS::ApiGateway::Stage': named('StageName'),
  'AWS::CloudWatch::Dashboard': named('DashboardName'),
  'AWS::DynamoDB::GlobalTable': TABLE,
  'AWS::DynamoDB::Table': TABLE,
  'AWS::EC2::InternetGateway': opaque('igw-', 'InternetGatewayId'),
  'AWS::EC2::NatGateway': opaque('nat-', 'NatGatewayId'),
  'AWS::EC2::Route': opaque('route-', 'Id'),
  'AWS::EC2::RouteTable': opaque('rtb-', 'RouteTableId'),
  'AWS::EC2::SecurityGroup': opaque('sg-', 'GroupId'),
  'AWS::EC2::Subnet': opaque('subnet-', 'SubnetId'),
  'AWS::EC2::SubnetRouteTableAssociation': opaque('rtbassoc-', 'Id'),
  'AWS::EC2::VPC': opaque('vpc-', 'VpcId'),
  'AWS::EC2::VPCEndpoint': opaque('vpce-', 'Id'),
  'AWS::EC2::VPCPeeringConnection': opaque('pcx-', 'Id'),
  'AWS::ECS::Cluster': named('ClusterName', { Arn: `arn:aws:ecs:${HERE}:cluster/{name}` }),
  'AWS::ECS::TaskDefinition': byArn(`arn:aws:ecs:${HERE}:task-definition/{name}:1`, 'TaskDefinitionArn', 'Family'),
  'AWS::Events::Rule': named('Name', { Arn: `arn:aws:events:${HERE}:rule/{name}` }),
  'AWS::IAM::ManagedPolicy': byArn(`arn:aws:iam::${ACCOUNT}:policy/{name}`, 'PolicyArn', 'ManagedPolicyName'),
  'AWS::IAM::Policy': opaque('policy-', 'Id'),
  'AWS::IAM::Role': named('RoleName', { Arn: `arn:aws:iam::${ACCOUNT}:role/{name}`, RoleId: 'AROA{hash}' }),
  'AWS::KMS::Key': { ref: '{hash}', attributes: { Arn: `arn:aws:kms:${HERE}:key/{hash}`, KeyId: '{hash}' } },
  'AWS::Lambda::Function': named('FunctionName', { Arn: `arn:aws:lambda:${HERE}:function:{name}` }),
  'AWS::Logs::LogGroup': named('LogGroupName', { Arn: `arn:aws:logs:${HERE}:log-group:{name}:*` }),
  'AWS::Route53Resolver::FirewallDomainList': opaque('rslvr-fdl-', 'Id'),
  'AWS::Route53Resolver::FirewallRuleGroup': opaque('rslvr-frg-', 'Id'),
  'AWS::Route53Resolver::FirewallRuleGroupAssociation': opaque('rslvr-frgassoc-', 'Id'),
  'AWS::S3::Bucket': named('BucketName', {
    Arn: 'arn:aws:s3:::{name}',
    DomainName: '{name}.s3.amazonaws.com',
    RegionalDomainName: `{name}.s3.${REGION}.amazonaws.com`,
  }),
  // AWS adds six characters of its own to a secret's name; policies written for a name end in `-??????`.
  'AWS::SecretsManager::Secret': byArn(`arn:aws:secretsmanager:${HERE}:secret:{name}-{six}`, 'Id', 'Name'),
  'AWS::StepFunctions::StateMachine': byArn(`arn:aws:states:${HERE}:stateMachine:{name}`, 'Arn', 'StateMachineName'),
};

/** The property of this type that holds an explicit physical name, if it has one. */
export function nameProperty(type: string): string | null {
  return KINDS[type]?.nameProperty ?? null;
}

/** Null for a type that is not in the table. */
export function identify(
  type: string,
  id: string,
  { explicit, stack }: { readonly explicit: string | null; readonly stack: string },
): Identity | null {
  const kind = KINDS[type];
  if (kind === undefined) return null;
  const made = `${stack}-${id}`;
  const name = explicit ?? (type === 'AWS::S3::Bucket' ? made.toLowerCase().slice(0, 63) : made);
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 17);
  const values: Readonly<Record<string, string>> = { name, id, hash: hash(id), six: hash(name).slice(0, 6) };
  const fill = (text: string): string => text.replace(/\{(\w+)\}/g, (all, key: string) => values[key] ?? all);
  const attributes = Object.entries(kind.attributes ?? {}).map(([attribute, text]) => [attribute, fill(text)]);
  return { name, ref: fill(kind.ref), attributes: Object.fromEntries(attributes) };
}
