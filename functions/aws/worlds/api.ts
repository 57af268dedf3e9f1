/** The API's world. */
import * as z from 'zod';
import { S3Client } from '@aws-sdk/client-s3';
import { GitHosts } from '#contract/git-hosts.ts';
import { AllowedHosts } from '#contract/outbound.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createAgentRecords } from '#aws/records/agents.dynamodb.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { createAuditSigner } from '#aws/audit/audit-signer.lambda.ts';
import { createAuditTrail } from '#aws/audit/audit-trail.dynamodb.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createUploadRecords } from '#aws/files/uploads.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createContentRemover } from '#aws/session/content-remover.s3.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createEnvironmentRecords } from '#aws/records/environments.dynamodb.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createLogReader } from '#aws/session/log-reader.dynamodb.ts';
import { createLogRemover } from '#aws/session/log-remover.dynamodb.ts';
import { createMemories } from '#aws/memory/memories.dynamodb.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { createMcpProxy } from '#aws/mcp/mcp-proxy.lambda.ts';
import { createPolicyCheck } from '#aws/policy/policy-check.cedar.ts';
import { createPolicyRecords } from '#aws/policy/policy-records.dynamodb.ts';
import { createToolPins } from '#aws/policy/tool-pins.dynamodb.ts';
import { createSecretWriter } from '#aws/vault/secret-stores.ts';
import { createSandboxRecords, plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { createThreadRecords } from '#aws/session/thread-records.dynamodb.ts';
import { jsonSetting, setting, type Env } from '#aws/settings.ts';
import { sha256, newToken, pause } from '#aws/stamp.ts';
import { createSkillArchives } from '#aws/skills/skill-archives.zip.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { tokenSealerOf } from '#aws/vault/repository-tokens.kms.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { createProvisioner } from '#aws/hands/provisioner.lambda.ts';
import { auditOf } from '#aws/worlds/audit.ts';
import { enterpriseIn } from '#aws/worlds/connect-settings.ts';
import { limiterOf } from '#aws/worlds/limits.ts';
import { requestConnectionPorts } from '#aws/worlds/connecting.ts';
import { runPorts } from '#aws/worlds/runs.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

const RetiredModels = z.enum(['refused', 'accepted']);

export function apiWorld(env: Env) {
  const dynamodb = createDynamoDb(env);
  const vaultTable = setting(env, 'VAULT_TABLE');
  const memoryTable = setting(env, 'MEMORY_TABLE');
  const tables = sessionTables(env, dynamodb);
  const { recordsTable } = tables;
  const bucket = setting(env, 'CONTENT_BUCKET');
  const ports = runPorts(env, tables);
  const blobs = createBlobs(env, bucket);
  return {
    ...ports,
    agents: createAgentRecords(dynamodb, recordsTable),
    environments: createEnvironmentRecords(dynamodb, recordsTable),
    sessions: createSessionRecords({ ...tables, plannedSandbox }),
    threads: createThreadRecords(tables),
    files: createFileRecords(dynamodb, recordsTable),
    blobs,
    uploads: createUploadRecords(dynamodb, recordsTable),
    blobUploads: blobs,
    leftovers: createLeftovers(dynamodb, recordsTable),
    skills: createSkillRecords(dynamodb, recordsTable),
    skillArchives: createSkillArchives(),
    apiKeys: createApiKeys(dynamodb, recordsTable),
    limiter: limiterOf(env, { dynamodb, maxLease: Number.POSITIVE_INFINITY }),
    reader: createLogReader(tables),
    sandboxes: createSandboxRecords(dynamodb, recordsTable),
    releasing: createProvisioner(env, setting(env, 'PROVISION_FUNCTION_NAME')),
    remover: createLogRemover({ ...tables, content: createContentRemover(new S3Client(), bucket) }),
    vaults: createVaultRecords(dynamodb, vaultTable),
    credentials: createCredentialRecords(dynamodb, vaultTable),
    secrets: createSecretWriter(env),
    ...repositoryPorts(env),
    memoryStores: createMemoryStoreRecords(dynamodb, memoryTable),
    memories: createMemories(dynamodb, memoryTable),
    serversAllowed: jsonSetting(env, 'MCP_ALLOW', AllowedHosts),
    retiredModels: RetiredModels.parse(setting(env, 'RETIRED_MODELS')),
    identities: {
      enterprise: enterpriseIn(env),
      allow: jsonSetting(env, 'CONNECT_ALLOW', AllowedHosts),
    },
    trial: createMcpProxy(env, {
      functionName: setting(env, 'MCP_PROXY_FUNCTION_NAME'),
      pause,
    }),
    audit: auditOf(env),
    auditTrail: createAuditTrail(dynamodb, setting(env, 'AUDIT_TABLE')),
    auditSigner: createAuditSigner(env, setting(env, 'SIGN_AUDIT_FUNCTION_NAME')),
    connecting: requestConnectionPorts(env, ports),
    policyRecords: createPolicyRecords(dynamodb, vaultTable),
    policyCheck: createPolicyCheck(),
    pins: createToolPins(dynamodb, vaultTable),
    sha256,
    newToken,
    journal: createJournal(),
  };
}

/** A deployment whose sandboxes reach nothing has no key for tokens, and no repositories. */
function repositoryPorts(env: Env) {
  if (setting(env, 'NETWORK_MAX') === 'none') return { tokenSealer: null, gitHosts: {} };
  return { tokenSealer: tokenSealerOf(env), gitHosts: jsonSetting(env, 'GIT_HOSTS', GitHosts) };
}
