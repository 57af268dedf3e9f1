/** Finds the last record of a call from the end of its session's chain, because callers ask soon after the call. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AuditedCalls } from '#core/ports/audit.ts';
import { chainOf } from '#core/audit/chain.ts';
import { auditTable, chainKey, auditRecord } from '#aws/audit/audit-row.ts';
import { sha256 } from '#aws/stamp.ts';

const PAGE = 100;
const MAX_LOOKED_AT = 1000;

export function createAuditedCalls(dynamodb: DynamoDBClient, name: string): AuditedCalls {
  const table = auditTable(dynamodb, name);
  return {
    async lastOf(workspace, session, call) {
      const pk = chainKey(workspace, chainOf(session, sha256));
      const rows = table.rows({ where: 'pk = :pk', values: { pk }, order: 'desc', limit: PAGE });
      let lookedAt = 0;
      for await (const row of rows) {
        const { entry } = auditRecord(row);
        if ('call' in entry && entry.call === call) return entry.kind;
        lookedAt += 1;
        if (lookedAt === MAX_LOOKED_AT) break;
      }
      return null;
    },
  };
}
