/** Items of pinned tools. Names and URLs are a stranger's: what does not fit a key is named by its hash. */
import * as z from 'zod';
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';
import type { PinnedServer, PinnedTool } from '#core/ports/tool-pins.ts';
import { bodyOf, textOf, type Item } from '#aws/row.ts';
import { sha256 } from '#aws/sha256.ts';

/** Of the kilobyte that a sort key has. */
const MAX_NAME_BYTES = 256;
/** An item has 400 KB at most. */
const MAX_MANIFEST_BYTES = 300_000;

const Name = z.object({ name: z.string() });

const partition = (workspace: WorkspaceId, url: string) => ({ S: `${workspace}#MCP#${sha256(url)}` });

export function toolKey(workspace: WorkspaceId, url: string, name: string) {
  const fits = name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES;
  return { pk: partition(workspace, url), sk: { S: `TOOL#${fits ? name : sha256(JSON.stringify(name))}` } };
}

export function manifestKey(workspace: WorkspaceId, url: string, hash: string) {
  return { pk: partition(workspace, url), sk: { S: `MANIFEST#${hash}` } };
}

export function toolItem(
  workspace: WorkspaceId,
  url: string,
  said: { readonly tool: McpTool; readonly sha256: string; readonly at: Instant },
): Item {
  const key = toolKey(workspace, url, said.tool.name);
  return {
    ...key,
    listPk: { S: `${workspace}#mcp_tool` },
    listSk: { S: `${sha256(url)}#${key.sk.S}` },
    url: { S: url },
    body: { S: JSON.stringify({ name: said.tool.name }) },
    sha256: { S: said.sha256 },
    pinnedAt: { S: said.at },
  };
}

export function manifestItem(
  workspace: WorkspaceId,
  url: string,
  said: { readonly tool: McpTool; readonly sha256: string },
): Item {
  return {
    ...manifestKey(workspace, url, said.sha256),
    listPk: { S: `${workspace}#mcp_manifest` },
    listSk: { S: `${sha256(url)}#${said.sha256}` },
    url: { S: url },
    sha256: { S: said.sha256 },
    body: { S: JSON.stringify(said.tool) },
  };
}

/** A larger one is pinned by its hash all the same; only nobody can look at it. */
export function isKept(tool: McpTool): boolean {
  return Buffer.byteLength(JSON.stringify(tool)) <= MAX_MANIFEST_BYTES;
}

export function pinnedTool(item: Item): PinnedTool {
  const drifted = item['driftedSha256']?.S;
  return {
    name: bodyOf(item, 'body', Name).name,
    sha256: textOf(item, 'sha256'),
    pinnedAt: textOf(item, 'pinnedAt'),
    drifted: drifted === undefined ? null : { sha256: drifted, seenAt: textOf(item, 'driftedAt') },
  };
}

export function serversOf(items: readonly Item[]): readonly PinnedServer[] {
  const byUrl = Map.groupBy(items, (item) => textOf(item, 'url'));
  return [...byUrl]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([url, tools]) => ({ url, tools: tools.map(pinnedTool).toSorted((a, b) => (a.name < b.name ? -1 : 1)) }));
}
