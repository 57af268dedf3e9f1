/** Calls of MCP tools through the whole service: the deployed functions, rights and secrets, and a real MCP server. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeUnrefused, createCases, says } from '#test/journeys/cases.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { startService, type Service } from '#test/journeys/service.ts';
import { ELICITATION } from '#test/mcp/fx-tools.ts';
import { startFx, type Fx } from '#test/mcp/fx.ts';

const CANARY = 'canary-0f9e8d7c6b5a493827161504f3e2d1c0';

describe('calls of MCP tools', () => {
  const cases = createCases();
  let service: Service;
  let fx: Fx;
  let roles: { readonly agent: string; readonly environment_id: string; readonly vault_ids: string[] };
  beforeAll(async () => {
    fx = await startFx({ tokens: { [CANARY]: [] } });
    service = await startService({ script: cases.script });
    const { agents, environments, vaults } = service.client.beta;
    const toolset = { type: 'mcp_toolset' as const, mcp_server_name: 'fx' };
    const allowed = { enabled: true, permission_policy: { type: 'always_allow' as const } };
    const agent = await agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      mcp_servers: [{ type: 'url', name: 'fx', url: fx.url }],
      tools: [
        {
          ...toolset,
          default_config: allowed,
          configs: [{ name: 'refund', permission_policy: { type: 'always_ask' } }],
        },
      ],
    });
    const environment = await environments.create({ name: 'lab' });
    const vault = await vaults.create({ display_name: 'Alice', metadata: { external_user_id: 'alice' } });
    await vaults.credentials.create(vault.id, {
      auth: { type: 'static_bearer', mcp_server_url: fx.url, token: CANARY },
    });
    roles = { agent: agent.id, environment_id: environment.id, vault_ids: [vault.id] };
  });
  afterAll(async () => {
    await closeUnrefused(service);
    await fx.close();
  });

  async function begin(name: string): Promise<Follower> {
    const { id } = await service.client.beta.sessions.create(roles);
    const follower = await follow(service, id);
    await service.client.beta.sessions.events.send(id, { events: [says(name)] });
    return follower;
  }

  const confirm = (session: string, id: string) =>
    service.client.beta.sessions.events.send(session, {
      events: [{ type: 'user.tool_confirmation', tool_use_id: id, result: 'allow' }],
    });

  async function audit(session: string): Promise<readonly { entry: Record<string, unknown> }[]> {
    const headers = { authorization: `Bearer ${service.runtime.apiKey}` };
    const response = await fetch(`${service.runtime.baseUrl}/v1/x/audit?session_id=${session}`, { headers });
    const { data } = (await response.json()) as { readonly data: readonly { entry: Record<string, unknown> }[] };
    return data;
  }

  it('are made as the session’s user and recorded, and the token is only in the request to the server', async () => {
    cases.on('sum', { tools: [{ name: 'mcp__fx__sum', input: { a: 20, b: 22 } }] }, { text: ['It is 42.'] });
    const follower = await begin('sum');
    const use = await follower.next('agent.mcp_tool_use');
    expect(use).toMatchObject({ mcp_server_name: 'fx', name: 'sum', evaluated_permission: 'allow' });
    const result = await follower.next('agent.mcp_tool_result');
    expect(result).toMatchObject({ mcp_tool_use_id: use.id, is_error: false, content: [{ type: 'text', text: '42' }] });
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(cases.requests('sum')[0]?.tools).toContainEqual(expect.objectContaining({ name: 'mcp__fx__sum' }));
    expect(fx.calls('sum').map(({ headers }) => headers['authorization'])).toEqual([`Bearer ${CANARY}`]);
    expect(await audit(follower.session)).toMatchObject([
      { entry: { kind: 'intent', user: 'alice', tool: 'sum', decision: 'allow', code: 'default_permit' } },
      { entry: { kind: 'outcome', user: 'alice', outcome: 'done', http_status: 200 } },
    ]);
    const told = JSON.stringify([follower.seen, cases.requests('sum'), await audit(follower.session)]);
    expect(told).not.toContain(CANARY);
    const logs = join(service.data, 'logs');
    for (const file of readdirSync(logs)) expect(readFileSync(join(logs, file), 'utf8')).not.toContain(CANARY);
  });

  it('that need a confirmation are made once after it', async () => {
    cases.on('refund', { tools: [{ name: 'mcp__fx__refund', input: { amount: 5 } }] }, { text: ['Done.'] });
    const follower = await begin('refund');
    const use = await follower.next('agent.mcp_tool_use');
    expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [use.id] });
    expect(fx.calls('refund')).toEqual([]);
    await confirm(follower.session, use.id);
    expect(await follower.next('agent.mcp_tool_result')).toMatchObject({ content: [{ text: 'refunded 5' }] });
    await follower.idle();
    expect(fx.calls('refund')).toHaveLength(1);
  });

  it('with a server that wants a person to open a page wait for that person, and are then made', async () => {
    cases.on('pay', { tools: [{ name: 'mcp__fx__url_elicitation', input: {} }] }, { text: ['Paid.'] });
    const follower = await begin('pay');
    const use = await follower.next('agent.mcp_tool_use');
    expect(await follower.next('session.error')).toMatchObject({
      error: { mcp_server_name: 'fx', message: expect.stringContaining(ELICITATION.url) },
    });
    expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [use.id] });
    await confirm(follower.session, use.id);
    expect(await follower.next('agent.mcp_tool_result')).toMatchObject({ content: [{ text: 'paid' }] });
    await follower.idle();
    expect(JSON.stringify(cases.requests('pay'))).not.toContain('pay.example.com');
  });

  it('that fail are reported with the kind of failure, and never with the server’s text', async () => {
    fx.intercept = ({ rpc }) =>
      rpc?.method === 'tools/call' ? new Response(`<html>${CANARY}</html>`, { status: 502 }) : undefined;
    cases.on('down', { tools: [{ name: 'mcp__fx__sum', input: { a: 1, b: 1 } }] }, { text: ['A pity.'] });
    const follower = await begin('down');
    expect(await follower.next('session.error')).toMatchObject({ error: { type: 'mcp_connection_failed_error' } });
    const result = await follower.next('agent.mcp_tool_result');
    expect(result).toMatchObject({ is_error: true, content: [{ text: expect.stringMatching(/^server_error: /) }] });
    await follower.idle();
    fx.intercept = () => undefined;
    expect(JSON.stringify(follower.seen)).not.toContain('<html>');
  });

  it('with a proxy that is killed during the call are not repeated, and the model reads that the outcome is unknown', async () => {
    cases.on('slow', { tools: [{ name: 'mcp__fx__slow', input: { ms: 60_000 } }] }, { text: ['Hm.'] });
    const follower = await begin('slow');
    await expect.poll(() => fx.calls('slow')).toHaveLength(1);
    expect(await service.runtime.faults.kill('mcp-proxy')).toBeGreaterThan(0);
    const result = await follower.next('agent.mcp_tool_result');
    expect(result).toMatchObject({ is_error: true, content: [{ text: expect.stringMatching(/^outcome_unknown: /) }] });
    await follower.idle();
    expect(fx.calls('slow')).toHaveLength(1);
    const outcomes = (await audit(follower.session)).map(({ entry }) => entry['outcome'] ?? entry['kind']);
    expect(outcomes).toEqual(['intent', 'unknown']);
  });

  it('that are interrupted are cancelled, and the audit trail has the outcome unknown', async () => {
    cases.on('stop', { tools: [{ name: 'mcp__fx__slow', input: { ms: 60_000 } }] });
    const follower = await begin('stop');
    await expect.poll(() => fx.calls('slow')).toHaveLength(2);
    const { events } = service.client.beta.sessions;
    await events.send(follower.session, { events: [{ type: 'user.interrupt' }] });
    await follower.idle();
    await expect
      .poll(async () => (await audit(follower.session)).at(-1)?.entry)
      .toMatchObject({
        kind: 'outcome',
        outcome: 'unknown',
        error: 'interrupted',
      });
  });
});
