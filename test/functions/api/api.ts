/**
 * The API in one process on a real DynamoDB engine. Only the bucket, the state machine and the secrets are in memory.
 */
import { randomUUID } from 'node:crypto';
import { ApiKeyId, WorkspaceId } from '#contract/ids.ts';
import type { GitHosts } from '#contract/git-hosts.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import type { CredentialValidation } from '#contract/credential-validation.ts';
import { createAgentRecords } from '#aws/records/agents.dynamodb.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { createAudit } from '#aws/audit/audit.dynamodb.ts';
import { createAuditTrail } from '#aws/audit/audit-trail.dynamodb.ts';
import { createChainEnds } from '#aws/audit/chain-ends.dynamodb.ts';
import { createConnectionRecords } from '#aws/connect/connection-records.dynamodb.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createUploadRecords } from '#aws/files/uploads.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createSkillArchives } from '#aws/skills/skill-archives.zip.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createEnvironmentRecords } from '#aws/records/environments.dynamodb.ts';
import { createLogReader } from '#aws/session/log-reader.dynamodb.ts';
import { createLogRemover } from '#aws/session/log-remover.dynamodb.ts';
import { createMemories } from '#aws/memory/memories.dynamodb.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { createPolicyCheck } from '#aws/policy/policy-check.cedar.ts';
import { createPolicyRecords } from '#aws/policy/policy-records.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { createSandboxRecords, plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { createThreadRecords } from '#aws/session/thread-records.dynamodb.ts';
import { sha256, createStamp, newToken, pause } from '#aws/stamp.ts';
import { createTokenBuckets } from '#aws/records/token-buckets.dynamodb.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import type { WaitingCall } from '#core/ports/connection-records.ts';
import { createToolPins } from '#aws/policy/tool-pins.dynamodb.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { MetricName } from '#core/ports/journal.ts';
import type { VaultWorld } from '#core/vault/vault-world.ts';
import type { SecretWriter, TokenSealer } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import { signHeads } from '#core/audit/sign-heads.ts';
import { createRateLimiter, type RateLimits } from '#core/requests/admission.ts';
import { createKept, createKey } from '#test/functions/core/audit/signing.ts';
import { startDynamoDb } from '#test/ports/dynamodb.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';
import { sealerOf } from '#test/functions/core/egress/sealed-tokens.ts';
import { createMemorySecrets } from '#test/ports/secrets.memory.ts';
import { createApp } from '../../../functions/api/app.ts';

export const KEY = 'a-key-of-the-tests';
export const OTHER_KEY = 'a-key-of-another-workspace';
const WORKSPACE = WorkspaceId.parse('wrkspc_tests');
const OTHER_WORKSPACE = WorkspaceId.parse('wrkspc_others');

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Tests read responses untyped, because the shape is what they test.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export type Line = Readonly<Record<string, unknown>>;

