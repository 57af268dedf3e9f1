/**
 * Pinned tools: a small row for each, which every call reads, and what was said in rows of their own, named by its hash.
 * A hash is written after what it stands for.
 */
import {
  ConditionalCheckFailedException,
  PutItemCommand,
  UpdateItemCommand,
  type DynamoDBClient,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import type { WorkspaceId } from '#contract/ids.ts';
import { McpTool } from '#contract/mcp.ts';
import type { ToolPins } from '#core/ports/tool-pins.ts';
import { queryAll, readRow } from '#aws/table.ts';
import { bodyOf, recordsUnavailable, textOf, type Item } from '#aws/row.ts';
import {
  isKept,
  manifestItem,
  manifestKey,
  pinnedTool,
  serversOf,
  toolItem,
  toolKey,
} from '#aws/policy/tool-pins-item.ts';

/** A server may have thousands of tools, and is seen for the first time once. */
const WRITES_AT_ONCE = 25;

export function createToolPins(dynamodb: DynamoDBClient, table: string): ToolPins {
  async function all(query: Omit<QueryCommandInput, 'TableName'>): Promise<readonly Item[]> {
    const items: Item[] = [];
    for await (const item of queryAll(dynamodb, { TableName: table, ...query })) items.push(item);
    return items;
  }

  const listed = (listPk: string) =>
    all({
      IndexName: 'list',
      KeyConditionExpression: 'listPk = :pk',
      ExpressionAttributeValues: { ':pk': { S: listPk } },
    });

  async function keep(workspace: WorkspaceId, url: string, said: Said): Promise<void> {
    if (!isKept(said.tool)) return;
    const Item = manifestItem(workspace, url, said);
    await dynamodb.send(new PutItemCommand({ TableName: table, Item })).catch(recordsUnavailable);
  }

  return {
    async find(workspace, url) {
      const { pk } = toolKey(workspace, url, '');
      const rows = await all({
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :tool)',
        ExpressionAttributeValues: { ':pk': pk, ':tool': { S: 'TOOL#' } },
        ConsistentRead: true,
      });
      return new Map(rows.map(pinnedTool).map((pinned) => [pinned.name, pinned]));
    },

    async pin(workspace, url, tools, at) {
      const first = async (said: Said) => {
        await keep(workspace, url, said);
        const Item = toolItem(workspace, url, { ...said, at });
        const isFirst = 'attribute_not_exists(pk)';
        await unlessLate(dynamodb.send(new PutItemCommand({ TableName: table, Item, ConditionExpression: isFirst })));
      };
      for (let from = 0; from < tools.length; from += WRITES_AT_ONCE) {
        await Promise.all(tools.slice(from, from + WRITES_AT_ONCE).map(first));
      }
    },

    async drift(workspace, url, said, at) {
      await keep(workspace, url, said);
      const isPinned = 'attribute_exists(pk)';
      const isOther = 'sha256 <> :sha256';
      const command = new UpdateItemCommand({
        TableName: table,
        Key: toolKey(workspace, url, said.tool.name),
        ConditionExpression: [isPinned, isOther].join(' AND '),
        UpdateExpression: 'SET driftedSha256 = :sha256, driftedAt = :at',
        ExpressionAttributeValues: { ':sha256': { S: said.sha256 }, ':at': { S: at } },
      });
      await unlessLate(dynamodb.send(command));
    },

    async settle(workspace, url, { name, sha256 }, askedAt) {
      const isPinned = 'sha256 = :sha256';
      const isSeenBefore = 'driftedAt < :askedAt';
      const command = new UpdateItemCommand({
        TableName: table,
        Key: toolKey(workspace, url, name),
        ConditionExpression: [isPinned, isSeenBefore].join(' AND '),
        UpdateExpression: 'REMOVE driftedSha256, driftedAt',
        ExpressionAttributeValues: { ':sha256': { S: sha256 }, ':askedAt': { S: askedAt } },
      });
      await unlessLate(dynamodb.send(command));
    },

    async approve(workspace, url, { name, sha256 }, at) {
      const Key = toolKey(workspace, url, name);
      const command = new UpdateItemCommand({
        TableName: table,
        Key,
        ConditionExpression: 'driftedSha256 = :sha256',
        UpdateExpression: 'SET sha256 = :sha256, pinnedAt = :at REMOVE driftedSha256, driftedAt',
        ExpressionAttributeValues: { ':sha256': { S: sha256 }, ':at': { S: at } },
        ReturnValues: 'ALL_NEW',
      });
      const written = await unlessLate(dynamodb.send(command));
      const found = written?.Attributes ?? (await readRow(dynamodb, table, Key));
      const pinned = found === undefined ? null : pinnedTool(found);
      return pinned?.sha256 === sha256 && pinned.drifted === null ? pinned : null;
    },

    async list(workspace) {
      return serversOf(await listed(`${workspace}#mcp_tool`));
    },

    async manifest(workspace, url, sha256) {
      const found = await readRow(dynamodb, table, manifestKey(workspace, url, sha256));
      return found === undefined ? null : bodyOf(found, 'body', McpTool);
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

/** A write whose condition does not hold has nothing to add: somebody else was first, or has moved on. */
async function unlessLate<Answer>(write: Promise<Answer>): Promise<Answer | undefined> {
  return write.catch((cause: unknown) =>
    cause instanceof ConditionalCheckFailedException ? undefined : recordsUnavailable(cause),
  );
}

interface Said {
  readonly tool: McpTool;
  readonly sha256: string;
}
