/** Rows of pinned tools. Names and URLs are a stranger's: what does not fit a key is named by its hash. */
import * as z from 'zod';
import { Instant, type WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';
import type { PinnedServer, PinnedTool } from '#core/ports/tool-pins.ts';
import { json, optional, parseRow, textOf } from '#aws/row.ts';
import { sha256 } from '#aws/stamp.ts';
import type { Columns, Key, Row } from '#aws/table.ts';

/** Of the kilobyte that a sort key has. */
const MAX_NAME_BYTES = 256;
/** An item has 400 KB at most. */
const MAX_MANIFEST_BYTES = 300_000;

const Pinned = z.object({
  body: json(z.object({ name: z.string() })),
  sha256: z.string(),
  pinnedAt: Instant,
  driftedSha256: optional(z.string()),
  driftedAt: optional(Instant),
});

const partition = (workspace: WorkspaceId, url: string) => `${workspace}#MCP#${sha256(url)}`;

export function toolKey(workspace: WorkspaceId, url: string, name: string) {
  const fits = name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES;
  return { pk: partition(workspace, url), sk: `TOOL#${fits ? name : sha256(JSON.stringify(name))}` };
}

export function manifestKey(workspace: WorkspaceId, url: string, hash: string) {
  return { pk: partition(workspace, url), sk: `MANIFEST#${hash}` };
}

export function toolRow(
  workspace: WorkspaceId,
  url: string,
  said: { readonly tool: McpTool; readonly sha256: string; readonly at: Instant },
): Key & Columns {
  const key = toolKey(workspace, url, said.tool.name);
  return {
    ...key,
    listPk: `${workspace}#mcp_tool`,
    listSk: `${sha256(url)}#${key.sk}`,
    url,
    body: JSON.stringify({ name: said.tool.name }),
    sha256: said.sha256,
    pinnedAt: said.at,
  };
}

export function manifestRow(
  workspace: WorkspaceId,
  url: string,
  said: { readonly tool: McpTool; readonly sha256: string },
): Key & Columns {
  return {
    ...manifestKey(workspace, url, said.sha256),
    listPk: `${workspace}#mcp_manifest`,
    listSk: `${sha256(url)}#${said.sha256}`,
    url,
    sha256: said.sha256,
    body: JSON.stringify(said.tool),
  };
}

/** A larger one is pinned by its hash all the same, and what it said cannot be shown. */
export function isKept(tool: McpTool): boolean {
  return Buffer.byteLength(JSON.stringify(tool)) <= MAX_MANIFEST_BYTES;
}

export function pinnedTool(row: Row): PinnedTool {
  const { body, sha256: hash, pinnedAt, driftedSha256, driftedAt } = parseRow(Pinned, row);
  const drifted = driftedSha256 === null || driftedAt === null ? null : { sha256: driftedSha256, seenAt: driftedAt };
  return { name: body.name, sha256: hash, pinnedAt, drifted };
}

export function serversOf(rows: readonly Row[]): readonly PinnedServer[] {
  const byUrl = Map.groupBy(rows, (row) => textOf(row, 'url'));
  return [...byUrl]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([url, tools]) => ({ url, tools: tools.map(pinnedTool).toSorted((a, b) => (a.name < b.name ? -1 : 1)) }));
}
