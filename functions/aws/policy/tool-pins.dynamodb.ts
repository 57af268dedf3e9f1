/**
 * Pinned tools: a small row for each, which every call reads, and a row for each manifest, named by its hash. A hash is
 * written after its manifest. A write that finds its condition false is done: another writer was first, or has moved on.
 *
 * Servers choose names and URLs: a key holds the hash of a name that does not fit.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Instant, type WorkspaceId } from '#contract/ids.ts';
import { McpTool } from '#contract/mcp.ts';
import type { PinnedServer, PinnedTool, ToolPins } from '#core/ports/tool-pins.ts';
import { bodyOf, json, optional, parseRow, textOf } from '#aws/row.ts';
import { sha256 as sha256Of } from '#aws/stamp.ts';
import { createTable, EXISTS, IS_NEW, type Columns, type Key, type Query, type Row } from '#aws/table.ts';

/** A server may have thousands of tools, which are all pinned when it is first seen. */
const WRITES_AT_ONCE = 25;

export function createToolPins(dynamodb: DynamoDBClient, name: string): ToolPins {
  const table = createTable(dynamodb, name);

  async function all(query: Query): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for await (const page of table.pages(query)) rows.push(...page);
    return rows;
  }

  const listed = (list: string) => all({ index: 'list', where: 'listPk = :list', values: { list } });

  async function keep(workspace: WorkspaceId, url: string, said: Said): Promise<void> {
    if (isKept(said.tool)) await table.put(manifestRow(workspace, url, said));
  }

  return {
    async find(workspace, url) {
      const { pk } = toolKey(workspace, url, '');
      const rows = await all({ where: 'pk = :pk AND begins_with(sk, :tool)', values: { pk, tool: 'TOOL#' } });
      return new Map(rows.map(pinnedTool).map((pinned) => [pinned.name, pinned]));
    },

    async pin(workspace, url, tools, at) {
      const first = async (said: Said) => {
        await keep(workspace, url, said);
        await table.put(toolRow(workspace, url, { ...said, at }), { when: [IS_NEW] });
      };
      for (let from = 0; from < tools.length; from += WRITES_AT_ONCE) {
        await Promise.all(tools.slice(from, from + WRITES_AT_ONCE).map(first));
      }
    },

    async drift(workspace, url, said, at) {
      await keep(workspace, url, said);
      const isOther = 'sha256 <> :sha256';
      await table.update(toolKey(workspace, url, said.tool.name), {
        when: [EXISTS, isOther],
        values: { sha256: said.sha256 },
        set: { driftedSha256: said.sha256, driftedAt: at },
      });
    },

    async clearDrift(workspace, url, { name: tool, sha256 }, askedAt) {
      const isPinned = 'sha256 = :sha256';
      const isSeenBefore = 'driftedAt < :askedAt';
      await table.update(toolKey(workspace, url, tool), {
        when: [isPinned, isSeenBefore],
        values: { sha256, askedAt },
        set: { driftedSha256: null, driftedAt: null },
      });
    },

    async approve(workspace, url, { name: tool, sha256 }, at) {
      const hasDrifted = 'driftedSha256 = :sha256';
      const { row } = await table.update(toolKey(workspace, url, tool), {
        when: [hasDrifted],
        values: { sha256 },
        set: { sha256, pinnedAt: at, driftedSha256: null, driftedAt: null },
        returns: 'new',
      });
      const pinned = row === null ? null : pinnedTool(row);
      return pinned?.sha256 === sha256 && pinned.drifted === null ? pinned : null;
    },

    async list(workspace) {
      return serversOf(await listed(`${workspace}#mcp_tool`));
    },

    async manifest(workspace, url, sha256) {
      const found = await table.get(manifestKey(workspace, url, sha256));
      return found === null ? null : bodyOf(found, 'body', McpTool);
    },

    async manifests(workspace) {
      const [tools, said] = await Promise.all([listed(`${workspace}#mcp_tool`), listed(`${workspace}#mcp_manifest`)]);
      const pinned = new Set(tools.map((tool) => `${textOf(tool, 'pk')} ${textOf(tool, 'sha256')}`));
      return said
        .filter((one) => pinned.has(`${textOf(one, 'pk')} ${textOf(one, 'sha256')}`))
        .map((one) => ({ url: textOf(one, 'url'), tool: bodyOf(one, 'body', McpTool) }));
    },
  };
}

interface Said {
  readonly tool: McpTool;
  readonly sha256: string;
}

/** A sort key has a kilobyte. */
const MAX_NAME_BYTES = 256;
/** An item has at most 400 KB. */
const MAX_MANIFEST_BYTES = 300_000;

const Pinned = z.object({
  body: json(z.object({ name: z.string() })),
  sha256: z.string(),
  pinnedAt: Instant,
  driftedSha256: optional(z.string()),
  driftedAt: optional(Instant),
});

const partition = (workspace: WorkspaceId, url: string) => `${workspace}#MCP#${sha256Of(url)}`;

function toolKey(workspace: WorkspaceId, url: string, name: string) {
  const fits = name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES;
  return { pk: partition(workspace, url), sk: `TOOL#${fits ? name : sha256Of(JSON.stringify(name))}` };
}

function manifestKey(workspace: WorkspaceId, url: string, hash: string) {
  return { pk: partition(workspace, url), sk: `MANIFEST#${hash}` };
}

function toolRow(workspace: WorkspaceId, url: string, said: Said & { readonly at: Instant }): Key & Columns {
  const key = toolKey(workspace, url, said.tool.name);
  return {
    ...key,
    listPk: `${workspace}#mcp_tool`,
    listSk: `${sha256Of(url)}#${key.sk}`,
    url,
    body: JSON.stringify({ name: said.tool.name }),
    sha256: said.sha256,
    pinnedAt: said.at,
  };
}

function manifestRow(workspace: WorkspaceId, url: string, said: Said): Key & Columns {
  return {
    ...manifestKey(workspace, url, said.sha256),
    listPk: `${workspace}#mcp_manifest`,
    listSk: `${sha256Of(url)}#${said.sha256}`,
    url,
    sha256: said.sha256,
    body: JSON.stringify(said.tool),
  };
}

/** A larger manifest is pinned by its hash too, and cannot be shown. */
function isKept(tool: McpTool): boolean {
  return Buffer.byteLength(JSON.stringify(tool)) <= MAX_MANIFEST_BYTES;
}

function pinnedTool(row: Row): PinnedTool {
  const { body, sha256: hash, pinnedAt, driftedSha256, driftedAt } = parseRow(Pinned, row);
  const drifted = driftedSha256 === null || driftedAt === null ? null : { sha256: driftedSha256, seenAt: driftedAt };
  return { name: body.name, sha256: hash, pinnedAt, drifted };
}

function serversOf(rows: readonly Row[]): readonly PinnedServer[] {
  const byUrl = Map.groupBy(rows, (row) => textOf(row, 'url'));
  return [...byUrl]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([url, tools]) => ({ url, tools: tools.map(pinnedTool).toSorted((a, b) => (a.name < b.name ? -1 : 1)) }));
}
