/** The API's world. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { AllowedHosts } from '#contract/outbound.ts';
import { createAgentRecords } from '#aws/records/agents.dynamodb.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { createAuditTrail } from '#aws/audit/audit-trail.dynamodb.ts';
import { createContentRemover } from '#aws/session/content-remover.s3.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createEnvironmentRecords } from '#aws/records/environments.dynamodb.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createLogReader } from '#aws/session/log-reader.dynamodb.ts';
import { createLogRemover } from '#aws/session/log-remover.dynamodb.ts';
import { createMcpProxy } from '#aws/mcp/mcp-proxy.lambda.ts';
import { createSecretWriter } from '#aws/vault/secret-stores.ts';
import { plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { jsonSetting, setting, type Environment } from '#aws/settings.ts';
import { newToken, pause } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { createProvisioner } from '#aws/hands/provisioner.lambda.ts';
import { auditOf } from '#aws/worlds/audit.ts';
import { enterpriseIn } from '#aws/worlds/connect-settings.ts';
import { governanceWorld } from '#aws/worlds/governance.ts';
import { limiterOf } from '#aws/worlds/limits.ts';
import { linkWorld } from '#aws/worlds/link-requests.ts';
import { sendingWorld } from '#aws/worlds/sending.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

export function apiWorld(environment: Environment) {
  const dynamodb = new DynamoDBClient();
  const vaultTable = setting(environment, 'VAULT_TABLE');
  const tables = sessionTables(environment, dynamodb);
  const { logTable, recordsTable } = tables;
  const bucket = setting(environment, 'CONTENT_BUCKET');
  const sending = sendingWorld(environment, tables);
  const audit = auditOf(environment);
  return {
    ...sending,
    agents: createAgentRecords(dynamodb, recordsTable),
    environments: createEnvironmentRecords(dynamodb, recordsTable),
    sessions: createSessionRecords({ ...tables, plannedSandbox }),
    apiKeys: createApiKeys(dynamodb, recordsTable),
    limiter: limiterOf(environment, { dynamodb, maxLease: Number.POSITIVE_INFINITY }),
    reader: createLogReader(tables),
    sandboxes: createProvisioner(environment, setting(environment, 'PROVISION_FUNCTION_NAME')),
    remover: createLogRemover({ dynamodb, logTable, content: createContentRemover(new S3Client(), bucket) }),
    vaults: createVaultRecords(dynamodb, vaultTable),
    credentials: createCredentialRecords(dynamodb, vaultTable),
    secrets: createSecretWriter(environment),
    serversAllowed: jsonSetting(environment, 'MCP_ALLOW', AllowedHosts),
    identities: {
      enterprise: enterpriseIn(environment),
      allow: jsonSetting(environment, 'CONNECT_ALLOW', AllowedHosts),
    },
    trial: createMcpProxy(environment, {
      functionName: setting(environment, 'MCP_PROXY_FUNCTION_NAME'),
      pause,
    }),
    audit,
    auditTrail: createAuditTrail(dynamodb, setting(environment, 'AUDIT_TABLE')),
    connecting: linkWorld(environment, sending),
    governing: governanceWorld(environment, audit),
    newToken,
    journal: createJournal(),
  };
}
