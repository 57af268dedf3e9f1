import { describe, expect, it } from 'vitest';
import { Agent, AgentCreate, AgentUpdate } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { resolveAgent } from '#core/agents/resolve.ts';
import { nextVersion, refusedUpdate } from '#core/agents/update.ts';
import { explain } from '#core/requests/explain.ts';

const CREATED = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T11:00:00.000Z';
const TOOLSET = { type: 'agent_toolset_20260401' };
const CUSTOM = {
  type: 'custom',
  name: 'get_weather',
  description: 'Weather',
  input_schema: { additionalProperties: false, properties: { place: {} }, type: 'object' },
};

const SERVER = { type: 'url', name: 'tracker', url: 'https://tracker.example/mcp' };
const MCP = { type: 'mcp_toolset', mcp_server_name: 'tracker' };
const ASK = { enabled: true, permission_policy: { type: 'always_ask' } };
const SAVED_MCP = { ...MCP, default_config: ASK, configs: [] };

/** As it comes from the records. */
const given = (fields: object = {}): Agent =>
  Agent.parse(
    resolveAgent(
      AgentCreate.parse({
        name: 'Ada',
        model: { id: 'claude-opus-5', effort: 'low', speed: 'fast', inference_geo: 'us' },
        description: 'Counts.',
        system: 'You are Ada.',
        tools: [{ ...TOOLSET, configs: [{ name: 'web_fetch', blocked_domains: ['a.com'], url_sources: {} }] }, CUSTOM],
        metadata: { team: 'blue', stage: 'test' },
        ...fields,
      }),
      AgentId.parse('agent_1'),
      CREATED,
    ),
  );

const ALONE = { now: LATER, multiagent: null, listed: new Map() };
const when = (agent: Agent, fields: object) => {
  const update = AgentUpdate.parse(fields);
  return refusedUpdate(agent, update) ?? nextVersion(agent, update, ALONE);
};

