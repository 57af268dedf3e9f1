/** Finding credentials: by id, by key, and all of a vault. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CredentialId, type VaultId, type WorkspaceId } from '#contract/ids.ts';
import { CredentialAuth } from '#contract/credentials.ts';
import type { CredentialPlace, CredentialRecords, StoredCredential } from '#core/ports/vault-records.ts';
import { credentialOf, storedOf } from '#aws/vault/credential-row.ts';
import { createTable } from '#aws/table.ts';
import { textOf } from '#aws/row.ts';
import { listRows } from '#aws/list-rows.ts';
import {
  CREDENTIAL_PREFIX,
  credentialKey,
  KEY_PREFIX,
  partitionOf,
  uniqueKey,
  vaultKey,
  vaultOf,
} from '#aws/vault/vault-row.ts';

type CredentialSearch = Pick<CredentialRecords, 'find' | 'list' | 'ofVault' | 'types' | 'match'>;

const TYPES = CredentialAuth.options.map((auth) => auth.shape.type.value);

export function createCredentialSearch(dynamodb: DynamoDBClient, name: string): CredentialSearch {
  const table = createTable(dynamodb, name);

  async function find(place: CredentialPlace): Promise<StoredCredential | null> {
    const row = await table.get(credentialKey(place));
    return row === null ? null : storedOf(row);
  }

  const rowsOf = (workspace: WorkspaceId, vault: VaultId, prefix: string) =>
    table.rows({
      where: 'pk = :pk AND begins_with(sk, :prefix)',
      values: { pk: partitionOf(workspace, vault), prefix },
    });

  async function* ofVault(workspace: WorkspaceId, vault: VaultId): AsyncGenerator<StoredCredential> {
    for await (const row of rowsOf(workspace, vault, CREDENTIAL_PREFIX)) yield storedOf(row);
  }

  /**
   * The key's row names the credential, whose own row tells whether it still is active. The vault's comes after the
   * key's: a credential that is active before and after it is of the user whom it names, for who that is does not change
   * while the vault holds one. Read at once, it could name a user who was gone before the credential came.
   */
  async function matchIn(workspace: WorkspaceId, vault: VaultId, key: string) {
    const unique = await table.get(uniqueKey(workspace, vault, key));
    const credential = unique === null ? null : CredentialId.parse(textOf(unique, 'credential'));
    const [owner, stored] = await Promise.all([
      table.get(vaultKey(workspace, vault)),
      credential === null ? null : find({ workspace, vault, credential }),
    ]);
    return {
      vault: owner === null ? null : vaultOf(owner),
      stored: stored?.credential.archived_at === null ? stored : null,
    };
  }

  return {
    find,

    list(vault, request) {
      const { workspace } = request;
      const owner = partitionOf(workspace, vault);
      const keyOf = (credential: string) => credentialKey({ workspace, vault, credential });
      return listRows({ table, kind: 'credential', owner, keyOf }, { request, read: credentialOf });
    },

    ofVault,

    async types(workspace, vault) {
      const types = new Set<CredentialAuth['type']>();
      for await (const row of rowsOf(workspace, vault, KEY_PREFIX)) {
        for (const type of TYPES) if (textOf(row, 'type') === type) types.add(type);
      }
      return types;
    },

    match: (workspace, vaults, key) => Promise.all(vaults.map((vault) => matchIn(workspace, vault, key))),
  };
}
