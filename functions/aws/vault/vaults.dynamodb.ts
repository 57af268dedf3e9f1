/** Vaults: each has a row, and a second row that names its workspace. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { WorkspaceId, type VaultId } from '#contract/ids.ts';
import type { RevisedVault, VaultRecords } from '#core/ports/vault-records.ts';
import { listRows } from '#aws/list-rows.ts';
import { IS_ACTIVE, archiveRow, isOf, listKeys, textOf } from '#aws/row.ts';
import { createTable, IS_NEW, mustBeSaved } from '#aws/table.ts';
import { ownerKey, revisedOf, vaultColumns, vaultKey, vaultOf } from '#aws/vault/vault-row.ts';

export function createVaultRecords(dynamodb: DynamoDBClient, name: string): VaultRecords {
  const table = createTable(dynamodb, name);

  async function findRevised(workspace: WorkspaceId, id: VaultId): Promise<RevisedVault | null> {
    const row = await table.get(vaultKey(workspace, id));
    return isOf(row, workspace) ? revisedOf(row) : null;
  }

  return {
    async create(workspace, vault) {
      const listed = listKeys(workspace, 'vault', { createdAt: vault.created_at, id: vault.id });
      const rows = [
        { ...vaultKey(workspace, vault.id), workspace, ...vaultColumns(vault), ...listed },
        { ...ownerKey(vault.id), workspace },
      ];
      mustBeSaved(await table.transact(rows.map((row) => table.putting(row, { when: [IS_NEW] }))));
    },

    findRevised,

    async find(workspace, id) {
      return (await findRevised(workspace, id))?.vault ?? null;
    },

    list(request) {
      const keyOf = (id: string) => vaultKey(request.workspace, id);
      return listRows({ table, kind: 'vault', keyOf }, { request, read: vaultOf });
    },

    async replace(workspace, { vault, revision, active }) {
      const isOurs = 'workspace = :workspace';
      const isUnchanged = revision === 0 ? 'attribute_not_exists(revision)' : 'revision = :revision';
      const holdsAsMany = active === 0 ? 'attribute_not_exists(active) OR active = :active' : 'active = :active';
      const written = await table.update(vaultKey(workspace, vault.id), {
        when: [isOurs, IS_ACTIVE, isUnchanged, holdsAsMany],
        values: { workspace, revision, active },
        set: { ...vaultColumns(vault), revision: revision + 1 },
      });
      return written.status;
    },

    async archive(workspace, id, at) {
      const archived = await archiveRow(table, vaultKey(workspace, id), { workspace, at });
      return archived === null ? null : vaultOf(archived);
    },

    async remove(workspace, id) {
      if ((await findRevised(workspace, id)) === null) return false;
      await table.transact([vaultKey(workspace, id), ownerKey(id)].map((key) => table.removing(key)));
      return true;
    },

    async ownerOf(id) {
      const owner = await table.get(ownerKey(id));
      return owner === null ? null : WorkspaceId.parse(textOf(owner, 'workspace'));
    },
  };
}
