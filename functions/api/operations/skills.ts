import * as z from 'zod';
import {
  PrebuiltName,
  Skill,
  SkillDeleted,
  SkillFields,
  SkillId,
  skillPageOf,
  SkillsQuery,
  SkillVersion,
  SkillVersionDeleted,
  SkillVersionRef,
  SkillVersionsQuery,
} from '#contract/skills.ts';
import { FileId } from '#contract/ids.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillFile } from '#core/ports/skills.ts';
import { addVersion, createSkill, importSkill } from '#core/skills/save-skill.ts';
import { uploadedZip } from '#core/skills/read-upload.ts';
import { versionNamed } from '#core/skills/session-skills.ts';
import { keyedPages } from '../cursor.ts';
import { notFound, operation, type Call } from '../operation.ts';
import { forwardPage } from '../record-page.ts';

const Params = z.object({ skill_id: SkillId });
const VersionParams = Params.extend({ version: SkillVersionRef });

/** The filename of each part is the file's path. Clients name the parts `files[]` or, when there is one, `files`. */
const SkillFiles = z.preprocess(
  (parts) => (parts === undefined || Array.isArray(parts) ? parts : [parts]),
  z.array(z.file()).min(1).optional(),
);

/** In place of files, a form may name a zip that was uploaded as a file. */
const VersionUpload = z.strictObject({ files: SkillFiles, file_id: FileId.optional() });
const isOneOf = ({ files, file_id }: z.infer<typeof VersionUpload>) =>
  (files === undefined) !== (file_id === undefined);
const ONE_OF = { path: ['files'], message: 'must be there, or file_id in its place' };

const SkillForm = SkillFields.extend(VersionUpload.shape).refine(isOneOf, ONE_OF);
const VersionForm = VersionUpload.refine(isOneOf, ONE_OF);

const versionPages = keyedPages('desc', z.int().min(2));

const create = operation({
  route: 'POST /v1/skills',
  summary: 'Create a skill from the files of one directory with SKILL.md at its root, or from one zip of it',
  form: true,
  body: SkillForm,
  response: Skill,
  async handle(call) {
    const { world, workspace, body } = call;
    const parts = await partsOf(call);
    const displayName = body.display_name ?? body.display_title ?? null;
    return isRefusal(parts) ? parts : createSkill(world, workspace, { parts, displayName });
  },
});

const retrieve = operation({
  route: 'GET /v1/skills/{skill_id}',
  summary: 'Retrieve a skill',
  params: Params,
  response: Skill,
  async handle({ world, workspace, params }) {
    return (await world.skills.find(workspace, params.skill_id))?.skill ?? notFound('skill_id');
  },
});

const list = operation({
  route: 'GET /v1/skills',
  summary: 'List skills, newest first',
  query: SkillsQuery,
  response: skillPageOf(Skill),
  async handle({ world, workspace, query }) {
    const call = { workspace, query: { ...query, include_archived: true } };
    const source = query.source ?? null;
    const page = await forwardPage('skills', call, (request) => world.skills.list(request, source));
    return isRefusal(page) ? page : { ...page, has_more: page.next_page !== null };
  },
});

const remove = operation({
  route: 'DELETE /v1/skills/{skill_id}',
  summary: 'Delete a skill with all its versions',
  params: Params,
  response: SkillDeleted,
  async handle({ world, workspace, params: { skill_id: id } }) {
    const stored = await world.skills.find(workspace, id);
    const removed = stored !== null && (await world.skills.remove(workspace, stored, world.stamp.now()));
    return removed ? { id, type: 'skill_deleted' as const } : notFound('skill_id');
  },
});

const createVersion = operation({
  route: 'POST /v1/skills/{skill_id}/versions',
  summary: 'Add a version to a skill, which becomes the latest',
  params: Params,
  form: true,
  body: VersionForm,
  response: SkillVersion,
  async handle(call) {
    const { world, workspace, params } = call;
    const parts = await partsOf(call);
    if (isRefusal(parts)) return parts;
    return (await addVersion(world, { workspace, id: params.skill_id }, parts)) ?? notFound('skill_id');
  },
});

const retrieveVersion = operation({
  route: 'GET /v1/skills/{skill_id}/versions/{version}',
  summary: "Retrieve a skill's version: by either of its ids, or the latest",
  params: VersionParams,
  response: SkillVersion,
  async handle(call) {
    const found = await foundVersion(call);
    return isRefusal(found) ? found : found.version.version;
  },
});

const listVersions = operation({
  route: 'GET /v1/skills/{skill_id}/versions',
  summary: "List a skill's versions, newest first",
  params: Params,
  query: SkillVersionsQuery,
  response: skillPageOf(SkillVersion),
  async handle({ world, workspace, params: { skill_id: id }, query }) {
    const below = versionPages.follows(id, query.page);
    if (isRefusal(below)) return below;
    const stored = await world.skills.find(workspace, id);
    if (stored === null) return notFound('skill_id');
    const { versions: rows, more } = await world.skills.versions(stored, { below, limit: query.limit });
    const page = versionPages.page(id, { rows, more }, ({ version }) => Number(version));
    return { ...page, has_more: page.next_page !== null };
  },
});

const removeVersion = operation({
  route: 'DELETE /v1/skills/{skill_id}/versions/{version}',
  summary: "Delete a skill's version; a skill keeps at least one",
  params: VersionParams,
  response: SkillVersionDeleted,
  async handle(call) {
    const { world, workspace } = call;
    for (;;) {
      const found = await foundVersion(call);
      if (isRefusal(found)) return found;
      const { stored, version } = found;
      const removed = await world.skills.removeVersion(workspace, stored, { version, at: world.stamp.now() });
      if (removed === 'only') {
        return refuse('invalid_request_error', 'version: is the only one of its skill: delete the skill instead');
      }
      // Another request changed the skill meanwhile.
      if (removed === 'saved') return { id: version.version.id, type: 'skill_version_deleted' as const };
    }
  },
});

async function foundVersion({ world, workspace, params }: Call<z.infer<typeof VersionParams>, unknown, unknown>) {
  const stored = await world.skills.find(workspace, params.skill_id);
  if (stored === null) return notFound('skill_id');
  const version = await world.skills.version(stored.holder, versionNamed(stored, params.version));
  return version === null ? notFound('version') : { stored, version };
}

const register = operation({
  route: 'POST /v1/x/skills/anthropic/{name}',
  summary: "Register the operator's copy of a pre-built skill in the key's workspace, or a newer version of it",
  params: z.object({ name: PrebuiltName }),
  form: true,
  body: VersionForm,
  response: SkillVersion,
  async handle(call) {
    const { world, workspace, params } = call;
    const parts = await partsOf(call);
    return isRefusal(parts) ? parts : importSkill(world, { workspace, name: params.name }, parts);
  },
});

async function partsOf({
  world,
  workspace,
  body: { files = [], file_id },
}: Call<unknown, unknown, z.infer<typeof VersionUpload>>): Promise<readonly SkillFile[] | RequestRefusal> {
  if (file_id !== undefined) return uploadedZip(world, workspace, file_id);
  return Promise.all(files.map(async (file) => ({ path: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })));
}

export const skillOperations = [
  ...[create, retrieve, list, remove, register],
  ...[createVersion, retrieveVersion, listVersions, removeVersion],
];
