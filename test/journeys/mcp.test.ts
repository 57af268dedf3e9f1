/** A tool of an MCP server, used for a named user, from the model's answer to the model's next request. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { calling } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';

const TOKEN = 'token-of-alice-0123456789';

let service: McpService;
beforeAll(async () => {
  service = await startMcpService({ fx: { tokens: { [TOKEN]: [] } } });
});
afterAll(async () => service.close());

it('a tool is offered, called with the user’s token, and its result read by the model', async () => {
  const session = await service.mcpSession({ vaults: [await service.vaultWith('alice', TOKEN)] });
  service.standIn.script(calling(mcp('sum', { a: 1, b: 2 })));
  const seen = await service.converse(session, 'Add one and two.');
  expect(ofType(seen, 'session.error')).toEqual([]);
  expect(ofType(seen, 'agent.mcp_tool_use')).toMatchObject([
    { name: 'sum', mcp_server_name: 'fx', input: { a: 1, b: 2 }, evaluated_permission: 'allow' },
  ]);
  expect(ofType(seen, 'agent.mcp_tool_result')).toMatchObject([
    { is_error: false, content: [{ type: 'text', text: '3' }] },
  ]);
  expect(ofType(seen, 'agent.message').map(textOf).at(-1)).toBe('Results: 3');
  expect(service.fx.calls('sum').map(({ headers }) => headers['authorization'])).toEqual([`Bearer ${TOKEN}`]);
});
