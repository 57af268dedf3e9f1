/** MCP servers that agents have met, and the approval of tools that changed; not in the contract, hence `x`. */
import * as z from 'zod';
import { ApprovedTool, McpServersQuery, MetMcpServer, ToolApproval } from '#contract/mcp-servers.ts';
import { pageOf } from '#contract/pages.ts';
import { NoQuery } from '#contract/queries.ts';
import { approveTool, metServers } from '#core/mcp/pins.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/refusal.ts';
import { fitting } from '../carried-bytes.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

const ServerCursor = z.strictObject({
  list: z.literal('mcp_servers'),
  order: z.literal('asc'),
  at: z.null(),
  url: z.string().min(1).max(4096),
});

const list = operation({
  method: 'GET',
  path: '/v1/x/mcp_servers',
  summary: 'List MCP servers that agents have met, with the tools that were pinned and those that changed since',
  params: NoParams,
  query: McpServersQuery,
  body: NoBody,
  response: pageOf(MetMcpServer),
  async handle({ world, workspace, query }) {
    const after = query.page === undefined ? null : placeOf(query.page);
    if (isRefusal(after)) return after;
    const found = await metServers(world.governing.pins, workspace, { after, limit: query.limit });
    const data = [...fitting(found.servers, (server) => server)];
    const last = data.at(-1);
    const more = found.more || data.length < found.servers.length;
    return { data, next_page: more && last !== undefined ? cursorOf(last.url) : null };
  },
});

function placeOf(page: string): string | RequestRefusal {
  const listing = { list: 'mcp_servers', order: 'asc', range: { from: null, to: null } } as const;
  const cursor = decodeCursor(ServerCursor, page, listing);
  return isRefusal(cursor) ? cursor : cursor.url;
}

function cursorOf(url: string): string {
  const cursor: z.infer<typeof ServerCursor> = { list: 'mcp_servers', order: 'asc', at: null, url };
  return encodeCursor(cursor);
}

const approve = operation({
  method: 'POST',
  path: '/v1/x/mcp_servers/approve',
  summary: 'Approve what a server says of a tool now, by its hash, so that agents may use it again',
  params: NoParams,
  query: NoQuery,
  body: ToolApproval,
  response: ApprovedTool,
  handle: ({ world, workspace, body }) => approveTool(world.governing, workspace, body),
});

export const mcpServerOperations = [list, approve];
