import { describe, expect, it } from 'vitest';
import { SessionAgent, type SessionThreadAgent } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { refusedRosterServer } from '#core/environments/reach.ts';
import { AGENT } from '#test/functions/core/given.ts';

const { multiagent: _multiagent, ...ADA } = AGENT;
const listed = (...urls: readonly string[]): SessionThreadAgent => ({
  ...ADA,
  id: AgentId.parse('agent_2'),
  mcp_servers: urls.map((url, at) => ({ type: 'url' as const, name: `s${at}`, url })),
});
const ALLOWED = 'https://mcp.example.com/';
const OTHER = 'https://elsewhere.example/';
const limited = { type: 'limited' as const, allowed_hosts: ['*.example.com'], allow_package_managers: false };
const member = (list: readonly SessionThreadAgent[]) => ({
  type: 'enabled' as const,
  inline_agents: { type: 'enabled' as const },
  predefined_agents: list,
});
const newer = (subagents: readonly SessionThreadAgent[], workflows: readonly SessionThreadAgent[] = []) => ({
  type: 'multiagent_20261001',
  ...{ subagents: member(subagents), workflows: member(workflows), advisor: { type: 'disabled' } },
});

describe('the MCP servers of listed agents', () => {
  const judged = (multiagent: object | null, allow_mcp_servers = false) =>
    refusedRosterServer(SessionAgent.parse({ ...ADA, multiagent }), { ...limited, allow_mcp_servers });

  it.each([
    ['of a list', { type: 'coordinator', agents: [listed(), listed(ALLOWED, OTHER)] }],
    ['of subagents', newer([listed(ALLOWED, OTHER)])],
  ])('must be allowed by the environment: those %s', (_what, multiagent) => {
    expect(judged(multiagent)?.message).toMatch(/^agent\.multiagent: mcp_servers\.1\.url of agent_2: .*allowed_hosts/);
    expect(judged(multiagent, true)).toBeNull();
    const networking = { type: 'unrestricted' } as const;
    expect(refusedRosterServer(SessionAgent.parse({ ...ADA, multiagent }), networking)).toBeNull();
  });

  it.each([
    ['allowed ones', newer([listed(ALLOWED)])],
    ['those of workflows, which no agent starts', newer([], [listed(OTHER)])],
    ['none', null],
  ])('are accepted: %s', (_what, multiagent) => {
    expect(judged(multiagent)).toBeNull();
  });
});
