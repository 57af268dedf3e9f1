/** Updates of a vault on real rows, while another request changes the vault. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { USER_KEY, type Vault } from '#contract/vaults.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createStamp } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { updateVault } from '#core/vault/update-vault.ts';
import { aCredential, AT, aVault, SERVER, WORKSPACE } from '#test/ports/vaults.fixture.ts';
import { credentialPlace } from '#core/ports/vault-records.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

describe('the user of a vault', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  /** Updates the vault, and runs `others` once the row has been read. */
  async function renamed(vault: Vault, user: string | null, meanwhile: () => Promise<unknown>) {
    const records = createVaultRecords(db.client, db.vaultTable);
    let reads = 0;
    const vaults: typeof records = {
      ...records,
      async findRevised(workspace, id) {
        const found = await records.findRevised(workspace, id);
        if ((reads += 1) === 1) await meanwhile();
        return found;
      },
    };
    const { id } = vault;
    return updateVault(
      { vaults, stamp: createStamp() },
      { workspace: WORKSPACE, id },
      { metadata: { [USER_KEY]: user } },
    );
  }

  async function given(user?: string) {
    const vault = aVault(user);
    await createVaultRecords(db.client, db.vaultTable).create(WORKSPACE, vault);
    return { vault, credentials: createCredentialRecords(db.client, db.vaultTable), credential: aCredential(vault.id) };
  }

  it.each(['bob', null])('is kept when a credential is added while it changes to %s', async (user) => {
    const { vault, credentials, credential } = await given('alice');
    const refused = await renamed(vault, user, () => credentials.create(credential, SERVER));
    expect(refused).toMatchObject({ type: 'invalid_request_error', message: expect.stringContaining(USER_KEY) });
    expect(await credentials.match(WORKSPACE, [vault.id], SERVER)).toMatchObject([{ vault, stored: {} }]);
  });

  it('is kept as long as the row that was read had a credential, and changes afterwards', async () => {
    const { vault, credentials, credential } = await given('alice');
    await credentials.create(credential, SERVER);
    const refused = await renamed(vault, 'bob', () => credentials.archive(credentialPlace(credential), AT));
    expect(refused).toMatchObject({ type: 'invalid_request_error' });
    expect(await renamed(vault, 'bob', async () => undefined)).toMatchObject({ metadata: { [USER_KEY]: 'bob' } });
  });

  it('is set for the first time also while a credential is added', async () => {
    const { vault, credentials, credential } = await given();
    const named = await renamed(vault, 'alice', () => credentials.create(credential, SERVER));
    expect(named).toMatchObject({ metadata: { [USER_KEY]: 'alice' } });
  });

  it('is the first of two that are set for the first time at once', async () => {
    const { vault, credentials, credential } = await given();
    await credentials.create(credential, SERVER);
    const refused = await renamed(vault, 'bob', () => renamed(vault, 'alice', async () => undefined));
    expect(refused).toMatchObject({ type: 'invalid_request_error' });
    expect(await credentials.match(WORKSPACE, [vault.id], SERVER)).toMatchObject([
      { vault: { metadata: { [USER_KEY]: 'alice' } } },
    ]);
  });
});
