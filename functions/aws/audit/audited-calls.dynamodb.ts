/** The last record of a call: from the end of its session's chain backwards, because a call is asked about soon. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AuditedCalls } from '#core/ports/audit.ts';
import { chainOf } from '#core/audit/chain.ts';
import { chainKey, recordOf } from '#aws/audit/audit-item.ts';
import { queryAll } from '#aws/table.ts';
import { sha256 } from '#aws/sha256.ts';

const PAGE = 100;
const MAX_LOOKED_AT = 1000;

export function createAuditedCalls(dynamodb: DynamoDBClient, table: string): AuditedCalls {
  return {
    async lastOf(workspace, session, call) {
      const items = queryAll(dynamodb, {
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: chainKey(workspace, chainOf(session, sha256)) } },
        ScanIndexForward: false,
        ConsistentRead: true,
        Limit: PAGE,
      });
      let lookedAt = 0;
      for await (const item of items) {
        const { entry } = recordOf(item);
        if (entry.kind !== 'administration' && entry.call === call) return entry.kind;
        lookedAt += 1;
        if (lookedAt === MAX_LOOKED_AT) break;
      }
      return null;
    },
  };
}
