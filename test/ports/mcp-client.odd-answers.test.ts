/** Servers that are right in what this client reads, and odd in everything else. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { McpClient } from '#core/ports/mcp-client.ts';
import { callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { PNG } from '#test/mcp/fx-tools.ts';
import { startFx } from '#test/mcp/fx.ts';

const ERAS = ['legacy', 'modern'] as const;
const BODIES = ['application/json', 'text/event-stream'] as const;
const VERSION = { legacy: '2025-11-25', modern: '2026-07-28' };
const EMPTY = { type: 'object' };
const SUM = { name: 'sum', inputSchema: { type: 'object', properties: { a: { type: 'number' } } } };

interface Odd {
  readonly era?: (typeof ERAS)[number];
  readonly body?: (typeof BODIES)[number];
  /** The answer by method; without one, the server answers as it should. */
  readonly answers: Readonly<Record<string, unknown>>;
  readonly envelope?: object;
}

async function oddServer({ era = 'legacy', body = 'application/json', answers, envelope = {} }: Odd) {
  const fx = await startFx({ era });
  onTestFinished(fx.close);
  fx.intercept = ({ rpc }) => {
    const answer = answers[rpc?.method ?? ''];
    if (answer === undefined) return undefined;
    const common = era === 'modern' && rpc?.method !== 'initialize' ? { resultType: 'complete' } : {};
    const result = { ...common, ...(answer as object) };
    const message = JSON.stringify({ jsonrpc: '2.0', id: rpc?.id, result, ...envelope }, null, 1).replaceAll(
      JSON.stringify(DEEP),
      WRITTEN_DEEP,
    );
    const text =
      body === 'application/json' ? message : `: hello\nid: 7\ndata: ${message.replaceAll('\n', '\ndata: ')}\n\n`;
    return new Response(text, { headers: { 'content-type': body } });
  };
  return { fx, client: clientForTests(), target: () => targetOf(fx.url) };
}

async function namesOf(odd: Odd): Promise<unknown> {
  const { client, target } = await oddServer(odd);
  const listed = await client.listTools(target(), ON);
  return listed.status === 'listed' ? [listed.tools.map(({ name }) => name), listed.badTools] : listed;
}

async function called(odd: Odd): Promise<Awaited<ReturnType<McpClient['callTool']>>> {
  const { client, target } = await oddServer(odd);
  return client.callTool(target(), callOf('sum'), ON);
}

/** In the place of a value that is nested deeper than this program could write it. */
const DEEP = 'as deep as it gets';
const WRITTEN_DEEP = `${'{"items":'.repeat(20_000)}{}${'}'.repeat(20_000)}`;

/** Each is no tool, and the two beside it are. */
const BAD_TOOLS: readonly (readonly [string, unknown])[] = [
  ['an empty schema', { name: 'bad', inputSchema: {} }],
  ['null for a schema', { name: 'bad', inputSchema: null }],
  ['no schema', { name: 'bad' }],
  ['a schema of another type', { name: 'bad', inputSchema: { type: 'string' } }],
  ['a schema of several types', { name: 'bad', inputSchema: { type: ['object', 'null'] } }],
  ['a list for a schema', { name: 'bad', inputSchema: [] }],
  ['a text for a schema', { name: 'bad', inputSchema: 'object' }],
  ['true for a schema', { name: 'bad', inputSchema: true }],
  ['a schema whose properties are a list', { name: 'bad', inputSchema: { type: 'object', properties: [] } }],
  ['a schema whose required is a text', { name: 'bad', inputSchema: { type: 'object', required: 'a' } }],
  ['a schema whose $schema is a number', { name: 'bad', inputSchema: { type: 'object', $schema: 7 } }],
  ['a schema without end', { name: 'bad', inputSchema: { type: 'object', properties: { a: DEEP } } }],
  ['a huge schema', { name: 'bad', inputSchema: { type: 'object', description: 'x'.repeat(200_000) } }],
  ['no name', { inputSchema: EMPTY }],
  ['null for a name', { name: null, inputSchema: EMPTY }],
  ['an empty name', { name: '', inputSchema: EMPTY }],
  ['a number for a name', { name: 7, inputSchema: EMPTY }],
  ['half a surrogate pair for a name', { name: 'a\ud800', inputSchema: EMPTY }],
  ['null in place of it', null],
  ['a text in place of it', 'sum'],
  ['a list in place of it', [SUM]],
];

