/** A workspace's policies: one row per version, and one that says which is in force. */
import { TransactWriteItemsCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WorkspaceId } from '#contract/ids.ts';
import { PolicyPointer, WorkspacePolicy } from '#contract/policy.ts';
import type { PolicyRecords } from '#core/ports/policy-records.ts';
import { readRow, isLostRace } from '#aws/table.ts';
import { bodyOf, recordsUnavailable } from '#aws/row.ts';
import { versionKey, versionRows } from '#aws/version-rows.ts';

const ACTIVE = 'ACTIVE';
const VERSION = 'VERSION#';

export function createPolicyRecords(dynamodb: DynamoDBClient, table: string): PolicyRecords {
  const row = (workspace: WorkspaceId, sk: string) =>
    readRow(dynamodb, table, { pk: { S: partition(workspace) }, sk: { S: sk } });

  return {
    async pointer(workspace) {
      const found = await row(workspace, ACTIVE);
      return found === undefined ? null : bodyOf(found, 'body', PolicyPointer);
    },

    async version(workspace, version) {
      const found = await row(workspace, versionKey(VERSION, version));
      return found === undefined ? null : bodyOf(found, 'body', WorkspacePolicy);
    },

    async saveNext(workspace, policy) {
      const pk = { S: partition(workspace) };
      const body = (value: object) => ({ S: JSON.stringify(value) });
      // Of two that follow the same version, one finds its row taken.
      const isNext = 'attribute_not_exists(pk)';
      const version = { pk, sk: { S: versionKey(VERSION, policy.version) }, body: body(policy) };
      const isFirst = policy.version === 1;
      const follows = {
        ConditionExpression: isFirst ? 'attribute_not_exists(pk)' : 'version = :before',
        ...(isFirst ? {} : { ExpressionAttributeValues: { ':before': { N: String(policy.version - 1) } } }),
      };
      const active = { pk, sk: { S: ACTIVE }, version: { N: String(policy.version) } };
      const TransactItems = [
        { Put: { TableName: table, Item: version, ConditionExpression: isNext } },
        { Put: { TableName: table, Item: { ...active, body: body(PolicyPointer.parse(policy)) }, ...follows } },
      ];
      try {
        await dynamodb.send(new TransactWriteItemsCommand({ TransactItems }));
        return 'saved';
      } catch (cause) {
        return isLostRace(cause) ? 'conflict' : recordsUnavailable(cause);
      }
    },

    async versions(workspace, { below, limit }) {
      const { items, more } = await versionRows(dynamodb, table, {
        pk: partition(workspace),
        prefix: VERSION,
        below,
        limit,
      });
      return { policies: items.map((item) => bodyOf(item, 'body', WorkspacePolicy)), more };
    },
  };
}

function partition(workspace: WorkspaceId): string {
  return `${workspace}#POLICY`;
}
