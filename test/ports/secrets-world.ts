/** The Secrets Manager and KMS of the local runtime, with a role that may only write and one that may also read. */
import { KMSClient } from '@aws-sdk/client-kms';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { AwsOptions } from '#infra/local/aws/start-aws.ts';
import { smallTemplate, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

export const PREFIX = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:vaults';

const WRITE = ['secretsmanager:CreateSecret', 'secretsmanager:PutSecretValue', 'secretsmanager:DeleteSecret'];
const READ = ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'];

const KEY_POLICY = {
  Statement: [
    {
      Action: 'kms:*',
      Effect: 'Allow',
      Principal: { AWS: { 'Fn::Sub': 'arn:aws:iam::${AWS::AccountId}:root' } },
      Resource: '*',
    },
  ],
};

/** The resources of a stack: two keys, a writer (function `Api`) and a reader (function `Execute`). */
export function vaultResources(): Readonly<Record<string, unknown>> {
  const key = { Type: 'AWS::KMS::Key', Properties: { KeyPolicy: KEY_POLICY, EnableKeyRotation: true } };
  return {
    TokenKey: key,
    OtherKey: key,
    WriterPolicy: policy('ApiRole', WRITE, ['kms:GenerateDataKey']),
    ReaderPolicy: policy('HarnessRole', [...WRITE, ...READ], ['kms:GenerateDataKey', 'kms:Decrypt']),
  };
}

function policy(role: string, ofSecrets: readonly string[], ofKeys: readonly string[]): unknown {
  const keys = ['TokenKey', 'OtherKey'].map((key) => ({ 'Fn::GetAtt': [key, 'Arn'] }));
  const Statement = [
    { Effect: 'Allow', Action: ofSecrets, Resource: `${PREFIX}/*` },
    { Effect: 'Allow', Action: ofKeys, Resource: keys },
  ];
  return { Type: 'AWS::IAM::Policy', Properties: { PolicyDocument: { Statement }, Roles: [{ Ref: role }] } };
}

export interface SecretsWorld {
  readonly world: AwsWorld;
  readonly keyArn: string;
  readonly otherKeyArn: string;
  readonly as: Readonly<
    Record<'writer' | 'reader', { readonly manager: SecretsManagerClient; readonly kms: KMSClient }>
  >;
  close(): Promise<void>;
}

export async function startSecretsWorld(options: Partial<AwsOptions> = {}): Promise<SecretsWorld> {
  const template = smallTemplate(vaultResources());
  const world = await startWorld({ template, ...options });
  const clientsOf = (functionId: string) => ({
    manager: new SecretsManagerClient(world.as(functionId)),
    kms: new KMSClient(world.as(functionId)),
  });
  const [keyArn = '', otherKeyArn = ''] = template.keys.map(({ arn }) => arn);
  return {
    world,
    keyArn,
    otherKeyArn,
    as: { writer: clientsOf('Api'), reader: clientsOf('Execute') },
    close: world.aws.close,
  };
}