/** Each is a tool, with something that nothing here reads, or with null for what may be absent. */
const ODD_TOOLS: readonly (readonly [string, object])[] = [
  [
    'null for everything optional',
    { description: null, title: null, annotations: null, outputSchema: null, _meta: null },
  ],
  [
    'wrong types for what nothing reads',
    { title: 7, icons: 'none', outputSchema: { type: 'string' }, execution: [], _meta: 1 },
  ],
  ['hints of wrong types', { annotations: { readOnlyHint: 'yes', title: 7, destructiveHint: true } }],
  ['annotations of a wrong type', { annotations: 'read only' }],
  ['a description of a wrong type', { description: { en: 'Adds' } }],
  [
    'null within its schema',
    { inputSchema: { ...SUM.inputSchema, required: null, description: null, $defs: null, additionalProperties: null } },
  ],
  ['a null property', { inputSchema: { type: 'object', properties: { a: null, b: { type: 'string', enum: null } } } }],
  ['null for its properties', { inputSchema: { type: 'object', properties: null } }],
];

describe('a list of tools', () => {
  it.each(BAD_TOOLS)('loses only the tool with %s', async (_what, bad) => {
    const tools = [SUM, bad, { ...SUM, name: 'next' }];
    expect(await namesOf({ answers: { 'tools/list': { tools } } })).toEqual([['sum', 'next'], 1]);
  });

  it.each(ERAS.flatMap((era) => BODIES.map((body) => [era, body] as const)))(
    'loses only bad tools in the %s revision as %s',
    async (era, body) => {
      const tools = [
        SUM,
        ...BAD_TOOLS.map(([, bad]) => bad),
        ...ODD_TOOLS.map(([, odd], at) => ({ ...SUM, ...odd, name: `odd${at}` })),
      ];
      const answers = { 'tools/list': { tools, nextCursor: null, ttlMs: null, cacheScope: null, _meta: null } };
      const odd = ODD_TOOLS.map((_tool, at) => `odd${at}`);
      expect(await namesOf({ era, body, answers })).toEqual([['sum', ...odd], BAD_TOOLS.length]);
    },
  );

  it.each(ODD_TOOLS)('keeps a tool with %s', async (_what, odd) => {
    expect(await namesOf({ answers: { 'tools/list': { tools: [{ ...SUM, ...odd }] } } })).toEqual([['sum'], 0]);
  });

  it('shows of a tool only what has its type, and its schema without nulls', async () => {
    const schema = {
      type: 'object',
      properties: { a: { type: ['number', 'null'], default: null, enum: [1, null], title: null }, b: null },
      anyOf: null,
      $defs: { c: { const: null, pattern: null } },
    };
    const tool = {
      name: 'sum',
      description: 7,
      annotations: { readOnlyHint: true, openWorldHint: 'no' },
      inputSchema: schema,
    };
    const { client, target } = await oddServer({ answers: { 'tools/list': { tools: [tool] } } });
    expect(await client.listTools(target(), ON)).toMatchObject({
      tools: [
        {
          name: 'sum',
          description: '',
          hints: { readOnlyHint: true },
          input_schema: {
            type: 'object',
            properties: { a: { type: ['number', 'null'], default: null, enum: [1, null] } },
            $defs: { c: { const: null } },
          },
        },
      ],
    });
  });

  it.each([null, undefined, ''])('ends at a page with the cursor %j', async (nextCursor) => {
    const { client, target, fx } = await oddServer({ answers: { 'tools/list': { tools: [SUM], nextCursor } } });
    expect(await client.listTools(target(), ON)).toMatchObject({ status: 'listed', tools: [{ name: 'sum' }] });
    expect(fx.requests.filter(({ rpc }) => rpc?.method === 'tools/list')).toHaveLength(1);
  });

  it.each([
    [
      'null for what may be absent',
      {
        instructions: null,
        _meta: null,
        capabilities: { tools: { listChanged: null }, logging: null, experimental: null },
      },
    ],
    [
      'wrong types for what nothing reads',
      { instructions: 7, serverInfo: null, capabilities: { tools: true, prompts: 'none', tasks: [] } },
    ],
    ['a server without a version', { serverInfo: { name: 'odd' }, capabilities: { tools: {} } }],
  ])('is read from a server that begins with %s', async (_what, begin) => {
    const initialize = { protocolVersion: VERSION.legacy, serverInfo: {}, ...begin };
    expect(await namesOf({ answers: { initialize, 'tools/list': { tools: [SUM] } } })).toEqual([['sum'], 0]);
    const discover = {
      supportedVersions: [VERSION.modern],
      ttlMs: null,
      cacheScope: null,
      ...begin,
    };
    const answers = { 'server/discover': discover, 'tools/list': { tools: [SUM] } };
    expect(await namesOf({ era: 'modern', answers })).toEqual([['sum'], 0]);
  });

  it.each(BODIES)('is read from %s with null beside its result', async (body) => {
    const odd = { body, envelope: { error: null, method: null, params: null, extra: 1 } };
    expect(await namesOf({ ...odd, answers: { 'tools/list': { tools: [SUM] } } })).toEqual([['sum'], 0]);
  });
});

