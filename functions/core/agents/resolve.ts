/** An agent as it is saved: every default is decided, so that a later change of defaults changes no saved agent. */
import type { Agent, AgentCreate, Model, ModelInput, SessionAgent, SessionThreadAgent } from '#contract/agents.ts';
import type { AgentId, Instant } from '#contract/ids.ts';
import { LATEST, type AgentSkill, type AgentSkillsInput } from '#contract/skills.ts';
import { defaultEffort } from '#core/model/check.ts';
import { isSelf, mapListed, pinName } from '#core/agents/multiagent.ts';
import { resolveTools } from '#core/agents/resolve-tools.ts';

export function resolveAgent(input: AgentCreate, id: AgentId, now: Instant): Agent {
  return {
    id,
    type: 'agent',
    version: 1,
    name: input.name,
    description: emptyAsNull(input.description),
    system: emptyAsNull(input.system),
    model: resolveModel(input.model),
    tools: resolveTools(input.tools),
    mcp_servers: input.mcp_servers ?? [],
    skills: resolveSkills(input.skills),
    multiagent: null,
    execution_identity: { type: 'service_account' },
    metadata: input.metadata ?? {},
    created_at: now,
    updated_at: now,
    archived_at: null,
  };
}

export function resolveSkills(input: AgentSkillsInput | null | undefined): AgentSkill[] {
  return (input ?? []).map(({ type, skill_id, version }) => ({ type, skill_id, version: version ?? LATEST }));
}

/** What a thread of a session has of an agent, with these versions of its skills. */
export function threadAgentOf(agent: Agent, skills: AgentSkill[]): SessionThreadAgent {
  const {
    metadata: _metadata,
    created_at: _createdAt,
    updated_at: _updatedAt,
    archived_at: _archivedAt,
    multiagent: _multiagent,
    ...definition
  } = agent;
  return { ...definition, skills };
}

/** What a session keeps of an agent. `listed` has the agents that it lists, by `pinName`, but for its own copy. */
export function snapshotOf(
  agent: Agent,
  skills: AgentSkill[],
  listed: ReadonlyMap<string, SessionThreadAgent>,
): SessionAgent {
  const own = threadAgentOf(agent, skills);
  if (agent.multiagent === null) return { ...own, multiagent: null };
  const multiagent = mapListed(agent.multiagent, (pin) => {
    const definition = isSelf(pin, agent) ? own : listed.get(pinName(pin));
    if (definition === undefined) throw new TypeError(`the definition of ${pinName(pin)} was not read`);
    return definition;
  });
  return { ...own, multiagent };
}

export function emptyAsNull(text: string | null | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

type Effort = Model['effort']['type'];

function resolveModel(input: ModelInput): Model {
  const given = named(input);
  return modelWith(given, effortOf(given) ?? defaultEffort(given.id));
}

/** Replaces the whole model. Its effort stays while the id of the model does, unless the input names another effort. */
export function replaceModel(saved: Model, input: ModelInput): Model {
  const given = named(input);
  const kept = given.id === saved.id ? saved.effort.type : defaultEffort(given.id);
  return modelWith(given, effortOf(given) ?? kept);
}

/** The model of a session has the default effort, also when the override names another one. */
export function overrideModel(input: ModelInput): Model {
  const given = named(input);
  return modelWith(given, defaultEffort(given.id));
}

type Named = Exclude<ModelInput, string>;

function named(input: ModelInput): Named {
  return typeof input === 'string' ? { id: input } : input;
}

function effortOf({ effort }: Named): Effort | undefined {
  return typeof effort === 'string' ? effort : effort?.type;
}

function modelWith({ id, speed, inference_geo }: Named, effort: Effort): Model {
  return {
    id,
    effort: { type: effort },
    speed: speed ?? 'standard',
    ...(inference_geo === undefined || inference_geo === null ? {} : { inference_geo }),
  };
}
