import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { AgentToolsInput } from '#contract/tools.ts';
import { explain } from '#core/requests/explain.ts';

const Body = z.strictObject({ tools: AgentToolsInput });

/** The refusal's message, or `accepted`. */
function verdict(...tools: readonly unknown[]): string {
  const parsed = Body.safeParse({ tools });
  return parsed.success ? 'accepted' : explain(parsed.error, 'body');
}

const toolset = (...configs: readonly unknown[]) => ({ type: 'agent_toolset_20260401', configs });
const fetching = (settings: object) => toolset({ name: 'web_fetch', ...settings });
const searching = (settings: object) => toolset({ name: 'web_search', ...settings });
const custom = (fields: object = {}) => ({
  type: 'custom',
  name: 'get_weather',
  description: 'Weather of a place',
  input_schema: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
  ...fields,
});
const nested = (depth: number): unknown => {
  let schema: unknown = { type: 'string' };
  for (let level = 0; level < depth; level += 1) schema = { items: schema };
  return schema;
};

describe('a toolset of an agent', () => {
  it.each([
    ['all eight tools', toolset()],
    ['every policy', toolset({ name: 'bash', permission_policy: { type: 'auto' } })],
    ['the type beside the name', toolset({ name: 'bash', type: 'bash' })],
    ['a default to ask', { ...toolset(), default_config: { permission_policy: { type: 'always_ask' } } }],
    ['nulls for what is unset', fetching({ allowed_domains: null, max_content_tokens: null, url_sources: null })],
  ])('may have %s', (_what, tool) => {
    expect(verdict(tool)).toBe('accepted');
  });

  it.each([
    [toolset({ name: 'python' }), /^tools\.0\.configs\.0\.name: must be one of bash/],
    [toolset({ name: 'bash', type: 'read' }), 'tools.0.configs.0.type: must equal name'],
    [toolset({ name: 'bash' }, { name: 'bash' }), 'tools.0.configs: must name each tool once'],
    [toolset({ name: 'bash', allowed_domains: ['a.com'] }), /allowed_domains: is not a known field/],
    [
      toolset({ name: 'bash', permission_policy: { type: 'never' } }),
      /permission_policy\.type: must be one of always_/,
    ],
    [searching({ max_content_tokens: 5 }), /max_content_tokens: is not a known field/],
    [{ type: 'computer' }, /^tools\.0\.type: must be one of/],
  ])('with %j is refused', (tool, message) => {
    expect(verdict(tool)).toMatch(message);
  });

  it('may occur once', () => {
    expect(verdict(toolset(), toolset())).toBe('tools: must contain at most one agent_toolset_20260401');
  });
});

describe('the web_search tool', () => {
  const ask = { permission_policy: { type: 'always_ask' } };
  it.each([
    ['says so', searching(ask)],
    ['is left to the judge', searching({ permission_policy: { type: 'auto' } })],
    ['inherits it', { ...searching({}), default_config: ask }],
  ])('is refused when it needs a confirmation, because its entry %s', (_how, tool) => {
    expect(verdict(tool)).toMatch(/^tools\.0\.configs\.0\.permission_policy: .*provider executes web searches/);
  });

  it('may have any permission policy when it is disabled', () => {
    expect(verdict({ ...searching({ enabled: false }), default_config: ask })).toBe('accepted');
    expect(verdict({ ...searching({ permission_policy: { type: 'always_allow' } }), default_config: ask })).toBe(
      'accepted',
    );
  });
});

