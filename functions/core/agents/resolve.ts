/** An agent as it is saved: every default is decided now, so that a later change of defaults changes no saved agent. */
import type { Agent, AgentCreate, SessionAgent } from '#contract/agents.ts';
import type { AgentId, Instant } from '#contract/ids.ts';
import { resolveModel } from '#core/agents/resolve-model.ts';
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

export function emptyAsNull(text: string | null | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}
