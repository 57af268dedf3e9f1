/** Announcements of credentials: a row each, in the list index until its credential has come, and then to be forgotten. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { CredentialId, VaultId, WorkspaceId, type Instant } from '#contract/ids.ts';
import type { PendingCredentials, CredentialPlace } from '#core/ports/vault-records.ts';
import { createTable, type Change, type Key, type Row } from '#aws/table.ts';
import { parseRow } from '#aws/row.ts';

/** Partition of the list index: those that have not come, by the instant of their announcement. */
const PENDING = 'PENDING';

const Place = z.object({ workspace: WorkspaceId, vault: VaultId, credential: CredentialId });

export function createPendingCredentials(dynamodb: DynamoDBClient, name: string): PendingCredentials {
  const table = createTable(dynamodb, name);
  return {
    async announce(place, at) {
      const { workspace, vault, credential } = place;
      await table.put({ ...pendingKey(place), workspace, vault, credential, listPk: PENDING, listSk: at });
    },

    async *overdue(before) {
      const where = 'listPk = :pending AND listSk < :before';
      const rows = table.rows({ index: 'list', where, values: { pending: PENDING, before } });
      for await (const row of rows) yield placeIn(row);
    },

    async forget(place, at) {
      await table.update(pendingKey(place), forgotten(at));
    },
  };
}

/** In no vault's partition: the function that ends announcements has no right to a vault. */
export function pendingKey({ credential }: CredentialPlace): Key {
  return { pk: `PENDING#${credential}`, sk: 'PENDING' };
}

/** Out of the index at once, and DynamoDB removes it: few functions have the right to delete rows. */
export function forgotten(at: Instant): Change {
  return { set: { expiresAt: Math.ceil(Date.parse(at) / 1000), listPk: null, listSk: null } };
}

function placeIn(row: Row): CredentialPlace {
  return parseRow(Place, row);
}
