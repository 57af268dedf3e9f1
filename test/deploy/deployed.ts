/** The service in MiniStack, from its installation to a client with the first API key. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { startStandIn, type StandIn } from '#test/model/stand-in.ts';
import { deploy, type Deployment } from './cdk.ts';
import { startMiniStack } from './ministack.ts';
import { say } from './run.ts';

/** MiniStack's root user. */
export const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

export interface Deployed extends Deployment {
  /** MiniStack's own address. */
  readonly awsUrl: string;
  /** The SDK's `baseURL`. */
  readonly baseUrl: string;
  readonly client: Anthropic;
  readonly model: StandIn;
  readonly dynamodb: DynamoDBClient;
  readonly stepFunctions: SFNClient;
  /** A folder that is deleted after the test. */
  readonly folder: string;
  close(): Promise<void>;
}

export const MODEL_KEY = 'sk-ant-deployment-test';

export async function startDeployed(): Promise<Deployed> {
  const folder = mkdtempSync(join(tmpdir(), 'brainstem-deploy-'));
  const started: { close(): Promise<void> }[] = [{ close: async () => rmSync(folder, { recursive: true }) }];
  const close = async () => {
    for (const part of started.toReversed()) await part.close();
  };
  try {
    const model = await startStandIn();
    started.push(model);
    say('starting MiniStack');
    const aws = await startMiniStack(folder);
    started.push({ close: aws.stop });
    const deployment = await deploy({ aws, folder, modelBaseUrl: model.url });
    const client = { endpoint: aws.url, region: 'us-east-1', credentials: CREDENTIALS };
    const apiKey = await exchangeKeys(new SecretsManagerClient(client), deployment.outputs);
    const baseUrl = addressIn(aws.url, output(deployment, 'BaseUrl'));
    return {
      ...deployment,
      awsUrl: aws.url,
      baseUrl,
      client: new Anthropic({ baseURL: baseUrl, apiKey, maxRetries: 0 }),
      model,
      dynamodb: new DynamoDBClient(client),
      stepFunctions: new SFNClient(client),
      folder,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The commands that the README names after `cdk deploy`: set the model's key, read the first API key. */
async function exchangeKeys(secrets: SecretsManagerClient, outputs: Deployment['outputs']): Promise<string> {
  const { ModelApiKeySecretArn, FirstApiKeySecretArn } = outputs;
  await secrets.send(new PutSecretValueCommand({ SecretId: ModelApiKeySecretArn, SecretString: MODEL_KEY }));
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: FirstApiKeySecretArn }));
  if (SecretString === undefined) throw new Error('The secret of the first API key holds no text');
  return SecretString;
}

function output({ outputs }: Deployment, name: string): string {
  const value = outputs[name];
  if (value === undefined) throw new Error(`The stack has no output ${name}`);
  return value;
}

/** AWS gives each API a host name; MiniStack also accepts it in the path. */
function addressIn(awsUrl: string, baseUrl: string): string {
  const { host, pathname } = new URL(baseUrl);
  return `${awsUrl}/_aws/execute-api/${host.split('.', 1)[0]}${pathname}`;
}
