import { openKms } from './kms.ts';
import { openS3 } from './s3/open-s3.ts';
import { openSecretsManager, type SecretsManager } from './secrets-manager/open-secrets-manager.ts';
import { openStepFunctions, type StepFunctions } from './step-functions/open-step-functions.ts';
import { startDynamoDb, type DynamoDb } from './dynamodb/start-dynamodb.ts';
import { serveAws } from './endpoint.ts';
import { lambdaService } from './lambda.ts';
import { createVerdicts } from '../iam/verdicts.ts';
import type { AroundCall, AwsEndpoint, Service } from './service.ts';
import type { Invoke } from '../lambda/invoke.ts';
import type { Template } from '../template/parts.ts';

export interface AwsOptions {
  readonly template: Template;
  readonly dataDir: string;
  readonly invoke: Invoke;
  /** Services beside the ones made here (ECS). */
  readonly services?: readonly Service[];
  /** @default passes every call on as it came */
  readonly aroundCall?: AroundCall | undefined;
  /** A DynamoDB to use instead of the native engine (`AWS_ENDPOINT_URL_DYNAMODB`). */
  readonly dynamoDbEndpoint?: string | undefined;
  /** Told about denied calls, failed asynchronous work and faults of this runtime; never about content. */
  readonly report: (message: string) => void;
  /** Replaces the pauses before a state machine's retries; for tests. */
  readonly retryIntervalMs?: number | undefined;
}

/** Everything of AWS that the template's functions see. */
export interface Aws {
  readonly endpoint: AwsEndpoint;
  readonly dynamoDb: DynamoDb;
  readonly secrets: SecretsManager;
  readonly stepFunctions: StepFunctions;
  close(): Promise<void>;
}

/**
 * Starts the AWS services over one data folder. Executions that the last runtime left unfinished wait for
 * `stepFunctions.resume()`, which the caller calls when functions can be invoked.
 */
export async function startAws(options: AwsOptions): Promise<Aws> {
  const { template, dataDir, invoke, report, retryIntervalMs } = options;
  const verdicts = createVerdicts(template.roles);
  const dynamoDb = await startDynamoDb({
    tables: template.tables,
    dataDir,
    report,
    endpoint: options.dynamoDbEndpoint,
  });
  const secrets = openSecretsManager(template.secrets, dataDir);
  const kms = openKms(template.keys, dataDir);
  const stepFunctions = openStepFunctions({ ...template, verdicts, dataDir, invoke, report, retryIntervalMs });
  const s3 = openS3({
    buckets: template.buckets,
    dataDir,
    allows: (caller, access) => verdicts.judge(caller.roleArn, access).allowed,
  });
  const lambda = lambdaService({ functions: template.functions, invoke, report });
  const services = [dynamoDb, secrets, kms, stepFunctions, s3, lambda, ...(options.services ?? [])];
  const endpoint = await serveAws({ services, verdicts, report, aroundCall: options.aroundCall });
  return { endpoint, dynamoDb, secrets, stepFunctions, close: endpoint.close };
}
