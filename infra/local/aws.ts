import { openKms } from './aws/kms.ts';
import { openS3 } from './aws/s3.ts';
import { openSecretsManager, type SecretsManager } from './aws/secrets-manager.ts';
import { openStepFunctions, type StepFunctions } from './aws/step-functions.ts';
import { startDynamoDb, type DynamoDb } from './aws/dynamodb.ts';
import { serveAws } from './aws/endpoint.ts';
import { lambdaService } from './aws/lambda.ts';
import { createVerdicts, type Verdicts } from './iam/verdicts.ts';
import type { AroundCall, AwsEndpoint, Service } from './aws/service.ts';
import type { Invoke } from './lambda/invoke.ts';
import type { Template } from './template/parts.ts';

export interface AwsOptions {
  readonly template: Template;
  readonly dataDir: string;
  readonly invoke: Invoke;
  /** Services beside the ones made here (ECS). */
  readonly services?: readonly Service[];
  /** @default passes every call on as it came */
  readonly aroundCall?: AroundCall;
  /** A DynamoDB to use instead of the native engine (`AWS_ENDPOINT_URL_DYNAMODB`). */
  readonly dynamoDbEndpoint?: string;
  /** Told about denied calls, failed asynchronous work and faults of this runtime; never about content. */
  readonly report?: (message: string) => void;
  /** Replaces the pauses before a state machine's retries; for tests. */
  readonly retryIntervalMs?: number;
}

/** Everything of AWS that the template's functions see. */
export interface Aws {
  readonly endpoint: AwsEndpoint;
  readonly dynamoDb: DynamoDb;
  readonly secrets: SecretsManager;
  readonly stepFunctions: StepFunctions;
  readonly verdicts: Verdicts;
  close(): Promise<void>;
}

/**
 * Starts the AWS services over one data folder. Executions that the last runtime left unfinished wait for
 * `stepFunctions.resume()`, which is to be called once functions can be invoked.
 */
export async function startAws(options: AwsOptions): Promise<Aws> {
  const { template, dataDir, invoke } = options;
  const report = options.report ?? (() => {});
  const verdicts = createVerdicts(template.roles);
  const endpoint = options.dynamoDbEndpoint === undefined ? {} : { endpoint: options.dynamoDbEndpoint };
  const dynamoDb = await startDynamoDb({ tables: template.tables, dataDir, report, ...endpoint });
  const secrets = openSecretsManager(template.secrets, dataDir);
  const kms = openKms(template.keys, dataDir);
  const pauses = options.retryIntervalMs === undefined ? {} : { retryIntervalMs: options.retryIntervalMs };
  const stepFunctions = openStepFunctions({ ...template, verdicts, dataDir, invoke, report, ...pauses });
  const s3 = openS3({
    buckets: template.buckets,
    dataDir,
    allows: (caller, access) => verdicts.judge(caller.roleArn, access).allowed,
  });
  const lambda = lambdaService({ functions: template.functions, invoke, report });
  const services = [dynamoDb, secrets, kms, stepFunctions, s3, lambda, ...(options.services ?? [])];
  const around = options.aroundCall === undefined ? {} : { aroundCall: options.aroundCall };
  const served = await serveAws({ services, verdicts, report, ...around });
  return { endpoint: served, dynamoDb, secrets, stepFunctions, verdicts, close: served.close };
}
