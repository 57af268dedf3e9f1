/** Files: one row each. The rows that name one blob share a partition (docs/design.md#files). */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { BlobKey, FileMetadata } from '#contract/files.ts';
import type { FileId, Instant, SessionId, WorkspaceId } from '#contract/ids.ts';
import { familyOf } from '#core/files/copy.ts';
import { later } from '#core/ports/stamp.ts';
import type { Leftover } from '#core/ports/blobs.ts';
import type { AbandonedCopies, FileRecords, StoredFile } from '#core/ports/files.ts';
import { announcing, holding } from '#aws/leftovers.dynamodb.ts';
import { listRows } from '#aws/list-rows.ts';
import { isOf, json, listKeys, parseRow } from '#aws/row.ts';
import {
  createTable,
  EXISTS,
  IS_NEW,
  mustBeSaved,
  type Columns,
  type Key,
  type Row,
  type Table,
  type Write,
} from '#aws/table.ts';

const FILE = 'file';
/** In one transaction of DynamoDB. */
const WRITES_AT_ONCE = 100;
/** The metadata of an expired file stays readable for 30 days. */
const METADATA_MS = 30 * 24 * 3600_000;
/** A copy that began just before the file expired has ended by then. */
const GRACE_MS = 60_000;

const FileRow = z.object({ body: json(FileMetadata), blob: BlobKey });

export function createFileRecords(dynamodb: DynamoDBClient, name: string): FileRecords & AbandonedCopies {
  const table = createTable(dynamodb, name);

  async function find(workspace: WorkspaceId, id: string): Promise<StoredFile | null> {
    const row = await table.get(fileKey(workspace, id));
    return isOf(row, workspace) ? storedOf(row) : null;
  }

  async function findAll(workspace: WorkspaceId, ids: readonly FileId[]): Promise<readonly (StoredFile | null)[]> {
    const rows = await table.all([...new Set(ids)].map((id) => fileKey(workspace, id)));
    const found = new Map(rows.filter((row) => isOf(row, workspace)).map((row) => [row.sk, storedOf(row)]));
    return ids.map((id) => found.get(fileKey(workspace, id).sk) ?? null);
  }

  async function remove(workspace: WorkspaceId, id: FileId, at: Instant): Promise<boolean> {
    const stored = await find(workspace, id);
    if (stored === null) return false;
    const removed = await table.transact([
      table.removing(fileKey(workspace, id), { when: [EXISTS] }),
      announcing(table, leftoverOf(workspace, stored), at),
    ]);
    return removed.status === 'saved';
  }

  return {
    async create(workspace, stored) {
      mustBeSaved(await table.transact(creating(table, workspace, stored)));
    },

    find,

    findAll,

    list(request, scope) {
      const keyOf = (id: string) => fileKey(request.workspace, id);
      const listed = scope === null ? {} : { index: 'scope' as const, owner: ownerOf(request.workspace, scope) };
      return listRows({ table, kind: FILE, keyOf, ...listed }, { request, read: storedOf });
    },

    remove,

    async copy(workspace, copies) {
      const rows = copies.map(({ copy, listed }) => ({
        ...fileRow(workspace, copy),
        ...scopeKeys(copy.file, workspace),
        archivedAt: listed === 'nowhere' ? copy.file.created_at : null,
      }));
      const puts = rows.map((row) => table.putting(row, { when: [IS_NEW] }));
      for (const written of await Promise.all(chunks(puts, WRITES_AT_ONCE).map((part) => table.transact(part)))) {
        mustBeSaved(written);
      }
      // Looked for after the copies are written: the sweep that removes the bytes of a source that goes later finds the copies.
      const sources = [...new Set(copies.map(({ source }) => source.file.id))];
      const found = await findAll(workspace, sources);
      const there = new Set(found.flatMap((one) => (one === null ? [] : [one.file.id])));
      const gone = copies.findIndex(({ source }) => !there.has(source.file.id));
      if (gone === -1) return null;
      for (const { copy } of copies) await remove(workspace, copy.file.id, copy.file.created_at);
      return gone;
    },

    async abandon(workspace, session, at) {
      const values = { owner: `${ownerOf(workspace, session)}#${FILE}` };
      const rows = table.rows({ index: 'scope', where: 'scopePk = :owner', values });
      for await (const row of rows) {
        const stored = storedOf(row);
        // What the session's sandbox wrote is listed in the workspace too, and stays.
        if (row['listPk'] !== undefined) continue;
        await table.transact([
          table.updating(fileKey(workspace, stored.file.id), { ...vanished(at), when: [EXISTS] }),
          announcing(table, leftoverOf(workspace, stored), at),
        ]);
      }
    },
  };
}

/** The writes that make a file of a blob that was announced. */
export function creating(table: Table, workspace: WorkspaceId, stored: StoredFile): readonly Write[] {
  const { file } = stored;
  // The bytes go when the file expires, and its row goes later.
  const until = file.expires_at === null ? null : later(file.expires_at, GRACE_MS);
  const listed = listKeys(workspace, FILE, placeOf(file));
  const row = { ...fileRow(workspace, stored), ...listed, ...scopeKeys(file, workspace) };
  return [
    table.putting(row, { when: [IS_NEW] }),
    holding(table, leftoverOf(workspace, stored), { at: file.created_at, until }),
  ];
}

function fileKey(workspace: string, id: string): Key {
  return { pk: `${workspace}#${familyOf(id)}`, sk: id };
}

function leftoverOf(workspace: WorkspaceId, { file, blob }: StoredFile): Leftover {
  return { type: 'blob', blob, holder: fileKey(workspace, file.id).pk };
}

function ownerOf(workspace: WorkspaceId, session: SessionId): string {
  return `${workspace}#${session}`;
}

function fileRow(workspace: WorkspaceId, { file, blob }: StoredFile): Key & Columns {
  const until = file.expires_at;
  return {
    ...fileKey(workspace, file.id),
    workspace,
    body: JSON.stringify(file),
    blob,
    contentUntil: until,
    expiresAt: until === null ? null : Math.ceil((Date.parse(until) + METADATA_MS) / 1000),
  };
}

function scopeKeys(file: FileMetadata, workspace: WorkspaceId): Columns {
  return file.scope === null ? {} : listKeys(ownerOf(workspace, file.scope.id), FILE, placeOf(file), 'scope');
}

function placeOf({ id, created_at }: FileMetadata) {
  return { createdAt: created_at, id };
}

/** Without its workspace, a row is no file of anyone; it expires. */
function vanished(at: Instant) {
  const set = { workspace: null, scopePk: null, scopeSk: null, expiresAt: Math.ceil(Date.parse(at) / 1000) };
  return { set };
}

function storedOf(row: Row): StoredFile {
  const { body: file, blob } = parseRow(FileRow, row);
  return { file, blob };
}

function chunks<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
