/** The MCP proxy's world. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AllowedHosts } from '#contract/outbound.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { createConnectionLinks } from '#core/connect/offer-link.ts';
import { bucketOf } from '#core/ports/token-bucket.ts';
import { createManagedTokens } from '#core/vault/managed-tokens.ts';
import { createTokens } from '#core/vault/tokens.ts';
import type { RefreshWorld } from '#core/vault/refresh.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import type { ValidationPorts } from '#core/mcp/validate-credential.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createAuditedCalls } from '#aws/audit/audited-calls.dynamodb.ts';
import { createConnectionRecords } from '#aws/connect/connection-records.dynamodb.ts';
import { createCallMarks } from '#aws/mcp/call-marks.dynamodb.ts';
import { readsClientSecrets } from '#aws/connect/client-secrets.secrets-manager.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import type { FetchLimits } from '#core/ports/outbound.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createHooks } from '#aws/policy/hooks.lambda.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { createMcpClient } from '#aws/mcp/mcp-client.streamable-http.ts';
import { createOutbound } from '#aws/outbound/outbound.https.ts';
import { createPolicies } from '#aws/policy/policies.cedar.ts';
import { createPolicyRecords } from '#aws/policy/policy-records.dynamodb.ts';
import { createRefreshLeases } from '#aws/vault/refresh-leases.dynamodb.ts';
import { createSecretReader, createSecretWriter } from '#aws/vault/secret-stores.ts';
import { plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { jsonSetting, rateSetting, setting, type Env } from '#aws/settings.ts';
import { sha256, createStamp, newToken, pause } from '#aws/stamp.ts';
import { createTokenBuckets } from '#aws/records/token-buckets.dynamodb.ts';
import { createToolPins } from '#aws/policy/tool-pins.dynamodb.ts';
import { createTokenEndpoints } from '#aws/vault/token-endpoints.mcp-sdk.ts';
import { auditOf } from '#aws/worlds/audit.ts';
import { connectBaseUrl, enterpriseIn } from '#aws/worlds/connect-settings.ts';
import { logIn, sessionTables } from '#aws/worlds/sessions.ts';

/** For one request to an MCP server. A tool may take long before its first byte; the call's own deadline is shorter. */
const LIMITS: FetchLimits = { maxBytes: 20_000_000, totalMs: 115_000, idleMs: 90_000, maxRedirects: 3 };

export type ProxyWorld = McpProxyWorld & ValidationPorts & { readonly journal: FunctionJournal };

export function mcpProxyWorld(env: Env): ProxyWorld {
  const dynamodb = createDynamoDb(env);
  const refreshing = refreshWorld(env, dynamodb);
  const vaults = setting(env, 'VAULT_TABLE');
  const records = setting(env, 'RECORDS_TABLE');
  const rate = rateSetting(env, 'MCP_CALLS_PER_MINUTE');
  const { stamp } = refreshing;
  const tokens = createTokens(refreshing);
  const newClient = () => createMcpClient({ fetch: createGuardedFetch(outboundTo(env), LIMITS), now: Date.now });
  return {
    ...refreshing,
    ...sessionsIn(env, dynamodb),
    tokens,
    managedTokens: managedTokensFrom(env, { ...refreshing, tokens }),
    mcpClient: newClient(),
    newClient,
    pins: createToolPins(dynamodb, vaults),
    policies: createPolicies({ records: createPolicyRecords(dynamodb, vaults), nowMs: Date.now }),
    hooks: createHooks(env),
    audit: auditOf(env),
    auditedCalls: createAuditedCalls(dynamodb, setting(env, 'AUDIT_TABLE')),
    marks: createCallMarks({ dynamodb, table: vaults, now: stamp.now }),
    links: createConnectionLinks({
      connections: createConnectionRecords(dynamodb, vaults),
      stamp,
      newToken,
      baseUrl: connectBaseUrl(env),
    }),
    buckets: createTokenBuckets(dynamodb, records),
    callRate: rate === null ? null : bucketOf(rate),
    sha256,
  };
}

function refreshWorld(env: Env, dynamodb: DynamoDBClient) {
  const table = setting(env, 'VAULT_TABLE');
  return {
    credentials: createCredentialRecords(dynamodb, table),
    leases: createRefreshLeases(dynamodb, table),
    secrets: { ...createSecretWriter(env), ...createSecretReader(env) },
    outbound: createOutbound(outboundTo(env)),
    identityOutbound: createOutbound(outboundTo(env, 'CONNECT_ALLOW')),
    stamp: createStamp(),
    pause,
    newToken,
    random: Math.random,
    journal: createJournal(),
    enterprise: enterpriseIn(env),
  } satisfies RefreshWorld;
}

/** The identity provider may be at hosts that `CONNECT_ALLOW` names, and authorization servers at those of `MCP_ALLOW`. */
function managedTokensFrom(env: Env, world: RefreshWorld & { readonly tokens: Tokens }) {
  return createManagedTokens({
    ...world,
    identityProviders: issuersAt(env, 'CONNECT_ALLOW'),
    authorizationServers: issuersAt(env, 'MCP_ALLOW'),
    clientSecret: readsClientSecrets(new SecretsManagerClient()),
  });
}

/** For one discovery: it asks several places while a call waits. */
const DISCOVERY_LIMITS: FetchLimits = { maxBytes: 1_000_000, totalMs: 6000, idleMs: 4000, maxRedirects: 3 };

function issuersAt(env: Env, allowed: 'CONNECT_ALLOW' | 'MCP_ALLOW') {
  const options = outboundTo(env, allowed);
  const fetch = createGuardedFetch(options, DISCOVERY_LIMITS);
  const endpoints = createTokenEndpoints({ fetch, allow: options.allow, nowMs: Date.now });
  return { endpoints, outbound: createOutbound(options) };
}

function outboundTo(env: Env, allowed: 'CONNECT_ALLOW' | 'MCP_ALLOW' = 'MCP_ALLOW') {
  return { allow: jsonSetting(env, allowed, AllowedHosts), resolve: resolveBySystem };
}

function sessionsIn(env: Env, dynamodb: DynamoDBClient) {
  const tables = sessionTables(env, dynamodb);
  return { log: logIn(tables), sessions: createSessionRecords({ ...tables, plannedSandbox }) };
}
