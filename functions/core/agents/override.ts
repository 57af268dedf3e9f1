/** A session's own version of its agent: what is omitted is inherited, null and [] clear, and a value replaces. */
import type { AgentOverrides, SessionAgent } from '#contract/agents.ts';
import { brokenModel, brokenServers, brokenSkills, brokenTools, tooLarge } from '#core/tools/agent-rules.ts';
import { resolveTools } from '#core/agents/resolve-tools.ts';
import { withOwnCopy } from '#core/agents/multiagent.ts';
import { brokenMultiagent } from '#core/agents/multiagent-rules.ts';
import { emptyAsNull, overrideModel } from '#core/agents/resolve.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** `saved` has the skills that the session has: the overrides' own, or else the agent's. */
export function overrideAgent(saved: SessionAgent, overrides: AgentOverrides): SessionAgent | RequestRefusal {
  const { model, system, ...parts } = overrides;
  if (model === null) {
    return refuse('invalid_request_error', 'agent.model: an agent must have a model', 'agent_model_required');
  }
  const own = model === undefined ? saved.model : overrideModel(model);
  const broken = model === undefined ? null : brokenModel(own, 'agent.');
  if (broken !== null) return broken;
  const overridden = replaceTools(
    {
      ...saved,
      model: own,
      system: system === undefined ? saved.system : emptyAsNull(system),
    },
    parts,
  );
  if (isRefusal(overridden) || model === undefined) return overridden;
  return brokenTools(overridden, 'agent.') ?? overridden;
}

export function replaceTools(
  agent: SessionAgent,
  { tools, mcp_servers: servers }: Pick<AgentOverrides, 'tools' | 'mcp_servers'>,
): SessionAgent | RequestRefusal {
  const replaced = withOwnCopy({
    ...agent,
    tools: tools === undefined ? agent.tools : resolveTools(tools),
    mcp_servers: servers === undefined ? agent.mcp_servers : (servers ?? []),
  });
  const broken = tools === undefined ? null : brokenTools(replaced, 'agent.');
  return (
    broken ??
    brokenSkills(replaced, 'agent.') ??
    brokenServers(replaced, 'agent.') ??
    brokenMultiagent(replaced, 'agent.') ??
    tooLarge(replaced, 'agent') ??
    replaced
  );
}
