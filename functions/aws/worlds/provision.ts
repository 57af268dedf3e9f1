/** The world of the function that starts and ends sandboxes, and builds packages for them. */
import { randomBytes } from 'node:crypto';
import { ECSClient } from '@aws-sdk/client-ecs';
import { S3Client } from '@aws-sdk/client-s3';
import type { TellCloudFormation } from '#contract/custom-resource.ts';
import { PackageSources } from '#contract/packages.ts';
import type { EndAllWorld } from '#core/hands/end-all.ts';
import type { ProvisionWorld } from '#core/hands/provision.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createPackageArchives } from '#aws/hands/package-archives.s3.ts';
import { createCluster, createPackageBuilds, createTasks } from '#aws/hands/tasks.ecs.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
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
  };
}

/** Sandboxes and builds share one cluster, and have subnets, roles and security groups of their own. */
function taskPlace(env: Env, kind: 'SANDBOX' | 'PACKAGES') {
  return {
    cluster: setting(env, 'SANDBOX_CLUSTER'),
    taskDefinition: setting(env, `${kind}_TASK_DEFINITION`),
    container: setting(env, `${kind}_CONTAINER`),
    subnets: setting(env, `${kind}_SUBNETS`).split(','),
    securityGroup: setting(env, `${kind}_SECURITY_GROUP`),
  };
}
