/** The MCP proxy's world. */
import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AllowedHosts } from '#contract/outbound.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { createConnectLinks } from '#core/connect/offer-link.ts';
import { bucketOf } from '#core/ports/token-bucket.ts';
import { createManagedTokens } from '#core/vault/managed-tokens.ts';
import { createTokens } from '#core/vault/fresh-token.ts';
import type { RefreshWorld } from '#core/vault/refresh.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import type { ValidationWorld } from '#core/mcp/validate-credential.ts';
import { createAuditedCalls } from '#aws/audit/audited-calls.dynamodb.ts';
import { createConnectRecords } from '#aws/connect/connect-records.dynamodb.ts';
import { createCallMarks } from '#aws/mcp/call-marks.dynamodb.ts';
import { readsClientSecrets } from '#aws/connect/client-secrets.secrets-manager.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import type { FetchLimits } from '#core/ports/outbound.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/hops.https.ts';
import { createHooks } from '#aws/policy/hooks.lambda.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { createMcpClient } from '#aws/mcp/mcp-client.streamable-http.ts';
import { createOutbound } from '#aws/outbound/outbound.https.ts';
import { createPolicies } from '#aws/policy/policies.cedar.ts';
import { createPolicyRecords } from '#aws/policy/policy-records.dynamodb.ts';
import { createRefreshLeases } from '#aws/vault/refresh-leases.dynamodb.ts';
import { createSecretReader, createSecretWriter } from '#aws/vault/secret-stores.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { jsonSetting, rateSetting, setting, type Environment } from '#aws/settings.ts';
import { sha256 } from '#aws/sha256.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { createTokenBuckets } from '#aws/records/token-buckets.dynamodb.ts';
import { createToolPins } from '#aws/policy/tool-pins.dynamodb.ts';
import { createTokenEndpoints } from '#aws/vault/token-endpoints.mcp-sdk.ts';
import { auditOf } from '#aws/worlds/audit.ts';
import { connectBaseUrl, enterpriseIn } from '#aws/worlds/connect-settings.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

/** Of one request to an MCP server. Tools may take their time before they say a word; the call's own deadline is below. */
const LIMITS: FetchLimits = { maxBytes: 20_000_000, totalMs: 115_000, idleMs: 90_000, maxRedirects: 3 };

export type ProxyWorld = McpProxyWorld & ValidationWorld & { readonly journal: FunctionJournal };

export function mcpProxyWorld(environment: Environment): ProxyWorld {
  const dynamodb = new DynamoDBClient();
  const refreshing = refreshWorld(environment, dynamodb);
  const vaults = setting(environment, 'VAULT_TABLE');
  const records = setting(environment, 'RECORDS_TABLE');
  const rate = rateSetting(environment, 'MCP_CALLS_PER_MINUTE');
  const { stamp } = refreshing;
  const tokens = createTokens(refreshing);
  const newClient = () => createMcpClient({ fetch: createGuardedFetch(wayOut(environment), LIMITS), now: Date.now });
  return {
    ...refreshing,
    ...sessionsIn(environment, dynamodb),
    tokens,
    managedTokens: managedTokensFrom(environment, { ...refreshing, tokens }),
    client: newClient(),
    newClient,
    pins: createToolPins(dynamodb, vaults),
    policies: createPolicies({ records: createPolicyRecords(dynamodb, vaults), nowMs: Date.now }),
    hooks: createHooks(environment),
    audit: auditOf(environment),
    auditedCalls: createAuditedCalls(dynamodb, setting(environment, 'AUDIT_TABLE')),
    marks: createCallMarks({ dynamodb, table: vaults, now: stamp.now, newName: randomUUID }),
    links: createConnectLinks({
      connects: createConnectRecords(dynamodb, vaults),
      stamp,
      newToken,
      baseUrl: connectBaseUrl(environment),
    }),
    buckets: createTokenBuckets(dynamodb, records),
    callRate: rate === null ? null : bucketOf(rate),
    sha256,
  };
}

function refreshWorld(environment: Environment, dynamodb: DynamoDBClient) {
  const table = setting(environment, 'VAULT_TABLE');
  return {
    credentials: createCredentialRecords(dynamodb, table),
    leases: createRefreshLeases(dynamodb, table),
    secrets: { ...createSecretWriter(environment), ...createSecretReader(environment) },
    outbound: createOutbound(wayOut(environment)),
    identityOutbound: createOutbound(wayOut(environment, 'CONNECT_ALLOW')),
    stamp: createStamp(),
    pause,
    newName: randomUUID,
    random: Math.random,
    journal: createJournal(),
    enterprise: enterpriseIn(environment),
  } satisfies RefreshWorld;
}

/** The customer's own choice of hosts for the identity provider is none for servers of strangers, and none of theirs for it. */
function managedTokensFrom(environment: Environment, world: RefreshWorld & { readonly tokens: Tokens }) {
  return createManagedTokens({
    ...world,
    identityProviders: issuersAt(environment, 'CONNECT_ALLOW'),
    authorizationServers: issuersAt(environment, 'MCP_ALLOW'),
    clientSecret: readsClientSecrets(new SecretsManagerClient()),
  });
}

/** Of one discovery: several places are asked, and a call waits. */
const DISCOVERY_LIMITS: FetchLimits = { maxBytes: 1_000_000, totalMs: 6000, idleMs: 4000, maxRedirects: 3 };

function issuersAt(environment: Environment, allowed: 'CONNECT_ALLOW' | 'MCP_ALLOW') {
  const way = wayOut(environment, allowed);
  const fetch = createGuardedFetch(way, DISCOVERY_LIMITS);
  const endpoints = createTokenEndpoints({ fetch, allow: way.allow, nowMs: Date.now });
  return { endpoints, outbound: createOutbound(way) };
}

function wayOut(environment: Environment, allowed: 'CONNECT_ALLOW' | 'MCP_ALLOW' = 'MCP_ALLOW') {
  return { allow: jsonSetting(environment, allowed, AllowedHosts), resolve: resolveBySystem };
}

function sessionsIn(environment: Environment, dynamodb: DynamoDBClient) {
  const tables = sessionTables(environment, dynamodb);
  return { log: createSessionLog(tables), sessions: createSessionRecords({ ...tables, plannedSandbox }) };
}
