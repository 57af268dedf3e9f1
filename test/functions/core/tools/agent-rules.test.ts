import { describe, expect, it } from 'vitest';
import { Agent, AgentCreate, AgentOverrides, AgentUpdate } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { brokenTools } from '#core/tools/agent-rules.ts';
import { overrideAgent } from '#core/agents/override.ts';
import { resolveAgent, snapshotOf } from '#core/agents/resolve.ts';
import { nextVersion } from '#core/agents/update.ts';

const BEDROCK = 'us.anthropic.claude-opus-5-v1:0';
const NOW = '2026-11-21T10:00:00.000Z';
const ALONE = { now: NOW, multiagent: null, listed: new Map() };

const given = (model: string, ...configs: readonly object[]) =>
  Agent.parse(
    resolveAgent(
      AgentCreate.parse({ name: 'Ada', model, tools: [{ type: 'agent_toolset_20260401', configs }] }),
      AgentId.parse('agent_1'),
      NOW,
    ),
  );

const overridden = (agent: Agent, overrides: AgentOverrides) =>
  overrideAgent(snapshotOf(agent, [], new Map()), overrides);

const SEARCH = { name: 'web_search' };
const SOURCES = { name: 'web_fetch', url_sources: { user_input: 'all' } };
const ASKING = { ...SOURCES, permission_policy: { type: 'always_ask' } };

describe('a web tool that the model’s provider does not have', () => {
  it.each([
    ['a search', BEDROCK, [{ name: 'bash' }, SEARCH], /^tools\.0\.configs\.1: web_search .* disable it$/],
    ['sources of URLs', BEDROCK, [SOURCES], /^tools\.0\.configs\.0\.url_sources: .* leave it out$/],
    [
      'sources of URLs beside a question',
      'claude-opus-5',
      [ASKING],
      /^tools\.0\.configs\.0\.url_sources: .*always_allow/,
    ],
  ])('is refused when an agent enables it: %s', (_what, model, configs, message) => {
    expect(brokenTools(given(model, ...configs))).toMatchObject({ message: expect.stringMatching(message) });
  });

  it.each([
    ['enabled by default alone', BEDROCK, []],
    [
      'disabled',
      BEDROCK,
      [
        { ...SEARCH, enabled: false },
        { ...SOURCES, enabled: false },
      ],
    ],
    ['fetched by us', BEDROCK, [{ name: 'web_fetch', blocked_domains: ['a.com'] }]],
    ['the provider’s', 'claude-opus-5', [SEARCH, SOURCES]],
  ])('is accepted when it is not asked of that provider: %s', (_what, model, configs) => {
    expect(brokenTools(given(model, ...configs))).toBeNull();
  });

  it('is refused in an update or session that enables it, and in no other', () => {
    const agent = given('claude-opus-5', SEARCH);
    const refused = { type: 'invalid_request_error' };
    expect(nextVersion(agent, AgentUpdate.parse({ model: BEDROCK }), ALONE)).toMatchObject(refused);
    expect(overridden(agent, AgentOverrides.parse({ model: BEDROCK }))).toMatchObject({
      message: expect.stringMatching(/^agent\.tools\.0\.configs\.0: /),
    });
    const before = { ...agent, model: { ...agent.model, id: BEDROCK } };
    expect(nextVersion(before, AgentUpdate.parse({ name: 'Bob' }), ALONE)).toMatchObject({ name: 'Bob' });
    const tools = [
      ...agent.tools,
      { type: 'custom', name: 'ask', description: 'Asks', input_schema: { type: 'object' } },
    ];
    expect(nextVersion(before, AgentUpdate.parse({ tools }), ALONE)).toMatchObject(refused);
    expect(overridden(before, AgentOverrides.parse({ system: 'Hi.' }))).toMatchObject({ system: 'Hi.' });
    expect(overridden(before, AgentOverrides.parse({ tools: agent.tools }))).toMatchObject(refused);
  });
});
