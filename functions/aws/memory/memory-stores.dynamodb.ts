/** Memory stores: a row with what the API shows, and a small one that every write into the store is conditional on. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Instant } from '#contract/ids.ts';
import { MemoryStore } from '#contract/memory.ts';
import type { MemoryRemovals, MemoryStoreRecords, RevisedStore, StorePlace } from '#core/ports/memory.ts';
import { gateKey, partitionOf, removalKey, removalOf, REMOVALS, storeKey } from '#aws/memory/memory-row.ts';
import { listRows } from '#aws/list-rows.ts';
import { IS_ACTIVE, isOf, json, listKeys, optional, parseRow } from '#aws/row.ts';
import { createTable, EXISTS, IS_NEW, mustBeSaved, type Key, type Row } from '#aws/table.ts';

const PARALLEL_DELETES = 25;

const Stored = z.object({ body: json(MemoryStore), archivedAt: optional(Instant), revision: z.int().default(0) });

export function createMemoryStoreRecords(dynamodb: DynamoDBClient, name: string): MemoryStoreRecords & MemoryRemovals {
  const table = createTable(dynamodb, name);

  async function find(place: StorePlace): Promise<RevisedStore | null> {
    const row = await table.get(storeKey(place));
    return isOf(row, place.workspace) ? revisedOf(row) : null;
  }

  return {
    async create(workspace, store) {
      const place = { workspace, store: store.id };
      const listed = listKeys(workspace, 'memory_store', { createdAt: store.created_at, id: store.id });
      const row = { ...storeKey(place), workspace, body: JSON.stringify(store), ...listed };
      const rows = [row, { ...gateKey(place) }];
      mustBeSaved(await table.transact(rows.map((one) => table.putting(one, { when: [IS_NEW] }))));
    },

    find,

    list(request) {
      const keyOf = (store: string) => storeKey({ workspace: request.workspace, store });
      const read = (row: Row) => revisedOf(row).store;
      return listRows({ table, kind: 'memory_store', keyOf }, { request, read });
    },

    async replace(workspace, { store, revision }) {
      const isUnchanged = revision === 0 ? 'attribute_not_exists(revision)' : 'revision = :revision';
      const written = await table.update(storeKey({ workspace, store: store.id }), {
        when: [EXISTS, IS_ACTIVE, isUnchanged],
        values: { revision },
        set: { body: JSON.stringify(store), revision: revision + 1 },
      });
      return written.status;
    },

    async archive(place, at) {
      const mark = { when: [EXISTS], setOnce: { archivedAt: at } };
      const marked = [storeKey(place), gateKey(place)].map((key) => table.updating(key, mark));
      const archived = await table.transact(marked);
      return archived.status === 'saved' ? ((await find(place))?.store ?? null) : null;
    },

    async remove(place) {
      const removed = await table.transact([
        table.removing(storeKey(place), { when: [EXISTS] }),
        table.removing(gateKey(place)),
        table.putting({ ...removalKey(place) }),
      ]);
      return removed.status === 'saved';
    },

    async *pending() {
      for await (const row of table.rows({ where: 'pk = :pk', values: { pk: REMOVALS } })) yield removalOf(row);
    },

    async finish(place) {
      const query = { where: 'pk = :pk', values: { pk: partitionOf(place) }, columns: ['pk', 'sk'] };
      for await (const rows of table.pages(query)) {
        for (let start = 0; start < rows.length; start += PARALLEL_DELETES) {
          const some = rows.slice(start, start + PARALLEL_DELETES);
          // The columns of the query are those of a key.
          await Promise.all(some.map((row) => table.remove(row as unknown as Key)));
        }
      }
      await table.remove(removalKey(place));
    },
  };
}

function revisedOf(row: Row): RevisedStore {
  const { body, archivedAt, revision } = parseRow(Stored, row);
  return { store: { ...body, archived_at: archivedAt }, revision };
}
