/** An agent as it is saved: every default is decided now, so that a later change of defaults changes no saved agent. */
import type { Agent, AgentCreate, Model, ModelInput, SessionAgent } from '#contract/agents.ts';
import type { AgentId, Instant } from '#contract/ids.ts';
import type { Toolset, ToolsetInput } from '#contract/tools.ts';

/** The level that models think at when nobody says otherwise. No model in `models.ts` differs yet. */
const DEFAULT_EFFORT = 'high';
const ALWAYS_ALLOW = { type: 'always_allow' } as const;

export function resolveAgent(input: AgentCreate, id: AgentId, now: Instant): Agent {
  return {
    id,
    type: 'agent',
    version: 1,
    name: input.name,
    description: emptyAsNull(input.description),
    system: emptyAsNull(input.system),
    model: resolveModel(input.model),
    tools: (input.tools ?? []).map(resolveToolset),
    mcp_servers: [],
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
    metadata: input.metadata ?? {},
    created_at: now,
    updated_at: now,
    archived_at: null,
  };
}

/** What a session keeps of an agent. */
export function snapshotOf(agent: Agent): SessionAgent {
  const {
    metadata: _metadata,
    created_at: _createdAt,
    updated_at: _updatedAt,
    archived_at: _archivedAt,
    ...definition
  } = agent;
  return definition;
}

function emptyAsNull(text: string | null | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

function resolveModel(input: ModelInput): Model {
  const given = typeof input === 'string' ? { id: input } : input;
  const effort = typeof given.effort === 'string' ? given.effort : given.effort?.type;
  return {
    id: given.id,
    effort: { type: effort ?? DEFAULT_EFFORT },
    speed: given.speed ?? 'standard',
    ...(given.inference_geo === undefined || given.inference_geo === null
      ? {}
      : { inference_geo: given.inference_geo }),
  };
}

function resolveToolset(input: ToolsetInput): Toolset {
  const enabled = input.default_config?.enabled ?? true;
  return {
    type: input.type,
    default_config: { enabled, permission_policy: ALWAYS_ALLOW },
    configs: input.configs.map((config) => ({
      type: config.name,
      name: config.name,
      enabled: config.enabled ?? enabled,
      permission_policy: ALWAYS_ALLOW,
    })),
  };
}
