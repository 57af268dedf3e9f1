/** What an environment's networking opens, within the most that the deployment does. */
import { describe, expect, it } from 'vitest';
import type { Reach } from '#contract/egress.ts';
import type { Networking } from '#contract/environments.ts';
import { reachesSomething, reachOf, registryHosts } from '#core/egress/reach.ts';
import { AGENT } from '#test/functions/core/given.ts';

const limited = (over: Partial<Extract<Networking, { type: 'limited' }>> = {}): Networking => ({
  ...{ type: 'limited', allowed_hosts: [], allow_mcp_servers: false, allow_package_managers: false, ...over },
});
const OPEN: Networking = { type: 'unrestricted' };
const server = (name: string, url: string) => ({ type: 'url' as const, name, url });
const agent = {
  ...AGENT,
  mcp_servers: [server('a', 'https://MCP.Example.com:8443/x?y'), server('b', 'https://api.example.com./mcp')],
};
const hosts = (...named: readonly string[]): Reach => ({ type: 'limited', hosts: [...named] });

describe('the reach of a sandbox', () => {
  it.each<[string, Networking, Reach['type'], Reach]>([
    ['unrestricted', OPEN, 'unrestricted', OPEN],
    ['limited without hosts', limited(), 'unrestricted', hosts()],
    [
      'hosts, each once and in lower case',
      limited({ allowed_hosts: ['A.com', '*.B.com', 'a.com'] }),
      'unrestricted',
      hosts('a.com', '*.b.com'),
    ],
    [
      'MCP servers, by their hosts',
      limited({ allow_mcp_servers: true }),
      'limited',
      hosts('mcp.example.com', 'api.example.com'),
    ],
    [
      'an MCP server that is allowed by name too',
      limited({ allow_mcp_servers: true, allowed_hosts: ['api.example.com'] }),
      'limited',
      hosts('api.example.com', 'mcp.example.com'),
    ],
    [
      'what the deployment narrows, and why',
      OPEN,
      'limited',
      { type: 'limited', hosts: [], narrowedBy: 'network.max' },
    ],
    ['limited within a limited deployment', limited({ allowed_hosts: ['a.com'] }), 'limited', hosts('a.com')],
    ['nothing where the deployment opens nothing', limited({ allowed_hosts: ['a.com'] }), 'none', { type: 'none' }],
    ['nothing where the deployment opens nothing, unrestricted', OPEN, 'none', { type: 'none' }],
  ])('is: %s', (_what, networking, max, reach) => {
    expect(reachOf(networking, agent, { max, sources: {} })).toEqual(reach);
  });

  it('has MCP servers of the agents that it may give work to', () => {
    const lead = {
      ...agent,
      mcp_servers: [],
      multiagent: { type: 'coordinator' as const, agents: [{ ...agent, type: 'agent' as const }] },
    };
    const reach = reachOf(limited({ allow_mcp_servers: true }), lead as never, { max: 'limited', sources: {} });
    expect(reach).toEqual(hosts('mcp.example.com', 'api.example.com'));
  });

  it('has the registries of all package managers, and those of the deployment', () => {
    const sources = {
      npmRegistry: 'https://npm.example.com/a/',
      aptSources: ['deb http://apt.example.com/x stable main'],
    };
    const reach = reachOf(limited({ allow_package_managers: true }), agent, { max: 'limited', sources });
    const named = reach.type === 'limited' ? reach.hosts : [];
    for (const host of ['pypi.org', 'files.pythonhosted.org', 'registry.npmjs.org', 'index.crates.io', 'rubygems.org'])
      expect(named).toContain(host);
    for (const host of ['proxy.golang.org', 'sum.golang.org', 'deb.debian.org', 'npm.example.com', 'apt.example.com'])
      expect(named).toContain(host);
    expect(new Set(registryHosts(sources)).size).toBe(registryHosts(sources).length);
  });

  it('is nothing without a host', () => {
    const reaches: readonly Reach[] = [OPEN, hosts('a.com'), hosts(), { type: 'none' }];
    expect(reaches.map(reachesSomething)).toEqual([true, true, false, false]);
  });

  it('keeps hundreds of hosts within the contract', () => {
    const many = Array.from({ length: 256 }, (_, index) => `host-${index}.example.com`);
    const reach = reachOf(limited({ allowed_hosts: many, allow_package_managers: true }), agent, {
      max: 'unrestricted',
      sources: {},
    });
    expect(reach.type === 'limited' && reach.hosts.length).toBe(256 + registryHosts({}).length);
  });
});
