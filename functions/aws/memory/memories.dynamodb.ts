/** Memories and their versions, in the partition of their store. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { MemoryVersionId, type MemoryId } from '#contract/ids.ts';
import type { MemoryVersion } from '#contract/memory.ts';
import { versionPrefix } from '#core/memory/memory-change.ts';
import type {
  Memories,
  MemoryChange,
  MemoryVersionRequest,
  MemoryWritten,
  StoredMemory,
  StorePlace,
  Taken,
} from '#core/ports/memory.ts';
import {
  contentKey,
  gateKey,
  idKey,
  isMemory,
  memoryOf,
  pathKey,
  partitionOf,
  VERSION_PREFIX,
  versionKey,
  versionOf,
} from '#aws/memory/memory-row.ts';
import { emptied, verdictOf, writesOf } from '#aws/memory/memory-writes.ts';
import { optional, parseRow, textOf } from '#aws/row.ts';
import { createTable, EXISTS, recordsUnavailable, type Columns, type Key, type Row, type Table } from '#aws/table.ts';

/** A rename between two reads of a memory moves it to another row. */
const MAX_READS = 4;
/** Rows that one query looks at when a filter may refuse many of them, and the queries of a page. */
const FILTERED_BATCH = 200;
const MAX_QUERIES = 10;

const Content = z.object({ content: optional(z.string()) });

export function createMemories(dynamodb: DynamoDBClient, name: string): Memories {
  const table = createTable(dynamodb, name);

  /** The row, unless the store was removed: its rows stay for a while. */
  async function rowAt(place: StorePlace, key: Key): Promise<Row | null> {
    const [gate, row] = await Promise.all([table.get(gateKey(place)), table.get(key)]);
    return gate === null ? null : row;
  }

  async function at(place: StorePlace, path: string): Promise<StoredMemory | null> {
    const row = await rowAt(place, pathKey(place, path));
    return isMemory(row) ? memoryOf(row) : null;
  }

  async function* list(place: StorePlace, prefix: string, after: string | null): AsyncGenerator<StoredMemory> {
    const from = after ?? prefix;
    const query = { where: 'pk = :pk AND sk BETWEEN :from AND :to', filter: ['#kind = :memory'] };
    const values = { pk: partitionOf(place), from, to: beyond(prefix), memory: 'memory' };
    for await (const row of table.rows({ ...query, values })) {
      const memory = memoryOf(row);
      const isPassed = memory.path === after || (after?.endsWith('/') === true && memory.path.startsWith(after));
      if (memory.path.startsWith(prefix) && !isPassed) yield memory;
    }
  }

  return {
    async find(place, id) {
      for (let reads = 0; reads < MAX_READS; reads += 1) {
        const named = await rowAt(place, idKey(place, id));
        if (named === null) return null;
        const row = await table.get(pathKey(place, textOf(named, 'path')));
        if (isMemory(row) && row['id'] === id) return memoryOf(row);
      }
      return recordsUnavailable(new Error('a memory is renamed again and again'));
    },

    at,
    list,

    async write(place, change) {
      const planned = writesOf(table, place, change);
      const transacted = await table.transact(planned.map(({ write }) => write));
      if (transacted.status === 'conflict') return refusedBy(place, change, { planned, lost: transacted.lost });
      // Folders of which the last memory left count zero, and are like absent ones: this only saves their room.
      await Promise.all(emptied(change).map((path) => table.remove(pathKey(place, path), IS_EMPTY_FOLDER)));
      return { status: 'written' };
    },

    async content(place, version) {
      const row = await table.get(contentKey(place, version));
      return row === null ? null : parseRow(Content, row).content;
    },

    async version(place, id) {
      const row = await rowAt(place, versionKey(place, id));
      return row === null ? null : versionOf(place, row);
    },

    versions: (place, request) => versionPage(table, place, request),

    async redact(place, version, { at: redactedAt, by }) {
      const redaction = {
        when: [EXISTS],
        set: { path: null, sha256: null, bytes: null },
        setOnce: { redactedAt, redactedBy: JSON.stringify(by) },
      };
      const redacted = await table.transact([
        table.updating(versionKey(place, version.id), redaction),
        // The row stays until it expires with its version.
        ...(version.operation === 'deleted'
          ? []
          : [table.updating(contentKey(place, version.id), { when: [EXISTS], set: { content: null } })]),
      ]);
      if (redacted.status === 'conflict') return null;
      const row = await table.get(versionKey(place, version.id));
      return row === null ? null : versionOf(place, row);
    },
  };

  async function refusedBy(
    place: StorePlace,
    { from }: MemoryChange,
    refused: Parameters<typeof verdictOf>[0],
  ): Promise<MemoryWritten> {
    const verdict = verdictOf(refused);
    if (verdict.status !== 'overlaps') return verdict;
    const { row, path } = verdict;
    return { status: 'taken', by: isMemory(row) ? memoryOf(row) : await firstBelow(place, path, from?.id) };
  }

  async function firstBelow(place: StorePlace, path: string, own: MemoryId | undefined): Promise<Taken | null> {
    for await (const memory of list(place, `${path}/`, null)) if (memory.id !== own) return memory;
    return null;
  }
}

