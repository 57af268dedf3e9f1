/** An MCP server that cannot be reached takes its tools away, in the run and in each after it, and nothing else. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { calling, echo } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';

let service: Service;
beforeAll(async () => {
  service = await startService({ script: echo });
});
afterAll(() => service.close());

it('a session with an unreachable MCP server reports it in each run, answers, and denies calls of its tools', async () => {
  const client = service.client.beta;
  const agent = await client.agents.create({
    name: 'Ada',
    model: 'claude-opus-5',
    tools: [{ type: 'mcp_toolset', mcp_server_name: 'tracker' }],
    mcp_servers: [{ type: 'url', name: 'tracker', url: 'https://tracker.invalid/mcp' }],
  });
  const environment = await client.environments.create({ name: 'lab' });
  const session = await client.sessions.create({ agent: agent.id, environment_id: environment.id });
  for (const text of ['hello', 'hello again']) {
    const seen = await service.converse(session.id, text);
    expect(ofType(seen, 'session.error')).toMatchObject([
      {
        error: {
          type: 'mcp_connection_failed_error',
          mcp_server_name: 'tracker',
          retry_status: { type: 'retrying' },
        },
      },
    ]);
    expect(textOf(ofType(seen, 'agent.message')[0])).toContain(text);
    expect(ofType(seen, 'session.status_idle').at(-1)?.stop_reason.type).toBe('end_turn');
  }
  service.standIn.script(calling({ name: 'mcp__tracker__find', input: {} }));
  const seen = await service.converse(session.id, 'find it');
  expect(ofType(seen, 'agent.tool_use')).toMatchObject([{ name: 'mcp__tracker__find', evaluated_permission: 'deny' }]);
  expect(ofType(seen, 'agent.tool_result')).toMatchObject([{ is_error: true }]);
  expect(ofType(seen, 'session.status_idle').at(-1)?.stop_reason.type).toBe('end_turn');
});
