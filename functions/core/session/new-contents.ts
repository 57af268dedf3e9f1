/** What the sandboxes of a new session find beside packages. Each kind of content is resolved by its own room. */
import type { SessionAgent } from '#contract/agents.ts';
import type { Guides } from '#contract/entries.ts';
import type { SessionId, WorkspaceId } from '#contract/ids.ts';
import type { ResourceInputs, SessionContents } from '#contract/resources.ts';
import { MAX_SESSION_SKILLS } from '#contract/skills.ts';
import { rosterOf } from '#core/tools/roster.ts';
import { isSelf } from '#core/agents/multiagent.ts';
import { planRepositories, repositoryGuide, type AskedRepository } from '#core/egress/mount-repositories.ts';
import { planFiles, type AskedFile } from '#core/files/mount-files.ts';
import { memoryGuide, planStores, type AskedStore } from '#core/memory/mount-stores.ts';
import { placeSkills, skillGuide, type SessionSkill } from '#core/skills/session-skills.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { FileCopy } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isTooLarge, TOO_LARGE } from '#core/session/change-resources.ts';

interface NewContents {
  /** The resources keep the order of the request. Null for nothing. */
  readonly contents: SessionContents | null;
  /** What the models are told of memory stores, repositories and skills. */
  readonly guides: Guides;
  /** To be written before the session is, by `writeCopies`. */
  readonly copies: readonly FileCopy[];
}

interface NewSession {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
}

/** Reads only. */
export async function newContents(
  world: Pick<Ports, 'files' | 'memoryStores'> & Parameters<typeof planRepositories>[0],
  to: NewSession,
  inputs: ResourceInputs,
): Promise<NewContents | RequestRefusal> {
  const asked = inputs.map((input, index) => ({ field: `resources.${index}.`, input }));
  const repositories = await planRepositories(world, to, asked.filter(isRepository));
  if (isRefusal(repositories)) return repositories;
  const folders = repositories.map(({ mount_path }) => mount_path);
  const files = await planFiles(world, { ...to, present: [], folders }, asked.filter(isFile));
  if (isRefusal(files)) return files;
  const stores = await planStores(world, to.workspace, asked.filter(isStore));
  if (isRefusal(stores)) return stores;
  const planned = {
    file: files.map(({ mounted }) => mounted).values(),
    memory_store: stores.values(),
    github_repository: repositories.values(),
  };
  const resources = inputs.flatMap(({ type }) => planned[type].next().value ?? []);
  if (resources.length === 0) return { contents: null, guides: {}, copies: [] };
  const contents = { resources };
  if (isTooLarge(contents)) return TOO_LARGE;
  const guide = joined([memoryGuide(stores), repositoryGuide(repositories)]);
  return { contents, copies: files.map(({ copy }) => copy), guides: guide === undefined ? {} : { guide } };
}

function isFile(asked: { readonly field: string; readonly input: ResourceInputs[number] }): asked is AskedFile {
  return asked.input.type === 'file';
}

/** Adds the skills of the session's agent, and of those that it may give work to. `skills` has all of them. */
export function withSkills(
  { contents, guides, copies }: NewContents,
  agent: SessionAgent,
  skills: readonly SessionSkill[],
): NewContents | RequestRefusal {
  const listed = rosterOf(agent).agents.flatMap((one) => (isSelf(one.agent, agent) ? [] : [one.agent]));
  const [own = [], ...others] = placeSkills([agent, ...listed].map((one) => skillsOf(one, skills)));
  const mounted = new Map([own, ...others].flat().map((skill) => [skill.mounted.version, skill.mounted]));
  if (mounted.size > MAX_SESSION_SKILLS) return TOO_MANY_SKILLS;
  const guide = guideWith(guides.guide, own);
  const ofListed = others.flatMap((list, index) => {
    const text = guideWith(guides.guide, list);
    const id = listed[index]?.id;
    return text === undefined || id === undefined ? [] : [[id, text] as const];
  });
  return {
    contents: mounted.size === 0 ? contents : { resources: [], ...contents, skills: [...mounted.values()] },
    guides: {
      ...(guide === undefined ? {} : { guide }),
      ...(ofListed.length === 0 ? {} : { guides: Object.fromEntries(ofListed) }),
    },
    copies,
  };
}

const TOO_MANY_SKILLS = refuse(
  'invalid_request_error',
  `agent.multiagent: the agents of a session may have at most ${MAX_SESSION_SKILLS} different skills together`,
);

/** In the agent's order. */
function skillsOf(agent: Pick<SessionAgent, 'skills'>, skills: readonly SessionSkill[]): readonly SessionSkill[] {
  return agent.skills.flatMap(({ version }) => skills.find(({ mounted }) => mounted.version === version) ?? []);
}

function guideWith(resources: string | undefined, skills: readonly SessionSkill[]): string | undefined {
  return joined([resources ?? null, skills.length === 0 ? null : skillGuide(skills)]);
}

function joined(guides: readonly (string | null)[]): string | undefined {
  const parts = guides.filter((guide) => guide !== null);
  return parts.length === 0 ? undefined : parts.join('\n\n');
}

function isStore(asked: { readonly field: string; readonly input: ResourceInputs[number] }): asked is AskedStore {
  return asked.input.type === 'memory_store';
}

function isRepository(asked: {
  readonly field: string;
  readonly input: ResourceInputs[number];
}): asked is AskedRepository {
  return asked.input.type === 'github_repository';
}
