/** A small synthesized stack, written by hand in the shapes that CDK emits. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ASSET = 'a'.repeat(64);
const IMAGE = 'b'.repeat(64);
const arnOf = (logicalId: string): unknown => ({ 'Fn::GetAtt': [logicalId, 'Arn'] });
const join2 = (...parts: readonly unknown[]): unknown => ({ 'Fn::Join': ['', parts] });

export function lambda(name: string, role: string, variables: Record<string, unknown>): unknown {
  return {
    Type: 'AWS::Lambda::Function',
    Properties: {
      Architectures: ['arm64'],
      Code: {
        S3Bucket: { 'Fn::Sub': 'cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}' },
        S3Key: `${ASSET}.zip`,
      },
      Environment: { Variables: { POWERTOOLS_SERVICE_NAME: name, ...variables } },
      Handler: 'index.handler',
      Layers: [{ 'Fn::GetAtt': ['NobodyKnowsThis', 'Outputs.LayerArn'] }],
      MemorySize: 512,
      Role: arnOf(role),
      Runtime: 'nodejs24.x',
      Timeout: 30,
    },
  };
}

const MACHINE = {
  StartAt: 'Turn',
  States: {
    Turn: {
      Type: 'Task',
      Resource: 'arn:${AWS::Partition}:states:::lambda:invoke',
      Parameters: { FunctionName: '${Harness}', 'Payload.$': '$' },
      OutputPath: '$.Payload',
      Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 }],
      Next: 'AfterTurn',
    },
    AfterTurn: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.turn.do', StringEquals: 'tools', Next: 'UseHands' },
        { Variable: '$.turn.do', StringEquals: 'retry', Next: 'Backoff' },
        { Variable: '$.turn.do', StringEquals: 'long', Next: 'StartNextRun' },
      ],
      Default: 'Done',
    },
    UseHands: {
      Type: 'Map',
      ItemsPath: '$.turn.calls',
      ItemSelector: { 'session.$': '$.session', 'call.$': '$$.Map.Item.Value' },
      ItemProcessor: {
        ProcessorConfig: { Mode: 'INLINE' },
        StartAt: 'Execute',
        States: {
          Execute: {
            Type: 'Task',
            Resource: 'arn:${AWS::Partition}:states:::lambda:invoke',
            Parameters: { FunctionName: '${Execute}', 'Payload.$': '$' },
            ResultPath: null,
            Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2 }],
            Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'HandFailed' }],
            Next: 'HandDone',
          },
          HandDone: { Type: 'Pass', Parameters: { 'call.$': '$.call.id', outcome: 'done' }, End: true },
          HandFailed: {
            Type: 'Pass',
            Parameters: { 'call.$': '$.call.id', outcome: 'failed', 'error.$': '$.failure.Error' },
            End: true,
          },
        },
      },
      ResultPath: '$.hands',
      Next: 'Turn',
    },
    Backoff: { Type: 'Wait', SecondsPath: '$.turn.waitSeconds', Next: 'Turn' },
    StartNextRun: {
      Type: 'Task',
      Resource: 'arn:${AWS::Partition}:states:::states:startExecution',
      Parameters: {
        'StateMachineArn.$': '$$.StateMachine.Id',
        'Name.$': "States.Format('{}-{}', $.session, $.run)",
        Input: { 'session.$': '$.session', 'run.$': '$.run' },
      },
      Catch: [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], ResultPath: null, Next: 'Done' }],
      Next: 'Done',
    },
    Done: { Type: 'Succeed' },
  },
};

function policy(role: string, ...statements: readonly unknown[]): unknown {
  return {
    Type: 'AWS::IAM::Policy',
    Properties: {
      PolicyDocument: { Statement: statements, Version: '2012-10-17' },
      PolicyName: `${role}Policy`,
      Roles: [{ Ref: role }],
    },
  };
}

function allow(action: string | readonly string[], resource: unknown, condition?: unknown): unknown {
  const statement = { Action: action, Effect: 'Allow', Resource: resource };
  return condition === undefined ? statement : { ...statement, Condition: condition };
}

const ROLE = {
  Type: 'AWS::IAM::Role',
  Properties: {
    AssumeRolePolicyDocument: { Statement: [{ Action: 'sts:AssumeRole', Effect: 'Allow' }] },
    ManagedPolicyArns: [
      join2('arn:', { Ref: 'AWS::Partition' }, ':iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'),
    ],
  },
};

const TABLE = {
  Type: 'AWS::DynamoDB::GlobalTable',
  Properties: {
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
      { AttributeName: 'listPk', AttributeType: 'S' },
      { AttributeName: 'listSk', AttributeType: 'S' },
    ],
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [
      {
        IndexName: 'list',
        KeySchema: [
          { AttributeName: 'listPk', KeyType: 'HASH' },
          { AttributeName: 'listSk', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    Replicas: [
      { PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }, Region: { Ref: 'AWS::Region' } },
    ],
    SSESpecification: { SSEEnabled: false },
    TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
  },
};

const RESOURCES: Readonly<Record<string, unknown>> = {
  Records: TABLE,
  Content: { Type: 'AWS::S3::Bucket', Properties: {} },
  Key: {
    Type: 'AWS::SecretsManager::Secret',
    Properties: { GenerateSecretString: { PasswordLength: 40, ExcludePunctuation: true } },
  },
  ApiRole: ROLE,
  HarnessRole: {
    ...ROLE,
    Properties: {
      ...ROLE.Properties,
      Policies: [{ PolicyName: 'own', PolicyDocument: { Statement: allow('dynamodb:GetItem', arnOf('Records')) } }],
    },
  },
  RunRole: { Type: 'AWS::IAM::Role', Properties: {} },
  ApiPolicy: policy(
    'ApiRole',
    allow(
      ['dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:ConditionCheckItem'],
      [arnOf('Records'), join2(arnOf('Records'), '/index/*')],
    ),
    allow('states:*', [
      { Ref: 'Run' },
      join2('arn:aws:states:', { Ref: 'AWS::Region' }, ':', { Ref: 'AWS::AccountId' }, ':execution:*'),
    ]),
    allow(
      ['s3:PutObject', 's3:GetObject', 's3:DeleteObject*', 's3:AbortMultipartUpload'],
      join2(arnOf('Content'), '/*'),
    ),
    allow('s3:ListBucket', arnOf('Content')),
    allow(['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue', 'secretsmanager:DescribeSecret'], {
      Ref: 'Key',
    }),
    allow('lambda:InvokeFunction', [arnOf('Execute'), join2(arnOf('Execute'), ':*')]),
  ),
  HarnessPolicy: policy(
    'HarnessRole',
    allow('dynamodb:UpdateItem', arnOf('Records'), {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['sesn_*'] },
    }),
    allow('s3:GetObject', join2(arnOf('Content'), '/*')),
  ),
  RunPolicy: policy(
    'RunRole',
    allow('lambda:InvokeFunction', [arnOf('Harness'), arnOf('Execute')]),
    allow('states:StartExecution', { Ref: 'Run' }),
  ),
  Api: lambda('api', 'ApiRole', { RECORDS_TABLE: { Ref: 'Records' }, CONTENT_BUCKET: { Ref: 'Content' } }),
  Harness: lambda('harness', 'HarnessRole', { MODEL_BASE_URL: { Ref: 'ModelBaseUrl' } }),
  Execute: lambda('execute', 'HarnessRole', {}),
  Run: {
    Type: 'AWS::StepFunctions::StateMachine',
    Properties: {
      DefinitionString: {
        'Fn::Sub': [JSON.stringify(MACHINE), { Harness: arnOf('Harness'), Execute: arnOf('Execute') }],
      },
      RoleArn: arnOf('RunRole'),
    },
  },
  RestApi: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'api' } },
  V1: {
    Type: 'AWS::ApiGateway::Resource',
    Properties: { ParentId: { 'Fn::GetAtt': ['RestApi', 'RootResourceId'] }, PathPart: 'v1' },
  },
  Proxy: { Type: 'AWS::ApiGateway::Resource', Properties: { ParentId: { Ref: 'V1' }, PathPart: '{proxy+}' } },
  Any: {
    Type: 'AWS::ApiGateway::Method',
    Properties: {
      HttpMethod: 'ANY',
      ResourceId: { Ref: 'Proxy' },
      Integration: {
        IntegrationHttpMethod: 'POST',
        Type: 'AWS_PROXY',
        Uri: join2(
          'arn:',
          { Ref: 'AWS::Partition' },
          ':apigateway:',
          { Ref: 'AWS::Region' },
          ':lambda:path/2015-03-31/functions/',
          arnOf('Api'),
          '/invocations',
        ),
      },
    },
  },
  Stream: {
    Type: 'AWS::ApiGateway::Method',
    Properties: {
      HttpMethod: 'GET',
      ResourceId: { Ref: 'V1' },
      Integration: {
        ResponseTransferMode: 'STREAM',
        Type: 'AWS_PROXY',
        Uri: join2(
          'arn:aws:apigateway:',
          { Ref: 'AWS::Region' },
          ':lambda:path/2021-11-15/functions/',
          arnOf('Harness'),
          '/response-streaming-invocations',
        ),
      },
    },
  },
  Stage: { Type: 'AWS::ApiGateway::Stage', Properties: { StageName: 'live', RestApiId: { Ref: 'RestApi' } } },
  Cluster: { Type: 'AWS::ECS::Cluster' },
  Task: {
    Type: 'AWS::ECS::TaskDefinition',
    Properties: {
      Cpu: '1024',
      Memory: '2048',
      Family: 'Sandbox',
      ContainerDefinitions: [
        {
          Essential: true,
          Image: {
            'Fn::Sub': `\${AWS::AccountId}.dkr.ecr.\${AWS::Region}.\${AWS::URLSuffix}/cdk-hnb659fds-container-assets-\${AWS::AccountId}-\${AWS::Region}:${IMAGE}`,
          },
          Name: 'sandbox',
          PortMappings: [{ ContainerPort: 8080, Protocol: 'tcp' }],
          User: 'agent',
        },
      ],
    },
  },
  Minutely: {
    Type: 'AWS::Events::Rule',
    Properties: {
      ScheduleExpression: 'rate(1 minute)',
      State: 'ENABLED',
      Targets: [{ Arn: arnOf('Execute'), Id: 'Target0' }],
    },
  },
  FirstKey: { Type: 'Custom::FirstApiKey', Properties: { ServiceToken: arnOf('Api'), Secret: { Ref: 'Key' } } },
  VpcDefault: { Type: 'Custom::VpcRestrictDefaultSG', Properties: { ServiceToken: 'unused' } },
  OnlyElsewhere: { Type: 'AWS::S3::Bucket', Condition: 'Elsewhere', Properties: {} },
};

const TEMPLATE = {
  Parameters: {
    BootstrapVersion: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/cdk-bootstrap/hnb659fds/version' },
    ModelBaseUrl: { Type: 'String' },
  },
  Conditions: { Elsewhere: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'us-east-1'] }] } },
  Resources: RESOURCES,
  Outputs: {
    BaseUrl: {
      Value: join2(
        'https://',
        { Ref: 'RestApi' },
        '.execute-api.',
        { Ref: 'AWS::Region' },
        '.',
        { Ref: 'AWS::URLSuffix' },
        '/',
        { Ref: 'Stage' },
        '/',
      ),
    },
  },
};

const ASSETS = {
  files: {
    [ASSET]: {
      source: { path: `asset.${ASSET}`, packaging: 'zip' },
      destinations: { d: { objectKey: `${ASSET}.zip` } },
    },
  },
  dockerImages: { [IMAGE]: { source: { directory: `asset.${IMAGE}` }, destinations: { d: { imageTag: IMAGE } } } },
};

/** Writes the stack, with these resources instead of its own or beside them, to a folder of its own. */
export function writeCdkOut(resources: Readonly<Record<string, unknown>> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'cdk-out-'));
  const template = { ...TEMPLATE, Resources: { ...RESOURCES, ...resources } };
  writeFileSync(join(dir, 'Brainstem.template.json'), JSON.stringify(template));
  writeFileSync(join(dir, 'Brainstem.assets.json'), JSON.stringify(ASSETS));
  for (const asset of [ASSET, IMAGE]) mkdirSync(join(dir, `asset.${asset}`));
  writeFileSync(join(dir, `asset.${ASSET}`, 'index.mjs'), 'export const handler = async () => null;\n');
  return dir;
}
