/** Leftovers: each has a row, which is in the list index by the instant from which it is looked at. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { BlobKey } from '#contract/files.ts';
import { SessionId, WorkspaceId, type Instant } from '#contract/ids.ts';
import type { Leftover, Leftovers } from '#core/ports/blobs.ts';
import { json, parseRow } from '#aws/row.ts';
import { newToken } from '#aws/stamp.ts';
import { createTable, type Key, type Table, type Write } from '#aws/table.ts';

/** Partition of the list index. */
const LEFTOVERS = 'LEFTOVERS';

const Stored = z.discriminatedUnion('type', [
  z.object({ type: z.literal('blob'), blob: BlobKey, holder: z.string(), upload: z.string().optional() }),
  z.object({ type: z.literal('skill'), holder: z.string() }),
  z.object({ type: z.literal('copies'), workspace: WorkspaceId, session: SessionId }),
]);
const LeftoverRow = z.object({ body: json(Stored), listSk: z.string() });

export function createLeftovers(dynamodb: DynamoDBClient, name: string): Leftovers {
  const table = createTable(dynamodb, name);
  return {
    async announce(leftover, due) {
      await table.put(leftoverRow(leftover, due));
    },

    async *due(before) {
      const where = 'listPk = :leftovers AND listSk < :before';
      for await (const row of table.rows({ index: 'list', where, values: { leftovers: LEFTOVERS, before } })) {
        const { body, listSk } = parseRow(LeftoverRow, row);
        yield { leftover: body, announcement: listSk };
      }
    },

    async isHeld(leftover, at) {
      // It was announced by the transaction that removed the skill.
      if (leftover.type === 'skill') return false;
      if (leftover.type === 'copies') return (await table.get({ pk: leftover.session, sk: 'session' })) !== null;
      const namesIt = '#blob = :blob';
      const isThere = 'attribute_exists(workspace)';
      const isReadable = 'attribute_not_exists(contentUntil) OR contentUntil > :at';
      const rows = table.rows({
        where: 'pk = :pk',
        filter: [namesIt, isThere, isReadable],
        values: { pk: leftover.holder, blob: leftover.blob, at },
        columns: ['pk'],
      });
      for await (const _ of rows) return true;
      return false;
    },

    async forget({ leftover, announcement }, at) {
      const isThis = 'listSk = :announcement';
      await table.update(leftoverKey(leftover), { ...forgotten(at), when: [isThis], values: { announcement } });
    },
  };
}

function leftoverKey(leftover: Leftover): Key {
  switch (leftover.type) {
    case 'blob':
      return rowKey(leftover.blob);
    case 'skill':
      return rowKey(leftover.holder);
    case 'copies':
      return rowKey(leftover.session);
    default:
      return leftover satisfies never;
  }
}

const rowKey = (name: string): Key => ({ pk: `LEFTOVER#${name}`, sk: 'LEFTOVER' });

function leftoverRow(leftover: Leftover, due: Instant) {
  const listed = { listPk: LEFTOVERS, listSk: placeAt(due) };
  return { ...leftoverKey(leftover), body: JSON.stringify(leftover), ...listed };
}

/** The row leaves the index at once and expires: few functions have the right to delete rows. */
function forgotten(at: Instant) {
  return { set: { expiresAt: Math.ceil(Date.parse(at) / 1000), listPk: null, listSk: null } };
}

/** Part of the transaction that removes a row: the sweep looks at the row's blob from `due` on. */
export function announcing(table: Table, leftover: Leftover, due: Instant): Write {
  return table.putting(leftoverRow(leftover, due));
}

/**
 * Part of the transaction that writes the first row of a blob: fails when the sweep took the blob before. A blob that is to
 * go at an instant stays announced for that instant.
 */
export function holding(
  table: Table,
  leftover: Leftover,
  { at, until }: { at: Instant; until: Instant | null },
): Write {
  const isAnnounced = 'attribute_exists(listPk)';
  const set = until === null ? forgotten(at).set : { listSk: placeAt(until) };
  return table.updating(leftoverKey(leftover), { set, when: [isAnnounced] });
}

/** No two announcements have the same place. */
function placeAt(due: Instant): string {
  return `${due}#${newToken()}`;
}
