import { describe, expect, it } from 'vitest';
import type { McpTool, ServerListing } from '#contract/mcp.ts';
import { offerTools } from '#core/tools/offer-tools.ts';
import { NO_MCP } from '#test/functions/core/given.ts';
import { mcpTool } from '#test/functions/core/served.ts';

const listed = (server: string, ...tools: readonly (string | McpTool)[]): ServerListing => ({
  status: 'listed',
  server,
  tools: tools.map((tool) => (typeof tool === 'string' ? mcpTool(tool) : tool)),
});
const offered = (...listings: readonly ServerListing[]) => offerTools(listings, NO_MCP.sha256);
const names = (...listings: readonly ServerListing[]) => offered(...listings).map(({ as }) => as);
const withArgument = (name: string) => mcpTool('bad', { input_schema: { type: 'object', properties: { [name]: {} } } });
const withSchema = (argument: unknown) =>
  mcpTool('bad', { input_schema: { type: 'object', properties: { of: argument } } });
const nested = (depth: number): object =>
  depth === 0 ? {} : { type: 'object', properties: { in: nested(depth - 1) } };
const FAILED: ServerListing = {
  status: 'failed',
  server: 'calendar',
  error: 'mcp_connection_failed_error',
  message: 'no',
};

describe('the tools of MCP servers', () => {
  it('are named after their server and their tool, in characters that the provider accepts', () => {
    expect(names(listed('tracker', 'find'), FAILED, listed('my server', 'list.all', 'größe'))).toEqual([
      'mcp__tracker__find',
      'mcp__my_server__list_all',
      'mcp__my_server__gr__e',
    ]);
  });

  it('keep everything that their server says of them', () => {
    const [tool] = offered(listed('tracker', 'find'));
    expect(tool).toEqual({ as: 'mcp__tracker__find', server: 'tracker', tool: mcpTool('find') });
  });

  it('differ by a hash when they would share a name, in whatever order they are listed', () => {
    const one = listed('a', 'b__c', 'x.y');
    const other = listed('a__b', 'c');
    const forward = offered(one, other, listed('a', 'x_y'));
    expect(new Set(forward.map(({ as }) => as)).size).toBe(4);
    for (const { as } of forward) expect(as).toMatch(/^mcp__a__(b__c|x_y)_[0-9a-f]{8}$/);
    const backward = offered(listed('a', 'x_y'), other, one);
    const byTool = (tools: typeof forward) =>
      new Map(tools.map(({ as, server, tool }) => [`${server}/${tool.name}`, as]));
    expect(byTool(backward)).toEqual(byTool(forward));
  });

  it('have different names of at most 128 characters', () => {
    const long = 'x'.repeat(200);
    const cut = names(listed('tracker', `${long}1`, `${long}2`));
    expect(cut.map((name) => name.length)).toEqual([128, 128]);
    expect(new Set(cut).size).toBe(2);
  });

  it('never share a name, even when a server lists one under the name that another is given', () => {
    const [taken] = names(listed('a', 'b.c'), listed('a', 'b_c'));
    const sly = names(listed('a', 'b.c', 'b_c', String(taken).replace('mcp__a__', '')));
    expect(new Set(sly).size).toBe(sly.length);
    expect(names(listed('a', 'b', 'b'))).toHaveLength(1);
  });

  it.each([
    ['has an argument with an invalid schema', withSchema(5)],
    ['has a type that does not exist', withSchema({ type: 'strnig' })],
    ['has a tuple in the words of an older draft', withSchema({ type: 'array', items: [{}] })],
    ['has a bound in the words of an older draft', withSchema({ type: 'number', exclusiveMinimum: true })],
    ['has an argument that is required by itself', withSchema({ type: 'string', required: true })],
    ['has alternatives without any', withSchema({ anyOf: [] })],
    ['has a schema without end', withSchema(nested(40))],
    ['has a schema of no object', mcpTool('bad', { input_schema: { type: 'string' } })],
    ['has no type', mcpTool('bad', { input_schema: {} })],
    ['has alternatives at its top', mcpTool('bad', { input_schema: { type: 'object', anyOf: [{}] } })],
    ['has an argument with a name like $top', withArgument('$top')],
    ['has an argument with a name like StartTime<', withArgument('StartTime<')],
    ['has an argument with a name of 65 letters', withArgument('x'.repeat(65))],
    ['has half a character', mcpTool('bad', { description: 'half \ud83d' })],
    ['has half a character in its schema', mcpTool('bad', { input_schema: { type: 'object', title: '\udc00' } })],
  ])('leave out a tool that %s, because the provider would refuse the whole request', (_why, bad) => {
    expect(names(listed('tracker', bad, 'find'))).toEqual(['mcp__tracker__find']);
  });

  it('may have arguments with dots, dashes and 64 characters, and any names below them', () => {
    const deep = { type: 'object', properties: { $top: {} } };
    const properties = { 'projects.any': deep, 'a-b': {}, [`a_${'x'.repeat(62)}`]: {} };
    const fine = mcpTool('fine', { input_schema: { type: 'object', properties } });
    expect(names(listed('tracker', fine))).toEqual(['mcp__tracker__fine']);
  });

  it('may use every keyword of the JSON Schema draft and unknown ones', () => {
    const rich = withSchema({
      type: ['string', 'null'],
      enum: ['a', null],
      pattern: '^a$',
      nullable: true,
      anyOf: [{ $ref: '#/$defs/a' }, true],
      items: { minimum: 0 },
      additionalProperties: false,
      $defs: { a: nested(20) },
    });
    expect(names(listed('tracker', rich))).toEqual(['mcp__tracker__bad']);
  });

  it('may contain half a surrogate pair', () => {
    const description = String.raw`escapes \ud83d`;
    expect(names(listed('tracker', mcpTool('find', { description: `${description} 😀` })))).toHaveLength(1);
  });
});
