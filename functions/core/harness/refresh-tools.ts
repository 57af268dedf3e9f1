/** Asks the agent's MCP servers what they offer: once in each run, and again when that was forgotten or is out of date. */
import type { ServerListing } from '#contract/mcp.ts';
import { Fault } from '#core/ports/errors.ts';
import { changeSlice, type Slice } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { agentOf } from '#core/model/slice.ts';
import { offerTools } from '#core/tools/offer-tools.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { McpTrouble } from '#core/ports/call-marks.ts';

/**
 * The slice with this listing or, when another attempt was faster, with that one; null when another run has begun. An
 * attempt that dies before the append has changed nothing: the next one asks again.
 */
export async function refreshTools(world: TurnWorld, key: LogKey, slice: Slice): Promise<Slice | null> {
  const { run } = slice.head.state;
  const servers = await world.mcp.list(key).catch((error: unknown) => unlisted(slice, error));
  const tools = offerTools(servers, world.sha256);
  const failed = servers.flatMap((server) => (server.status === 'failed' ? [troubleOf(server)] : []));
  const sha256 = world.sha256(JSON.stringify(tools));
  const after = await changeSlice(world, key, slice, { do: 'listed', run, tools, sha256, failed });
  return after.head.state.run === run ? after : null;
}

function troubleOf({ server, error, message, action_url }: Extract<ServerListing, { status: 'failed' }>): McpTrouble {
  return { type: error, server, message: action_url === undefined ? message : `${message} ${action_url}` };
}

/** Without the proxy this run has no MCP tools. That does not end the session, as a failed server does not. */
function unlisted({ entries }: Slice, error: unknown): readonly ServerListing[] {
  if (!(error instanceof Fault) || error.code !== 'mcp_proxy_unavailable') throw error;
  return agentOf(entries).mcp_servers.map(({ name }) => ({
    status: 'failed',
    server: name,
    error: 'mcp_connection_failed_error',
    message: `The tools of ${name} could not be listed.`,
  }));
}
