/** The servers that agents have met, and for what has changed both versions, so that they can be compared. */
import type { WorkspaceId } from '#contract/ids.ts';
import type { MetMcpServer } from '#contract/mcp-servers.ts';
import type { PinnedServer, PinnedTool, ToolPins } from '#core/ports/tool-pins.ts';

export async function metServers(
  pins: Pick<ToolPins, 'list' | 'manifest'>,
  workspace: WorkspaceId,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<{ readonly servers: readonly MetMcpServer[]; readonly more: boolean }> {
  const all = (await pins.list(workspace)).filter(({ url }) => after === null || url > after);
  const servers = await Promise.all(all.slice(0, limit).map((server) => compared(pins, workspace, server)));
  return { servers, more: all.length > limit };
}

async function compared(
  pins: Pick<ToolPins, 'manifest'>,
  workspace: WorkspaceId,
  { url, tools }: PinnedServer,
): Promise<MetMcpServer> {
  const read = (sha256: string) => pins.manifest(workspace, url, sha256);
  const shown = async ({ name, sha256, pinnedAt: pinned_at, drifted }: PinnedTool) => {
    if (drifted === null) return { name, sha256, pinned_at, drifted };
    const [was, is] = await Promise.all([read(sha256), read(drifted.sha256)]);
    return { name, sha256, pinned_at, drifted: { sha256: drifted.sha256, seen_at: drifted.seenAt, was, is } };
  };
  return { type: 'mcp_server', url, tools: await Promise.all(tools.map(shown)) };
}
