/** Rules over more than one field of a resolved agent. */
import type { Agent, Model, SessionAgent } from '#contract/agents.ts';
import { effectiveConfig, unservedSetting } from '#core/tools/server-tools.ts';
import { refusalOf, retirementOf } from '#core/model/check.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** A session's row holds its agent, with title and metadata, in one DynamoDB item of at most 400 KB. */
const MAX_AGENT_BYTES = 340_000;

/** `field` is the field of the request that holds the agent. */
export function tooLarge(agent: Agent | SessionAgent, field: string): RequestRefusal | null {
  const bytes = new TextEncoder().encode(JSON.stringify(agent)).length;
  if (bytes <= MAX_AGENT_BYTES) return null;
  const what = agent.multiagent === null ? 'the agent' : 'the agent, with all agents that its `multiagent` lists,';
  return refuse('invalid_request_error', `${field}: ${what} must take at most ${MAX_AGENT_BYTES} bytes as JSON`);
}

/** `parent` is the path of the object with the model: empty, or `agent.`. */
export function brokenModel(model: Model, parent = ''): RequestRefusal | null {
  const sentence = refusalOf(model);
  return sentence === null ? null : refuse('invalid_request_error', `${parent}${sentence}`);
}

/**
 * `asked` is the model that a request sets, if it sets one, and `retired` whether the provider refuses models that the Claude
 * API has retired; `parent` as above.
 */
export function retiredModel(
  retired: 'refused' | 'accepted',
  asked: string | { readonly id: string } | null | undefined,
  parent = '',
): RequestRefusal | null {
  if (retired === 'accepted' || asked === null || asked === undefined) return null;
  const sentence = retirementOf(typeof asked === 'string' ? asked : asked.id);
  return sentence === null ? null : refuse('invalid_request_error', `${parent}${sentence}`);
}

/** Servers without a toolset and toolsets without their server; `parent` as above. */
export function brokenServers(agent: Pick<SessionAgent, 'mcp_servers' | 'tools'>, parent = ''): RequestRefusal | null {
  const declared = agent.mcp_servers.map(({ name }) => name);
  const used = agent.tools.map((tool) => (tool.type === 'mcp_toolset' ? tool.mcp_server_name : null));
  const missing = used.findIndex((name) => name !== null && !declared.includes(name));
  if (missing >= 0) {
    const field = `${parent}tools.${missing}.mcp_server_name`;
    return refuse('invalid_request_error', `${field}: must name one of the agent's mcp_servers`);
  }
  const unused = declared.findIndex((name) => !used.includes(name));
  if (unused < 0) return null;
  return refuse('invalid_request_error', `${parent}mcp_servers.${unused}.name: must be named by an mcp_toolset`);
}

/** Skills that the agent cannot read; `parent` as above. */
export function brokenSkills(agent: Pick<Agent, 'skills' | 'tools'>, parent = ''): RequestRefusal | null {
  if (agent.skills.length === 0 || effectiveConfig(agent.tools, 'read')?.enabled === true) return null;
  const rule = "need the tool `read`, which the agent's tools do not have or do not enable";
  return refuse('invalid_request_error', `${parent}skills: ${rule}`);
}

/** Web tools that the model's provider does not have; `parent` as above. */
export function brokenTools(agent: Pick<SessionAgent, 'model' | 'tools'>, parent = ''): RequestRefusal | null {
  const sentence = unservedSetting(agent);
  return sentence === null ? null : refuse('invalid_request_error', `${parent}${sentence}`);
}
