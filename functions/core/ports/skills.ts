/** Ports of skills: their records, their archives, and the YAML at the head of `SKILL.md`. */
import type { BlobKey } from '#contract/files.ts';
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import type { Skill, SkillId, SkillVersion, SkillVersionRef } from '#contract/skills.ts';
import type { RequestRefusal } from '#core/ports/errors.ts';
import type { ListRequest, Rows, Saved } from '#core/ports/records.ts';

export interface SkillFile {
  /** With `/` between its parts. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface SkillLimits {
  readonly files: number;
  /** Of all files together, as they are counted while they are inflated. What an archive claims is not believed. */
  readonly bytes: number;
}

export interface SkillArchives {
  /**
   * The files of a zip, in its order, with the paths that it names. It refuses what is no plain file or directory, and what
   * goes over a limit, and keeps no more than the limits allow in memory.
   */
  unzip(zip: Uint8Array, limits: SkillLimits): Promise<readonly SkillFile[] | RequestRefusal>;
  /** A zip of what `pack` made, below a directory. It is made as the archive is read, and nothing is held as a whole. */
  zip(archive: AsyncIterable<Uint8Array>, directory: string): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** A `.tar.gz` of the files in this order, as sandboxes take it; the same files give the same bytes. */
  pack(files: readonly SkillFile[]): Uint8Array<ArrayBuffer>;
  /** What a YAML document says; null when it is none, or repeats beyond reason. */
  parseYaml(text: string): Promise<unknown>;
}

export interface StoredVersion {
  readonly version: SkillVersion;
  /** A `.tar.gz` of the skill's files. */
  readonly blob: BlobKey;
  readonly bytes: number;
}

export interface StoredSkill {
  readonly skill: Skill;
  /** Of all its versions. */
  readonly name: string;
  /** The partition of its versions, which the blobs' leftovers name. No two skills have the same, also not two of one id. */
  readonly holder: string;
  /** The highest number that a version ever had. */
  readonly lastNumber: number;
  /** Moves on with each change. */
  readonly revision: number;
}

/** A skill of another workspace does not exist for the caller. Reads by id are strongly consistent. */
export interface SkillRecords {
  /** Writes the skill and its first version, and forgets the blob's announcement. `conflict`: a skill has this id. */
  create(workspace: WorkspaceId, stored: StoredSkill, first: StoredVersion): Promise<Saved>;
  find(workspace: WorkspaceId, id: SkillId): Promise<StoredSkill | null>;
  list(request: ListRequest, source: Skill['source']['type'] | null): Promise<Rows<Skill>>;
  /** Of the skill with this partition. A skill without it is gone. */
  version(holder: string, ref: SkillVersionRef): Promise<StoredVersion | null>;
  /** Those below `below`, newest first; null begins with the latest. */
  versions(
    stored: StoredSkill,
    page: { readonly below: number | null; readonly limit: number },
  ): Promise<{ readonly versions: readonly SkillVersion[]; readonly more: boolean }>;
  /** Adds a version that becomes the latest, and forgets the blob's announcement: all or nothing. */
  addVersion(workspace: WorkspaceId, stored: StoredSkill, added: StoredVersion): Promise<Saved>;
  /** Removes a version and announces its blob. `only`: a skill keeps at least one version. */
  removeVersion(
    workspace: WorkspaceId,
    stored: StoredSkill,
    { version, at }: { readonly version: StoredVersion; readonly at: Instant },
  ): Promise<Saved | 'only'>;
  /** The skill is gone at once, and the sweep removes its versions. Whether there was one; a repeat changes nothing. */
  remove(workspace: WorkspaceId, stored: StoredSkill, at: Instant): Promise<boolean>;
}

/** For the sweep, which may not delete rows. */
export interface AbandonedVersions {
  /** Makes the versions of a removed skill vanish, and announces their blobs. */
  abandonVersions(holder: string, at: Instant): Promise<void>;
}
