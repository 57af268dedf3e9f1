/** The agent that a session is created with. */
import type { Agent, SessionAgent } from '#contract/agents.ts';
import type { AgentId } from '#contract/ids.ts';
import type { AgentReference } from '#contract/sessions.ts';
import { overrideAgent } from '#core/agents/override.ts';
import { snapshotOf } from '#core/agents/resolve.ts';
import type { RequestRefusal } from '#core/ports/refusal.ts';

export function agentReference(agent: AgentReference): { readonly id: AgentId; readonly version?: number } {
  if (typeof agent === 'string') return { id: agent };
  return agent.version === undefined ? { id: agent.id } : { id: agent.id, version: agent.version };
}

/** The session's own snapshot: what becomes of the agent later does not reach it. */
export function ownAgent(agent: Agent, reference: AgentReference): SessionAgent | RequestRefusal {
  const isOverridden = typeof reference !== 'string' && reference.type === 'agent_with_overrides';
  return isOverridden ? overrideAgent(agent, reference) : snapshotOf(agent);
}
