/**
 * The writes of a change of a memory, which one transaction makes. The row at a path is a memory, or a folder that counts
 * the memories below it. So the conditions on the rows of one path and its ancestors keep each path unique and none above
 * another, whatever other transactions do.
 */
import { MAX_MEMORIES } from '#contract/memory.ts';
import type { MemoryVersionId } from '#contract/ids.ts';
import type { MemoryChange, MemoryWritten, StorePlace } from '#core/ports/memory.ts';
import { later } from '#core/ports/stamp.ts';
import { contentKey, gateKey, idKey, isMemory, memoryColumns, pathKey, versionKey } from '#aws/memory/memory-row.ts';
import { IS_ACTIVE } from '#aws/row.ts';
import {
  EXISTS,
  IS_NEW,
  recordsUnavailable,
  type Columns,
  type Row,
  type Table,
  type Transacted,
  type Write,
} from '#aws/table.ts';

/** What it means when the condition of a write does not hold. */
type Guards = 'the store' | 'the memory' | 'the path' | 'nothing';

interface PlannedWrite {
  readonly write: Write;
  readonly guards: Guards;
  /** Of a row at a path. */
  readonly path: string;
}

const KEPT_MS = 30 * 24 * 3600 * 1000;

export function writesOf(table: Table, place: StorePlace, change: MemoryChange): readonly PlannedWrite[] {
  const rest = [...namingWrites(table, place, change), ...versionWrites(table, place, change)];
  return [
    { write: gateWrite(table, place, change), guards: 'the store', path: '' },
    ...pathWrites(table, place, change),
    ...rest.map((write) => ({ write, guards: 'nothing' as const, path: '' })),
  ];
}

/** The folders that may be empty after the change. */
export function emptied({ from, to }: MemoryChange): readonly string[] {
  if (from === null || from.path === to?.path) return [];
  const kept = to === null ? [] : [to.path, ...ancestors(to.path)];
  return ancestors(from.path).filter((folder) => !kept.includes(folder));
}

/** A new memory needs room, and a deletion is possible in an archived store too. */
function gateWrite(table: Table, place: StorePlace, { from, to }: MemoryChange): Write {
  const key = gateKey(place);
  if (to === null) return table.updating(key, { when: [EXISTS], add: { memories: -1 } });
  if (from !== null) return table.checking(key, { when: [EXISTS, IS_ACTIVE] });
  const hasRoom = 'attribute_not_exists(#memories) OR #memories < :max';
  return table.updating(key, {
    when: [EXISTS, IS_ACTIVE, hasRoom],
    values: { max: MAX_MEMORIES },
    add: { memories: 1 },
  });
}

function pathWrites(table: Table, place: StorePlace, { from, to }: MemoryChange): readonly PlannedWrite[] {
  const isUnchanged = { when: ['#version = :seen'], values: { seen: from?.version ?? '' } };
  const row = to && { ...pathKey(place, to.path), ...memoryColumns(to) };
  if (row !== null && from?.path === to?.path) {
    return [{ write: table.putting(row, isUnchanged), guards: 'the memory', path: to?.path ?? '' }];
  }
  const above = from === null ? [] : ancestors(from.path);
  const entered = to === null ? [] : ancestors(to.path);
  const writes: PlannedWrite[] = [];
  if (from !== null) {
    const key = pathKey(place, from.path);
    // A memory that moves below its own path leaves a folder there.
    const left = entered.includes(from.path)
      ? table.putting({ ...key, ...folder(1) }, isUnchanged)
      : table.removing(key, isUnchanged);
    writes.push({ write: left, guards: 'the memory', path: from.path });
  }
  if (to !== null && row !== null) {
    // A memory that moves up to the path of its own folder must be the only one in it.
    const below = above.includes(to.path) ? 1 : 0;
    const isFolder = ['#kind = :folder', '#below = :below'];
    const when = below === 0 ? [`${IS_NEW} OR (${isFolder.join(' AND ')})`] : isFolder;
    const write = table.putting(row, { when, values: { folder: 'folder', below } });
    writes.push({ write, guards: 'the path', path: to.path });
  }
  for (const path of entered.filter((one) => !above.includes(one) && one !== from?.path)) {
    const isFolder = `${IS_NEW} OR #kind = :folder`;
    const counted = { when: [isFolder], values: { folder: 'folder' }, set: { kind: 'folder' }, add: { below: 1 } };
    writes.push({ write: table.updating(pathKey(place, path), counted), guards: 'the path', path });
  }
  for (const path of above.filter((one) => !entered.includes(one) && one !== to?.path)) {
    const counted = { when: [EXISTS], add: { below: -1 } };
    writes.push({ write: table.updating(pathKey(place, path), counted), guards: 'the memory', path });
  }
  return writes;
}

