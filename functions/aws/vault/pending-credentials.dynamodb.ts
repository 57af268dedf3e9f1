/** Pending credentials: each has a row, which is in the list index until the credential is created or forgotten. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { CredentialId, VaultId, WorkspaceId, type Instant } from '#contract/ids.ts';
import type { PendingCredentials, CredentialPlace } from '#core/ports/vault-records.ts';
import { createTable, type Change, type Key } from '#aws/table.ts';
import { parseRow } from '#aws/row.ts';

/** Partition of the list index: pending credentials by the instant of their announcement. */
const PENDING = 'PENDING';

const PendingPlace = z.object({ workspace: WorkspaceId, vault: VaultId, credential: CredentialId });

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
      for await (const row of rows) yield parseRow(PendingPlace, row);
    },

    async forget(place, at) {
      await table.update(pendingKey(place), forgotten(at));
    },
  };
}

/** Outside the vaults' partitions, to which the function that ends pending credentials has no right. */
export function pendingKey({ credential }: CredentialPlace): Key {
  return { pk: `PENDING#${credential}`, sk: 'PENDING' };
}

/** The row leaves the index at once and expires: few functions have the right to delete rows. */
export function forgotten(at: Instant): Change {
  return { set: { expiresAt: Math.ceil(Date.parse(at) / 1000), listPk: null, listSk: null } };
}