describe('domains of a web tool', () => {
  it.each(['example.com', 'docs.example.com', 'xn--bcher-kva.example.com', 'EXAMPLE.org'])('may be %s', (domain) => {
    expect(verdict(fetching({ allowed_domains: [domain] }))).toBe('accepted');
    expect(verdict(searching({ blocked_domains: [domain] }))).toBe('accepted');
  });

  it.each([
    ['https://example.com', /scheme/],
    ['example.com:443', /port/],
    ['*.example.com', /wildcard/],
    ['192.168.1.1', /IP address/],
    ['[::1]', /IP address/],
    ['docs', /more than one label/],
    ['co.uk', /public suffix/],
    ['docs.localhost', /private/],
    ['printer.local', /private/],
    ['metadata.google.internal', /private/],
    ['bücher.de', /ASCII/],
    ['-a.com', /hostname/],
    ['a..com', /hostname/],
    ['example.com/docs', /path/],
    ['', /at least 1/],
    [`${'a.'.repeat(127)}com`, /at most 255/],
  ])('must not be %s', (domain, message) => {
    const refusal = verdict(fetching({ allowed_domains: ['example.com', domain] }));
    expect(refusal).toMatch(/^tools\.0\.configs\.0\.allowed_domains\.1: /);
    expect(refusal).toMatch(message);
  });

  it('of web_search may end in a path', () => {
    expect(verdict(searching({ allowed_domains: ['example.com/docs'] }))).toBe('accepted');
    expect(verdict(searching({ allowed_domains: ['https://example.com/docs'] }))).toMatch(/scheme/);
    expect(verdict(searching({ allowed_domains: ['example.com/bücher'] }))).toMatch(/ASCII/);
  });

  it.each([
    [
      { allowed_domains: ['a.com'], blocked_domains: ['b.com'] },
      'tools.0.configs.0: Only one of allowed_domains or blocked_domains may be set.',
    ],
    [{ allowed_domains: [] }, /^tools\.0\.configs\.0\.allowed_domains: Empty list of domains is ambiguous/],
    [{ allowed_domains: ['a.com', 'A.com'] }, /once/],
    [{ allowed_domains: Array.from({ length: 65 }, (_, at) => `a${at}.com`) }, /at most 64/],
    [{ max_content_tokens: 0 }, /max_content_tokens: must be at least 1/],
  ])('in the combination %j are refused', (settings, message) => {
    expect(verdict(fetching(settings))).toMatch(message);
  });
});

describe('URL sources of web_fetch', () => {
  const only = (...names: readonly string[]) => ({
    type: 'only',
    tools: names.map((name) => ({ type: 'tool_reference', name })),
  });
  const sources = (url_sources: object) => fetching({ url_sources });

  it.each([
    [{ user_input: 'none', client_tool_results: { type: 'all' }, server_tool_results: only('web_search') }],
    [{ client_tool_results: only('get_weather') }],
  ])('may be %j', (given) => {
    expect(verdict(sources(given), custom())).toBe('accepted');
  });

  it.each([
    [{ user_input: 'some' }, /user_input: must be one of all, none/],
    [{ user_input: only('bash') }, /user_input\.type/],
    [{ client_tool_results: only() }, /client_tool_results\.tools: must name at least one/],
    [{ client_tool_results: only('a', 'a') }, /once/],
    [{ client_tool_results: only('get_time') }, /client_tool_results\.tools: must name custom tools/],
    [{ server_tool_results: only('bash') }, /server_tool_results: .*web_search and web_fetch/],
    [{ user_input: 'none', client_tool_results: 'none', server_tool_results: 'none' }, /must not all be "none"/],
  ])('in the form %j are refused', (given, message) => {
    expect(verdict(sources(given), custom())).toMatch(message);
  });
});

describe('a toolset of an MCP server', () => {
  const mcp = (fields: object = {}) => ({ type: 'mcp_toolset', mcp_server_name: 'tracker', ...fields });

  it('may stand beside others of other servers', () => {
    expect(verdict(toolset(), mcp(), mcp({ mcp_server_name: 'calendar' }))).toBe('accepted');
    expect(verdict(mcp({ default_config: null, configs: [{ name: 'list.issues', enabled: null }] }))).toBe('accepted');
  });

  it.each([
    [{ mcp_server_name: '' }, /^tools\.0\.mcp_server_name: /],
    [{ mcp_server_name: 'x'.repeat(256) }, /^tools\.0\.mcp_server_name: must have at most 255/],
    [{ mcp_server_name: '\ud83d' }, 'tools.0.mcp_server_name: must be well-formed Unicode'],
    [{ configs: [{ name: '' }] }, /^tools\.0\.configs\.0\.name: /],
    [{ configs: [{ name: 'x'.repeat(129) }] }, /^tools\.0\.configs\.0\.name: must have at most 128/],
    [{ configs: [{ name: 'a', type: 'a' }] }, /type: is not a known field/],
    [{ configs: [{ name: 'a' }, { name: 'a' }] }, 'tools.0.configs: must name each tool once'],
    [{ default_config: { permission_policy: { type: 'never' } } }, /permission_policy\.type: must be one of always_/],
  ])('with %j is refused', (fields, message) => {
    expect(verdict(mcp(fields))).toMatch(message);
  });

  it('is the only one of its server', () => {
    expect(verdict(mcp(), mcp())).toBe('tools.0.mcp_server_name: must be the only toolset of its server');
  });
});

