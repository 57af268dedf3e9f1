/** Announcements of credentials: a row each, in the list index until its credential has come, and then to be forgotten. */
import { PutItemCommand, UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CredentialId, VaultId, WorkspaceId, type Instant } from '#contract/ids.ts';
import type { Arrivals, CredentialPlace } from '#core/ports/vault-records.ts';
import { queryAll } from '#aws/table.ts';
import { recordsUnavailable, textOf, type Item } from '#aws/row.ts';

/** Partition of the list index: those that have not come, by the instant of their announcement. */
const ARRIVING = 'ARRIVING';

export function createCredentialArrivals(dynamodb: DynamoDBClient, table: string): Arrivals {
  return {
    async announce(place, at) {
      const { workspace, vault, credential } = place;
      const told = { workspace: { S: workspace }, vault: { S: vault }, credential: { S: credential } };
      const Item = { ...arrivalKey(place), ...told, listPk: { S: ARRIVING }, listSk: { S: at } };
      await dynamodb.send(new PutItemCommand({ TableName: table, Item })).catch(recordsUnavailable);
    },

    async *overdue(before) {
      const items = queryAll(dynamodb, {
        TableName: table,
        IndexName: 'list',
        KeyConditionExpression: 'listPk = :arriving AND listSk < :before',
        ExpressionAttributeValues: { ':arriving': { S: ARRIVING }, ':before': { S: before } },
      });
      for await (const item of items) yield placeIn(item);
    },

    async forget(place, at) {
      await dynamodb.send(new UpdateItemCommand(forgotten(table, place, at))).catch(recordsUnavailable);
    },
  };
}

/** In no vault's partition: who ends announcements has no right to a vault. */
function arrivalKey({ credential }: CredentialPlace): Item {
  return { pk: { S: `ARRIVING#${credential}` }, sk: { S: 'ARRIVING' } };
}

/** Out of the index at once, and DynamoDB removes it: to delete rows, few have the right. */
export function forgotten(table: string, place: CredentialPlace, at: Instant) {
  return {
    TableName: table,
    Key: arrivalKey(place),
    UpdateExpression: 'SET expiresAt = :at REMOVE listPk, listSk',
    ExpressionAttributeValues: { ':at': { N: String(Math.ceil(Date.parse(at) / 1000)) } },
  };
}

function placeIn(item: Item): CredentialPlace {
  return {
    workspace: WorkspaceId.parse(textOf(item, 'workspace')),
    vault: VaultId.parse(textOf(item, 'vault')),
    credential: CredentialId.parse(textOf(item, 'credential')),
  };
}
