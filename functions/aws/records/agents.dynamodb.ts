/** Agents: one row per version, and one for the latest, which is the one that lists show and that is archived. */
import { TransactWriteItemsCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Agent } from '#contract/agents.ts';
import type { AgentId } from '#contract/ids.ts';
import type { AgentRecords } from '#core/ports/records.ts';
import { archiveRow, archivedAtOf, isLostRace, readRow } from '#aws/table.ts';
import { bodyOf, isOf, listKeys, recordsUnavailable, type Item } from '#aws/row.ts';
import { listRows } from '#aws/list-rows.ts';
import { versionKey, versionRows } from '#aws/version-rows.ts';

const LATEST = 'agent#latest';
const VERSION = 'agent#v';

export function createAgentRecords(dynamodb: DynamoDBClient, table: string): AgentRecords {
  const latestKey = (id: string): Item => ({ pk: { S: id }, sk: { S: LATEST } });

  const row = (id: AgentId, sk: string) => readRow(dynamodb, table, { pk: { S: id }, sk: { S: sk } });

  return {
    async create(workspace, agent) {
      const place = { createdAt: agent.created_at, id: agent.id };
      const content = { pk: { S: agent.id }, workspace: { S: workspace }, body: { S: JSON.stringify(agent) } };
      const rows = [
        { ...content, sk: { S: versionKey(VERSION, agent.version) } },
        { ...content, sk: { S: LATEST }, ...listKeys(workspace, 'agent', place) },
      ];
      const TransactItems = rows.map((Item) => ({
        Put: { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' },
      }));
      await dynamodb.send(new TransactWriteItemsCommand({ TransactItems })).catch(recordsUnavailable);
    },

    async find(workspace, id, version) {
      const [latest, asked] = await Promise.all([
        row(id, LATEST),
        version === undefined ? undefined : row(id, versionKey(VERSION, version)),
      ]);
      const found = version === undefined ? latest : asked;
      return isOf(latest, workspace) && isOf(found, workspace) ? agentOf(found, latest) : null;
    },

    list: (request) =>
      listRows(dynamodb, { table, kind: 'agent', keyOf: latestKey }, { request, read: (item) => agentOf(item, item) }),

    async versions(workspace, id, { below, limit }) {
      const latest = await row(id, LATEST);
      if (!isOf(latest, workspace)) return null;
      const { items, more } = await versionRows(dynamodb, table, { pk: id, prefix: VERSION, below, limit });
      return { agents: items.map((item) => agentOf(item, latest)), more };
    },

    async saveNext(workspace, agent) {
      const content = { workspace: { S: workspace }, body: { S: JSON.stringify(agent) } };
      const Item = { pk: { S: agent.id }, sk: { S: versionKey(VERSION, agent.version) }, ...content };
      // Of two that follow the same version, one finds its row taken.
      const isNext = 'attribute_not_exists(pk)';
      const isOpen = 'workspace = :workspace AND attribute_not_exists(archivedAt)';
      const latest = {
        TableName: table,
        Key: { pk: { S: agent.id }, sk: { S: LATEST } },
        ConditionExpression: isOpen,
        UpdateExpression: 'SET body = :body',
        ExpressionAttributeValues: { ':workspace': content.workspace, ':body': content.body },
      };
      const TransactItems = [{ Put: { TableName: table, Item, ConditionExpression: isNext } }, { Update: latest }];
      try {
        await dynamodb.send(new TransactWriteItemsCommand({ TransactItems }));
        return 'saved';
      } catch (cause) {
        return isLostRace(cause) ? 'conflict' : recordsUnavailable(cause);
      }
    },

    async archive(workspace, id, at) {
      const latest = await archiveRow(dynamodb, { table, pk: id, sk: LATEST }, { workspace, at });
      return latest === null ? null : agentOf(latest, latest);
    },
  };
}

function agentOf(item: Item, latest: Item): Agent {
  return { ...bodyOf(item, 'body', Agent), archived_at: archivedAtOf(latest) };
}