const text = (said: string) => ({ type: 'text', text: said });
const shown = (type: string) => text(`[the server's content of the type "${type}" cannot be shown]`);

describe('the answer to a call', () => {
  it.each([
    [
      'nulls for what may be absent',
      { content: [text('3')], structuredContent: null, isError: null, _meta: null },
      [text('3')],
    ],
    ['null content', { content: null, structuredContent: { sum: null } }, [text('{"sum":null}')]],
    ['structured content that is a list', { structuredContent: [1, null] }, [text('[1,null]')]],
    ['structured content that is false', { content: [], structuredContent: false }, [text('false')]],
    ['structured content without end', { structuredContent: DEEP }, [shown('structured content')]],
    ['null for a block', { content: [null, text('3')] }, [text('3')]],
    ['null for a text', { content: [{ type: 'text', text: null }, text('3')] }, [text(''), text('3')]],
    [
      'annotations of wrong types',
      { content: [{ ...text('3'), annotations: { priority: 7, audience: 'all', lastModified: 'now' }, _meta: 1 }] },
      [text('3')],
    ],
    [
      'a block of a later revision',
      { content: [{ type: 'hologram', data: 1 }, text('3')] },
      [shown('hologram'), text('3')],
    ],
    [
      'blocks without their data',
      { content: [{ type: 'image' }, { type: 'resource', resource: null }, {}] },
      [shown('image'), shown('resource'), shown('undefined')],
    ],
    [
      'an image without a type',
      { content: [{ type: 'image', data: PNG, mimeType: null }] },
      [{ type: 'image', data: PNG, mimeType: '' }],
    ],
    [
      'bytes in another base64',
      { content: [{ type: 'audio', data: '-_-_ ', mimeType: 'audio/wav' }] },
      [{ type: 'audio', data: '+/+/', mimeType: 'audio/wav' }],
    ],
    [
      'a link without a name',
      { content: [{ type: 'resource_link', uri: 'a:b', name: null, size: 'big' }] },
      [{ type: 'resource_link', uri: 'a:b', name: 'a:b' }],
    ],
    [
      'a resource with nulls',
      { content: [{ type: 'resource', resource: { uri: null, mimeType: null, text: 'x', blob: null } }] },
      [{ type: 'resource', uri: '', mimeType: null, text: 'x', blob: null }],
    ],
  ])('is read with %s', async (_what, result, content) => {
    const answers = { 'tools/call': result };
    const answered = { status: 'answered', isError: false, content };
    expect(await called({ answers })).toEqual(answered);
    expect(await called({ era: 'modern', body: 'text/event-stream', answers })).toEqual(answered);
  });

  it('is read with nulls in what it asks a person for', async () => {
    const params = { mode: 'url', url: 'https://pay.example.com/', message: 'Pay', elicitationId: null, _meta: null };
    const result = {
      resultType: 'input_required',
      inputRequests: { pay: { method: 'elicitation/create', params, id: null } },
      requestState: null,
    };
    const { fx, client, target } = await oddServer({ era: 'modern', answers: { 'tools/call': result } });
    expect(await client.callTool(target(), callOf('sum'), ON)).toMatchObject({
      status: 'input_required',
      requests: [{ id: 'pay', url: 'https://pay.example.com/' }],
      state: null,
    });
    expect(fx.calls()).toHaveLength(1);
  });
});
