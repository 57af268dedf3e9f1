import { describe, expect, it } from 'vitest';
import { AgentTool, AgentToolsInput, TOOLSET_TYPE } from '#contract/tools.ts';
import { effectiveConfig } from '#core/tools/server-tools.ts';
import { resolveTools } from '#core/agents/resolve-tools.ts';

const resolved = (...tools: readonly unknown[]) => {
  const saved = resolveTools(AgentToolsInput.parse(tools));
  for (const tool of saved) expect(AgentTool.parse(tool)).toEqual(tool);
  return saved;
};
const ALLOW = { type: 'always_allow' };
const ASK = { type: 'always_ask' };

describe('the tools of a saved agent', () => {
  it('hold a toolset with every tool on, and only the entries that the request gave', () => {
    expect(resolved({ type: TOOLSET_TYPE })).toEqual([
      { type: TOOLSET_TYPE, default_config: { enabled: true, permission_policy: ALLOW }, configs: [] },
    ]);
  });

  it('take the fields that an entry leaves out from the default', () => {
    const [toolset] = resolved({
      type: TOOLSET_TYPE,
      default_config: { enabled: false, permission_policy: ASK },
      configs: [
        { name: 'bash', enabled: true },
        { name: 'read', permission_policy: ALLOW },
      ],
    });
    expect(toolset).toMatchObject({
      configs: [
        { type: 'bash', name: 'bash', enabled: true, permission_policy: ASK },
        { type: 'read', name: 'read', enabled: false, permission_policy: ALLOW },
      ],
    });
  });

  it('hold web settings in their full form', () => {
    const [toolset] = resolved({
      type: TOOLSET_TYPE,
      configs: [
        { name: 'web_fetch', allowed_domains: ['example.com'], url_sources: { user_input: 'none' } },
        { name: 'web_search', user_location: { type: 'approximate', city: 'Berlin' } },
      ],
    });
    expect(toolset).toMatchObject({
      configs: [
        {
          type: 'web_fetch',
          name: 'web_fetch',
          enabled: true,
          permission_policy: ALLOW,
          allowed_domains: ['example.com'],
          max_content_tokens: null,
          url_sources: { user_input: { type: 'none' }, client_tool_results: null, server_tool_results: null },
        },
        {
          type: 'web_search',
          user_location: { type: 'approximate', city: 'Berlin', region: null, country: null, timezone: null },
        },
      ],
    });
    expect(toolset).not.toHaveProperty('configs.0.blocked_domains');
    expect(toolset).not.toHaveProperty('configs.1.allowed_domains');
  });

  it('are read also from rows that were stored without web settings', () => {
    const policy = { enabled: false, permission_policy: ALLOW };
    const entry = (name: string) => ({ type: name, name, ...policy });
    const configs = [entry('web_fetch'), entry('web_search')];
    expect(AgentTool.parse({ type: TOOLSET_TYPE, default_config: policy, configs })).toMatchObject({
      configs: [{ max_content_tokens: null, url_sources: null }, { user_location: null }],
    });
  });

  it('hold custom tools as the request gave them', () => {
    const tool = {
      type: 'custom',
      name: 'get_weather',
      description: 'Weather',
      input_schema: { type: 'object', properties: { place: { enum: ['x'] } }, additionalProperties: false },
    };
    expect(resolved(tool)).toEqual([tool]);
  });
});

describe('the configuration of one tool', () => {
  const asking = resolved({
    type: TOOLSET_TYPE,
    default_config: { permission_policy: ASK },
    configs: [{ name: 'read', permission_policy: ALLOW }],
  });

  it('is its own entry, and without one the default', () => {
    expect(effectiveConfig(asking, 'read')).toEqual({ enabled: true, permission_policy: ALLOW });
    expect(effectiveConfig(asking, 'bash')).toEqual({ enabled: true, permission_policy: ASK });
    expect(effectiveConfig([], 'bash')).toBeNull();
  });

  it('is disabled for a web search that would need a confirmation', () => {
    expect(effectiveConfig(asking, 'web_search')).toEqual({ enabled: false, permission_policy: ASK });
    expect(effectiveConfig(asking, 'web_fetch')).toEqual({ enabled: true, permission_policy: ASK });
    expect(effectiveConfig(resolved({ type: TOOLSET_TYPE }), 'web_search')).toMatchObject({ enabled: true });
  });
});
