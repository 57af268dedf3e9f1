/** The skills of an agent, as they are at this moment: the rules when it is saved, and the versions that a session gets. */
import type { SessionThreadAgent } from '#contract/agents.ts';
import { SKILLS_DIR } from '#contract/hands.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import { LATEST, type AgentSkill, type MountedSkill, type SkillVersionRef } from '#contract/skills.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillRecords, StoredSkill } from '#core/ports/skills.ts';
import { SKILL_FILE } from '#core/skills/bundle.ts';

export interface SessionSkill {
  /** With the version that the session keeps. */
  readonly skill: AgentSkill;
  readonly mounted: MountedSkill;
  readonly description: string;
}

type Records = Pick<SkillRecords, 'find' | 'version'>;

/** `field` is the path of the list in the request. */
export async function sessionSkills(
  skills: Records,
  { workspace, field }: { readonly workspace: WorkspaceId; readonly field: string },
  named: readonly AgentSkill[],
): Promise<readonly SessionSkill[] | RequestRefusal> {
  const found = await Promise.all(named.map((skill) => sessionSkill(skills, workspace, skill)));
  const broken = found.findIndex((skill) => typeof skill === 'string');
  if (broken >= 0) return refuse('invalid_request_error', `${field}.${broken}.${String(found[broken])}`);
  const known = found.filter((skill) => typeof skill !== 'string');
  const names = known.map(({ mounted }) => mounted.name);
  const twice = names.findIndex((name, index) => names.indexOf(name) < index);
  // Both would be in the same folder.
  return twice < 0 ? known : refuse('invalid_request_error', `${field}.${twice}: has the name of an earlier skill`);
}

interface WithSkills {
  /** Each with the versions that the session keeps, under its key. */
  readonly agents: ReadonlyMap<string, SessionThreadAgent>;
  readonly skills: readonly SessionSkill[];
}

/** The agents that a session's agent lists. */
export async function listedSkills(
  skills: Records,
  workspace: WorkspaceId,
  listed: ReadonlyMap<string, SessionThreadAgent>,
): Promise<WithSkills | RequestRefusal> {
  const agents = new Map<string, SessionThreadAgent>();
  const all: SessionSkill[] = [];
  for (const [key, agent] of listed) {
    const found = await sessionSkills(
      skills,
      { workspace, field: `agent.multiagent.${agent.id}.skills` },
      agent.skills,
    );
    if (isRefusal(found)) return found;
    agents.set(key, { ...agent, skills: found.map(({ skill }) => skill) });
    all.push(...found);
  }
  return { agents, skills: all };
}

/** The skill, or the field and the rule that it breaks. */
async function sessionSkill(
  skills: Records,
  workspace: WorkspaceId,
  { type, skill_id, version: ref }: AgentSkill,
): Promise<SessionSkill | string> {
  const stored = await skills.find(workspace, skill_id);
  if (stored === null) {
    return type === 'custom'
      ? 'skill_id: there is no such skill'
      : `skill_id: this pre-built skill is not installed here; register a copy with: npx brainstem skills import DIR --as anthropic/${skill_id}`;
  }
  const { holder } = stored;
  const found = await skills.version(holder, versionNamed(stored, ref));
  if (found === null) return 'version: the skill has no such version';
  const { id, name, description } = found.version;
  return { skill: { type, skill_id, version: id }, mounted: { name, version: id, holder }, description };
}

/** The version that a reference means at this moment. */
export function versionNamed({ skill }: StoredSkill, ref: SkillVersionRef): SkillVersionRef {
  return ref === LATEST ? skill.latest_version_id : ref;
}

/** Null when an agent may be saved with these. */
export async function unknownSkill(
  skills: Records,
  workspace: WorkspaceId,
  named: readonly AgentSkill[],
): Promise<RequestRefusal | null> {
  const found = await sessionSkills(skills, { workspace, field: 'skills' }, named);
  return isRefusal(found) ? found : null;
}

/**
 * Agents of one session share its sandbox, so they find a skill in one folder. The first version of a name has the folder
 * of that name, and each other version, or other skill, has the lowest number after it that is free: `greet`, `greet-2`.
 * The lists keep their order, and a name is there once in each.
 */
export function placeSkills(lists: readonly (readonly SessionSkill[])[]): readonly (readonly SessionSkill[])[] {
  const folders = new Map<string, string>();
  for (const { mounted } of lists.flat()) {
    if (folders.has(mounted.version)) continue;
    const taken = new Set(folders.values());
    folders.set(mounted.version, freeFolder(mounted.name, taken));
  }
  return lists.map((list) =>
    list.map(({ mounted, ...skill }) => {
      return { ...skill, mounted: { ...mounted, name: folders.get(mounted.version) ?? mounted.name } };
    }),
  );
}

function freeFolder(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number += 1) {
    const numbered = `${name}-${number}`;
    if (!taken.has(numbered)) return numbered;
  }
}

/**
 * What the model is told: names, paths and descriptions, in the agent's order. A description is text of its author, so it
 * cannot end its tag.
 */
export function skillGuide(skills: readonly SessionSkill[]): string {
  const lines = skills.map(({ mounted: { name }, description }) => {
    const said = description.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    return `<skill name="${name}" path="${SKILLS_DIR}/${name}/${SKILL_FILE}">${said}</skill>`;
  });
  return `You have skills: folders with instructions for kinds of tasks, read-only. When a task fits the description of one, \
read the file at its path with \`read\` before you begin, and work as it says; it names the other files of its folder. \
The descriptions only tell what each skill is for.

<skills>
${lines.join('\n')}
</skills>`;
}
