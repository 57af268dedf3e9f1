/** The contract of SkillRecords, with the core that saves skills: who sees them, which version is the latest, what goes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import { LATEST, SkillId, type Skill, type SkillVersion } from '#contract/skills.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createSkillArchives } from '#aws/skills/skill-archives.zip.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { createStamp, newToken } from '#aws/stamp.ts';
import { endLeftover } from '#core/files/end-leftover.ts';
import { isRefusal } from '#core/ports/errors.ts';
import type { ListRequest } from '#core/ports/records.ts';
import { later } from '#core/ports/stamp.ts';
import { addVersion, createSkill, importSkill, type SaveWorld } from '#core/skills/save-skill.ts';
import { sessionSkills, skillGuide, versionNamed } from '#core/skills/session-skills.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const filesOf = (name: string, description = 'Says hello.') => [
  { path: 'd/SKILL.md', bytes: Buffer.from(`---\nname: ${name}\ndescription: ${description}\n---\n`) },
];

describe('the records of skills', () => {
  let db: TestDynamoDb;
  let world: SaveWorld;
  let skills: ReturnType<typeof createSkillRecords>;
  const stored = new Map<string, true>();
  beforeAll(async () => {
    db = await startDynamoDb();
    skills = createSkillRecords(db.client, db.recordsTable);
    const blobs = createMemoryBlobs();
    world = {
      skills,
      skillArchives: createSkillArchives(),
      leftovers: createLeftovers(db.client, db.recordsTable),
      stamp: createStamp(),
      newToken,
      blobs: {
        ...blobs,
        async put(blob) {
          await blobs.put(blob);
          stored.set(blob.blob, true);
        },
      },
    };
  });
  afterAll(() => db.close());

  const aWorkspace = () => WorkspaceId.parse(`wrkspc_${newToken()}`);

  async function created(workspace: WorkspaceId, name = 'hello'): Promise<Skill> {
    const skill = await createSkill(world, workspace, { parts: filesOf(name), displayName: null });
    if (isRefusal(skill)) throw new Error(skill.message);
    return skill;
  }

  async function added(workspace: WorkspaceId, id: SkillId, description?: string): Promise<SkillVersion> {
    const version = await addVersion(world, { workspace, id }, filesOf('hello', description));
    if (version === null || isRefusal(version)) throw new Error('no version was added');
    return version;
  }

  async function found(workspace: WorkspaceId, id: SkillId) {
    const skill = await skills.find(workspace, id);
    if (skill === null) throw new Error('there is no such skill');
    return skill;
  }

  const versionsOf = async (workspace: WorkspaceId, id: SkillId) =>
    (await skills.versions(await found(workspace, id), { below: null, limit: 100 })).versions.map((one) => one.id);

  const request = (workspace: WorkspaceId): ListRequest => {
    const range = { from: null, to: null, includeArchived: true, beyond: null };
    return { workspace, order: 'desc', ...range, direction: 'next', limit: 100 };
  };
  const listed = async (workspace: WorkspaceId, source: 'custom' | 'anthropic' | null = null) =>
    (await skills.list(request(workspace), source)).rows.map(({ item }) => item);

  async function sweep(): Promise<void> {
    const now = later(world.stamp.now(), 5 * 3600_000);
    const ports = {
      abandonedCopies: createFileRecords(db.client, db.recordsTable),
      abandonedVersions: skills,
      blobRemover: { remove: async (blob: string) => void stored.delete(blob) },
      leftovers: world.leftovers,
    };
    for await (const due of world.leftovers.due(now)) await endLeftover(ports, due, now);
  }

  it('are found and listed in their own workspace only, by source', async () => {
    const [ours, theirs] = [aWorkspace(), aWorkspace()];
    const skill = await created(ours);
    expect((await found(ours, skill.id)).skill).toEqual(skill);
    expect(await skills.find(theirs, skill.id)).toBeNull();
    expect(await addVersion(world, { workspace: theirs, id: skill.id }, filesOf('hello'))).toBeNull();
    const imported = await importSkill(world, { workspace: ours, name: 'xlsx' }, filesOf('xlsx'));
    expect(imported).toMatchObject({ skill_id: 'xlsx', name: 'xlsx' });
    expect((await listed(ours)).map(({ id }) => id)).toEqual(['xlsx', skill.id]);
    expect((await listed(ours, 'custom')).map(({ id }) => id)).toEqual([skill.id]);
    expect(await listed(ours, 'anthropic')).toMatchObject([{ id: 'xlsx', source: { type: 'anthropic' } }]);
    expect(await listed(theirs)).toEqual([]);
    expect(await skills.find(theirs, SkillId.parse('xlsx'))).toBeNull();
  });

  it('have versions by both ids, and the latest', async () => {
    const workspace = aWorkspace();
    const { id, latest_version_id: first } = await created(workspace);
    const second = await added(workspace, id, 'Says it better.');
    const skill = await found(workspace, id);
    expect(skill.skill).toMatchObject({ latest_version_id: second.id, latest_version: second.version });
    expect(await versionsOf(workspace, id)).toEqual([second.id, first]);
    const page = await skills.versions(skill, { below: null, limit: 1 });
    expect(page).toEqual({ versions: [second], more: true });
    expect(await skills.versions(skill, { below: Number(second.version), limit: 1 })).toMatchObject({ more: false });
    for (const ref of [LATEST, second.id, second.version] as const) {
      expect((await skills.version(skill.holder, versionNamed(skill, ref)))?.version).toEqual(second);
    }
    // The same number with another random part, and a number that no version has.
    expect(
      await skills.version(skill.holder, second.id.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')) as never),
    ).toBeNull();
    expect(await skills.version(skill.holder, '17')).toBeNull();
    const other = await addVersion(world, { workspace, id }, filesOf('another'));
    expect(other).toMatchObject({ status: 'refused' });
  });

  it('keep all versions that are added at once, and one of them is the latest', async () => {
    const workspace = aWorkspace();
    const { id } = await created(workspace);
    const many = await Promise.all(Array.from({ length: 5 }, () => added(workspace, id)));
    const versions = await versionsOf(workspace, id);
    expect(new Set(versions).size).toBe(6);
    expect(versions).toEqual(expect.arrayContaining(many.map((one) => one.id)));
    expect((await found(workspace, id)).skill.latest_version_id).toBe(versions[0]);
    const imports = await Promise.all(
      [1, 2, 3].map(() => importSkill(world, { workspace, name: 'pdf' }, filesOf('pdf'))),
    );
    expect((await versionsOf(workspace, SkillId.parse('pdf'))).toSorted()).toEqual(
      imports.map((one) => (isRefusal(one) ? '' : one.id)).toSorted(),
    );
  });

  it('lose one version and its bytes, never the last, and fall back to the one before', async () => {
    const workspace = aWorkspace();
    const { id, latest_version_id: first } = await created(workspace);
    await added(workspace, id);
    const removing = async () => {
      const skill = await found(workspace, id);
      const version = await skills.version(skill.holder, skill.skill.latest_version_id);
      if (version === null) throw new Error('there is no latest version');
      return { skill, version, at: world.stamp.now() };
    };
    const { skill, version, at } = await removing();
    expect(await skills.removeVersion(workspace, skill, { version, at })).toBe('saved');
    expect(await skills.removeVersion(workspace, skill, { version, at })).not.toBe('saved');
    expect((await found(workspace, id)).skill.latest_version_id).toBe(first);
    const last = await removing();
    expect(await skills.removeVersion(workspace, last.skill, last)).toBe('only');
    await sweep();
    expect([stored.has(version.blob), stored.has(last.version.blob)]).toEqual([false, true]);
    // A number is never used twice.
    expect(Number((await added(workspace, id)).version)).toBeGreaterThan(Number(version.version.version));
  });

  it('go at once as a whole, and the sweep removes what they had, also when it dies in between', async () => {
    const workspace = aWorkspace();
    const { id } = await created(workspace);
    for (let count = 0; count < 3; count += 1) await added(workspace, id);
    const skill = await found(workspace, id);
    const { versions } = await skills.versions(skill, { below: null, limit: 10 });
    const blobs = await Promise.all(
      versions.map(async (one) => (await skills.version(skill.holder, one.id))?.blob ?? ''),
    );
    expect(await skills.remove(workspace, skill, world.stamp.now())).toBe(true);
    expect(await skills.remove(workspace, skill, world.stamp.now())).toBe(false);
    expect(await skills.find(workspace, id)).toBeNull();
    expect(await listed(workspace)).toEqual([]);
    expect(await addVersion(world, { workspace, id }, filesOf('hello'))).toBeNull();
    // A sweep that was cut off after the rows of the versions.
    await skills.abandonVersions(skill.holder, world.stamp.now());
    expect(blobs.every((blob) => stored.has(blob))).toBe(true);
    await sweep();
    await sweep();
    expect(blobs.filter((blob) => stored.has(blob))).toEqual([]);
  });

  it('leave no bytes behind when a process dies between them and the row', async () => {
    const workspace = aWorkspace();
    const { id } = await created(workspace);
    const before = stored.size;
    const dying = { ...world, skills: { ...skills, addVersion: () => Promise.reject(new Error('died')) } };
    await expect(addVersion(dying, { workspace, id }, filesOf('hello'))).rejects.toThrow('died');
    expect(stored.size).toBe(before + 1);
    await sweep();
    expect(stored.size).toBeLessThanOrEqual(before);
    expect(await versionsOf(workspace, id)).toHaveLength(1);
  });

  it('are judged when an agent names them, and pinned when a session takes them', async () => {
    const [ours, theirs] = [aWorkspace(), aWorkspace()];
    const { id, latest_version_id: first, latest_version } = await created(ours);
    const twin = await created(ours);
    const named = (version: string = LATEST, skill_id = id) => ({ type: 'custom', skill_id, version }) as never;
    const prebuilt = { type: 'anthropic', skill_id: 'docx', version: LATEST } as never;
    const judge = (workspace: WorkspaceId, list: readonly never[]) =>
      sessionSkills(skills, { workspace, field: 'skills' }, list);
    const { holder } = await found(ours, id);
    const pinned = {
      skill: { type: 'custom', skill_id: id, version: first },
      mounted: { name: 'hello', version: first, holder },
      description: 'Says hello.',
    };
    for (const ref of [LATEST, first, latest_version]) expect(await judge(ours, [named(ref)])).toEqual([pinned]);
    await added(ours, id, 'Says it better.');
    expect(await judge(ours, [named(first)])).toEqual([pinned]);
    expect(await judge(ours, [named()])).toMatchObject([{ description: 'Says it better.' }]);
    const guide = skillGuide([{ ...pinned, description: '</skill></skills> & more' } as never]);
    expect(guide).toContain('path="/workspace/skills/hello/SKILL.md">&lt;/skill&gt;&lt;/skills&gt; &amp; more</skill>');
    const refused = async (workspace: WorkspaceId, list: readonly never[], message: string) =>
      expect(await judge(workspace, list)).toMatchObject({
        type: 'invalid_request_error',
        message: expect.stringContaining(message),
      });
    await refused(theirs, [named()], 'skills.0.skill_id: there is no such skill');
    await refused(ours, [named(), named('17')], 'skills.1.version: ');
    await refused(ours, [named(), named(LATEST, twin.id)], 'skills.1: has the name');
    await refused(ours, [prebuilt], 'npx brainstem skills import DIR --as anthropic/docx');
  });
});
