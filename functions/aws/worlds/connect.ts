/** The world of the connect pages. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KnownClients, LoginSettings } from '#contract/connect.ts';
import { AllowedHosts } from '#contract/outbound.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createAuthorizationServers } from '#aws/connect/authorization-server.mcp-sdk.ts';
import { createClientSecrets } from '#aws/connect/client-secrets.secrets-manager.ts';
import { createRegisteredClients } from '#aws/connect/registered-clients.dynamodb.ts';
import type { FetchLimits } from '#core/ports/outbound.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createIdentityProvider } from '#aws/connect/identity-provider.openid-client.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createSeals } from '#aws/connect/seals.hmac.ts';
import { createSecretWriter } from '#aws/vault/secret-stores.ts';
import { jsonSetting, setting, urlSetting, type Env } from '#aws/settings.ts';
import { newToken, sha256 } from '#aws/stamp.ts';
import { auditOf } from '#aws/worlds/audit.ts';
import { enterpriseIn } from '#aws/worlds/connect-settings.ts';
import { settlePorts } from '#aws/worlds/connecting.ts';
import { runPorts } from '#aws/worlds/runs.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

/** A user waits at a browser, and API Gateway gives up after 29 seconds; a page asks several times. */
const LIMITS: FetchLimits = { maxBytes: 1_000_000, totalMs: 6000, idleMs: 4000, maxRedirects: 3 };

export function connectWorld(env: Env) {
  const dynamodb = createDynamoDb(env);
  const table = setting(env, 'VAULT_TABLE');
  const baseUrl = urlSetting(env, 'CONNECT_BASE_URL');
  const signingSecret = setting(env, 'CONNECT_SIGNING_SECRET_ARN');
  const secrets = createClientSecrets(new SecretsManagerClient(), setting(env, 'CONNECT_SECRETS_PREFIX'));
  const ports = runPorts(env, sessionTables(env, dynamodb));
  const allow = jsonSetting(env, 'MCP_ALLOW', AllowedHosts);
  const servers = { fetch: createGuardedFetch({ allow, resolve: resolveBySystem }, LIMITS), allow };
  const clients = { dynamodb, table, secrets, baseUrl };
  return {
    ...settlePorts(env, ports),
    clients: createRegisteredClients(clients),
    secrets: createSecretWriter(env),
    servers: createAuthorizationServers(servers),
    enterprise: enterpriseIn(env),
    identity: identityOf(env, (id) => secrets.read(id)),
    seals: createSeals(() => secrets.read(signingSecret)),
    audit: auditOf(env),
    knownClients: jsonSetting(env, 'CONNECT_CLIENTS', KnownClients),
    appName: setting(env, 'CONNECT_APP_NAME'),
    baseUrl,
    newToken,
    sha256,
    journal: createJournal(),
  };
}

function identityOf(env: Env, read: (id: string) => Promise<string>) {
  const login = jsonSetting(env, 'CONNECT_LOGIN', LoginSettings);
  const { clientSecretArn } = login;
  return createIdentityProvider({
    login,
    clientSecret: async () => (clientSecretArn === null ? null : read(clientSecretArn)),
    // The identity provider may be at hosts of the customer that MCP servers must not be at.
    fetch: createGuardedFetch(
      { allow: jsonSetting(env, 'CONNECT_ALLOW', AllowedHosts), resolve: resolveBySystem },
      LIMITS,
    ),
  });
}
