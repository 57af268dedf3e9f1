/** Whether what an agent declares lies within its environment's networking (contract §2.3). */
import type { SessionAgent } from '#contract/agents.ts';
import type { Networking } from '#contract/environments.ts';
import { covers } from '#core/outbound/destination.ts';
import { refuse, type RequestRefusal } from '#core/requests/refusal.ts';

export function refusedServer(
  { mcp_servers: servers }: Pick<SessionAgent, 'mcp_servers'>,
  networking: Networking,
): RequestRefusal | null {
  if (networking.type === 'unrestricted' || networking.allow_mcp_servers) return null;
  const allowed = networking.allowed_hosts.map((host) => host.toLowerCase());
  const index = servers.findIndex(({ url }) => !allowed.some((pattern) => covers(pattern, hostOf(url))));
  if (index < 0) return null;
  const field = `agent.mcp_servers.${index}.url`;
  const rule = "its host must be among the environment's allowed_hosts, or allow_mcp_servers be true";
  return refuse('invalid_request_error', `${field}: ${rule}`);
}

function hostOf(url: string): string {
  return (URL.parse(url)?.hostname ?? '').replace(/\.$/, '');
}
