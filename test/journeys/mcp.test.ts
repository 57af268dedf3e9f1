/** Tools of an MCP server, used for a named user, from the model's answer to the model's next request. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { follow } from '#test/journeys/follower.ts';
import { calling, echo, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, textOf, types, type Event } from '#test/journeys/service.ts';
import { PNG } from '#test/mcp/fx-tools.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';

const TOKEN = 'token-of-alice-0123456789';
const SUM = mcp('sum', { a: 1, b: 2 });

describe('a tool of an MCP server', () => {
  let service: McpService;
  let vault: string;
  beforeAll(async () => {
    service = await startMcpService({ fx: { tokens: { [TOKEN]: [] } } });
  });
  afterAll(async () => service.close());
  beforeEach(async () => {
    vault = await service.vaultWith('alice', TOKEN);
  });

  const resultsIn = (events: readonly Event[]) => ofType(events, 'agent.mcp_tool_result');

  it('is offered and called with the user’s token, and the model reads its result', async () => {
    const session = await service.mcpSession({ vaults: [vault] });
    service.standIn.script(calling(SUM));
    const seen = await service.converse(session, 'Add one and two.');
    expect(ofType(seen, 'session.error')).toEqual([]);
    expect(ofType(seen, 'agent.mcp_tool_use')).toMatchObject([
      { name: 'sum', mcp_server_name: 'fx', input: { a: 1, b: 2 }, evaluated_permission: 'allow' },
    ]);
    expect(resultsIn(seen)).toMatchObject([{ is_error: false, content: [{ type: 'text', text: '3' }] }]);
    expect(ofType(seen, 'agent.message').map(textOf).at(-1)).toBe('Results: 3');
    expect(service.fx.calls('sum').map(({ headers }) => headers['authorization'])).toEqual([`Bearer ${TOKEN}`]);
  });

  it('shows the model its images', async () => {
    const session = await service.mcpSession({ vaults: [vault] });
    service.standIn.script(calling(mcp('image')));
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } };
    const seen = await service.converse(session, 'Draw.');
    expect(resultsIn(seen)).toMatchObject([{ is_error: false, content: [image] }]);
    const results = service.standIn.requests.at(-1)?.request.messages.at(-1)?.content;
    expect(results).toMatchObject([{ type: 'tool_result', content: [image] }]);
  });

  it('has its whole result in the event, and the model reads the beginning', async () => {
    const session = await service.mcpSession({ vaults: [vault] });
    service.standIn.script(calling(mcp('big', { chars: 300_000 })));
    const seen = await service.converse(session, 'Say much.');
    expect(textOf(resultsIn(seen)[0])).toBe('x'.repeat(300_000));
    const [stored] = resultsIn(await service.events(session));
    expect(textOf(stored)).toHaveLength(300_000);
    const request = service.standIn.requests.at(-1)?.request ?? expect.fail('no request');
    const [note, read = ''] = lastTexts(request);
    expect(note).toContain('300000 characters');
    expect(read.length).toBeGreaterThan(10_000);
    expect(read.length).toBeLessThan(150_000);
    expect(read).toMatch(/^x{10000}/);
    expect(read).not.toMatch(/^x+$/);
  });

  it('is ended when its user interrupts, and the connection to the server is closed', async () => {
    const session = await service.mcpSession({ vaults: [vault] });
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
    const { promise: hungUp, resolve: onHangUp } = Promise.withResolvers<void>();
    const slow = service.fx.tools.get('slow') ?? expect.fail('no such tool');
    service.fx.tools.set('slow', {
      ...slow,
      run: (call) => {
        onAsked();
        call.signal.addEventListener('abort', () => onHangUp());
        return slow.run(call);
      },
    });
    service.standIn.script(calling(mcp('slow', { ms: 60_000 })));
    const follower = await follow(service, session);
    await service.send(session, 'Wait for it.');
    await asked;
    await service.client.beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    const [result, ...others] = resultsIn(follower.since());
    expect(others).toEqual([]);
    expect(result).toMatchObject({ is_error: true });
    expect(textOf(result)).toContain('interrupted');
    // The tool would run for longer than this test may take.
    await hungUp;
    await service.runtime.aws.stepFunctions.idle();
    expect(resultsIn(await service.events(session))).toHaveLength(1);
    service.fx.tools.set('slow', slow);
    follower.leave();
  });

  it('is called without a token as soon as the credential is archived', async () => {
    const session = await service.mcpSession({ vaults: [vault] });
    service.standIn.script(calling(SUM));
    await service.converse(session, 'Add one and two.');
    const credentials = service.client.beta.vaults.credentials;
    const [credential] = (await credentials.list(vault)).data;
    await credentials.archive(credential?.id ?? '', { vault_id: vault });
    const before = service.fx.requests.length;
    const seen = await service.converse(session, 'Again.');
    expect(ofType(seen, 'session.error')).toMatchObject([
      { error: { type: 'mcp_authentication_failed_error', mcp_server_name: 'fx' } },
    ]);
    expect(resultsIn(seen)).toEqual([]);
    const later = service.fx.requests.slice(before);
    expect(later.length).toBeGreaterThan(0);
    expect(later.filter(({ headers }) => headers['authorization'] !== undefined)).toEqual([]);
  });

  it('is called without a token when the credential is archived between its listing and its call', async () => {
    const session = await service.mcpSession({ vaults: [vault] });
    const credentials = service.client.beta.vaults.credentials;
    let before = 0;
    service.standIn.script(async (request, index) => {
      if (request.messages.length === 1) {
        const [credential] = (await credentials.list(vault)).data;
        await credentials.archive(credential?.id ?? '', { vault_id: vault });
        before = service.fx.requests.length;
      }
      return calling(SUM)(request, index);
    });
    const seen = await service.converse(session, 'Add one and two.');
    expect(resultsIn(seen)).toMatchObject([{ is_error: true }]);
    expect(textOf(resultsIn(seen)[0])).toMatch(/^authentication: /);
    const later = service.fx.requests.slice(before);
    expect(later.filter(({ headers }) => headers['authorization'] !== undefined)).toEqual([]);
  });

  it('works beside a server that does not answer, which is named', async () => {
    const { agents, environments, sessions } = service.client.beta;
    const agent = await agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      mcp_servers: [
        { type: 'url', name: 'gone', url: 'http://127.0.0.1:9/mcp' },
        { type: 'url', name: 'fx', url: service.fx.url },
      ],
      tools: ['gone', 'fx'].map((name) => ({
        type: 'mcp_toolset' as const,
        mcp_server_name: name,
        default_config: { permission_policy: { type: 'always_allow' as const } },
      })),
    });
    const environment = await environments.create({ name: 'lab' });
    const { id } = await sessions.create({ agent: agent.id, environment_id: environment.id, vault_ids: [vault] });
    service.standIn.script(calling(SUM));
    const seen = await service.converse(id, 'Add one and two.');
    expect(ofType(seen, 'session.error')).toMatchObject([
      {
        error: {
          type: 'mcp_connection_failed_error',
          mcp_server_name: 'gone',
          retry_status: { type: 'retrying' },
        },
      },
    ]);
    expect(ofType(seen, 'agent.message').map(textOf).at(-1)).toBe('Results: 3');
    expect(types(seen)).not.toContain('session.status_terminated');
    service.standIn.script(echo);
    const again = await service.converse(id, 'And again.');
    expect(ofType(again, 'session.error')).toMatchObject([{ error: { mcp_server_name: 'gone' } }]);
  });
});
