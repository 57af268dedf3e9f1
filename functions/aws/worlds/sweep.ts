/** The sweep's world: of everything it looks at, it holds as much as it takes to finish what others began. */
import { ECSClient } from '@aws-sdk/client-ecs';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SFNClient } from '@aws-sdk/client-sfn';
import type { Instant } from '#contract/ids.ts';
import type { SettlePorts } from '#core/connect/connect-world.ts';
import type { LeftoverPorts } from '#core/files/end-leftover.ts';
import type { MemoryRemovals } from '#core/ports/memory.ts';
import type { Cluster, Harvesting, KeepingUp, ProxyRecords, SandboxRecords } from '#core/ports/sandboxes.ts';
import type { RunList } from '#core/ports/session-log.ts';
import type { Pause } from '#core/ports/stamp.ts';
import type { RunPorts } from '#core/session/repair.ts';
import type { PendingCredentialWorld } from '#core/vault/end-pending-credential.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createHarvester } from '#aws/hands/harvester.lambda.ts';
import { createProvisioner } from '#aws/hands/provisioner.lambda.ts';
import { createProxyRecords, createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createCluster } from '#aws/hands/tasks.ecs.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { runningSince, type RunningSession } from '#aws/session/running-sessions.dynamodb.ts';
import { createRunList } from '#aws/session/run-list.step-functions.ts';
import { createSecretRemover } from '#aws/vault/secret-stores.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { pause } from '#aws/stamp.ts';
import { settlePorts } from '#aws/worlds/connecting.ts';
import { runPorts } from '#aws/worlds/runs.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

type Logged = (message: string, fields: Readonly<Record<string, string>>) => void;

export interface SweepWorld extends RunPorts {
  readonly connecting: SettlePorts;
  readonly pending: PendingCredentialWorld;
  readonly leftovers: LeftoverPorts;
  readonly memoryRemovals: MemoryRemovals;
  readonly runList: RunList;
  runningSince(instant: Instant): AsyncGenerator<RunningSession>;
  readonly cluster: Cluster;
  readonly sandboxes: Pick<SandboxRecords, 'find' | 'lost'>;
  readonly harvesting: Harvesting;
  /** Null where the deployment opens no network. */
  readonly wayOut: {
    readonly proxies: Pick<ProxyRecords, 'find'>;
    readonly warm: number;
    readonly keeping: KeepingUp;
  } | null;
  readonly sandboxAges: { readonly maxAgeMs: number; readonly idleMs: number };
  readonly pause: Pause;
  readonly journal: { readonly logger: { readonly warn: Logged; readonly error: Logged } };
}

export function sweepWorld(env: Env): SweepWorld {
  const dynamodb = createDynamoDb(env);
  const table = setting(env, 'RECORDS_TABLE');
  const ports = runPorts(env, sessionTables(env, dynamodb));
  const connecting = settlePorts(env, ports);
  return {
    ...ports,
    connecting,
    pending: { credentials: connecting.credentials, secrets: createSecretRemover(env) },
    leftovers: {
      leftovers: createLeftovers(dynamodb, table),
      abandonedCopies: createFileRecords(dynamodb, table),
      abandonedVersions: createSkillRecords(dynamodb, table),
      blobRemover: createBlobs(env, setting(env, 'CONTENT_BUCKET')),
    },
    memoryRemovals: createMemoryStoreRecords(dynamodb, setting(env, 'MEMORY_TABLE')),
    runList: createRunList(new SFNClient(), setting(env, 'RUN_STATE_MACHINE_ARN')),
    runningSince: (instant) => runningSince(dynamodb, table, instant),
    cluster: createCluster(new ECSClient(), setting(env, 'SANDBOX_CLUSTER')),
    sandboxes: createSandboxRecords(dynamodb, table),
    wayOut: wayOutOf(env, dynamodb),
    harvesting: createHarvester(env, setting(env, 'EXECUTE_FUNCTION_NAME')),
    sandboxAges: {
      maxAgeMs: Number(setting(env, 'SANDBOX_MAX_SECONDS')) * 1000,
      idleMs: Number(setting(env, 'SANDBOX_IDLE_SECONDS')) * 1000,
    },
    pause,
    journal: createJournal(),
  };
}

function wayOutOf(env: Env, dynamodb: DynamoDBClient): SweepWorld['wayOut'] {
  if (setting(env, 'NETWORK_MAX') === 'none') return null;
  return {
    proxies: createProxyRecords(dynamodb, setting(env, 'RECORDS_TABLE')),
    warm: Number(setting(env, 'EGRESS_WARM_PROXIES')),
    keeping: createProvisioner(env, setting(env, 'PROVISION_FUNCTION_NAME')),
  };
}
