/** Skills: one row each, which tells the latest version, and a partition of its own for the rows of its versions. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { BlobKey } from '#contract/files.ts';
import { Instant, SkillVersionId, type WorkspaceId } from '#contract/ids.ts';
import { Skill, SkillVersion, type SkillId } from '#contract/skills.ts';
import { numberIn } from '#core/skills/version.ts';
import type { Leftover } from '#core/ports/blobs.ts';
import type { AbandonedVersions, SkillRecords, StoredSkill, StoredVersion } from '#core/ports/skills.ts';
import { announcing, holding } from '#aws/leftovers.dynamodb.ts';
import { listRows } from '#aws/list-rows.ts';
import { isOf, json, listKeys, parseRow } from '#aws/row.ts';
import { createTable, EXISTS, IS_NEW, type Change, type Columns, type Key, type Row } from '#aws/table.ts';
import { versionKey, versionRows } from '#aws/version-rows.ts';

const SKILL = 'skill';
const VERSION = 'version#';
const DIGITS = 16;

/** What never changes is in `body`. */
const Fixed = Skill.pick({
  id: true,
  type: true,
  display_name: true,
  display_title: true,
  source: true,
  created_at: true,
});
const SkillRow = z.object({
  body: json(Fixed),
  name: z.string(),
  holder: z.string(),
  latestId: SkillVersionId,
  latest: z.int(),
  lastNumber: z.int(),
  updatedAt: Instant,
  revision: z.int(),
});
const VersionRow = z.object({ body: json(SkillVersion), blob: BlobKey, bytes: z.int() });

