/** Vaults: one row each, and one beside it that tells whose it is. */
import { TransactWriteItemsCommand, UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { WorkspaceId, type VaultId } from '#contract/ids.ts';
import type { RevisedVault, VaultRecords } from '#core/ports/vault-records.ts';
import { readRow, archiveRow, contended, isLostRace } from '#aws/table.ts';
import { isOf, listKeys, recordsUnavailable, textOf, type Item } from '#aws/row.ts';
import { listRows } from '#aws/list-rows.ts';
import { ownerKey, partitionOf, VAULT, vaultColumns, vaultKey, vaultOf } from '#aws/vault/vault-item.ts';

export function createVaultRecords(dynamodb: DynamoDBClient, table: string): VaultRecords {
  const row = (Key: Item) => readRow(dynamodb, table, Key);

  async function findRevised(workspace: WorkspaceId, id: VaultId): Promise<RevisedVault | null> {
    const item = await row(vaultKey(workspace, id));
    if (!isOf(item, workspace)) return null;
    // A row that nothing has replaced yet carries no revision, and one that has never held a credential no count.
    const counted = (name: 'revision' | 'active') => Number(item[name]?.N ?? '0');
    return { vault: vaultOf(item), revision: counted('revision'), active: counted('active') };
  }

  return {
    async create(workspace, vault) {
      const ours = { workspace: { S: workspace } };
      const rows = [
        {
          ...vaultKey(workspace, vault.id),
          ...ours,
          ...vaultColumns(vault),
          ...listKeys(workspace, 'vault', { createdAt: vault.created_at, id: vault.id }),
        },
        { ...ownerKey(vault.id), ...ours },
      ];
      const TransactItems = rows.map((Item) => ({
        Put: { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' },
      }));
      await dynamodb.send(new TransactWriteItemsCommand({ TransactItems })).catch(recordsUnavailable);
    },

    findRevised,

    async find(workspace, id) {
      return (await findRevised(workspace, id))?.vault ?? null;
    },

    list(request) {
      const keyOf = (id: string) => vaultKey(request.workspace, id);
      return listRows(dynamodb, { table, kind: 'vault', keyOf }, { request, read: vaultOf });
    },

    async replace(workspace, { vault, revision, active }) {
      const isOurs = 'workspace = :workspace';
      const isOpen = 'attribute_not_exists(archivedAt)';
      const isUnchanged = revision === 0 ? 'attribute_not_exists(revision)' : 'revision = :revision';
      const holdsAsMany = active === 0 ? '(attribute_not_exists(active) OR active = :active)' : 'active = :active';
      const { body, namedUser } = vaultColumns(vault);
      const command = new UpdateItemCommand({
        TableName: table,
        Key: vaultKey(workspace, vault.id),
        ConditionExpression: [isOurs, isOpen, isUnchanged, holdsAsMany].join(' AND '),
        UpdateExpression: 'SET body = :body, namedUser = :user, revision = :next',
        ExpressionAttributeValues: {
          ':workspace': { S: workspace },
          ':body': body,
          ':user': namedUser,
          ':active': { N: String(active) },
          ':next': { N: String(revision + 1) },
          ...(revision === 0 ? {} : { ':revision': { N: String(revision) } }),
        },
      });
      try {
        await contended(() => dynamodb.send(command));
        return 'saved';
      } catch (cause) {
        return isLostRace(cause) ? 'conflict' : recordsUnavailable(cause);
      }
    },

    async archive(workspace, id, at) {
      const archived = await archiveRow(
        dynamodb,
        { table, pk: partitionOf(workspace, id), sk: VAULT },
        { workspace, at },
      );
      return archived === null ? null : vaultOf(archived);
    },

    async remove(workspace, id) {
      if ((await findRevised(workspace, id)) === null) return false;
      const TransactItems = [vaultKey(workspace, id), ownerKey(id)].map((Key) => ({
        Delete: { TableName: table, Key },
      }));
      const command = () => dynamodb.send(new TransactWriteItemsCommand({ TransactItems }));
      await contended(command).catch(recordsUnavailable);
      return true;
    },

    async ownerOf(id) {
      const owner = await row(ownerKey(id));
      return owner === undefined ? null : WorkspaceId.parse(textOf(owner, 'workspace'));
    },
  };
}
