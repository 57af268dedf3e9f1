import { afterAll, beforeAll } from 'vitest';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createRefreshLeases } from '#aws/vault/refresh-leases.dynamodb.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { refreshLeasesSuite } from '#test/ports/refresh-leases.suite.ts';
import { aVault, SERVER } from '#test/ports/vaults.fixture.ts';

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

refreshLeasesSuite('in DynamoDB', () => {
  const credentials = createCredentialRecords(db.client, db.vaultTable);
  return {
    leases: createRefreshLeases(db.client, db.vaultTable),
    credentials,
    async save(created) {
      const { workspace, credential } = created;
      const vault = { ...aVault(), id: credential.vault_id };
      await createVaultRecords(db.client, db.vaultTable).create(workspace, vault);
      await credentials.create(created, SERVER);
    },
  };
});