const folder = (below: number): Columns => ({ kind: 'folder', below });

/** `/a/b/c`: `/a` and `/a/b`. */
function ancestors(path: string): readonly string[] {
  const segments = path.split('/').slice(1, -1);
  return segments.map((_, index) => `/${segments.slice(0, index + 1).join('/')}`);
}

function namingWrites(table: Table, place: StorePlace, { from, to }: MemoryChange): readonly Write[] {
  if (to === null) return from === null ? [] : [table.removing(idKey(place, from.id))];
  if (from?.path === to.path) return [];
  return [table.putting({ ...idKey(place, to.id), path: to.path }, { when: [from === null ? IS_NEW : EXISTS] })];
}

function versionWrites(table: Table, place: StorePlace, change: MemoryChange): readonly Write[] {
  const { from, to, version, content, at, by } = change;
  const memory = to ?? from;
  const row = {
    ...versionKey(place, version),
    memory: memory?.id ?? null,
    operation: from === null ? 'created' : to === null ? 'deleted' : 'modified',
    path: memory?.path ?? null,
    sha256: to?.sha256 ?? null,
    bytes: to?.bytes ?? null,
    at,
    by: JSON.stringify(by),
    ...(by.type === 'session_actor' ? { session: by.session_id } : { apiKey: by.api_key_id }),
  };
  const expiresAt = Math.ceil(Date.parse(later(at, KEPT_MS)) / 1000);
  const expiring = { when: [EXISTS], set: { expiresAt } };
  const leaving: readonly MemoryVersionId[] = (from?.recent ?? []).filter((one) => to?.recent.includes(one) !== true);
  return [
    table.putting({ ...row, expiresAt: to === null ? expiresAt : null }, { when: [IS_NEW] }),
    ...(content === null ? [] : [table.putting({ ...contentKey(place, version), content }, { when: [IS_NEW] })]),
    ...leaving.flatMap((one) =>
      [versionKey(place, one), contentKey(place, one)].map((key) => table.updating(key, expiring)),
    ),
  ];
}

/** `overlaps`: another memory, or a folder with memories, is at this path. */
type Verdict =
  | Exclude<MemoryWritten, { status: 'written' | 'taken' }>
  | { readonly status: 'overlaps'; readonly row: Row | null; readonly path: string };

interface Refused {
  readonly planned: readonly PlannedWrite[];
  readonly lost: Extract<Transacted, { status: 'conflict' }>['lost'];
}

export function verdictOf({ planned, lost }: Refused): Verdict {
  const failed = planned.flatMap((one, index) => {
    const found = lost[index] ?? null;
    return found === null ? [] : [{ ...one, row: found.row }];
  });
  const store = failed.find(({ guards }) => guards === 'the store');
  if (store !== undefined) {
    if (store.row === null) return { status: 'gone' };
    return { status: store.row['archivedAt'] === undefined ? 'full' : 'archived' };
  }
  if (failed.some(({ guards }) => guards === 'the memory')) return { status: 'moved' };
  const [taken] = failed.filter(({ guards }) => guards === 'the path').toSorted(memoriesFirst);
  return taken === undefined
    ? recordsUnavailable(new Error('a row of a new version is there already'))
    : { status: 'overlaps', row: taken.row, path: taken.path };
}

function memoriesFirst(a: { readonly row: Row | null }, b: { readonly row: Row | null }): number {
  return Number(isMemory(b.row)) - Number(isMemory(a.row));
}