const IS_EMPTY_FOLDER = { when: ['#kind = :folder', '#below = :none'], values: { folder: 'folder', none: 0 } };

/** The first key behind all that begin with a prefix that ends in "/": "0" follows "/". */
function beyond(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

async function versionPage(
  table: Table,
  place: StorePlace,
  request: MemoryVersionRequest,
): Promise<{ readonly versions: readonly MemoryVersion[]; readonly more: MemoryVersionId | null }> {
  const { limit } = request;
  const range = rangeOf(request);
  if (range.from > range.to) return { versions: [], more: null };
  const filter = filterOf(request);
  const query = {
    where: 'pk = :pk AND sk BETWEEN :from AND :to',
    filter: filter.conditions,
    values: { pk: partitionOf(place), ...range, ...filter.values },
    order: 'desc' as const,
    limit: filter.conditions.length === 0 ? limit + 1 : FILTERED_BATCH,
  };
  const rows: Row[] = [];
  let after: Row | null = request.before === null ? null : { ...versionKey(place, request.before) };
  for (let queries = 0; queries < MAX_QUERIES && rows.length <= limit; queries += 1) {
    const page = await table.page(query, after);
    rows.push(...page.rows);
    ({ after } = page);
    if (after === null) break;
  }
  const versions = rows.slice(0, limit).map((row) => versionOf(place, row));
  if (rows.length > limit) return { versions, more: versions.at(-1)?.id ?? null };
  return { versions, more: after === null ? null : versionIn(after) };
}

function versionIn(key: Row): MemoryVersionId {
  return MemoryVersionId.parse(textOf(key, 'sk').slice(VERSION_PREFIX.length));
}

/** Ids begin with their millisecond, and "~" follows every character of an id. */
function rangeOf({ from, to }: Pick<MemoryVersionRequest, 'from' | 'to'>) {
  return {
    from: `${VERSION_PREFIX}${from === null ? '' : `${versionPrefix(from.at)}${from.inclusive ? '' : '~'}`}`,
    to: `${VERSION_PREFIX}${to === null ? '~' : `${versionPrefix(to.at)}${to.inclusive ? '~' : ''}`}`,
  };
}

function filterOf({ memory_id, operation, session_id, api_key_id }: MemoryVersionRequest) {
  const wanted: readonly (readonly [string, MemoryId | string | undefined])[] = [
    ['memory', memory_id],
    ['operation', operation],
    ['session', session_id],
    ['apiKey', api_key_id],
  ];
  const given = wanted.filter(([, value]) => value !== undefined);
  const conditions = given.map(([column]) => `#${column} = :${column}`);
  return { conditions, values: Object.fromEntries(given) as Columns };
}