export function createSkillRecords(dynamodb: DynamoDBClient, name: string): SkillRecords & AbandonedVersions {
  const table = createTable(dynamodb, name);

  /** For the row as it was read. */
  function changed({ revision, holder }: StoredSkill, at: Instant, set: Columns): Change {
    const isUnchanged = 'revision = :revision AND holder = :holder';
    const values = { revision, holder };
    return { when: [isUnchanged], values, set: { ...set, updatedAt: at, revision: revision + 1 } };
  }

  const removing = (stored: StoredSkill, { version, blob }: StoredVersion, at: Instant) => [
    table.removing(versionKeyOf(stored, Number(version.version)), { when: [EXISTS] }),
    announcing(table, leftoverOf(stored.holder, blob), at),
  ];

  return {
    async create(workspace, stored, first) {
      const { skill, holder, lastNumber, revision } = stored;
      const row = {
        ...skillKey(workspace, skill.id),
        workspace,
        body: JSON.stringify(Fixed.parse(skill)),
        name: stored.name,
        holder,
        source: skill.source.type,
        latestId: skill.latest_version_id,
        latest: Number(skill.latest_version),
        lastNumber,
        updatedAt: skill.updated_at,
        revision,
        ...listKeys(workspace, SKILL, { createdAt: skill.created_at, id: skill.id }),
      };
      const written = await table.transact([
        table.putting(row, { when: [IS_NEW] }),
        table.putting(versionRow(workspace, stored, first), { when: [IS_NEW] }),
        holding(table, leftoverOf(holder, first.blob), { at: skill.created_at, until: null }),
      ]);
      return written.status;
    },

    async find(workspace, id) {
      const row = await table.get(skillKey(workspace, id));
      return isOf(row, workspace) ? storedOf(row) : null;
    },

    list(request, source) {
      const keyOf = (id: string) => skillKey(request.workspace, id);
      const isFromThere = '#source = :source';
      const filter = source === null ? {} : { filter: { conditions: [isFromThere], values: { source } } };
      return listRows({ table, kind: SKILL, keyOf }, { request, ...filter, read: (row) => storedOf(row).skill });
    },

    async version(holder, ref) {
      const number = numberIn(ref);
      const row = number === null ? null : await table.get(versionKeyOf({ holder }, number));
      const found = row === null || row['blob'] === undefined ? null : versionOf(row);
      const isAsked = found !== null && (!ref.startsWith('skver_') || found.version.id === ref);
      return isAsked ? found : null;
    },

    async versions({ holder }, page) {
      const { rows, more } = await versionRows(table, { pk: holder, prefix: VERSION, digits: DIGITS, ...page });
      return { versions: rows.map((row) => versionOf(row).version), more };
    },

    async addVersion(workspace, stored, added) {
      const { id, version, created_at: at } = added.version;
      const latest = { latestId: id, latest: Number(version), lastNumber: Number(version) };
      const written = await table.transact([
        table.updating(skillKey(workspace, stored.skill.id), changed(stored, at, latest)),
        table.putting(versionRow(workspace, stored, added), { when: [IS_NEW] }),
        holding(table, leftoverOf(stored.holder, added.blob), { at, until: null }),
      ]);
      return written.status;
    },

    async removeVersion(workspace, stored, { version, at }) {
      const { rows } = await versionRows(table, {
        ...{ pk: stored.holder, prefix: VERSION, digits: DIGITS },
        ...{ below: null, limit: 2 },
      });
      const next = rows.map((row) => versionOf(row).version).find(({ id }) => id !== version.version.id);
      if (next === undefined) return 'only';
      const isLatest = version.version.id === stored.skill.latest_version_id;
      const latest = isLatest ? { latestId: next.id, latest: Number(next.version) } : {};
      const written = await table.transact([
        table.updating(skillKey(workspace, stored.skill.id), changed(stored, at, latest)),
        ...removing(stored, version, at),
      ]);
      return written.status;
    },

    async remove(workspace, { skill, holder }, at) {
      const isThis = 'holder = :holder';
      const removed = await table.transact([
        table.removing(skillKey(workspace, skill.id), { when: [isThis], values: { holder } }),
        announcing(table, { type: 'skill', holder }, at),
      ]);
      return removed.status === 'saved';
    },

    async abandonVersions(holder, at) {
      for await (const row of table.rows({ where: 'pk = :pk', values: { pk: holder } })) {
        // A row that an earlier attempt left behind expires.
        if (row['blob'] === undefined) continue;
        const { version, blob } = versionOf(row);
        const expiresAt = Math.ceil(Date.parse(at) / 1000);
        await table.transact([
          table.updating(
            { pk: holder, sk: versionKey(VERSION, Number(version.version), DIGITS) },
            { set: { workspace: null, blob: null, expiresAt }, when: [EXISTS] },
          ),
          announcing(table, leftoverOf(holder, blob), at),
        ]);
      }
    },
  };
}

function skillKey(workspace: WorkspaceId, id: SkillId | string): Key {
  return { pk: `${workspace}#${id}`, sk: SKILL };
}

function versionKeyOf({ holder }: Pick<StoredSkill, 'holder'>, number: number): Key {
  return { pk: holder, sk: versionKey(VERSION, number, DIGITS) };
}

function leftoverOf(holder: string, blob: BlobKey): Leftover {
  return { type: 'blob', blob, holder };
}

function versionRow(
  workspace: WorkspaceId,
  stored: StoredSkill,
  { version, blob, bytes }: StoredVersion,
): Key & Columns {
  const key = versionKeyOf(stored, Number(version.version));
  return { ...key, workspace, body: JSON.stringify(version), blob, bytes };
}

function versionOf(row: Row): StoredVersion {
  const { body: version, blob, bytes } = parseRow(VersionRow, row);
  return { version, blob, bytes };
}

function storedOf(row: Row): StoredSkill {
  const { body, latest, latestId, updatedAt, ...stored } = parseRow(SkillRow, row);
  const { id, type, display_name, display_title, source, created_at } = body;
  const skill = {
    ...{ id, type, display_name, display_title },
    latest_version_id: latestId,
    latest_version: String(latest),
    ...{ source, created_at },
    updated_at: updatedAt,
  };
  return { skill, ...stored };
}
