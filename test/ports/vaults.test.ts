import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VaultRecords } from '#core/ports/vault-records.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { aCredential, AT, aVault, LATER, SERVER, STRANGER, WORKSPACE } from '#test/ports/vaults.fixture.ts';
import { credentialPlace } from '#core/ports/vault-records.ts';

describe('the records of vaults', () => {
  let db: TestDynamoDb;
  let vaults: VaultRecords;
  beforeAll(async () => {
    db = await startDynamoDb();
    vaults = createVaultRecords(db.client, db.vaultTable);
  });
  afterAll(() => db.close());

  async function created() {
    const vault = aVault();
    await vaults.create(WORKSPACE, vault);
    return vault;
  }

  it('are found in their own workspace only', async () => {
    const vault = await created();
    expect(await vaults.find(WORKSPACE, vault.id)).toEqual(vault);
    expect(await vaults.find(STRANGER, vault.id)).toBeNull();
    expect(await vaults.ownerOf(vault.id)).toBe(WORKSPACE);
    expect(await vaults.ownerOf(aVault().id)).toBeNull();
  });

  it('replace the row that was read, once', async () => {
    const vault = await created();
    const unchanged = { revision: 0, active: 0 };
    expect(await vaults.findRevised(WORKSPACE, vault.id)).toEqual({ vault, ...unchanged });
    const names = ['one', 'two', 'three'];
    const saved = await Promise.all(
      names.map((name) => vaults.replace(WORKSPACE, { vault: { ...vault, display_name: name }, ...unchanged })),
    );
    expect(saved.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    expect(await vaults.findRevised(WORKSPACE, vault.id)).toMatchObject({
      vault: { display_name: names[saved.indexOf('saved')] },
      revision: 1,
    });
    expect(await vaults.replace(WORKSPACE, { vault, revision: 1, active: 0 })).toBe('saved');
    expect(await vaults.replace(STRANGER, { vault, revision: 2, active: 0 })).toBe('conflict');
  });

  it('replace a row on the condition of its number of credentials', async () => {
    const credentials = createCredentialRecords(db.client, db.vaultTable);
    const vault = await created();
    const credential = aCredential(vault.id);
    const held = async () => (await vaults.findRevised(WORKSPACE, vault.id))?.active;
    const replace = (revision: number, active: number) => vaults.replace(WORKSPACE, { vault, revision, active });
    await credentials.create(credential, SERVER);
    expect([await held(), await replace(0, 0), await replace(0, 1)]).toEqual([1, 'conflict', 'saved']);
    await credentials.archive(credentialPlace(credential), AT);
    expect([await held(), await replace(1, 1), await replace(1, 0)]).toEqual([0, 'conflict', 'saved']);
    await credentials.create(aCredential(vault.id), SERVER);
    expect([await held(), await replace(2, 0), await replace(2, 1)]).toEqual([1, 'conflict', 'saved']);
  });

  it('archive, keep the first time, and replace nothing afterwards', async () => {
    const vault = await created();
    expect(await vaults.archive(STRANGER, vault.id, AT)).toBeNull();
    expect(await vaults.archive(WORKSPACE, vault.id, AT)).toEqual({ ...vault, archived_at: AT });
    expect(await vaults.archive(WORKSPACE, vault.id, LATER)).toMatchObject({ archived_at: AT });
    expect(await vaults.replace(WORKSPACE, { vault, revision: 0, active: 0 })).toBe('conflict');
  });

  it('delete a vault and do not restore it', async () => {
    const vault = await created();
    expect(await vaults.remove(STRANGER, vault.id)).toBe(false);
    expect(await vaults.ownerOf(vault.id)).toBe(WORKSPACE);
    expect(await vaults.remove(WORKSPACE, vault.id)).toBe(true);
    expect(await vaults.remove(WORKSPACE, vault.id)).toBe(false);
    expect(await vaults.ownerOf(vault.id)).toBeNull();
    expect(await vaults.replace(WORKSPACE, { vault, revision: 0, active: 0 })).toBe('conflict');
    expect(await vaults.archive(WORKSPACE, vault.id, AT)).toBeNull();
    expect(await vaults.find(WORKSPACE, vault.id)).toBeNull();
  });

  it('are listed in pages, without archived ones unless the caller includes them', async () => {
    const [first, second, third] = [await created(), await created(), await created()];
    await vaults.archive(WORKSPACE, second.id, AT);
    const request = {
      workspace: WORKSPACE,
      order: 'desc',
      from: null,
      to: null,
      includeArchived: false,
      beyond: null,
      direction: 'next',
      limit: 100,
    } as const;
    const ids = async (asked: Partial<Parameters<VaultRecords['list']>[0]>) =>
      (await vaults.list({ ...request, ...asked })).rows.map(({ item }) => item.id);
    expect(await ids({})).toEqual(expect.arrayContaining([first.id, third.id]));
    expect(await ids({})).not.toContain(second.id);
    expect(await ids({ includeArchived: true })).toContain(second.id);
    expect(await ids({ workspace: STRANGER })).toEqual([]);
    const page = await vaults.list({ ...request, includeArchived: true, limit: 1 });
    const rest = await ids({ includeArchived: true, beyond: page.more });
    expect([page.rows[0]?.item.id, ...rest]).toEqual(await ids({ includeArchived: true }));
  });
});
