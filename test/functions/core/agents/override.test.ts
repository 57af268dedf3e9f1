import { describe, expect, it } from 'vitest';
import { Agent, AgentCreate, AgentOverrides, SessionAgent } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { overrideAgent, replaceTools } from '#core/agents/override.ts';
import { resolveAgent, snapshotOf } from '#core/agents/resolve.ts';
import { isRefusal } from '#core/ports/errors.ts';

const CUSTOM = { type: 'custom', name: 'get_weather', description: 'Weather', input_schema: { type: 'object' } };
const SERVER = { type: 'url', name: 'tracker', url: 'https://tracker.example/mcp' } as const;
const MCP = { type: 'mcp_toolset', mcp_server_name: 'tracker' };
const SAVED = Agent.parse(
  resolveAgent(
    AgentCreate.parse({
      name: 'Ada',
      model: { id: 'claude-opus-5', effort: 'low', speed: 'fast', inference_geo: 'us' },
      system: 'You are Ada.',
      tools: [{ type: 'agent_toolset_20260401' }],
      metadata: { team: 'blue' },
    }),
    AgentId.parse('agent_1'),
    '2026-11-21T10:00:00.000Z',
  ),
);
const AGENT = snapshotOf(SAVED, [], new Map());

describe('an agent that a session overrides', () => {
  const model = (id: string, fields: object = {}) => ({ id, effort: { type: 'high' }, speed: 'standard', ...fields });
  it.each([
    ['inherits what is omitted', {}, {}],
    ['has no system prompt after null', { system: null }, { system: null }],
    ['has no system prompt after ""', { system: '' }, { system: null }],
    ['has the system prompt of the session', { system: 'Hi.' }, { system: 'Hi.' }],
    ['has no tools after null', { tools: null }, { tools: [] }],
    ['has no tools after []', { tools: [], mcp_servers: [], skills: null }, { tools: [] }],
    ['has the tools of the session alone', { tools: [CUSTOM] }, { tools: [CUSTOM] }],
    ['has the model of the session, at its default effort', { model: 'm' }, { model: model('m') }],
    ['is not given the effort of an override', { model: { id: 'm', effort: 'max' } }, { model: model('m') }],
    ['keeps no effort of its own beside an override', { model: 'claude-opus-5' }, { model: model('claude-opus-5') }],
    [
      'runs where the override says',
      { model: { id: 'm', inference_geo: 'global' } },
      { model: model('m', { inference_geo: 'global' }) },
    ],
  ])('%s', (_what, overrides, changed) => {
    const agent = overrideAgent(AGENT, AgentOverrides.parse(overrides));
    expect(agent).toEqual({ ...AGENT, ...changed });
    expect(SessionAgent.parse(agent)).toEqual(agent);
  });

  it('cannot lose its model', () => {
    expect(overrideAgent(AGENT, { model: null })).toEqual({
      status: 'refused',
      type: 'invalid_request_error',
      message: 'agent_model_required: agent.model: an agent must have a model',
      errorCode: 'agent_model_required',
    });
  });

  it('is refused when it is too large for a row', () => {
    const tools = [{ ...CUSTOM, description: 'x'.repeat(350_000) }];
    expect(overrideAgent(AGENT, AgentOverrides.parse({ tools }))).toMatchObject({
      message: expect.stringMatching(/^agent: .*340000 bytes/),
    });
  });

  it('has its tools replaced as a whole, cleared or kept', () => {
    const agent = AGENT;
    expect(replaceTools(agent, {})).toEqual(agent);
    expect(replaceTools(agent, { tools: null, mcp_servers: [] })).toEqual({ ...agent, tools: [] });
    const { tools } = AgentOverrides.parse({ tools: [CUSTOM] });
    expect(replaceTools(agent, { tools })).toEqual({ ...agent, tools: [CUSTOM] });
  });

  it('has a toolset for each MCP server, and an MCP server for each MCP toolset', () => {
    const overridden = (overrides: object) => overrideAgent(AGENT, AgentOverrides.parse(overrides));
    const served = overridden({ tools: [MCP], mcp_servers: [SERVER] });
    if (isRefusal(served)) throw new TypeError(served.message);
    expect(served).toMatchObject({ tools: [{ mcp_server_name: 'tracker' }], mcp_servers: [SERVER] });
    expect(replaceTools(served, {})).toEqual(served);
    expect(replaceTools(served, { tools: [], mcp_servers: null })).toMatchObject({ tools: [], mcp_servers: [] });
    for (const [refusal, field] of [
      [overridden({ tools: [MCP] }), 'agent.tools.0.mcp_server_name: '],
      [overridden({ mcp_servers: [SERVER] }), 'agent.mcp_servers.0.name: '],
      [replaceTools(served, { mcp_servers: [] }), 'agent.tools.0.mcp_server_name: '],
      [replaceTools(served, { tools: [] }), 'agent.mcp_servers.0.name: '],
    ] as const) {
      expect(refusal).toMatchObject({ message: expect.stringContaining(field) });
    }
  });
});
