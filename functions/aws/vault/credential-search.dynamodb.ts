/** Finding credentials: by id, by key, and all of a vault. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CredentialId, type VaultId, type WorkspaceId } from '#contract/ids.ts';
import { CredentialAuth } from '#contract/credentials.ts';
import type { CredentialPlace, CredentialRecords, StoredCredential } from '#core/ports/vault-records.ts';
import { credentialOf, storedOf } from '#aws/vault/credential-item.ts';
import { queryAll, readRow } from '#aws/table.ts';
import { textOf, type Item } from '#aws/row.ts';
import { listRows } from '#aws/list-rows.ts';
import {
  CREDENTIAL_PREFIX,
  credentialKey,
  KEY_PREFIX,
  partitionOf,
  uniqueKey,
  vaultKey,
  vaultOf,
} from '#aws/vault/vault-item.ts';

type CredentialSearch = Pick<CredentialRecords, 'find' | 'list' | 'ofVault' | 'types' | 'match'>;

const TYPES = CredentialAuth.options.map((auth) => auth.shape.type.value);

export function createCredentialSearch(dynamodb: DynamoDBClient, table: string): CredentialSearch {
  const row = (Key: Item) => readRow(dynamodb, table, Key);

  async function find(place: CredentialPlace): Promise<StoredCredential | null> {
    const item = await row(credentialKey(place));
    return item === undefined ? null : storedOf(item);
  }

  const rowsOf = (workspace: WorkspaceId, vault: VaultId, prefix: string) =>
    queryAll(dynamodb, {
      TableName: table,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': { S: partitionOf(workspace, vault) }, ':prefix': { S: prefix } },
      ConsistentRead: true,
    });

  async function* ofVault(workspace: WorkspaceId, vault: VaultId): AsyncGenerator<StoredCredential> {
    for await (const item of rowsOf(workspace, vault, CREDENTIAL_PREFIX)) yield storedOf(item);
  }

  /**
   * The key's row names the credential, whose own row tells whether it still is active. The vault's comes after the
   * key's: a credential that is active before and after it is of the user whom it names, for who that is does not change
   * while the vault holds one. Read at once, it could name a user who was gone before the credential came.
   */
  async function matchIn(workspace: WorkspaceId, vault: VaultId, key: string) {
    const unique = await row(uniqueKey(workspace, vault, key));
    const credential = unique === undefined ? null : CredentialId.parse(textOf(unique, 'credential'));
    const [owner, stored] = await Promise.all([
      row(vaultKey(workspace, vault)),
      credential === null ? null : find({ workspace, vault, credential }),
    ]);
    return {
      vault: owner === undefined ? null : vaultOf(owner),
      stored: stored?.credential.archived_at === null ? stored : null,
    };
  }

  return {
    find,

    list(vault, request) {
      const { workspace } = request;
      const owner = partitionOf(workspace, vault);
      const keyOf = (credential: string) => credentialKey({ workspace, vault, credential });
      return listRows(dynamodb, { table, kind: 'credential', owner, keyOf }, { request, read: credentialOf });
    },

    ofVault,

    async types(workspace, vault) {
      const types = new Set<CredentialAuth['type']>();
      for await (const item of rowsOf(workspace, vault, KEY_PREFIX)) {
        for (const type of TYPES) if (textOf(item, 'type') === type) types.add(type);
      }
      return types;
    },

    match: (workspace, vaults, key) => Promise.all(vaults.map((vault) => matchIn(workspace, vault, key))),
  };
}
