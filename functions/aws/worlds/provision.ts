/** The world of the function that starts and ends sandboxes, and builds packages for them. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { ECSClient } from '@aws-sdk/client-ecs';
import { S3Client } from '@aws-sdk/client-s3';
import type { TellCloudFormation } from '#contract/custom-resource.ts';
import { REACHES } from '#contract/egress.ts';
import { PackageSources } from '#contract/packages.ts';
import type { EndAllWorld } from '#core/hands/end-all.ts';
import type { ProvisionWorld, WayOutWorld } from '#core/hands/provision.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createEnvironmentRecords } from '#aws/records/environments.dynamodb.ts';
import { createSessionReader } from '#aws/session/session-records.dynamodb.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { createPackageArchives } from '#aws/hands/package-archives.s3.ts';
import { createCluster, createPackageBuilds, createProxyTasks, createTasks } from '#aws/hands/tasks.ecs.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createProxyRecords, createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { jsonSetting, setting, type Env } from '#aws/settings.ts';
import { sha256, createStamp, pause } from '#aws/stamp.ts';
import { tellCloudFormation } from '#aws/tell-cloudformation.ts';

export function provisionWorld(env: Env): ProvisionWorld & EndAllWorld & { readonly tell: TellCloudFormation } {
  const ecs = new ECSClient();
  return {
    sandboxes: createSandboxRecords(createDynamoDb(env), setting(env, 'RECORDS_TABLE')),
    tasks: createTasks({ ...taskPlace(env, 'SANDBOX'), ecs }, setting(env, 'SANDBOX_IDLE_SECONDS')),
    cluster: createCluster(ecs, setting(env, 'SANDBOX_CLUSTER')),
    builds: createPackageBuilds({ ...taskPlace(env, 'PACKAGES'), ecs }),
    archives: createPackageArchives({
      s3: new S3Client(),
      bucket: setting(env, 'CONTENT_BUCKET'),
      env,
    }),
    system: setting(env, 'PACKAGES_SYSTEM'),
    sources: jsonSetting(env, 'PACKAGES_SOURCES', PackageSources),
    stamp: createStamp(),
    pause,
    newToken: () => randomBytes(32).toString('base64url'),
    sha256,
    journal: createJournal(),
    tell: tellCloudFormation,
    wayOut: wayOutWorld(env, ecs),
  };
}

function wayOutWorld(env: Env, ecs: ECSClient): WayOutWorld {
  const max = z.enum(REACHES).parse(setting(env, 'NETWORK_MAX'));
  const [dynamodb, table] = [createDynamoDb(env), setting(env, 'RECORDS_TABLE')];
  const vaults = setting(env, 'VAULT_TABLE');
  const warm = max === 'none' ? 0 : Number(setting(env, 'EGRESS_WARM_PROXIES'));
  return {
    max,
    warm,
    proxies: createProxyRecords(dynamodb, table),
    proxyTasks: max === 'none' ? null : createProxyTasks({ ...taskPlace(env, 'EGRESS'), ecs }, warm),
    sessionReader: createSessionReader(dynamodb, table),
    environments: createEnvironmentRecords(dynamodb, table),
    vaults: createVaultRecords(dynamodb, vaults),
    credentials: createCredentialRecords(dynamodb, vaults),
  };
}

/** Sandboxes and builds share one cluster, and have subnets, roles and security groups of their own. */
function taskPlace(env: Env, kind: 'SANDBOX' | 'PACKAGES' | 'EGRESS') {
  return {
    cluster: setting(env, 'SANDBOX_CLUSTER'),
    taskDefinition: setting(env, `${kind}_TASK_DEFINITION`),
    container: setting(env, `${kind}_CONTAINER`),
    subnets: setting(env, `${kind}_SUBNETS`).split(','),
    securityGroup: setting(env, `${kind}_SECURITY_GROUP`),
  };
}
