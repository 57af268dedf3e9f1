/** Each function's world: its settings read once, its clients made once, its ports bound to AWS. */
import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { S3Client } from '@aws-sdk/client-s3';
import type { ExecuteWorld } from '#core/hands/execute.ts';
import type { ProvisionWorld } from '#core/hands/provision.ts';
import type { WebFetchWorld } from '#core/hands/web-fetch.ts';
import { createHistory } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { AllowedHosts } from '#contract/outbound.ts';
import { PackageSources } from '#contract/packages.ts';
import type { Model } from '#core/ports/model.ts';
import type { SessionLog } from '#core/ports/session-log.ts';
import type { Previews } from '#core/ports/previews.ts';
import { createRateLimiter, type RateLimiter } from '#core/requests/rate-limiter.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { resolveBySystem } from '#aws/outbound/hops.https.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { createAnthropicModel } from '#aws/model/model.anthropic.ts';
import { createMcpProxy } from '#aws/mcp/mcp-proxy.lambda.ts';
import { createOutbound } from '#aws/outbound/outbound.https.ts';
import { modelKeyReader, requiredSecretReader } from '#aws/model/model-key.secrets-manager.ts';
import { readPage } from '#aws/outbound/read-page.htmlparser2.ts';
import { createPreviews } from '#aws/session/previews.dynamodb.ts';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { createSandboxRecords } from '#aws/records/sandbox-records.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { sha256 } from '#aws/sha256.ts';
import { jsonSetting, rateSetting, setting, urlSetting, type Environment } from '#aws/settings.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { createTokenBuckets } from '#aws/records/token-buckets.dynamodb.ts';
import { createPackageBuilds, createTasks } from '#aws/hands/tasks.ecs.ts';
import { createPackageArchives } from '#aws/hands/package-archives.s3.ts';
import { createPackageDelivery } from '#aws/hands/package-delivery.http.ts';
import { createProvisioner } from '#aws/hands/provisioner.lambda.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

export type HarnessWorld = TurnWorld & { readonly journal: FunctionJournal };

/** The harness that asks the Claude API. The others are in files of their own, for their clients' size. */
export function anthropicHarnessWorld(environment: Environment): HarnessWorld {
  const baseUrl = urlSetting(environment, 'MODEL_BASE_URL');
  const apiKey = modelKeyReader(setting(environment, 'MODEL_API_KEY_SECRET_ARN'));
  return harnessWorld(environment, createAnthropicModel({ baseUrl, apiKey }));
}

export function harnessWorld(environment: Environment, model: Model): HarnessWorld {
  const log = logOf(environment);
  return {
    log,
    history: createHistory(log),
    model,
    warming: createProvisioner(environment, setting(environment, 'PROVISION_FUNCTION_NAME')),
    mcp: createMcpProxy(environment, {
      functionName: setting(environment, 'MCP_PROXY_FUNCTION_NAME'),
      pause,
    }),
    sha256,
    previews: previewsOf(environment),
    stamp: createStamp(),
    pause,
    journal: createJournal(),
  };
}

export function provisionWorld(environment: Environment): ProvisionWorld & { readonly journal: FunctionJournal } {
  const ecs = new ECSClient();
  return {
    records: createSandboxRecords(new DynamoDBClient(), setting(environment, 'RECORDS_TABLE')),
    tasks: createTasks({ ...taskPlace(environment, 'SANDBOX'), ecs }),
    builds: createPackageBuilds({ ...taskPlace(environment, 'PACKAGES'), ecs }),
    archives: createPackageArchives({
      s3: new S3Client(),
      bucket: setting(environment, 'CONTENT_BUCKET'),
      environment,
    }),
    system: setting(environment, 'PACKAGES_SYSTEM'),
    sources: jsonSetting(environment, 'PACKAGES_SOURCES', PackageSources),
    stamp: createStamp(),
    pause,
    newToken: () => randomBytes(32).toString('base64url'),
    sha256,
    journal: createJournal(),
  };
}

/** Sandboxes and builds run in one cluster, and otherwise nowhere near each other. */
function taskPlace(environment: Environment, kind: 'SANDBOX' | 'PACKAGES') {
  return {
    cluster: setting(environment, 'SANDBOX_CLUSTER'),
    taskDefinition: setting(environment, `${kind}_TASK_DEFINITION`),
    container: setting(environment, `${kind}_CONTAINER`),
    subnets: setting(environment, `${kind}_SUBNETS`).split(','),
    securityGroup: setting(environment, `${kind}_SECURITY_GROUP`),
  };
}

export function executeWorld(environment: Environment): ExecuteWorld & { readonly journal: FunctionJournal } {
  return {
    log: logOf(environment),
    records: createSandboxRecords(new DynamoDBClient(), setting(environment, 'RECORDS_TABLE')),
    client: createSandboxClient(),
    delivery: createPackageDelivery(new S3Client(), setting(environment, 'CONTENT_BUCKET')),
    stamp: createStamp(),
    pause,
    journal: createJournal(),
  };
}

export function webFetchWorld(environment: Environment): WebFetchWorld & { readonly journal: FunctionJournal } {
  return {
    log: logOf(environment),
    outbound: createOutbound({
      allow: jsonSetting(environment, 'WEB_FETCH_ALLOW', AllowedHosts),
      resolve: resolveBySystem,
    }),
    readPage,
    stamp: createStamp(),
    journal: createJournal(),
  };
}

export function streamWorld(environment: Environment) {
  const dynamodb = new DynamoDBClient();
  return {
    log: logOf(environment),
    apiKeys: createApiKeys(dynamodb, setting(environment, 'RECORDS_TABLE')),
    // An instance is busy with one stream for minutes: a second token would run out unused.
    limiter: limiterOf(environment, { dynamodb, maxLease: 1 }),
    previews: previewsOf(environment),
    newToken,
    pause,
    journal: createJournal(),
  };
}

export function issueKeyWorld(environment: Environment) {
  return {
    apiKeys: createApiKeys(new DynamoDBClient(), setting(environment, 'RECORDS_TABLE')),
    newToken,
    now: createStamp().now,
    /** The key itself: the whole of the secret. */
    secret: requiredSecretReader(setting(environment, 'FIRST_API_KEY_SECRET_ARN')),
  };
}

export function limiterOf(
  environment: Environment,
  { dynamodb, maxLease }: { readonly dynamodb: DynamoDBClient; readonly maxLease: number },
): RateLimiter {
  return createRateLimiter({
    limits: {
      creates: rateSetting(environment, 'CREATES_PER_MINUTE'),
      reads: rateSetting(environment, 'READS_PER_MINUTE'),
    },
    buckets: createTokenBuckets(dynamodb, setting(environment, 'RECORDS_TABLE')),
    nowMs: Date.now,
    maxLease,
  });
}

function logOf(environment: Environment): SessionLog {
  return createSessionLog(sessionTables(environment, new DynamoDBClient()));
}

function previewsOf(environment: Environment): Previews {
  return createPreviews(new DynamoDBClient(), setting(environment, 'PREVIEWS_TABLE'));
}
