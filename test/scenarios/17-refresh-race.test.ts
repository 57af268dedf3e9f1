import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';
import { NOW } from '#test/functions/core/given.ts';
import {
  connected,
  FOREVER,
  IDENTITY,
  memorySecrets,
  newCredential,
  PLACE,
  secretsOf,
  SERVER_URL,
  tokenIn,
  VAULT,
} from '#test/functions/core/vault/refresh.fixture.ts';
import { startAuthorizationServer } from '#test/mcp/authorization-server.ts';
import { tokensOver } from '#test/mcp/tokens-over-tables.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const CALLS = 20;
const INSTANCES = 4;

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

/** Real time, rows in DynamoDB, and instances that share only the rows. */
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
  const instance = () => tokensOver(db, { credentials, secrets });
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

it('scenario 17: two instances with an expired sign-in make one token request, and its id_token is in force', async () => {
  const { server, engine, row, secrets } = await connected();
  const payload = Buffer.from(JSON.stringify({ exp: Date.parse(NOW) / 1000 + 600 })).toString('base64url');
  const idToken = `e30.${payload}.c2ln`;
  server.answer({ do: 'grant', change: { id_token: idToken } });
  const instances = [engine({ enterprise: IDENTITY }), engine({ enterprise: IDENTITY })];
  const answers = await Promise.all([...instances, ...instances].map(({ bearer }) => bearer()));
  expect(answers.map(tokenIn)).toEqual(Array.from({ length: 4 }, () => idToken));
  expect(server.tokenRequests).toHaveLength(1);
  expect(server.tokenRequests[0]?.form.has('resource')).toBe(false);
  const { secrets: pointers, credential } = await row();
  const values = await secrets.read(PLACE, pointers);
  expect(values.access_token).toBe(idToken);
  expect(server.grants.isAlive(values.refresh_token ?? '')).toBe(true);
  expect(credential.auth).toMatchObject({ expires_at: '2026-11-21T10:10:00.000Z' });
});
