import { describe, expect, it } from 'vitest';
import type { SessionAgent } from '#contract/agents.ts';
import { AgentToolsInput } from '#contract/tools.ts';
import { resolveTools } from '#core/agents/resolve-tools.ts';
import { fetchesItself, serverTools } from '#core/tools/server-tools.ts';
import { enabledTools, toolDefinitions, toolRules } from '#core/tools/tool-definitions.ts';
import { AGENT } from '#test/functions/core/given.ts';

const BEDROCK = 'us.anthropic.claude-opus-5-v1:0';

function agentWith(toolset: object, model = 'claude-opus-5'): SessionAgent {
  const tools = resolveTools(AgentToolsInput.parse([{ type: 'agent_toolset_20260401', ...toolset }]));
  return { ...AGENT, model: { ...AGENT.model, id: model }, tools };
}

const named = (agent: SessionAgent) => serverTools(agent).map(({ name }) => name);

describe('web tools', () => {
  it('are the provider’s where it has them, with the agent’s settings and nothing else', () => {
    const agent = agentWith({
      configs: [
        { name: 'web_fetch', allowed_domains: ['example.com'], max_content_tokens: 500 },
        { name: 'web_search', user_location: { type: 'approximate', city: 'Oslo' } },
      ],
    });
    expect(serverTools(agent)).toEqual([
      {
        type: 'web_fetch_20260318',
        name: 'web_fetch',
        allowed_callers: ['direct'],
        allowed_domains: ['example.com'],
        max_content_tokens: 500,
      },
      {
        type: 'web_search_20260318',
        name: 'web_search',
        allowed_callers: ['direct'],
        user_location: expect.objectContaining({ type: 'approximate', city: 'Oslo' }),
      },
    ]);
    expect(enabledTools(agent)).not.toContain('web_fetch');
  });

  it('have the names that an older model knows', () => {
    const types = serverTools(agentWith({}, 'claude-haiku-4-5')).map(({ type }) => type);
    expect(types).toEqual(['web_fetch_20250910', 'web_search_20250305']);
  });

  it('of a provider that has none are the service’s own web_fetch, and no search', () => {
    const agent = agentWith({}, BEDROCK);
    expect(named(agent)).toEqual([]);
    expect(enabledTools(agent)).toContain('web_fetch');
    expect(toolDefinitions(agent, []).map(({ name }) => name)).toContain('web_fetch');
    expect(toolRules(agent, []).get('web_fetch')).toEqual({ kind: 'built-in', policy: 'always_allow' });
    expect(toolRules(agent, []).has('web_search')).toBe(false);
  });

  it('that need a confirmation are executed by the service, because the provider asks for none', () => {
    const ask = { permission_policy: { type: 'always_ask' } };
    const agent = agentWith({ configs: [{ name: 'web_fetch', ...ask }] });
    expect(named(agent)).toEqual(['web_search']);
    expect(toolRules(agent, []).get('web_fetch')).toEqual({ kind: 'built-in', policy: 'always_ask' });
  });

  it('with url_sources are fetched by the provider only, because the service does not track URLs', () => {
    const sources = { url_sources: { user_input: 'all', client_tool_results: 'none', server_tool_results: 'none' } };
    const config = { name: 'web_fetch', ...sources };
    expect(serverTools(agentWith({ configs: [config] }))[0]).toHaveProperty('url_sources');
    expect(fetchesItself(agentWith({ configs: [config] }, BEDROCK))).toBe(false);
  });

  it('that are disabled are offered by neither the provider nor the service', () => {
    const agent = agentWith({ default_config: { enabled: false }, configs: [{ name: 'bash', enabled: true }] });
    expect(named(agent)).toEqual([]);
    expect(enabledTools(agent)).toEqual(['bash']);
  });
});
