/** Credentials: their rows in the partition of their vault. */
import { UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { CredentialRecords } from '#core/ports/vault-records.ts';
import { createCredentialArrivals } from '#aws/vault/credential-arrivals.dynamodb.ts';
import { assignment, columnsOf } from '#aws/vault/credential-item.ts';
import { createCredentialPlaces } from '#aws/vault/credential-places.dynamodb.ts';
import { createCredentialSearch } from '#aws/vault/credential-search.dynamodb.ts';
import { contended, isLostRace } from '#aws/table.ts';
import { recordsUnavailable } from '#aws/row.ts';
import { credentialKey } from '#aws/vault/vault-item.ts';

export function createCredentialRecords(dynamodb: DynamoDBClient, table: string): CredentialRecords {
  async function update(command: UpdateItemCommand): Promise<'saved' | 'conflict'> {
    try {
      await contended(() => dynamodb.send(command));
      return 'saved';
    } catch (cause) {
      return isLostRace(cause) ? 'conflict' : recordsUnavailable(cause);
    }
  }

  return {
    ...createCredentialSearch(dynamodb, table),
    ...createCredentialPlaces(dynamodb, table),
    ...createCredentialArrivals(dynamodb, table),

    replace(stored) {
      const { workspace, credential, version } = stored;
      const columns = columnsOf({ ...stored, state: 'ok', cooldownUntil: null, failures: 0 });
      const { ExpressionAttributeValues: values, ...assigned } = assignment(columns);
      const isActive = 'attribute_not_exists(archivedAt)';
      const isUnchanged = '#version = :before';
      const command = new UpdateItemCommand({
        TableName: table,
        Key: credentialKey({ workspace, vault: credential.vault_id, credential: credential.id }),
        ConditionExpression: `${isActive} AND ${isUnchanged}`,
        ...assigned,
        ExpressionAttributeValues: { ...values, ':before': { N: String(version - 1) } },
      });
      return update(command);
    },

    async purged(place) {
      const command = new UpdateItemCommand({
        TableName: table,
        Key: credentialKey(place),
        ConditionExpression: 'attribute_exists(archivedAt)',
        UpdateExpression: 'SET secrets = :none',
        ExpressionAttributeValues: { ':none': { S: '{}' } },
      });
      // A row that is gone by now points at nothing either.
      await update(command);
    },
  };
}
