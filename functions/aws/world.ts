/** Each function's world: its settings read once, its clients made once, its ports bound to AWS. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import type { ExecuteWorld } from '#core/hands/execute.ts';
import type { ProvisionWorld } from '#core/hands/provision.ts';
import { createHistory } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/ask.ts';
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/errors.ts';
import type { LogKey, SessionLog } from '#core/ports.ts';
import type { RepairWorld } from '#core/session/repair.ts';
import { createContentStore } from '#aws/content.s3.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { createAnthropicModel } from '#aws/model.anthropic.ts';
import { runningSince } from '#aws/running-sessions.dynamodb.ts';
import { createRuns } from '#aws/runs.step-functions.ts';
import { createSandboxClient } from '#aws/sandbox-client.http.ts';
import { createSandboxRecords } from '#aws/sandbox-records.dynamodb.ts';
import { createSessionLog } from '#aws/session-log.dynamodb.ts';
import { setting, type Environment } from '#aws/settings.ts';
import { createStamp, pause } from '#aws/stamp.ts';
import { createTasks } from '#aws/tasks.ecs.ts';
import { createWarming } from '#aws/warming.lambda.ts';

export function harnessWorld(environment: Environment): TurnWorld & { readonly journal: FunctionJournal } {
  const log = logOf(environment);
  return {
    log,
    history: createHistory(log),
    model: createAnthropicModel({
      baseUrl: setting(environment, 'MODEL_BASE_URL'),
      apiKey: secretReader(setting(environment, 'MODEL_API_KEY_SECRET_ARN')),
    }),
    warming: createWarming(environment, setting(environment, 'PROVISION_FUNCTION_NAME')),
    stamp: createStamp(),
    pause,
    journal: createJournal(),
  };
}

export function provisionWorld(environment: Environment): ProvisionWorld & { readonly journal: FunctionJournal } {
  return {
    records: createSandboxRecords(new DynamoDBClient(), setting(environment, 'RECORDS_TABLE')),
    tasks: createTasks({
      ecs: new ECSClient(),
      cluster: setting(environment, 'SANDBOX_CLUSTER'),
      taskDefinition: setting(environment, 'SANDBOX_TASK_DEFINITION'),
      container: setting(environment, 'SANDBOX_CONTAINER'),
      subnets: setting(environment, 'SANDBOX_SUBNETS').split(','),
      securityGroup: setting(environment, 'SANDBOX_SECURITY_GROUP'),
    }),
    stamp: createStamp(),
    pause,
    newToken: () => randomBytes(32).toString('base64url'),
    sha256: (text) => createHash('sha256').update(text).digest('hex'),
    journal: createJournal(),
  };
}

export function executeWorld(environment: Environment): ExecuteWorld & { readonly journal: FunctionJournal } {
  return {
    log: logOf(environment),
    records: createSandboxRecords(new DynamoDBClient(), setting(environment, 'RECORDS_TABLE')),
    client: createSandboxClient(),
    stamp: createStamp(),
    pause,
    journal: createJournal(),
  };
}

export interface SweepWorld extends RepairWorld {
  runningSince(instant: Instant): AsyncGenerator<LogKey>;
  readonly journal: FunctionJournal;
}

export function sweepWorld(environment: Environment): SweepWorld {
  const dynamodb = new DynamoDBClient();
  const table = setting(environment, 'RECORDS_TABLE');
  return {
    log: logOf(environment),
    runs: createRuns(new SFNClient(), setting(environment, 'RUN_STATE_MACHINE_ARN')),
    stamp: createStamp(),
    runningSince: (instant) => runningSince(dynamodb, table, instant),
    journal: createJournal(),
  };
}

function logOf(environment: Environment): SessionLog {
  return createSessionLog({
    dynamodb: new DynamoDBClient(),
    logTable: setting(environment, 'LOG_TABLE'),
    recordsTable: setting(environment, 'RECORDS_TABLE'),
    content: createContentStore(new S3Client(), setting(environment, 'CONTENT_BUCKET')),
    newName: randomUUID,
  });
}

function secretReader(secretArn: string): () => Promise<string> {
  const client = new SecretsManagerClient();
  return async () => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
    if (SecretString === undefined) throw new Fault('setting_missing', `the secret ${secretArn} holds no text`);
    return SecretString;
  };
}
