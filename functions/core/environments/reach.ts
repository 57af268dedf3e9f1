/** Whether an agent's MCP servers lie within its environment's networking. */
import type { SessionAgent } from '#contract/agents.ts';
import type { Networking } from '#contract/environments.ts';
import { covers } from '#core/outbound/destination.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** `networking` is null when the environment, which names the allowed hosts, has been deleted. */
export function refusedServer(
  { mcp_servers: servers }: Pick<SessionAgent, 'mcp_servers'>,
  networking: Networking | null,
): RequestRefusal | null {
  if (networking === null) return servers.length === 0 ? null : NO_ENVIRONMENT;
  if (networking.type === 'unrestricted' || networking.allow_mcp_servers) return null;
  const allowed = networking.allowed_hosts.map((host) => host.toLowerCase());
  const index = servers.findIndex(({ url }) => !allowed.some((pattern) => covers(pattern, serverHost(url))));
  if (index < 0) return null;
  const field = `agent.mcp_servers.${index}.url`;
  const rule = "its host must be among the environment's allowed_hosts, or allow_mcp_servers be true";
  return refuse('invalid_request_error', `${field}: ${rule}`);
}

const NO_ENVIRONMENT = refuse(
  'invalid_request_error',
  'agent.mcp_servers: may only be emptied, for the environment that says which hosts are allowed has been deleted',
);

function serverHost(url: string): string {
  return (URL.parse(url)?.hostname ?? '').replace(/\.$/, '');
}
