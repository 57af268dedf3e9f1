/** Environments: one row each. */
import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { Environment } from '#contract/environments.ts';
import type { EnvironmentId, WorkspaceId } from '#contract/ids.ts';
import type { EnvironmentRecords, RevisedEnvironment } from '#core/ports/records.ts';
import { archiveRow, archivedAtOf, isLostRace } from '#aws/table.ts';
import { bodyOf, isOf, listKeys, recordsUnavailable, type Item } from '#aws/row.ts';
import { listRows } from '#aws/list-rows.ts';

const ENVIRONMENT = 'environment';

export function createEnvironmentRecords(dynamodb: DynamoDBClient, table: string): EnvironmentRecords {
  const keyOf = (id: string): Item => ({ pk: { S: id }, sk: { S: ENVIRONMENT } });

  async function findRevised(workspace: WorkspaceId, id: EnvironmentId): Promise<RevisedEnvironment | null> {
    const { Item } = await dynamodb
      .send(new GetItemCommand({ TableName: table, Key: keyOf(id), ConsistentRead: true }))
      .catch(recordsUnavailable);
    // A row that nothing has replaced yet carries no revision.
    return isOf(Item, workspace)
      ? { environment: environmentOf(Item), revision: Number(Item['revision']?.N ?? '0') }
      : null;
  }

  return {
    async create(workspace, environment) {
      const Item = {
        ...keyOf(environment.id),
        workspace: { S: workspace },
        body: { S: JSON.stringify(environment) },
        ...listKeys(workspace, 'environment', { createdAt: environment.created_at, id: environment.id }),
      };
      await dynamodb
        .send(new PutItemCommand({ TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' }))
        .catch(recordsUnavailable);
    },

    findRevised,

    async find(workspace, id) {
      return (await findRevised(workspace, id))?.environment ?? null;
    },

    list: (request) => listRows(dynamodb, { table, kind: ENVIRONMENT, keyOf }, { request, read: environmentOf }),

    async replace(workspace, { environment, revision }) {
      const isOurs = 'workspace = :workspace';
      const isOpen = 'attribute_not_exists(archivedAt)';
      const isUnchanged = revision === 0 ? 'attribute_not_exists(revision)' : 'revision = :revision';
      const command = new UpdateItemCommand({
        TableName: table,
        Key: keyOf(environment.id),
        ConditionExpression: [isOurs, isOpen, isUnchanged].join(' AND '),
        UpdateExpression: 'SET body = :body, revision = :next',
        ExpressionAttributeValues: {
          ':workspace': { S: workspace },
          ':body': { S: JSON.stringify(environment) },
          ':next': { N: String(revision + 1) },
          ...(revision === 0 ? {} : { ':revision': { N: String(revision) } }),
        },
      });
      try {
        await dynamodb.send(command);
        return 'saved';
      } catch (cause) {
        return isLostRace(cause) ? 'conflict' : recordsUnavailable(cause);
      }
    },

    async archive(workspace, id, at) {
      const row = await archiveRow(dynamodb, { table, pk: id, sk: ENVIRONMENT }, { workspace, at });
      return row === null ? null : environmentOf(row);
    },

    async remove(workspace, id) {
      if ((await findRevised(workspace, id)) === null) return false;
      // A row that is gone by now was removed by a repeat of this call, or by somebody who wanted the same.
      const command = new DeleteItemCommand({
        TableName: table,
        Key: keyOf(id),
        ConditionExpression: 'attribute_not_exists(pk) OR workspace = :workspace',
        ExpressionAttributeValues: { ':workspace': { S: workspace } },
      });
      await dynamodb.send(command).catch(recordsUnavailable);
      return true;
    },
  };
}

function environmentOf(item: Item): Environment {
  return { ...bodyOf(item, 'body', Environment), archived_at: archivedAtOf(item) };
}
