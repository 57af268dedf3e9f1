/** Rules over an agent and the agents that it lists. */
import type { SessionAgent, SessionThreadAgent } from '#contract/agents.ts';
import { ADVISOR_NAME } from '#contract/multiagent.ts';
import { listsOf } from '#core/agents/multiagent.ts';
import { rosterOf } from '#core/tools/roster.ts';
import { isAsCapable } from '#core/model/capability.ts';
import { habitsOf } from '#core/model/habits.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** `parent` is the path of the object with the agent's fields: empty, or `agent.`. */
export function brokenMultiagent(agent: SessionAgent, parent = ''): RequestRefusal | null {
  if (agent.multiagent === null) return null;
  const sentence = brokenMember(agent) ?? brokenListed(agent) ?? brokenAdvisor(agent);
  return sentence === null ? null : refuse('invalid_request_error', `${parent}multiagent${sentence}`);
}

function brokenMember({ multiagent }: SessionAgent): string | null {
  if (multiagent?.type !== 'multiagent_20261001') return null;
  const empty = (['subagents', 'workflows'] as const).find((name) => {
    const member = multiagent[name];
    return (
      member.type === 'enabled' && member.inline_agents.type === 'disabled' && member.predefined_agents.length === 0
    );
  });
  return empty === undefined ? null : `.${empty}.predefined_agents: must have an agent while inline_agents is disabled`;
}

function brokenListed({ multiagent, model }: SessionAgent): string | null {
  for (const { field, entries } of multiagent === null ? [] : listsOf(multiagent)) {
    const rules = entries.map((listed) => brokenAgent(listed, model));
    const broken = rules.findIndex((rule) => rule !== null);
    if (broken >= 0) return `.${field}.${broken}: ${rules[broken]}`;
  }
  return null;
}

function brokenAgent({ name, model: own }: SessionThreadAgent, model: SessionAgent['model']): string | null {
  if (name === ADVISOR_NAME) return `the agent has the name "${ADVISOR_NAME}", which is reserved`;
  if (own.inference_geo === model.inference_geo) return null;
  return 'the `inference_geo` of its model must be that of the agent that lists it, or both be unset';
}

function brokenAdvisor(agent: SessionAgent): string | null {
  const { advisor } = rosterOf(agent);
  if (advisor === null) return null;
  const { id, inference_geo: place } = agent.model;
  if (!isAsCapable(advisor.model, id)) return `: the advisor must be at least as capable as the agent's model, ${id}`;
  // The advisor reads what the agent reads, so it has to run at the same place.
  return place === undefined || habitsOf(advisor.model).inferenceGeo
    ? null
    : ": the advisor's model does not take `inference_geo`, which the agent's model has";
}
