/** MCP servers that agents have met, and the approval of tools that changed; not in the contract, hence `x`. */
import * as z from 'zod';
import { ApprovedTool, McpServersQuery, MetMcpServer, ToolApproval } from '#contract/mcp-servers.ts';
import { pageOf } from '#contract/pages.ts';
import { approveTool, metServers } from '#core/mcp/pins.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { keyedPages } from '../cursor.ts';
import { operation } from '../operation.ts';

const serverPages = keyedPages('asc', z.string().min(1).max(4096));

const list = operation({
  route: 'GET /v1/x/mcp_servers',
  summary: 'List MCP servers that agents have met, with the tools that were pinned and those that changed since',
  query: McpServersQuery,
  response: pageOf(MetMcpServer),
  async handle({ world, workspace, query }) {
    const after = serverPages.follows('mcp_servers', query.page);
    if (isRefusal(after)) return after;
    const found = await metServers(world.pins, workspace, { after, limit: query.limit });
    return serverPages.page('mcp_servers', { rows: found.servers, more: found.more }, (server) => server.url);
  },
});

const approve = operation({
  route: 'POST /v1/x/mcp_servers/approve',
  summary: 'Approve what a server says of a tool now, by its hash, so that agents may use it again',
  body: ToolApproval,
  response: ApprovedTool,
  handle: ({ world, workspace, apiKey, body }) => approveTool(world, { workspace, apiKey }, body),
});

export const mcpServerOperations = [list, approve];
