import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createMcpClient } from '#aws/mcp/mcp-client.streamable-http.ts';
import type { McpClient, McpTarget } from '#core/ports/mcp-client.ts';
import { bearer, callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { ELICITATION, FX_TOOLS, PDF, PNG, type FxTool } from '#test/mcp/fx-tools.ts';
import { startFx, type Fx, type FxOptions } from '#test/mcp/fx.ts';

async function serving(options: FxOptions = {}): Promise<Fx> {
  const fx = await startFx(options);
  onTestFinished(fx.close);
  return fx;
}

const rpcs = ({ requests }: Fx) => requests.map(({ method, rpc }) => rpc?.method ?? method);
const call = (client: McpClient, fx: Fx, tool: string, input = {}, more: Partial<McpTarget> = {}) =>
  client.callTool(targetOf(fx.url, more), callOf(tool, input), ON);
const said = (text: string) => ({ status: 'answered', isError: false, content: [{ type: 'text', text }] });

describe.each(['legacy', 'modern'] as const)('the MCP client with a server of the %s revision', (era) => {
  it('lists tools with their schemas unchanged and with known hints', async () => {
    const inputSchema: FxTool['inputSchema'] = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { a: { $ref: '#/$defs/a' } as object as { type: string } },
      $defs: { a: { type: 'string', pattern: '^x' } },
      unevaluatedProperties: false,
      'x-vendor': { keep: true },
    };
    const odd: FxTool = {
      name: 'odd',
      inputSchema,
      annotations: { title: 'Odd', destructiveHint: true },
      run: () => ({ content: [] }),
    };
    const fx = await serving({ era, tools: [...FX_TOOLS, odd] });
    const listed = await clientForTests().listTools(targetOf(fx.url), ON);
    expect(listed).toMatchObject({ status: 'listed' });
    const tools = listed.status === 'listed' ? listed.tools : [];
    expect(tools.map(({ name }) => name)).toEqual([...FX_TOOLS.map(({ name }) => name), 'odd']);
    expect(tools.at(-1)).toEqual({
      name: 'odd',
      description: '',
      input_schema: inputSchema,
      hints: { destructiveHint: true },
    });
  });

  it('calls tools and returns their results', async () => {
    const fx = await serving({ era });
    const client = clientForTests();
    expect(await call(client, fx, 'sum', { a: 1, b: 2 })).toEqual(said('3'));
    expect(await call(client, fx, 'fail')).toEqual({ ...said('the disk is full'), isError: true });
    expect(await call(client, fx, 'image')).toMatchObject({
      content: [{ type: 'image', data: PNG, mimeType: 'image/png' }],
    });
    expect(await call(client, fx, 'resource')).toMatchObject({
      content: [
        { type: 'resource', uri: 'file:///notes.txt', mimeType: 'text/plain', text: 'notes', blob: null },
        { type: 'resource', uri: 'file:///paper.pdf', mimeType: 'application/pdf', text: null, blob: PDF },
        { type: 'resource_link', uri: 'https://files.example.com/report.csv', name: 'report.csv' },
      ],
    });
  });

  it('returns a text as text, also when it came as bytes', async () => {
    const fx = await serving({ era });
    const base64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64');
    const sent: readonly (readonly [mimeType: string | undefined, blob: string, text: string | null])[] = [
      ['text/plain', base64('Grüße'), 'Grüße'],
      ['application/json; charset=utf-8', base64('{}'), '{}'],
      [undefined, base64('words'), 'words'],
      ['text/plain', base64(Uint8Array.of(0x47, 0xfc)), null],
      [undefined, base64('zero\0'), null],
      ['application/zip', base64('words'), null],
      ['text/plain', PDF, null],
    ];
    const content = sent.map(([mimeType, blob]) => ({
      type: 'resource' as const,
      resource: { uri: 'file:///a', blob, ...(mimeType !== undefined && { mimeType }) },
    }));
    fx.tools.set('sum', {
      ...{ name: 'sum', description: '', inputSchema: { type: 'object' } },
      run: () => ({ content }),
    });
    expect(await call(clientForTests(), fx, 'sum')).toMatchObject({
      content: sent.map(([, blob, text]) => ({ text, blob: text === null ? blob : null })),
    });
  });

  it('sends the expected headers and no others', async () => {
    const fx = await serving({ era, tokens: { t0ken: [] }, sessions: true });
    await call(clientForTests(), fx, 'sum', { a: 1, b: 2 }, { bearer: bearer('t0ken') });
    const http = ['accept', 'accept-encoding', 'connection', 'content-length', 'content-type', 'host'];
    const mcp =
      era === 'modern'
        ? ['mcp-method', 'mcp-name', 'mcp-protocol-version']
        : ['mcp-protocol-version', 'mcp-session-id'];
    expect(Object.keys(fx.calls()[0]?.headers ?? {}).toSorted()).toEqual(['authorization', ...http, ...mcp].toSorted());
  });

  it('reads the token before each request, and once more when the server refused it', async () => {
    const fx = await serving({ era, tokens: { good: [] } });
    const onUnauthorized = vi.fn<() => Promise<void>>(async () => {
      token = 'good';
    });
    let token = 'bad';
    const answer = await call(
      clientForTests(),
      fx,
      'sum',
      { a: 1, b: 1 },
      {
        bearer: { token: async () => token, onUnauthorized },
      },
    );
    expect(answer).toEqual(said('2'));
    expect(onUnauthorized).toHaveBeenCalledOnce();
    expect(fx.calls()).toHaveLength(1);
  });

  it('fails when the server refuses the second token', async () => {
    const fx = await serving({ era, tokens: { good: [] } });
    const onUnauthorized = vi.fn<() => Promise<void>>(async () => {});
    const failed = await call(
      clientForTests(),
      fx,
      'sum',
      {},
      {
        bearer: { token: async () => 'bad', onUnauthorized },
      },
    );
    expect(failed).toMatchObject({
      kind: 'authentication',
      message: expect.stringMatching(/has to be renewed or replaced first\.$/),
      sent: false,
      http: { status_code: 401 },
      resourceMetadata: `${fx.origin}/.well-known/oauth-protected-resource/mcp`,
    });
    expect(onUnauthorized).toHaveBeenCalledOnce();
    expect(JSON.stringify(failed)).not.toContain('bad"');
  });

  it('rejects with the error of the token’s source', async () => {
    const fx = await serving({ era });
    const broken = { token: () => Promise.reject(new Error('the vault is closed')), onUnauthorized: async () => {} };
    await expect(call(clientForTests(), fx, 'sum', {}, { bearer: broken })).rejects.toThrow('the vault is closed');
    expect(fx.requests).toHaveLength(0);
  });

  it('reports the missing scopes and does not repeat the call', async () => {
    const fx = await serving({ era, tokens: { t: ['files:read'] } });
    const failed = await call(clientForTests(), fx, 'files_write', { path: 'a' }, { bearer: bearer('t') });
    expect(failed).toMatchObject({
      kind: 'scope_required',
      scopes: ['files:write'],
      method: 'tools/call',
      sent: false,
    });
    expect(fx.calls()).toHaveLength(1);
  });

  it('returns the URL that a person has to open, and continues when they have', async () => {
    const fx = await serving({ era });
    const client = clientForTests();
    const waiting = await call(client, fx, 'url_elicitation');
    expect(waiting).toEqual({
      status: 'input_required',
      requests: [{ id: 'pay', url: ELICITATION.url, message: ELICITATION.message }],
      state: era === 'modern' ? ELICITATION.state : null,
    });
    fx.opened = true;
    const resume = { requests: ['pay'], state: era === 'modern' ? ELICITATION.state : null };
    const done = await client.callTool(targetOf(fx.url), callOf('url_elicitation', {}, { resume }), ON);
    expect(done).toEqual(said('paid'));
    const [first, second] = fx.calls();
    expect(second?.rpc?.params?.['requestState']).toBe(era === 'modern' ? ELICITATION.state : undefined);
    expect(first?.rpc?.params).not.toHaveProperty('requestState');
  });

  it('reports when a server takes no more requests, and when it will', async () => {
    const fx = await serving({ era });
    const now = Date.parse('2026-01-01T00:00:00Z');
    const client = clientForTests({ now: () => now });
    const target = targetOf(fx.url, { deadline: now + 10_000 });
    fx.intercept = () => new Response('slow down', { status: 429, headers: { 'retry-after': '7' } });
    const failed = await client.callTool(target, callOf('sum'), ON);
    expect(failed).toMatchObject({ kind: 'rate_limited', retryAfterMs: 7000, http: { body: 'slow down' } });
    const at = new Date(now + 9000).toUTCString();
    fx.intercept = () => new Response('', { status: 503, headers: { 'retry-after': at } });
    expect(await client.listTools(target, ON)).toMatchObject({ kind: 'server_error', retryAfterMs: 9000 });
  });

  it('waits for a slow token, a slow refresh and a server that takes the notification slowly', async () => {
    const fx = await serving({ era, tokens: { good: [] } });
    const slowly = () => new Promise<undefined>((resolve) => setTimeout(resolve, 400, undefined));
    fx.intercept = ({ rpc }) => (rpc?.method === 'notifications/initialized' ? slowly() : undefined);
    let token = 'bad';
    const bearer = {
      token: async () => (await slowly()) ?? token,
      async onUnauthorized() {
        await slowly();
        token = 'good';
      },
    };
    expect(await call(clientForTests(), fx, 'sum', { a: 1, b: 1 }, { bearer })).toEqual(said('2'));
  });

  it('stops at the deadline and reports that the call may have begun', async () => {
    const fx = await serving({ era });
    const target = targetOf(fx.url, { deadline: Date.now() + 3000 });
    const failed = await clientForTests().callTool(target, callOf('slow'), ON);
    expect(failed).toMatchObject({ kind: 'timeout', method: 'tools/call', sent: true });
  });

  it('rejects with the reason of its signal', async () => {
    const fx = await serving({ era });
    const stop = new AbortController();
    fx.intercept = () => void stop.abort(new Error('enough'));
    await expect(clientForTests().callTool(targetOf(fx.url), callOf('sum'), stop.signal)).rejects.toThrow('enough');
  });

  it('redacts the token from the text of a refusal', async () => {
    const fx = await serving({ era });
    fx.intercept = ({ headers }) => new Response(`no to ${headers['authorization']}`, { status: 418 });
    const failed = await call(clientForTests(), fx, 'sum', {}, { bearer: bearer('s3cr3t-t0ken-value') });
    expect(failed).toMatchObject({ kind: 'bad_request', http: { body: 'no to Bearer [redacted]' } });
  });

  it('redacts also the token before, which was refused', async () => {
    const fx = await serving({ era, tokens: { 's3cr3t-t0ken-value': [] } });
    const refused = '0ld-0ld-t0ken-value';
    fx.intercept = ({ rpc }) =>
      fx.requests.length > 1 ? new Response(`no to ${refused}, ${rpc?.method}`, { status: 418 }) : undefined;
    let token = refused;
    const onUnauthorized = async () => void (token = 's3cr3t-t0ken-value');
    const failed = await call(
      clientForTests(),
      fx,
      'sum',
      {},
      { bearer: { token: async () => token, onUnauthorized } },
    );
    expect(failed).toMatchObject({ http: { body: expect.stringMatching(/^no to \[redacted\],/) } });
  });
});

