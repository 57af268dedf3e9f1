/** Announcements of credentials: a row each, in the list index until its credential has come, and then to be forgotten. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { CredentialId, VaultId, WorkspaceId, type Instant } from '#contract/ids.ts';
import type { Arrivals, CredentialPlace } from '#core/ports/vault-records.ts';
import { createTable, type Change, type Key, type Row } from '#aws/table.ts';
import { parseRow } from '#aws/row.ts';

/** Partition of the list index: those that have not come, by the instant of their announcement. */
const ARRIVING = 'ARRIVING';

const Place = z.object({ workspace: WorkspaceId, vault: VaultId, credential: CredentialId });

export function createCredentialArrivals(dynamodb: DynamoDBClient, name: string): Arrivals {
  const table = createTable(dynamodb, name);
  return {
    async announce(place, at) {
      const { workspace, vault, credential } = place;
      await table.put({ ...arrivalKey(place), workspace, vault, credential, listPk: ARRIVING, listSk: at });
    },

    async *overdue(before) {
      const where = 'listPk = :arriving AND listSk < :before';
      const rows = table.rows({ index: 'list', where, values: { arriving: ARRIVING, before } });
      for await (const row of rows) yield placeIn(row);
    },

    async forget(place, at) {
      await table.update(arrivalKey(place), forgotten(at));
    },
  };
}

/** In no vault's partition: the function that ends announcements has no right to a vault. */
export function arrivalKey({ credential }: CredentialPlace): Key {
  return { pk: `ARRIVING#${credential}`, sk: 'ARRIVING' };
}

/** Out of the index at once, and DynamoDB removes it: few functions have the right to delete rows. */
export function forgotten(at: Instant): Change {
  return { set: { expiresAt: Math.ceil(Date.parse(at) / 1000), listPk: null, listSk: null } };
}

function placeIn(row: Row): CredentialPlace {
  return parseRow(Place, row);
}
