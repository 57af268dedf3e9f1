/**
 * Saves what was uploaded: the archive as a blob first, then the rows that name it. A process that dies in between leaves a
 * blob that the sweep removes.
 */
import type { BlobKey } from '#contract/files.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import { SkillId, type Skill, type SkillVersion } from '#contract/skills.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillFile, StoredSkill, StoredVersion } from '#core/ports/skills.ts';
import { storeBlob } from '#core/files/store-file.ts';
import { otherName, readUpload, type ReadSkill } from '#core/skills/read-upload.ts';
import { nextNumber, versionId } from '#core/skills/version.ts';

export type SaveWorld = Pick<Ports, 'skills' | 'skillArchives' | 'blobs' | 'leftovers' | 'stamp' | 'newToken'>;

interface Saved {
  readonly skill: Skill;
  readonly version: SkillVersion;
}

export async function createSkill(
  world: SaveWorld,
  workspace: WorkspaceId,
  { parts, displayName }: { readonly parts: readonly SkillFile[]; readonly displayName: string | null },
): Promise<Skill | RequestRefusal> {
  const read = await readUpload(world.skillArchives, parts);
  if (isRefusal(read)) return read;
  const id = SkillId.parse(`skill_${world.newToken()}`);
  const saved = await begin(world, workspace, { id, read, displayName, source: 'custom' });
  // A new id is taken by no other skill.
  return saved?.skill ?? refuse('conflict_error', 'skill_id: another request made a skill with this id');
}

/** Null when there is no such skill. */
export async function addVersion(
  world: SaveWorld,
  { workspace, id }: { readonly workspace: WorkspaceId; readonly id: SkillId },
  parts: readonly SkillFile[],
): Promise<SkillVersion | RequestRefusal | null> {
  const found = await world.skills.find(workspace, id);
  if (found === null) return null;
  const read = await readUpload(world.skillArchives, parts);
  if (isRefusal(read)) return read;
  return (await follow(world, workspace, { found, read })) ?? null;
}

/** Makes the operator's copy of a pre-built skill known in a workspace, or adds a version to it. */
export async function importSkill(
  world: SaveWorld,
  { workspace, name }: { readonly workspace: WorkspaceId; readonly name: string },
  parts: readonly SkillFile[],
): Promise<SkillVersion | RequestRefusal> {
  const read = await readUpload(world.skillArchives, parts);
  if (isRefusal(read)) return read;
  const other = otherName(name, read.name);
  if (other !== null) return other;
  const id = SkillId.parse(name);
  for (;;) {
    const found = await world.skills.find(workspace, id);
    const version =
      found === null
        ? (await begin(world, workspace, { id, read, displayName: name, source: 'anthropic' }))?.version
        : await follow(world, workspace, { found, read });
    // Another request made it, or removed it, meanwhile.
    if (version != null) return version;
  }
}

/** Null when a skill has this id. */
async function begin(
  world: SaveWorld,
  workspace: WorkspaceId,
  given: {
    readonly id: SkillId;
    readonly read: ReadSkill;
    readonly displayName: string | null;
    readonly source: Skill['source']['type'];
  },
): Promise<Saved | null> {
  const { id, read } = given;
  const holder = `${workspace}#skill#${world.newToken()}`;
  const first = versionOf(world, { skill: id, read, last: 0 }, await keep(world, holder, read));
  const { version } = first;
  const displayName = given.displayName ?? read.name;
  const skill: Skill = {
    id,
    type: 'skill',
    display_name: displayName,
    display_title: displayName,
    latest_version_id: version.id,
    latest_version: version.version,
    source: { type: given.source },
    created_at: version.created_at,
    updated_at: version.created_at,
  };
  const stored: StoredSkill = { skill, name: read.name, holder, lastNumber: Number(version.version), revision: 0 };
  const status = await world.skills.create(workspace, stored, first);
  return status === 'saved' ? { skill, version } : null;
}

/** Null when the skill is gone. Of two that are added at once, both are there, and the one that was written last is the latest. */
async function follow(
  world: SaveWorld,
  workspace: WorkspaceId,
  { found, read }: { readonly found: StoredSkill; readonly read: ReadSkill },
): Promise<SkillVersion | RequestRefusal | null> {
  const other = otherName(found.name, read.name);
  if (other !== null) return other;
  const { id } = found.skill;
  const blob = await keep(world, found.holder, read);
  for (let stored: StoredSkill | null = found; stored?.holder === found.holder;) {
    const added = versionOf(world, { skill: id, read, last: stored.lastNumber }, blob);
    if ((await world.skills.addVersion(workspace, stored, added)) === 'saved') return added.version;
    stored = await world.skills.find(workspace, id);
  }
  return null;
}

function keep(world: SaveWorld, holder: string, { archive }: ReadSkill): Promise<BlobKey> {
  return storeBlob(world, holder, { sizeBytes: archive.length, bytes: archive });
}

function versionOf(
  { stamp, newToken }: SaveWorld,
  { skill, read, last }: { readonly skill: SkillId; readonly read: ReadSkill; readonly last: number },
  blob: BlobKey,
): StoredVersion {
  const now = stamp.now();
  const number = nextNumber(last, now);
  const version: SkillVersion = {
    id: versionId(number, newToken()),
    type: 'skill_version',
    skill_id: skill,
    version: String(number),
    name: read.name,
    description: read.description,
    directory: read.name,
    created_at: now,
  };
  return { version, blob, bytes: read.archive.length };
}
