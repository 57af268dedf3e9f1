/** Agents: one row per version, and one for the latest, which is the one that lists show. */
import { GetItemCommand, TransactWriteItemsCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Agent } from '#contract/agents.ts';
import type { AgentRecords } from '#core/records.ts';
import { bodyOf, isOf, listKeys, recordsUnavailable } from '#aws/records-item.ts';
import { listRows } from '#aws/records-list.dynamodb.ts';

const LATEST = 'agent#latest';
const VERSION_DIGITS = 7;

export function createAgentRecords(dynamodb: DynamoDBClient, table: string): AgentRecords {
  return {
    async create(workspace, agent) {
      const row = { pk: { S: agent.id }, workspace: { S: workspace }, body: { S: JSON.stringify(agent) } };
      const place = { createdAt: agent.created_at, id: agent.id };
      const rows = [
        { ...row, sk: { S: versionKey(agent.version) } },
        { ...row, sk: { S: LATEST }, ...listKeys(workspace, 'agent', place) },
      ];
      const TransactItems = rows.map((Item) => ({
        Put: { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' },
      }));
      await dynamodb.send(new TransactWriteItemsCommand({ TransactItems })).catch(recordsUnavailable);
    },

    async find(workspace, id, version) {
      const Key = { pk: { S: id }, sk: { S: version === undefined ? LATEST : versionKey(version) } };
      const { Item } = await dynamodb
        .send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }))
        .catch(recordsUnavailable);
      return isOf(Item, workspace) ? bodyOf(Item, 'body', Agent) : null;
    },

    list: (request) =>
      listRows(
        dynamodb,
        { table, kind: 'agent', sk: LATEST },
        { request, read: (item) => bodyOf(item, 'body', Agent) },
      ),
  };
}

/** Padded, so that versions sort as text. */
function versionKey(version: number): string {
  return `agent#v${String(version).padStart(VERSION_DIGITS, '0')}`;
}
