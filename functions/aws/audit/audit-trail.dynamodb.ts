/** Reading the audit trail back: by time over the index `list`, or chain by chain. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AuditExport, AuditTrail } from '#core/ports/audit.ts';
import { auditTable, chainKey, listedKeys, listKeysOf, positionKey, auditRecord } from '#aws/audit/audit-row.ts';
import { highest, lowest } from '#aws/list-rows.ts';
import { listedPlace } from '#aws/row.ts';
import type { Query, Row } from '#aws/table.ts';

/** Records that one query looks at when a filter may refuse many of them. */
const FILTERED_BATCH = 1000;
/** When a filter matches few records, a page ends early, and the next one goes on from there. */
const MAX_QUERIES = 10;

interface Walked {
  readonly rows: readonly Row[];
  /** The last row before the next page; null at the end. */
  readonly after: Row | null;
}

export function createAuditTrail(dynamodb: DynamoDBClient, name: string): AuditTrail {
  const table = auditTable(dynamodb, name);

  async function walk(query: Query, from: Row | null, limit: number): Promise<Walked> {
    const rows: Row[] = [];
    let after = from;
    for (let queries = 0; queries < MAX_QUERIES; queries += 1) {
      const page = await table.page(query, after);
      rows.push(...page.rows);
      ({ after } = page);
      if (after === null || rows.length >= limit) break;
    }
    return rows.length > limit ? { rows: rows.slice(0, limit), after: rows[limit - 1] ?? null } : { rows, after };
  }

  return {
    async export(query) {
      // DynamoDB refuses a range that ends before it begins.
      if (lowest(query.from) > highest(query.to)) return { records: [], next: null };
      const from = query.beyond === null ? null : listedKeys(query.workspace, query.beyond);
      const { rows, after } = await walk(exportQuery(query), from, query.limit);
      return { records: rows.map(auditRecord), next: after === null ? null : listedPlace(after) };
    },

    async chain(workspace, chain, { after: position, limit }) {
      const values = { pk: chainKey(workspace, chain), after: positionKey(position) };
      const { rows, after } = await walk({ where: 'pk = :pk AND sk > :after', values, limit }, null, limit);
      return { records: rows.map(auditRecord), next: after === null ? null : Number(after['sk']) };
    },
  };
}

function exportQuery({ workspace, session, user, kind, ...query }: AuditExport): Query {
  const wanted = Object.entries({ session, user, kind }).filter(([, value]) => value !== null);
  const { listPk: partition } = listKeysOf(workspace, { createdAt: '', id: '' });
  return {
    index: 'list',
    where: 'listPk = :partition AND listSk BETWEEN :from AND :to',
    filter: wanted.map(([column]) => `#${column} = :${column}`),
    values: { partition, from: lowest(query.from), to: highest(query.to), session, user, kind },
    limit: wanted.length === 0 ? query.limit : FILTERED_BATCH,
  };
}