export async function startApi(limits: RateLimits = { creates: null, reads: null }) {
  const db = await startDynamoDb();
  const objects = new Map<string, string>();
  const content = {
    put: async (key: string, text: string) => void objects.set(key, text),
    get: async (key: string) => objects.get(key) ?? '',
    removeAll: async (prefix: string) => {
      for (const key of objects.keys()) if (key.startsWith(prefix)) objects.delete(key);
    },
  };
  const { client: dynamodb, logTable, recordsTable } = db;
  const tables = { dynamodb, logTable, recordsTable, content, newName: randomUUID };
  const lines: Line[] = [];
  const metrics: MetricName[] = [];
  const started: string[] = [];
  const released: string[] = [];
  const resumed: WaitingCall[] = [];
  const secrets = createMemorySecrets();
  const apiKeys = createApiKeys(dynamodb, recordsTable);
  const issued = { createdAt: '2026-11-21T10:00:00.000Z' };
  await apiKeys.issue(KEY, { ...issued, id: ApiKeyId.parse('apikey_1'), workspace: WORKSPACE });
  await apiKeys.issue(OTHER_KEY, { ...issued, id: ApiKeyId.parse('apikey_2'), workspace: OTHER_WORKSPACE });
  const buckets = createTokenBuckets(dynamodb, recordsTable);
  const limiter = createRateLimiter({ limits, buckets, nowMs: Date.now, maxLease: Number.POSITIVE_INFINITY });
  const connections = createConnectionRecords(dynamodb, db.vaultTable);
  const connecting = {
    ...{
      connections,
      vaults: createVaultRecords(dynamodb, db.vaultTable),
      agents: createAgentRecords(dynamodb, recordsTable),
    },
    credentials: createCredentialRecords(dynamodb, db.vaultTable),
    resume: async (call: WaitingCall) => ({ run: resumed.push(call) > 0 ? 'started' : 'none' }) as const,
    decline: async () => ({ run: 'none' }) as const,
    isWaiting: async (_call: WaitingCall) => true,
    ...{ stamp: createStamp(), newToken, serversAllowed: [], returnUrls: ['http://localhost:3000', 'acme://done'] },
    enterprise: null,
    baseUrl: 'https://agents.example.com/prod/connect' as string | null,
  };
  const audit = createAudit({ dynamodb, table: db.auditTable, now: createStamp().now, newToken, pause });
  const signing = {
    ...{ ends: createChainEnds(dynamodb, db.auditTable), key: createKey(), kept: createKept() },
    now: createStamp().now,
  };
  const blobs = createMemoryBlobs();
  const world = {
    log: createSessionLog(tables),
    runs: {
      start: async (key: LogKey, run: number) => {
        started.push(`${key.session}-${run}`);
        return 'started' as const;
      },
    },
    stamp: createStamp(),
    agents: createAgentRecords(dynamodb, recordsTable),
    environments: createEnvironmentRecords(dynamodb, recordsTable),
    sessions: createSessionRecords({ ...tables, plannedSandbox }),
    threads: createThreadRecords(tables),
    files: createFileRecords(dynamodb, recordsTable),
    blobs,
    blobUploads: blobs,
    uploads: createUploadRecords(dynamodb, recordsTable),
    leftovers: createLeftovers(dynamodb, recordsTable),
    skills: createSkillRecords(dynamodb, recordsTable),
    skillArchives: createSkillArchives(),
    apiKeys,
    limiter,
    reader: createLogReader(tables),
    remover: createLogRemover(tables),
    sandboxes: createSandboxRecords(dynamodb, recordsTable),
    releasing: { release: async (session: string) => void released.push(session) },
    vaults: createVaultRecords(dynamodb, db.vaultTable),
    credentials: createCredentialRecords(dynamodb, db.vaultTable),
    secrets: secrets as SecretWriter,
    tokenSealer: sealerOf() as TokenSealer | null,
    gitHosts: { 'git.example.com': 'gitlab' } as GitHosts,
    serversAllowed: [] as AllowedHosts,
    identities: { enterprise: null, allow: [] } as VaultWorld['identities'],
    trial: { validate: async (_place: CredentialPlace): Promise<CredentialValidation | null> => null },
    audit,
    auditTrail: createAuditTrail(dynamodb, db.auditTable),
    auditSigner: { heads: async (workspace: WorkspaceId) => (await signHeads(signing, workspace)).signed },
    connecting,
    memoryStores: createMemoryStoreRecords(dynamodb, db.memoryTable),
    memories: createMemories(dynamodb, db.memoryTable),
    policyRecords: createPolicyRecords(dynamodb, db.vaultTable),
    policyCheck: createPolicyCheck(),
    pins: createToolPins(dynamodb, db.vaultTable),
    sha256,
    newToken,
    retiredModels: 'refused' as const,
    journal: {
      line: (message: string, fields: Line) => void lines.push({ message, ...fields }),
      metric: (name: MetricName) => void metrics.push(name),
    },
  };
  const app = createApp(world);

  async function ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await app.request(path, {
      method,
      headers: { authorization: `Bearer ${KEY}`, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  return {
    world,
    app,
    ask,
    objects,
    lines,
    metrics,
    started,
    resumed,
    dynamodb,
    logTable,
    recordsTable,
    vaultTable: db.vaultTable,
    auditTable: db.auditTable,
    memoryTable: db.memoryTable,
    secrets,
    close: () => db.close(),
    /** A session of a new agent in a new environment. */
    async session(fields: Record<string, unknown> = {}): Promise<string> {
      const agent = await ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
      const environment = await ask('POST', '/v1/environments', { name: 'box' });
      const made = await ask('POST', '/v1/sessions', {
        agent: agent.body.id,
        environment_id: environment.body.id,
        ...fields,
      });
      return made.body.id as string;
    },
    send: (session: string, ...texts: readonly string[]) =>
      ask('POST', `/v1/sessions/${session}/events`, {
        events: texts.map((text) => ({ type: 'user.message', content: [{ type: 'text', text }] })),
      }),
  };
}

export type TestApi = Awaited<ReturnType<typeof startApi>>;
