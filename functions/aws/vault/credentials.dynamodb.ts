/** Credentials: their rows in the partition of their vault. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { CredentialRecords } from '#core/ports/vault-records.ts';
import { createTable } from '#aws/table.ts';
import { createPendingCredentials } from '#aws/vault/pending-credentials.dynamodb.ts';
import { createCredentialPlaces } from '#aws/vault/credential-places.dynamodb.ts';
import { columnsOf } from '#aws/vault/credential-row.ts';
import { createCredentialSearch } from '#aws/vault/credential-search.dynamodb.ts';
import { credentialKey } from '#aws/vault/vault-row.ts';

export function createCredentialRecords(dynamodb: DynamoDBClient, name: string): CredentialRecords {
  const table = createTable(dynamodb, name);
  return {
    ...createCredentialSearch(dynamodb, name),
    ...createCredentialPlaces(dynamodb, name),
    ...createPendingCredentials(dynamodb, name),

    async replace(stored) {
      const { workspace, credential, version } = stored;
      const isActive = 'attribute_not_exists(archivedAt)';
      const isUnchanged = 'version = :before';
      const key = credentialKey({ workspace, vault: credential.vault_id, credential: credential.id });
      const written = await table.update(key, {
        when: [isActive, isUnchanged],
        values: { before: version - 1 },
        set: columnsOf({ ...stored, state: 'ok', cooldownUntil: null, failures: 0 }),
      });
      return written.status;
    },

    async purged(place) {
      const isArchived = 'attribute_exists(archivedAt)';
      // A row that is gone by now points at nothing either.
      await table.update(credentialKey(place), { when: [isArchived], set: { secrets: '{}' } });
    },
  };
}
