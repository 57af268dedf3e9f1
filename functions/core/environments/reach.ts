/** Whether the MCP servers of a session's agents lie within its environment's networking. */
import type { SessionAgent, SessionThreadAgent } from '#contract/agents.ts';
import type { Environment, Networking } from '#contract/environments.ts';
import type { AgentId } from '#contract/ids.ts';
import { rosterOf } from '#core/tools/roster.ts';
import { covers } from '#core/outbound/destination.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** `networking` is null when the environment, which names the allowed hosts, has been deleted. */
export function refusedServer(
  { mcp_servers: servers }: Pick<SessionAgent, 'mcp_servers'>,
  networking: Networking | null,
): RequestRefusal | null {
  if (networking === null) return servers.length === 0 ? null : NO_ENVIRONMENT;
  const index = outside(servers, networking);
  return index < 0 ? null : refuse('invalid_request_error', `agent.mcp_servers.${index}.url: ${RULE}`);
}

/** Servers of the agents that the session's agent may give work to. `own` has the environments that they bring. */
export function refusedRosterServer(
  agent: Pick<SessionAgent, 'multiagent'>,
  networking: Networking,
  own: ReadonlyMap<AgentId, Environment> = new Map(),
): RequestRefusal | null {
  const outsideOf = ({ id, mcp_servers: servers }: SessionThreadAgent) =>
    outside(servers, own.get(id)?.config.networking ?? networking);
  const refused = rosterOf(agent).agents.find((listed) => outsideOf(listed.agent) >= 0);
  if (refused === undefined) return null;
  const field = `mcp_servers.${outsideOf(refused.agent)}.url of ${refused.agent.id}`;
  return refuse('invalid_request_error', `agent.multiagent: ${field}: ${RULE}`);
}

const RULE = "its host must be among the environment's allowed_hosts, or allow_mcp_servers be true";

/** The index of the first server that the environment does not reach, or -1. */
function outside(servers: SessionAgent['mcp_servers'], networking: Networking): number {
  if (networking.type === 'unrestricted' || networking.allow_mcp_servers) return -1;
  const allowed = networking.allowed_hosts.map((host) => host.toLowerCase());
  return servers.findIndex(({ url }) => !allowed.some((pattern) => covers(pattern, serverHost(url))));
}

const NO_ENVIRONMENT = refuse(
  'invalid_request_error',
  'agent.mcp_servers: may only be emptied, for the environment that says which hosts are allowed has been deleted',
);

function serverHost(url: string): string {
  return (URL.parse(url)?.hostname ?? '').replace(/\.$/, '');
}
