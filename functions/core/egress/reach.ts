/** What the programs of a session's sandbox may reach: the environment's networking, within the most that the deployment opens. */
import type { SessionAgent } from '#contract/agents.ts';
import type { Reach } from '#contract/egress.ts';
import type { Networking } from '#contract/environments.ts';
import { CHECKSUMS_OF_GO, urlsIn, USUAL_HOSTS, type PackageSources } from '#contract/packages.ts';
import { hostOf } from '#core/outbound/destination.ts';
import { rosterOf } from '#core/tools/roster.ts';

export interface ReachRules {
  /** The option `network.max`. */
  readonly max: Reach['type'];
  /** Where this deployment's packages come from. */
  readonly sources: PackageSources;
}

type Servers = Pick<SessionAgent, 'mcp_servers' | 'multiagent'>;

export function reachOf(networking: Networking, agent: Servers, { max, sources }: ReachRules): Reach {
  if (max === 'none') return { type: 'none' };
  if (networking.type === 'limited') {
    const hosts = [
      ...networking.allowed_hosts.map((host) => host.toLowerCase()),
      ...(networking.allow_mcp_servers ? serverHosts(agent) : []),
      ...(networking.allow_package_managers ? registryHosts(sources) : []),
    ];
    return { type: 'limited', hosts: [...new Set(hosts)] };
  }
  return max === 'limited' ? { type: 'limited', hosts: [], narrowedBy: 'network.max' } : networking;
}

/** Whether there is a host that a program reaches. */
export function reachesSomething(reach: Reach): boolean {
  return reach.type === 'unrestricted' || (reach.type === 'limited' && reach.hosts.length > 0);
}

/** Both: a program in a sandbox finds no settings of the deployment's own sources. */
export function registryHosts(sources: PackageSources): readonly string[] {
  const own = urlsIn(sources).map(hostOf);
  return [...new Set([...Object.values(USUAL_HOSTS).flat(), CHECKSUMS_OF_GO, ...own])];
}

/** Those of the agents that the session's agent may give work to, too: they share its sandbox. */
function serverHosts(agent: Servers): readonly string[] {
  const agents = [agent, ...rosterOf(agent).agents.map((listed) => listed.agent)];
  const urls = agents.flatMap(({ mcp_servers: servers }) => servers.flatMap(({ url }) => URL.parse(url) ?? []));
  return urls.map(hostOf);
}
