import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createCredentialRecords } from '#aws/credentials.dynamodb.ts';
import { createRefreshLeases } from '#aws/refresh-leases.dynamodb.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vaults.dynamodb.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';
import { createTokens } from '#core/vault/fresh-token.ts';
import {
  FOREVER,
  memorySecrets,
  newCredential,
  outboundHere,
  PLACE,
  secretsOf,
  SERVER_URL,
  tokenIn,
  VAULT,
} from '#test/functions/core/vault/refresh.fixture.ts';
import { startAuthorizationServer } from '#test/mcp/authorization-server.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const CALLS = 20;
const INSTANCES = 4;

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

/** Real time, rows in DynamoDB, and instances that share nothing else. */
async function expired() {
  const server = await startAuthorizationServer({ latencyMs: 100 });
  onTestFinished(() => server.close());
  const first = server.consented();
  const secrets = memorySecrets();
  const credentials = createCredentialRecords(db.client, db.vaultTable);
  const refresh = {
    client_id: 'client-1',
    token_endpoint: server.tokenEndpoint,
    token_endpoint_auth: { type: 'none' as const },
    resource: null,
    scope: null,
  };
  const before = new Date(Date.now() - 3_600_000).toISOString();
  const auth = { type: 'mcp_oauth' as const, mcp_server_url: SERVER_URL, expires_at: before, refresh };
  await createVaultRecords(db.client, db.vaultTable).create(PLACE.workspace, VAULT);
  await credentials.create(
    newCredential(auth, secrets.seed(secretsOf(first)), before),
    canonicalServerUrl(SERVER_URL) ?? '',
  );
  const instance = () =>
    createTokens({
      credentials,
      leases: createRefreshLeases(db.client, db.vaultTable),
      secrets,
      outbound: outboundHere,
      stamp: createStamp(),
      pause,
      newName: newToken,
      random: Math.random,
      enterprise: null,
      journal: { line: () => undefined, metric: () => undefined },
    });
  const instances = Array.from({ length: INSTANCES }, instance);
  async function call(index: number): Promise<string> {
    const tokens = instances[index % INSTANCES] ?? instance();
    const stored = (await credentials.find(PLACE)) ?? expect.fail('no credential');
    return tokenIn(await tokens.bearer({ vault: VAULT, stored }, FOREVER));
  }
  return { server, first, credentials, call };
}

it('scenario 17: 20 calls on 4 instances with an expired, rotating token make one token request', async () => {
  const { server, first, credentials, call } = await expired();
  const tokens = await Promise.all(Array.from({ length: CALLS }, (_, index) => call(index)));
  expect(server.tokenRequests).toHaveLength(1);
  expect(new Set(tokens).size).toBe(1);
  expect(tokens[0]).not.toBe(first.access_token);
  expect(server.grants.accepts(tokens[0] ?? '')).not.toBeNull();
  expect(server.grants.isAlive(first.refresh_token)).toBe(true);
  expect(await credentials.find(PLACE)).toMatchObject({ version: 2, state: 'ok', lease: null, failures: 0 });
});
