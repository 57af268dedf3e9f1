/** Environments: one row each. */
import { GetItemCommand, PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Environment } from '#contract/environments.ts';
import type { EnvironmentRecords } from '#core/records.ts';
import { bodyOf, isOf, listKeys, recordsUnavailable } from '#aws/records-item.ts';
import { listRows } from '#aws/records-list.dynamodb.ts';

const ENVIRONMENT = 'environment';

export function createEnvironmentRecords(dynamodb: DynamoDBClient, table: string): EnvironmentRecords {
  return {
    async create(workspace, environment) {
      const Item = {
        pk: { S: environment.id },
        sk: { S: ENVIRONMENT },
        workspace: { S: workspace },
        body: { S: JSON.stringify(environment) },
        ...listKeys(workspace, 'environment', { createdAt: environment.created_at, id: environment.id }),
      };
      await dynamodb
        .send(new PutItemCommand({ TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' }))
        .catch(recordsUnavailable);
    },

    async find(workspace, id) {
      const Key = { pk: { S: id }, sk: { S: ENVIRONMENT } };
      const { Item } = await dynamodb
        .send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }))
        .catch(recordsUnavailable);
      return isOf(Item, workspace) ? bodyOf(Item, 'body', Environment) : null;
    },

    list: (request) =>
      listRows(
        dynamodb,
        { table, kind: ENVIRONMENT, sk: ENVIRONMENT },
        { request, read: (item) => bodyOf(item, 'body', Environment) },
      ),
  };
}
