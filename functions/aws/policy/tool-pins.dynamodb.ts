/**
 * Pinned tools: a small row for each, which every call reads, and what was said in rows of their own, named by its hash.
 * A hash is written after what it stands for. A write whose condition does not hold has nothing to add: another writer
 * was first, or has moved on.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WorkspaceId } from '#contract/ids.ts';
import { McpTool } from '#contract/mcp.ts';
import type { ToolPins } from '#core/ports/tool-pins.ts';
import {
  isKept,
  manifestKey,
  manifestRow,
  pinnedTool,
  serversOf,
  toolKey,
  toolRow,
} from '#aws/policy/tool-pins-row.ts';
import { bodyOf, textOf } from '#aws/row.ts';
import { createTable, EXISTS, IS_NEW, type Query, type Row } from '#aws/table.ts';

/** A server may have thousands of tools, and is seen for the first time once. */
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