describe('an update of an agent', () => {
  const effort = (type: string) => ({ effort: { type } });
  it.each([
    ['a name', { name: 'Bob' }, { name: 'Bob' }],
    ['a null description', { description: null }, { description: null }],
    ['an empty description', { description: '' }, { description: null }],
    ['a system prompt', { system: 'You are Bob.' }, { system: 'You are Bob.' }],
    ['an empty system prompt', { system: '' }, { system: null }],
    ['null tools', { tools: null }, { tools: [] }],
    ['empty tools', { tools: [] }, { tools: [] }],
    ['other tools', { tools: [CUSTOM] }, { tools: [CUSTOM] }],
    [
      'the same model, with nothing beside it',
      { model: 'claude-opus-5' },
      { model: { id: 'claude-opus-5', ...effort('low'), speed: 'standard' } },
    ],
    [
      'the same model with another effort',
      { model: { id: 'claude-opus-5', effort: 'max', inference_geo: 'us' } },
      { model: { id: 'claude-opus-5', ...effort('max'), speed: 'standard', inference_geo: 'us' } },
    ],
    [
      'another model, with that model’s default effort',
      { model: { id: 'claude-sonnet-5' } },
      { model: { id: 'claude-sonnet-5', ...effort('high'), speed: 'standard' } },
    ],
    [
      'metadata, key by key',
      { metadata: { team: null, stage: 'live', owner: '' } },
      { metadata: { stage: 'live', owner: '' } },
    ],
  ])('that sets %s makes a new version', (_what, update, changed) => {
    const agent = given();
    expect(when(agent, update)).toEqual({ ...agent, ...changed, version: 2, updated_at: LATER });
  });

  it.each([
    [{}],
    [{ version: 1 }],
    [{ name: 'Ada', description: 'Counts.', system: 'You are Ada.' }],
    [{ model: { id: 'claude-opus-5', speed: 'fast', inference_geo: 'us' } }],
    [{ model: { id: 'claude-opus-5', effort: { type: 'low' }, speed: 'fast', inference_geo: 'us' } }],
    [
      {
        tools: [{ ...TOOLSET, configs: [{ name: 'web_fetch', blocked_domains: ['a.com'], url_sources: {} }] }, CUSTOM],
      },
    ],
    [{ mcp_servers: null, skills: [], multiagent: null, execution_identity: null }],
    [{ execution_identity: { type: 'service_account' } }],
    [{ metadata: null }],
    [{ metadata: { team: 'blue', absent: null } }],
  ])('to %j changes nothing', (update) => {
    const agent = given();
    expect(when(agent, update)).toBe(agent);
  });

  it.each([
    [{ name: null }, /^name: /],
    [{ name: '' }, /^name: /],
    [{ model: null }, /^model: /],
    [{ version: 0 }, /^version: /],
    [{ metadata: { a: 1 } }, /^metadata\.a: /],
    [{ skills: [{}] }, /^skills\.0\.type: must be one of/],
    [{ skills: [{ type: 'custom', skill_id: 'xlsx' }] }, /^skills\.0\.skill_id: must be an id/],
    [{ skills: [{ type: 'anthropic', skill_id: 'xlsx', version: 'newest' }] }, /^skills\.0\.version: must be "latest"/],
    [{ mcp_servers: [{ type: 'url', name: 'a', url: 'ftp://a' }] }, /^mcp_servers\.0\.url: must be an http or https/],
    [{ mcp_servers: [{ type: 'url', name: 'a', url: 'https://me:word@a' }] }, /^mcp_servers\.0\.url: .*password/],
    [{ mcp_servers: [{ type: 'stdio', name: 'a', url: 'https://a' }] }, /^mcp_servers\.0\.type: /],
    [{ mcp_servers: [SERVER, { ...SERVER, url: 'https://b' }] }, /^mcp_servers\.1\.name: must be unique/],
    [
      { mcp_servers: Array.from({ length: 21 }, (_, at) => ({ ...SERVER, name: `${at}` })) },
      /^mcp_servers: must have at most 20/,
    ],
    [{ execution_identity: { type: 'aws_role', role_arn: 'x' } }, /^execution_identity: .*not supported yet/],
    [{ colour: 'red' }, /^colour: is not a known field/],
    [{ callable_agents: [] }, /^callable_agents: is the name of an earlier form: list the agents in "multiagent"/],
    [{ callable_agents: null }, /^callable_agents: .*"multiagent"/],
  ])('to %j is refused', (update, message) => {
    const parsed = AgentUpdate.safeParse(update);
    expect(parsed.success ? 'accepted' : explain(parsed.error, 'body')).toMatch(message);
  });

  describe('an update of an agent with an MCP server', () => {
    const served = () => given({ tools: [MCP], mcp_servers: [SERVER] });
    const calendar = { ...SERVER, name: 'calendar' };
    const twice = { tools: [MCP, { ...MCP, mcp_server_name: 'calendar' }], mcp_servers: [SERVER, calendar] };

    it.each([
      ['keeps both when they are omitted', { name: 'Bob' }, { name: 'Bob' }],
      ['clears both with null', { tools: null, mcp_servers: null }, { tools: [], mcp_servers: [] }],
      ['clears both with []', { tools: [], mcp_servers: [] }, { tools: [], mcp_servers: [] }],
      [
        'replaces servers whole',
        { mcp_servers: [{ ...SERVER, url: 'https://other.example' }] },
        { mcp_servers: [{ ...SERVER, url: 'https://other.example' }] },
      ],
      [
        'replaces toolsets whole',
        { tools: [{ ...MCP, configs: [{ name: 'list', enabled: false }] }] },
        { tools: [{ ...SAVED_MCP, configs: [{ name: 'list', ...ASK, enabled: false }] }] },
      ],
    ])('%s', (_what, update, changed) => {
      const agent = served();
      expect(agent).toMatchObject({ tools: [SAVED_MCP], mcp_servers: [SERVER] });
      expect(when(agent, update)).toEqual({ ...agent, ...changed, version: 2, updated_at: LATER });
    });

    it('changes nothing when it repeats what is saved', () => {
      const agent = served();
      expect(when(agent, { tools: [{ ...MCP, default_config: {} }], mcp_servers: [SERVER] })).toBe(agent);
    });

    it.each([
      ['servers alone are cleared', { mcp_servers: [] }, /^tools\.0\.mcp_server_name: must name one of/],
      ['servers alone are nulled', { mcp_servers: null }, /^tools\.0\.mcp_server_name: must name one of/],
      ['toolsets alone are cleared', { tools: null }, /^mcp_servers\.0\.name: must be named by an mcp_toolset/],
      ['a server comes without a toolset', { mcp_servers: [SERVER, calendar] }, /^mcp_servers\.1\.name: /],
      ['a toolset comes without a server', { tools: twice.tools }, /^tools\.1\.mcp_server_name: /],
    ])('is refused when %s', (_what, update, message) => {
      expect(when(served(), update)).toMatchObject({ message: expect.stringMatching(message) });
      expect(when(served(), twice)).toMatchObject({ version: 2 });
    });
  });

  it('that names another version is a conflict, even when it would change nothing', () => {
    const refusal = { status: 'refused', type: 'conflict_error', message: 'version: the agent is at version 1' };
    expect(when(given(), { version: 2, name: 'Bob' })).toEqual(refusal);
    expect(when(given(), { version: 2 })).toEqual(refusal);
  });

  it('is refused when the agent is archived', () => {
    const archived = { ...given(), archived_at: CREATED };
    expect(when(archived, { name: 'Bob' })).toMatchObject({ type: 'invalid_request_error' });
    expect(when(archived, {})).toMatchObject({ type: 'invalid_request_error' });
  });

  it('is refused when it leaves more metadata than an agent may have', () => {
    const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${at}`, 'x']));
    const full = given({ metadata: pairs(16) });
    expect(when(full, { metadata: { one: 'more' } })).toMatchObject({
      message: 'metadata: must have at most 16 pairs',
    });
    expect(when(full, { metadata: { one: 'more', key0: null } })).toMatchObject({ version: 2 });
  });

  it('accepts metadata keys that are named like the fields of a refusal', () => {
    expect(when(given(), { metadata: { status: 'refused', message: 'no' } })).toMatchObject({ version: 2 });
  });

  it('is refused when the agent would be too large for a row', () => {
    const schema = { type: 'object', properties: { a: { description: 'x'.repeat(350_000) } } };
    expect(when(given(), { tools: [{ ...CUSTOM, input_schema: schema }] })).toMatchObject({
      message: expect.stringMatching(/^body: .*340000 bytes/),
    });
  });
});
