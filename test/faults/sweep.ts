/** Runs sweep as its function does, with its role's rights, over every session that runs at this moment. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { later } from '#core/ports/stamp.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { createContentStore } from '#aws/session/content.s3.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { runningSince } from '#aws/session/running-sessions.dynamodb.ts';
import { createRunList } from '#aws/session/run-list.step-functions.ts';
import { createRuns } from '#aws/session/runs.step-functions.ts';
import { createSecretsManagerWriter } from '#aws/vault/secrets.secrets-manager.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { setting } from '#aws/settings.ts';
import { createStamp, pause } from '#aws/stamp.ts';
import { serviceOf } from '#infra/local/lambda/environment.ts';
import type { Service } from '#test/journeys/service.ts';
import { endLeftovers } from '../../functions/sweep/end-leftovers.ts';
import { endPendingCredentials } from '../../functions/sweep/end-pending-credentials.ts';
import { sweep } from '../../functions/sweep/sweep.ts';

/** The settings of a function, and those of SDK clients with its role's rights. */
export function asFunction({ runtime }: Service, entry: string) {
  const part = runtime.template.functions.find((one) => serviceOf(one) === entry);
  if (part === undefined) throw new Error(`the template has no ${entry}`);
  const { endpoint } = runtime.aws;
  const client = {
    endpoint: endpoint.url,
    region: runtime.template.region,
    credentials: endpoint.credentialsFor({ functionName: part.name, roleArn: part.roleArn, worker: 'of a test' }),
  };
  return { part, client };
}

export function environmentOf({ endpoint, region, credentials }: ReturnType<typeof asFunction>['client']) {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}

export async function sweepNow(service: Service): Promise<void> {
  const { part, client } = asFunction(service, 'sweep');
  const dynamodb = new DynamoDBClient(client);
  const recordsTable = setting(part.environment, 'RECORDS_TABLE');
  const log = createSessionLog({
    dynamodb,
    recordsTable,
    logTable: setting(part.environment, 'LOG_TABLE'),
    content: createContentStore(environmentOf(client), setting(part.environment, 'CONTENT_BUCKET')),
    newName: crypto.randomUUID.bind(crypto),
  });
  const sfn = new SFNClient(client);
  const machine = setting(part.environment, 'RUN_STATE_MACHINE_ARN');
  const runs = createRuns(environmentOf(client), machine);
  const runList = createRunList(sfn, machine);
  const stamp = createStamp();
  const journal = createJournal();
  await sweep(
    {
      log,
      runs,
      runList,
      stamp,
      journal,
      pause,
      runningSince: (instant) => runningSince(dynamodb, recordsTable, instant),
    },
    new Date(Date.now() + 1000).toISOString(),
  );
  for (const each of [dynamodb, sfn]) each.destroy();
}

/** Removes what is announced as left over by now. */
export async function sweepLeftovers(service: Service): Promise<void> {
  const { part, client } = asFunction(service, 'sweep');
  const dynamodb = new DynamoDBClient(client);
  const table = setting(part.environment, 'RECORDS_TABLE');
  const leftovers = {
    leftovers: createLeftovers(dynamodb, table),
    abandonedCopies: createFileRecords(dynamodb, table),
    abandonedVersions: createSkillRecords(dynamodb, table),
    blobRemover: createBlobs(environmentOf(client), setting(part.environment, 'CONTENT_BUCKET')),
  };
  await endLeftovers({ leftovers, journal: createJournal() }, later(createStamp().now(), 1000));
  dynamodb.destroy();
}

/** Runs sweep as if this much time had passed. */
export async function sweepPendingCredentials(service: Service, afterMs: number): Promise<void> {
  const { part, client } = asFunction(service, 'sweep');
  const dynamodb = new DynamoDBClient(client);
  const manager = new SecretsManagerClient(client);
  const pending = {
    credentials: createCredentialRecords(dynamodb, setting(part.environment, 'VAULT_TABLE')),
    secrets: createSecretsManagerWriter(manager, setting(part.environment, 'SECRETS_PREFIX')),
  };
  await endPendingCredentials({ pending, journal: createJournal() }, later(createStamp().now(), afterMs));
  for (const each of [dynamodb, manager]) each.destroy();
}
