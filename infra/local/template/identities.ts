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

interface Kind {
  /** Property that holds an explicit physical name. */
  readonly nameProperty?: string;
  /** Suffix that the name gets when the template names nothing (buckets are lower case, say). */
  readonly defaultName?: (name: string) => string;
  identify(name: string, id: string): Omit<Identity, 'name'>;
}

const arn = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 17);
const named = (attribute: string, of: (name: string) => string, nameProperty?: string): Kind => ({
  ...(nameProperty === undefined ? {} : { nameProperty }),
  identify: (name) => ({ ref: name, attributes: { [attribute]: of(name) } }),
});
/** A resource nobody here plays, whose id other resources mention. */
const opaque = (prefix: string, ...attributes: string[]): Kind => ({
  identify: (_name, id) => {
    const ref = `${prefix}${short(id)}`;
    return { ref, attributes: Object.fromEntries(attributes.map((attribute) => [attribute, ref])) };
  },
});
const byArn = (of: (name: string, id: string) => string, attribute: string, nameProperty?: string): Kind => ({
  ...(nameProperty === undefined ? {} : { nameProperty }),
  identify: (name, id) => ({ ref: of(name, id), attributes: { [attribute]: of(name, id), Name: name } }),
});

const table: Kind = {
  nameProperty: 'TableName',
  identify: (name) => ({
    ref: name,
    attributes: {
      Arn: arn('dynamodb', `table/${name}`),
      StreamArn: arn('dynamodb', `table/${name}/stream/2026-01-01T00:00:00.000`),
      TableId: short(name),
    },
  }),
};

const KINDS: Readonly<Record<string, Kind>> = {
  'AWS::ApiGateway::Deployment': opaque('', 'DeploymentId'),
  'AWS::ApiGateway::Resource': { identify: (_name, id) => ({ ref: id, attributes: { ResourceId: id } }) },
  'AWS::ApiGateway::RestApi': {
    identify: (_name, id) => {
      const ref = short(id).slice(0, 10);
      return { ref, attributes: { RestApiId: ref, RootResourceId: `${ref}-root` } };
    },
  },
  'AWS::ApiGateway::Stage': { nameProperty: 'StageName', identify: (name) => ({ ref: name, attributes: {} }) },
  'AWS::CloudWatch::Alarm': named('Arn', (name) => arn('cloudwatch', `alarm:${name}`), 'AlarmName'),
  'AWS::CloudWatch::Dashboard': { nameProperty: 'DashboardName', identify: (name) => ({ ref: name, attributes: {} }) },
  'AWS::DynamoDB::GlobalTable': table,
  'AWS::DynamoDB::Table': table,
  'AWS::EC2::InternetGateway': opaque('igw-', 'InternetGatewayId'),
  'AWS::EC2::NatGateway': opaque('nat-', 'NatGatewayId'),
  'AWS::EC2::RouteTable': opaque('rtb-', 'RouteTableId'),
  'AWS::EC2::SecurityGroup': opaque('sg-', 'GroupId'),
  'AWS::EC2::Subnet': opaque('subnet-', 'SubnetId'),
  'AWS::EC2::VPC': opaque('vpc-', 'VpcId'),
  'AWS::EC2::VPCEndpoint': opaque('vpce-', 'Id'),
  'AWS::ECS::Cluster': named('Arn', (name) => arn('ecs', `cluster/${name}`), 'ClusterName'),
  'AWS::ECS::TaskDefinition': byArn((name) => arn('ecs', `task-definition/${name}:1`), 'TaskDefinitionArn', 'Family'),
  'AWS::Events::Rule': named('Arn', (name) => arn('events', `rule/${name}`), 'Name'),
  'AWS::IAM::ManagedPolicy': byArn(
    (name) => `arn:aws:iam::${ACCOUNT}:policy/${name}`,
    'PolicyArn',
    'ManagedPolicyName',
  ),
  'AWS::IAM::Policy': opaque('policy-', 'Id'),
  'AWS::IAM::Role': {
    nameProperty: 'RoleName',
    identify: (name) => ({
      ref: name,
      attributes: { Arn: `arn:aws:iam::${ACCOUNT}:role/${name}`, RoleId: `AROA${short(name).toUpperCase()}` },
    }),
  },
  'AWS::KMS::Key': {
    identify: (_name, id) => {
      const ref = short(id);
      return { ref, attributes: { Arn: arn('kms', `key/${ref}`), KeyId: ref } };
    },
  },
  'AWS::Lambda::Function': named('Arn', (name) => arn('lambda', `function:${name}`), 'FunctionName'),
  'AWS::Logs::LogGroup': named('Arn', (name) => arn('logs', `log-group:${name}:*`), 'LogGroupName'),
  'AWS::S3::Bucket': {
    nameProperty: 'BucketName',
    defaultName: (name) => name.toLowerCase().slice(0, 63),
    identify: (name) => ({
      ref: name,
      attributes: {
        Arn: `arn:aws:s3:::${name}`,
        DomainName: `${name}.s3.amazonaws.com`,
        RegionalDomainName: `${name}.s3.${REGION}.amazonaws.com`,
      },
    }),
  },
  'AWS::SecretsManager::Secret': byArn(
    // AWS adds six characters of its own to a secret's name; policies written for a name end in `-??????`.
    (name) => arn('secretsmanager', `secret:${name}-${short(name).slice(0, 6)}`),
    'Id',
    'Name',
  ),
  'AWS::SNS::Topic': byArn((name) => arn('sns', name), 'TopicArn', 'TopicName'),
  'AWS::SQS::Queue': {
    nameProperty: 'QueueName',
    identify: (name) => ({
      ref: `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}`,
      attributes: { Arn: arn('sqs', name), QueueName: name },
    }),
  },
  'AWS::StepFunctions::StateMachine': byArn((name) => arn('states', `stateMachine:${name}`), 'Arn', 'StateMachineName'),
};

/** The property of this type that holds an explicit physical name, if it has one. */
export function nameProperty(type: string): string | null {
  return KINDS[type]?.nameProperty ?? null;
}

/** Null for a type whose identifiers are not known here. */
export function identify(
  type: string,
  logicalId: string,
  name: { explicit: string | null; stack: string },
): Identity | null {
  const kind = KINDS[type];
  if (kind === undefined) return null;
  const given = `${name.stack}-${logicalId}`;
  const physical = name.explicit ?? kind.defaultName?.(given) ?? given;
  return { name: physical, ...kind.identify(physical, logicalId) };
}