describe('a user location of web_search', () => {
  const at = (place: object) => searching({ user_location: { type: 'approximate', ...place } });

  it('accepts real places', () => {
    expect(verdict(at({ city: 'Berlin', country: 'DE', timezone: 'Europe/Berlin' }))).toBe('accepted');
  });

  it.each([
    [{ country: 'Germany' }, /two-letter/],
    [{ timezone: 'Europe/Atlantis' }, /IANA/],
    [{ timezone: '+02:00' }, /IANA/],
    [{ type: 'exact' }, /user_location\.type/],
  ])('with %j is refused', (place, message) => {
    expect(verdict(at(place))).toMatch(message);
  });
});

describe('a custom tool of an agent', () => {
  it('may stand beside the toolset and other custom tools', () => {
    expect(verdict(toolset(), custom(), custom({ name: 'get_time' }))).toBe('accepted');
    expect(verdict(custom({ input_schema: { type: 'object', additionalProperties: false } }))).toBe('accepted');
  });

  it.each([
    [{ name: '' }, /^tools\.0\.name: /],
    [{ name: 'get weather' }, /^tools\.0\.name: /],
    [{ name: 'x'.repeat(129) }, /^tools\.0\.name: /],
    [{ name: 'mcp__weather' }, 'tools.0.name: must not start with "mcp__"'],
    [{ name: 'web_search' }, 'tools.0.name: is the name of a built-in tool'],
    [{ description: '' }, /^tools\.0\.description: /],
    [{ description: 'half \ud83d' }, 'tools.0.description: must be well-formed Unicode'],
    [{ input_schema: { type: 'object', title: '\ud83d' } }, 'tools.0.input_schema: must be well-formed Unicode'],
    [{ input_schema: { type: 'object', '\ud83d': 1 } }, 'tools.0.input_schema: must be well-formed Unicode'],
    [{ input_schema: { type: 'string' } }, /^tools\.0\.input_schema\.type: /],
    [{ input_schema: { type: 'object', anyOf: [] } }, /^tools\.0\.input_schema: .*anyOf/],
    [{ input_schema: { type: 'object', properties: { 'a b': {} } } }, /^tools\.0\.input_schema\.properties: /],
    [{ input_schema: { type: 'object', properties: { a: { $ref: '#/x' } } } }, /^tools\.0\.input_schema: .*\$ref/],
    [{ permission_policy: { type: 'auto' } }, /permission_policy: is not a known field/],
  ])('with %j is refused', (fields, message) => {
    expect(verdict(custom(fields))).toMatch(message);
  });

  it('has a schema of limited depth', () => {
    const input_schema = { type: 'object', properties: { a: nested(100_000) } };
    expect(verdict(custom({ input_schema }))).toBe('tools.0.input_schema: must have at most 64 levels');
  });

  it('has a unique name', () => {
    expect(verdict(custom(), custom())).toBe('tools.0.name: must be unique in the agent');
  });

  it('is one of at most 256', () => {
    const tools = Array.from({ length: 257 }, (_, at) => custom({ name: `tool_${at}` }));
    expect(verdict(...tools)).toMatch(/^tools: must have at most 256/);
    expect(verdict(...tools.slice(1))).toBe('accepted');
  });
});