describe('the MCP client', () => {
  it('finds a server’s revision once, and then makes one request per call to a newer server', async () => {
    const fx = await serving({ era: 'modern' });
    const client = clientForTests();
    await call(client, fx, 'sum', { a: 1, b: 2 });
    await call(client, fx, 'sum', { a: 1, b: 2 });
    expect(rpcs(fx)).toEqual(['server/discover', 'tools/call', 'tools/call']);
  });

  it.each([400, 404, 405, 406, 415])(
    'does not repeat a call that a known older server answers with HTTP %i, because it may have been made',
    async (status) => {
      const fx = await serving({ era: 'legacy' });
      const client = clientForTests();
      await client.listTools(targetOf(fx.url), ON);
      fx.intercept = ({ rpc }) => (rpc?.method === 'tools/call' ? new Response('', { status }) : undefined);
      expect(await call(client, fx, 'sum', { a: 1, b: 2 })).toMatchObject({ status: 'failed', method: 'tools/call' });
      expect(fx.calls()).toHaveLength(1);
    },
  );

  it('does not try the newer revision again with an older server for a day', async () => {
    const fx = await serving({ era: 'legacy' });
    let now = Date.now();
    const client = clientForTests({ now: () => now });
    const listing = () => client.listTools(targetOf(fx.url, { deadline: now + 10_000 }), ON);
    const handshake = ['initialize', 'notifications/initialized', 'tools/list'];
    await listing();
    await listing();
    expect(rpcs(fx)).toEqual(['server/discover', ...handshake, ...handshake]);
    now += 86_400_001;
    await listing();
    expect(rpcs(fx).slice(7)).toEqual(['server/discover', ...handshake]);
  });

  it.each([
    ['modern', 'legacy'],
    ['legacy', 'modern'],
  ] as const)('detects during a call that a %s server has become a %s one', async (before, after) => {
    const old = await serving({ era: before });
    const fx = await serving({ era: after });
    const url = 'http://127.0.0.1/mcp';
    const behind = { port: old.url };
    const client = createMcpClient({ now: Date.now, fetch: (_url, init) => fetch(behind.port, init as RequestInit) });
    expect(await client.callTool(targetOf(url), callOf('sum', { a: 1, b: 2 }), ON)).toEqual(said('3'));
    behind.port = fx.url;
    expect(await client.callTool(targetOf(url), callOf('sum', { a: 2, b: 2 }), ON)).toEqual(said('4'));
    expect(fx.calls('sum').filter(({ rpc }) => rpc !== null)).not.toHaveLength(0);
  });

  it('ends each session with an older server, and shares none', async () => {
    const fx = await serving({ era: 'legacy', sessions: true });
    const client = clientForTests();
    await Promise.all(
      ['a', 'b'].map((cacheKey) => call(client, fx, 'sum', { a: 1, b: 2 }, { cacheKey, bearer: bearer(cacheKey) })),
    );
    const sessions = new Map(fx.calls().map(({ headers }) => [headers['mcp-session-id'], headers['authorization']]));
    expect(sessions.size).toBe(2);
    const ended = fx.requests.filter(({ method }) => method === 'DELETE');
    expect(new Set(ended.map(({ headers }) => headers['mcp-session-id']))).toEqual(new Set(sessions.keys()));
  });

  describe('of a server that has lost its session', () => {
    const missing = (code: number, id: unknown) =>
      JSON.stringify({ jsonrpc: '2.0', id, error: { code, message: 'Session not found' } });
    const BODIES = [
      ['nothing', () => ''],
      ['a page', () => '<html>no such session</html>'],
      ['an error without an id', () => missing(-32_001, null)],
      ['an error with an id of its own', () => missing(-32_600, 'server-error')],
      ['an error for the request', (id: unknown) => missing(-32_001, id)],
    ] as const;

    /** Answers each message of a session with 404, as often as the test says. */
    async function losing(method: string, times: number, body: (id: unknown) => string) {
      const fx = await serving({ era: 'legacy', sessions: true });
      let losses = 0;
      fx.intercept = ({ rpc, headers }) => {
        if (headers['mcp-session-id'] === undefined || rpc?.method !== method || losses === times) return undefined;
        losses += 1;
        return new Response(body(rpc.id), { status: 404 });
      };
      const begun = () => rpcs(fx).filter((asked) => asked === 'initialize').length;
      return { fx, begun };
    }

    it.each(BODIES)('begins a new one for the call that is answered by 404 and %s', async (_what, body) => {
      const { fx, begun } = await losing('tools/call', 1, body);
      expect(await call(clientForTests(), fx, 'sum', { a: 1, b: 2 })).toEqual(said('3'));
      expect([begun(), fx.calls().length]).toEqual([2, 2]);
      const sessions = fx.calls().map(({ headers }) => headers['mcp-session-id']);
      expect(new Set(sessions).size).toBe(2);
    });

    it('begins a new one for a list, and for the notification that opens a session', async () => {
      for (const method of ['tools/list', 'notifications/initialized']) {
        // oxlint-disable-next-line no-await-in-loop -- one server after the other
        const { fx, begun } = await losing(method, 1, () => '');
        // oxlint-disable-next-line no-await-in-loop -- as above
        expect(await clientForTests().listTools(targetOf(fx.url), ON)).toMatchObject({ status: 'listed' });
        expect(begun()).toBe(2);
      }
    });

    it('begins only one new one', async () => {
      const { fx, begun } = await losing('tools/call', 9, () => '');
      const failure = { status: 'failed', kind: 'not_found', sent: false };
      expect(await call(clientForTests(), fx, 'sum', { a: 1, b: 2 })).toMatchObject(failure);
      expect([begun(), fx.calls().length]).toEqual([2, 2]);
    });

    it('does not repeat a call whose 404 is the answer to the call', async () => {
      const { fx } = await losing('tools/call', 1, (id) => missing(-32_603, id));
      const failure = { status: 'failed', kind: 'not_found', sent: true };
      expect(await call(clientForTests(), fx, 'sum', { a: 1, b: 2 })).toMatchObject(failure);
      expect(fx.calls()).toHaveLength(1);
    });

    it('does not repeat a call without a session', async () => {
      const fx = await serving({ era: 'legacy' });
      fx.intercept = ({ rpc }) => (rpc?.method === 'tools/call' ? new Response('', { status: 404 }) : undefined);
      expect(await call(clientForTests(), fx, 'sum', { a: 1, b: 2 })).toMatchObject({ status: 'failed', sent: true });
      expect(fx.calls()).toHaveLength(1);
    });
  });

  it.each([
    ['HTTP 200', 200, { code: -32_602, message: 'a: must be a number', data: { path: ['a'] } }],
    ['HTTP 400', 400, { code: -32_602, message: 'a: must be a number', data: { path: ['a'] } }],
    ['HTTP 500', 500, { code: -32_603, message: 'a: must be a number', data: { path: ['a'] } }],
    ['a code of its own', 200, { code: 'E_ARGS', message: 'a: must be a number', data: { path: ['a'] } }],
  ] as const)('hands on what a server says of an error with %s', async (_what, status, error) => {
    const fx = await serving({ era: 'legacy' });
    fx.intercept = ({ rpc }) =>
      rpc?.method === 'tools/call' ? Response.json({ jsonrpc: '2.0', id: rpc.id, error }, { status }) : undefined;
    const failed = await call(clientForTests(), fx, 'sum', { a: 'one' });
    expect(failed).toMatchObject({ status: 'failed', said: 'a: must be a number {"path":["a"]}' });
    expect(failed).not.toMatchObject({ message: expect.stringContaining('must be') });
    expect(failed).not.toMatchObject({ detail: expect.stringContaining('must be') });
  });

  it('reads the requests of an older server during a call, and not during a listing', async () => {
    const fx = await serving({ era: 'legacy' });
    const streams = () => fx.requests.filter(({ method }) => method === 'GET').length;
    const client = clientForTests();
    await client.listTools(targetOf(fx.url), ON);
    expect(streams()).toBe(0);
    await call(client, fx, 'sum', { a: 1, b: 2 });
    await expect.poll(streams).toBe(1);
  });

  describe('caches a list of tools', () => {
    const listings = (fx: Fx) => rpcs(fx).filter((method) => method === 'tools/list').length;

    it('as long as the server says, for the credential that listed them', async () => {
      const fx = await serving({ cache: { ttlMs: 60_000, cacheScope: 'private' } });
      let now = Date.now();
      const client = clientForTests({ now: () => now });
      const list = (cacheKey: string) => client.listTools(targetOf(fx.url, { cacheKey, deadline: now + 10_000 }), ON);
      const fresh = await list('a');
      expect(fresh).toMatchObject({ askedAt: new Date(now).toISOString() });
      now += 1;
      expect(await list('a')).toEqual(fresh);
      expect(listings(fx)).toBe(1);
      await list('b');
      expect(listings(fx)).toBe(2);
      now += 60_001;
      await list('a');
      expect(listings(fx)).toBe(3);
    });

    it('for every credential when the server says so, and for five minutes at most', async () => {
      const fx = await serving({ cache: { ttlMs: 86_400_000, cacheScope: 'public' } });
      let now = Date.now();
      const client = clientForTests({ now: () => now });
      const list = (cacheKey: string) => client.listTools(targetOf(fx.url, { cacheKey, deadline: now + 10_000 }), ON);
      await list('a');
      await list('b');
      expect(listings(fx)).toBe(1);
      now += 300_001;
      await list('a');
      expect(listings(fx)).toBe(2);
    });

    it('not at all when the server says nothing', async () => {
      const fx = await serving();
      const client = clientForTests();
      await client.listTools(targetOf(fx.url, { cacheKey: 'a' }), ON);
      await client.listTools(targetOf(fx.url, { cacheKey: 'a' }), ON);
      expect(listings(fx)).toBe(2);
    });
  });

  const region: FxTool = {
    name: 'region',
    inputSchema: {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' } as { type: string } },
    },
    run: ({ headers }) => ({ content: [{ type: 'text', text: String(headers['mcp-param-region']) }] }),
  };

  it('sends arguments as headers when the tool’s schema says so', async () => {
    const fx = await serving({ tools: [region] });
    const called = callOf('region', { region: 'eu' }, { schema: region.inputSchema });
    expect(await clientForTests().callTool(targetOf(fx.url), called, ON)).toEqual(said('eu'));
  });

  it('leaves out tools with forbidden header names for arguments', async () => {
    const broken = { ...region, name: 'broken', inputSchema: structuredClone(region.inputSchema) };
    Object.assign(broken.inputSchema.properties?.['region'] ?? {}, { 'x-mcp-header': 'a b\r\n' });
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const fx = await serving({ tools: [region, broken] });
    const listed = await clientForTests().listTools(targetOf(fx.url), ON);
    expect(listed).toMatchObject({ tools: [{ name: 'region' }] });
  });

  it('returns only http URLs for people, and declines requests that it does not support', async () => {
    const url = { method: 'elicitation/create', params: { mode: 'url', url: 'javascript:alert(1)', message: 'm' } };
    const asking: FxTool = {
      name: 'asking',
      inputSchema: { type: 'object' },
      run: ({ resumed }) =>
        resumed.responses.length === 0
          ? ({ resultType: 'input_required', inputRequests: { url }, requestState: 's' } as never)
          : { content: [{ type: 'text', text: `${resumed.responses.join()} ${resumed.state}` }] },
    };
    const fx = await serving({ tools: [asking] });
    expect(await call(clientForTests(), fx, 'asking')).toEqual(said('url s'));
    const [first, second] = fx.calls();
    expect(second?.rpc?.params?.['inputResponses']).toEqual({ url: { action: 'decline' } });
    expect(second?.rpc?.id).not.toBe(first?.rpc?.id);
  });

  it('uses HTTP with server-sent events when a server has no other transport', async () => {
    const url = await everything('sse');
    const client = clientForTests();
    for (const b of [2, 3]) {
      const answer = await client.callTool(targetOf(url), callOf('get-sum', { a: 1, b }), ON);
      expect(answer).toMatchObject({ status: 'answered', isError: false });
      expect(JSON.stringify(answer)).toContain(String(1 + b));
    }
  });

  it('reports that such a server needs a credential', async () => {
    const fx = await serving();
    fx.intercept = ({ method }) => new Response('', { status: method === 'GET' ? 401 : 405 });
    const target = targetOf(fx.url, { bearer: bearer('t') });
    expect(await clientForTests().listTools(target, ON)).toMatchObject({ kind: 'authentication' });
    fx.intercept = () => new Response('', { status: 405 });
    expect(await clientForTests().listTools(target, ON)).toMatchObject({ kind: 'bad_request', method: 'initialize' });
  });

  it('works with the example server of the MCP project', async () => {
    const url = await everything('streamableHttp');
    const client = clientForTests();
    const listed = await client.listTools(targetOf(url), ON);
    expect(listed).toMatchObject({ status: 'listed' });
    const names = listed.status === 'listed' ? listed.tools.map(({ name }) => name) : [];
    // Thirteen tools for every client, and two for clients that can show a URL to a person.
    expect(names).toHaveLength(15);
    expect(names).toContain('get-structured-content');
    expect(await client.callTool(targetOf(url), callOf('echo', { message: 'hello' }), ON)).toEqual(said('Echo: hello'));
    const pay = { url: 'https://pay.example.com/', message: 'Pay' };
    const asked = (more: object) => callOf('trigger-url-elicitation', { ...pay, ...more });
    const waiting = { status: 'input_required', requests: [{ id: 'pushed-0', ...pay }], state: null };
    expect(await client.callTool(targetOf(url), asked({}), ON)).toEqual(waiting);
    const resumed = { ...asked({}), resume: { requests: ['pushed-0'], state: null } };
    expect(JSON.stringify(await client.callTool(targetOf(url), resumed, ON))).toContain('completed');
    expect(await client.callTool(targetOf(url), asked({ errorPath: true }), ON)).toMatchObject({
      status: 'input_required',
      requests: [{ url: 'https://modelcontextprotocol.io' }],
    });
  });
});

/** `@modelcontextprotocol/server-everything` on a free port. */
async function everything(transport: 'sse' | 'streamableHttp'): Promise<string> {
  const script = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');
  const probe = await startFx();
  await probe.close();
  const child = fork(script, [transport], { env: { ...process.env, PORT: String(probe.port) }, stdio: 'pipe' });
  onTestFinished(() => void child.kill());
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (line) => /listening|running/i.test(String(line)) && resolve());
    child.stdout?.on('data', (line) => /listening|running/i.test(String(line)) && resolve());
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return `http://127.0.0.1:${probe.port}/${transport === 'sse' ? 'sse' : 'mcp'}`;
}
