import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import { PAY, REFUND } from '#test/functions/core/policy/facts.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const PERMIT = 'permit(principal, action, resource);';
const WORKSPACE = WorkspaceId.parse('wrkspc_tests');

describe('the policy API', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startApi();
    return () => api.close();
  });

  const save = (body: object) => api.ask('POST', '/v1/x/policy', { mode: 'enforce', ...body });

  it('returns the policy set in force before one is saved', async () => {
    expect(await api.ask('GET', '/v1/x/policy')).toMatchObject({
      status: 200,
      body: { type: 'policy', version: 0, policies: '', mode: 'enforce', default: 'permit', created_at: null },
    });
  });

  it('saves versions and keeps each of them', async () => {
    const first = await save({ policies: PERMIT, default: 'deny', if_version: 0 });
    expect(first).toMatchObject({ status: 200, body: { version: 1, default: 'deny', unchecked: [] } });
    const second = await save({ policies: '', mode: 'shadow' });
    expect(second).toMatchObject({ status: 200, body: { version: 2, default: 'permit', mode: 'shadow' } });
    expect(second.body.sha256).not.toBe(first.body.sha256);
    const { unchecked: _, ...saved } = second.body;
    expect((await api.ask('GET', '/v1/x/policy')).body).toEqual(saved);
    const page = await api.ask('GET', '/v1/x/policy/versions?limit=1');
    expect(page.body).toMatchObject({ data: [{ version: 2 }], next_page: expect.any(String) });
    const rest = await api.ask('GET', `/v1/x/policy/versions?limit=1&page=${page.body.next_page}`);
    expect(rest.body).toMatchObject({ data: [{ version: 1, policies: PERMIT }], next_page: null });
  });

  it('refuses a set when the caller has not seen the latest version', async () => {
    await save({ policies: PERMIT });
    const late = await save({ policies: '', if_version: 0 });
    expect(late).toMatchObject({ status: 409, body: { error: { type: 'conflict_error' } } });
    expect(late.body.error.message).toBe('if_version: the latest version is 1; read it and decide again');
    const both = await Promise.all([1, 1, 1].map((if_version) => save({ policies: '', if_version })));
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
    expect((await api.ask('GET', '/v1/x/policy')).body.version).toBe(2);
  });

  it('names line and column of a policy that cannot be parsed or checked, and saves nothing', async () => {
    const text = `${PERMIT}\nforbid(principal, action, resource) when { principal.usr == MA::User::"x" };`;
    const refused = await save({ policies: text });
    expect(refused).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error' } } });
    expect(refused.body.error.message).toContain('policies: line 2, column 44: policy1: attribute `usr`');
    expect((await save({ policies: 'permit(' })).body.error.message).toContain('policies: line 1, column');
    expect((await api.ask('GET', '/v1/x/policy')).body.version).toBe(0);
  });

  it('checks policies against the pinned tools of the workspace, and names those that are not pinned', async () => {
    const rule = (host: string, type: string) =>
      `permit(principal, action == MA::Action::"${host}/refund", resource) when { ${type} };`;
    const decimal = 'context.args.amount.lessThan(decimal("1.0"))';
    const unseen = await save({ policies: rule('pay.example.com', decimal) });
    expect(unseen.body.unchecked).toEqual([{ policy: 'policy0', actions: ['pay.example.com/refund'] }]);
    await api.world.pins.pin(WORKSPACE, PAY, [{ tool: REFUND, sha256: 'a'.repeat(64) }], '2026-11-21T10:00:00.000Z');
    expect((await save({ policies: rule('pay.example.com', decimal) })).body.unchecked).toEqual([]);
    const wrong = await save({ policies: rule('pay.example.com', 'context.args.amount < 1') });
    expect(wrong.body.error.message).toContain('expected Long but saw decimal');
  });

  it.each([
    [{ policies: PERMIT, mode: 'audit' }, 'mode: must be one of shadow, enforce'],
    [{ policies: PERMIT, default: 'ask' }, 'default: must be one of permit, deny'],
    [{ policies: `// ${'ä'.repeat(52_000)}` }, 'policies: must have at most 102400 bytes'],
    [{ policies: '// \ud800' }, 'policies: must be well-formed text'],
    [{ policies: PERMIT, version: 3 }, 'version: is not a known field'],
    [
      { policies: '@advice("maybe") permit(principal, action, resource);' },
      'policies: policy0: @advice: must be "ask"',
    ],
    [
      { policies: `@id("no-pay") forbid(principal, action, resource == MA::McpServer::"${PAY}/");` },
      `policies: no-pay: MA::McpServer::"${PAY}/" is the name of no server: write MA::McpServer::"${PAY}"`,
    ],
  ])('refuses %j', async (body, message) => {
    expect(await save(body)).toMatchObject({ status: 400, body: { error: { message } } });
  });

  it('writes an audit record before a set is in force, also for a refused one', async () => {
    const saved = await save({ policies: PERMIT });
    const records = await api.ask('GET', '/v1/x/audit?kind=administration');
    expect(records.body.data).toMatchObject([
      {
        entry: {
          action: 'policy.saved',
          api_key: 'apikey_1',
          outcome: 'done',
          reason: `version 1, enforce, default permit, sha256 ${saved.body.sha256}`,
        },
      },
    ]);
    const other = await api.ask('GET', '/v1/x/policy', undefined, { authorization: `Bearer ${OTHER_KEY}` });
    expect(other.body.version).toBe(0);
  });
});

