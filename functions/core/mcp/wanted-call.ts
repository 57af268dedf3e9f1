import type { OpenCall } from '#contract/entries.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import { Fault } from '#core/ports/errors.ts';
import type { LogKey, SessionLog } from '#core/ports/session-log.ts';

/** What the model wanted, from the log. Throws `Fault` `stored_data_invalid` when that position holds something else. */
export async function wantedCall(
  { log }: { readonly log: Pick<SessionLog, 'entryAt'> },
  key: LogKey,
  { id, at }: Pick<OpenCall, 'id' | 'at'>,
): Promise<WantedCall> {
  const entry = await log.entryAt(key, at);
  const event = entry !== null && 'event' in entry ? entry.event : null;
  if (event?.type !== 'agent.mcp_tool_use' || event.id !== id) {
    throw new Fault('stored_data_invalid', `position ${at} of the log is not the MCP tool use ${id}`);
  }
  return { id: event.id, server: event.mcp_server_name, tool: event.name, input: event.input };
}
