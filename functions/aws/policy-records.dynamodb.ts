/** A workspace's policies: one row per version, and one that says which is in force. */
import { QueryCommand, TransactWriteItemsCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WorkspaceId } from '#contract/ids.ts';
import { PolicyPointer, WorkspacePolicy } from '#contract/policy.ts';
import type { PolicyRecords } from '#core/policy/policy-records.ts';
import { readRow } from '#aws/read-row.dynamodb.ts';
import { isLostRace } from '#aws/records-change.dynamodb.ts';
import { bodyOf, recordsUnavailable, type Item } from '#aws/records-item.ts';

const ACTIVE = 'ACTIVE';
const VERSION_DIGITS = 7;
/** A page that is cut there goes on with the next one. */
const MAX_QUERIES = 10;

export function createPolicyRecords(dynamodb: DynamoDBClient, table: string): PolicyRecords {
  const row = (workspace: WorkspaceId, sk: string) =>
    readRow(dynamodb, table, { pk: { S: partition(workspace) }, sk: { S: sk } });

  /** Newest first, and whether there are more than `limit`. */
  async function versionRows(workspace: WorkspaceId, below: number | null, limit: number) {
    const items: Item[] = [];
    let after: Item | undefined;
    for (let queries = 0; queries < MAX_QUERIES; queries += 1) {
      const page = await dynamodb
        .send(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: 'pk = :pk AND sk BETWEEN :first AND :last',
            ExpressionAttributeValues: {
              ':pk': { S: partition(workspace) },
              ':first': { S: versionKey(1) },
              ':last': { S: below === null ? LAST_VERSION : versionKey(below - 1) },
            },
            ConsistentRead: true,
            ScanIndexForward: false,
            Limit: limit + 1,
            ...(after === undefined ? {} : { ExclusiveStartKey: after }),
          }),
        )
        .catch(recordsUnavailable);
      items.push(...(page.Items ?? []));
      after = page.LastEvaluatedKey;
      if (after === undefined || items.length > limit) break;
    }
    return { items: items.slice(0, limit), more: after !== undefined || items.length > limit };
  }

  return {
    async pointer(workspace) {
      const found = await row(workspace, ACTIVE);
      return found === undefined ? null : bodyOf(found, 'body', PolicyPointer);
    },

    async version(workspace, version) {
      const found = await row(workspace, versionKey(version));
      return found === undefined ? null : bodyOf(found, 'body', WorkspacePolicy);
    },

    async saveNext(workspace, policy) {
      const pk = { S: partition(workspace) };
      const body = (value: object) => ({ S: JSON.stringify(value) });
      // Of two that follow the same version, one finds its row taken.
      const isNext = 'attribute_not_exists(pk)';
      const version = { pk, sk: { S: versionKey(policy.version) }, body: body(policy) };
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
      const { items, more } = await versionRows(workspace, below, limit);
      return { policies: items.map((item) => bodyOf(item, 'body', WorkspacePolicy)), more };
    },
  };
}

function partition(workspace: WorkspaceId): string {
  return `${workspace}#POLICY`;
}

/** Padded, so that versions sort as text. */
function versionKey(version: number): string {
  return `VERSION#${String(version).padStart(VERSION_DIGITS, '0')}`;
}

const LAST_VERSION = versionKey(10 ** VERSION_DIGITS - 1);