describe('the MCP server API', () => {
  let api: TestApi;
  const NOW = { ...REFUND, description: 'Pays money back.' };
  const [was, is] = ['a'.repeat(64), 'b'.repeat(64)];
  beforeAll(async () => {
    api = await startApi();
    const { pins } = api.world;
    const at = '2026-11-21T10:00:00.000Z';
    await pins.pin(WORKSPACE, 'https://a.example.com/mcp', [{ tool: REFUND, sha256: was }], at);
    await pins.pin(WORKSPACE, PAY, [{ tool: REFUND, sha256: was }], at);
    await pins.drift(WORKSPACE, PAY, { tool: NOW, sha256: is }, at);
  });
  afterAll(() => api.close());

  const approve = (body: object) => api.ask('POST', '/v1/x/mcp_servers/approve', body);

  it('lists servers in pages, and shows both forms of a tool that has changed', async () => {
    const first = await api.ask('GET', '/v1/x/mcp_servers?limit=1');
    expect(first.body.data).toMatchObject([
      { type: 'mcp_server', url: 'https://a.example.com/mcp', tools: [{ name: 'refund', sha256: was, drifted: null }] },
    ]);
    const second = await api.ask('GET', `/v1/x/mcp_servers?limit=1&page=${first.body.next_page}`);
    expect(second.body).toMatchObject({
      data: [{ url: PAY, tools: [{ sha256: was, drifted: { sha256: is, was: REFUND, is: NOW } }] }],
      next_page: null,
    });
  });

  it.each([
    [{ url: PAY, tool: 'refund', sha256: 'c'.repeat(64) }, 409, 'sha256: is not what the server says of this tool'],
    [{ url: PAY, tool: 'refund', sha256: was }, 409, 'sha256: is not what the server says of this tool'],
    [{ url: PAY, tool: 'charge', sha256: is }, 404, 'tool: no agent has met such a tool'],
    [{ url: 'https://b.example.com', tool: 'refund', sha256: is }, 404, 'tool: no agent has met such a tool'],
    [{ url: 'ftp://pay.example.com', tool: 'refund', sha256: is }, 400, 'url: must be the http or https URL'],
    [{ url: PAY, tool: 'refund', sha256: 'x' }, 400, 'sha256: must be the SHA-256 of a tool'],
  ])('refuses this approval: %j', async (body, status, message) => {
    expect(await approve(body)).toMatchObject({
      status,
      body: { error: { message: expect.stringContaining(message) } },
    });
  });

  it('approves the present form of a tool by its hash, with an audit record', async () => {
    const body = { url: 'HTTPS://PAY.example.com:443/mcp/', tool: 'refund', sha256: is };
    expect(await approve(body)).toMatchObject({
      status: 200,
      body: { type: 'mcp_tool', url: PAY, name: 'refund', sha256: is },
    });
    expect((await approve(body)).status).toBe(200);
    const records = await api.ask('GET', '/v1/x/audit?kind=administration');
    expect(records.body.data[0]).toMatchObject({
      entry: {
        action: 'tool.approved',
        api_key: 'apikey_1',
        outcome: 'done',
        reason: `${PAY}: the tool with sha256 ${is}`,
      },
    });
    const other = await api.ask('GET', '/v1/x/mcp_servers', undefined, { authorization: `Bearer ${OTHER_KEY}` });
    expect(other.body.data).toEqual([]);
  });
});
