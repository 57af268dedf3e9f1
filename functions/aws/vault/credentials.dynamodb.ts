/** Credentials: their rows in the partition of their vault. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CredentialId, type VaultId, type WorkspaceId } from '#contract/ids.ts';
import { credentialPlace, type CredentialPlace, type CredentialRecords } from '#core/ports/vault-records.ts';
import { listRows } from '#aws/list-rows.ts';
import { IS_ACTIVE, textOf } from '#aws/row.ts';
import { createTable } from '#aws/table.ts';
import { createCredentialPlaces } from '#aws/vault/credential-places.dynamodb.ts';
import { columnsOf, credentialOf, storedOf } from '#aws/vault/credential-row.ts';
import { createPendingCredentials } from '#aws/vault/pending-credentials.dynamodb.ts';
import {
  CREDENTIAL_PREFIX,
  credentialKey,
  KEY_PREFIX,
  partitionOf,
  uniqueKey,
  vaultKey,
  vaultOf,
} from '#aws/vault/vault-row.ts';

export function createCredentialRecords(dynamodb: DynamoDBClient, name: string): CredentialRecords {
  const table = createTable(dynamodb, name);

  async function find(place: CredentialPlace) {
    const row = await table.get(credentialKey(place));
    return row === null ? null : storedOf(row);
  }

  const rowsOf = (workspace: WorkspaceId, vault: VaultId, prefix: string) =>
    table.rows({
      where: 'pk = :pk AND begins_with(sk, :prefix)',
      values: { pk: partitionOf(workspace, vault), prefix },
    });

  /**
   * The key's row names the credential, and the credential's own row shows whether it is active. The vault's row is read
   * after the key's, because the user of a vault cannot change while the vault holds a credential: read at the same
   * time, it could name a user from before the credential was created.
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
    ...createCredentialPlaces(dynamodb, name),
    ...createPendingCredentials(dynamodb, name),

    find,

    list(vault, request) {
      const { workspace } = request;
      const owner = partitionOf(workspace, vault);
      const keyOf = (credential: string) => credentialKey({ workspace, vault, credential });
      return listRows({ table, kind: 'credential', owner, keyOf }, { request, read: credentialOf });
    },

    async *ofVault(workspace, vault) {
      for await (const row of rowsOf(workspace, vault, CREDENTIAL_PREFIX)) yield storedOf(row);
    },

    async active(workspace, vault, type) {
      const ids: CredentialId[] = [];
      for await (const row of rowsOf(workspace, vault, KEY_PREFIX)) {
        if (textOf(row, 'type') === type) ids.push(CredentialId.parse(textOf(row, 'credential')));
      }
      const stored = await Promise.all(ids.map((credential) => find({ workspace, vault, credential })));
      return stored.flatMap((one) => (one?.credential.archived_at === null ? [one] : []));
    },

    match: (workspace, vaults, key) => Promise.all(vaults.map((vault) => matchIn(workspace, vault, key))),

    async replace(stored) {
      const isUnchanged = 'version = :before';
      const { status } = await table.update(credentialKey(credentialPlace(stored)), {
        when: [IS_ACTIVE, isUnchanged],
        values: { before: stored.version - 1 },
        set: columnsOf({ ...stored, state: 'ok', cooldownUntil: null, failures: 0 }),
      });
      return status;
    },

    async purged(place) {
      const isArchived = 'attribute_exists(archivedAt)';
      // A row that is gone by now has no pointers either.
      await table.update(credentialKey(place), { when: [isArchived], set: { secrets: '{}' } });
    },
  };
}
