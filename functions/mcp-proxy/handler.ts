/**
 * MCP proxy: lists the tools of a session's MCP servers, judges its calls and makes them, as the session's user. No other
 * function reads users' secrets.
 */
import type { Context } from 'aws-lambda';
import { McpProxyRequest } from '#contract/mcp-proxy.ts';
import { mcpProxyWorld } from '#aws/worlds/mcp-proxy.ts';
import { answer } from './answer.ts';

const world = mcpProxyWorld(process.env);

export async function handler(input: unknown, context: Context): Promise<unknown> {
  try {
    return await answer(world, McpProxyRequest.parse(input), context.getRemainingTimeInMillis());
  } finally {
    world.journal.flush();
  }
}
