/** The agents that a session's agent may give work to, and the advisor that it may ask. Stored workflows add none. */
import type { SessionAgent, SessionMultiagent, SessionThreadAgent } from '#contract/agents.ts';

interface RosterAgent {
  /** By which the model calls the agent: no two agents of a roster have the same. */
  readonly name: string;
  readonly description: string | null;
  readonly agent: SessionThreadAgent;
}

interface Roster {
  /** In the order of the list. The copy of the session's own agent is as the session has it, overrides and updates included. */
  readonly agents: readonly RosterAgent[];
  readonly advisor: { readonly model: string } | null;
  /** Whether the model may define agents itself. They have the model, tools, MCP servers and skills of the session's agent. */
  readonly inlineAgents: boolean;
}

export function rosterOf({ multiagent }: Pick<SessionAgent, 'multiagent'>): Roster {
  if (multiagent === null) return { agents: [], advisor: null, inlineAgents: false };
  return multiagent.type === 'coordinator' ? rosterOfList(multiagent) : rosterOfMembers(multiagent);
}

type Form<Type extends SessionMultiagent['type']> = Extract<SessionMultiagent, { type: Type }>;

function rosterOfList({ agents: entries }: Form<'coordinator'>): Roster {
  const agents = entries.filter((entry) => entry.type === 'agent');
  const advisor = entries.find((entry) => entry.type === 'advisor');
  return {
    agents: withNames(agents),
    advisor: advisor === undefined ? null : { model: advisor.model },
    inlineAgents: false,
  };
}

function rosterOfMembers({ subagents, advisor }: Form<'multiagent_20261001'>): Roster {
  return {
    agents: subagents.type === 'enabled' ? withNames(subagents.predefined_agents) : [],
    advisor: advisor.type === 'enabled' ? { model: advisor.model } : null,
    inlineAgents: subagents.type === 'enabled' && subagents.inline_agents.type === 'enabled',
  };
}

/**
 * The first agent of a name keeps it. A later one has the lowest number after it, from 2, that makes a name no other agent has:
 * `reviewer`, `reviewer (2)`.
 */
function withNames(agents: readonly SessionThreadAgent[]): readonly RosterAgent[] {
  const taken = new Set(agents.map(({ name }) => name));
  const isFirst = (agent: SessionThreadAgent) => agents.find(({ name }) => name === agent.name) === agent;
  return agents.map((agent) => {
    const name = isFirst(agent) ? agent.name : freeName(agent.name, taken);
    taken.add(name);
    return { name, description: agent.description, agent };
  });
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let number = 2; ; number += 1) {
    const numbered = `${name} (${number})`;
    if (!taken.has(numbered)) return numbered;
  }
}
