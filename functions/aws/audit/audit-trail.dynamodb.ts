/** Reading the audit trail back: by time over the index `list`, or chain by chain. */
import { QueryCommand, type AttributeValue, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AuditExport, AuditTrail } from '#core/ports/audit.ts';
import type { Place } from '#core/ports/records.ts';
import {
  auditUnavailable,
  chainKey,
  listedKeys,
  listKeysOf,
  positionKey,
  recordOf,
  type AuditItem,
} from '#aws/audit/audit-item.ts';
import { highest, lowest } from '#aws/list-rows.ts';

/** Records that one query looks at when a filter may refuse many of them. */
const FILTERED_BATCH = 1000;
/** A filter that matches almost nothing ends a page early: the next one goes on from there. */
const MAX_QUERIES = 10;

interface Walked {
  readonly items: readonly AuditItem[];
  /** Where to go on; undefined at the end. */
  readonly after: AuditItem | undefined;
}

export function createAuditTrail(dynamodb: DynamoDBClient, table: string): AuditTrail {
  async function walk(
    input: Omit<ConstructorParameters<typeof QueryCommand>[0], 'TableName'>,
    from: AuditItem | undefined,
    limit: number,
  ): Promise<Walked> {
    const items: AuditItem[] = [];
    let after = from;
    for (let queries = 0; queries < MAX_QUERIES; queries += 1) {
      const start = after === undefined ? {} : { ExclusiveStartKey: after };
      const page = await dynamodb
        .send(new QueryCommand({ TableName: table, ...input, ...start }))
        .catch(auditUnavailable);
      items.push(...(page.Items ?? []));
      after = page.LastEvaluatedKey;
      if (after === undefined || items.length >= limit) break;
    }
    return items.length > limit ? { items: items.slice(0, limit), after: items[limit - 1] } : { items, after };
  }

  return {
    async export(query) {
      // DynamoDB refuses a range that ends before it begins.
      if (lowest(query.from) > highest(query.to)) return { records: [], next: null };
      const from = query.beyond === null ? undefined : listedKeys(query.workspace, query.beyond);
      const { items, after } = await walk(exportInput(query), from, query.limit);
      return { records: items.map(recordOf), next: after === undefined ? null : placeOf(after) };
    },

    async chain(workspace, chain, { after: position, limit }) {
      const input = {
        KeyConditionExpression: 'pk = :pk AND sk > :after',
        ExpressionAttributeValues: {
          ':pk': { S: chainKey(workspace, chain) },
          ':after': { S: positionKey(position) },
        },
        ConsistentRead: true,
        Limit: limit,
      };
      const { items, after } = await walk(input, undefined, limit);
      return { records: items.map(recordOf), next: after === undefined ? null : Number(after['sk']?.S) };
    },
  };
}

function placeOf(item: AuditItem): Place {
  const [createdAt = '', id = ''] = (item['listSk']?.S ?? '').split('#');
  return { createdAt, id };
}

function exportInput(query: AuditExport) {
  const wanted: readonly (readonly [column: keyof AuditExport & string, value: string | null])[] = [
    ['session', query.session],
    ['user', query.user],
    ['kind', query.kind],
  ];
  const filters = wanted.flatMap(([column, value]) => (value === null ? [] : [{ column, value }]));
  const values: Record<string, AttributeValue> = {
    ':pk': listKeysOf(query.workspace, { createdAt: '', id: '' })['listPk'] ?? { S: '' },
    ':from': { S: lowest(query.from) },
    ':to': { S: highest(query.to) },
  };
  for (const { column, value } of filters) values[`:${column}`] = { S: value };
  const filter = {
    FilterExpression: filters.map(({ column }) => `#${column} = :${column}`).join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(filters.map(({ column }) => [`#${column}`, column])),
  };
  return {
    IndexName: 'list',
    KeyConditionExpression: 'listPk = :pk AND listSk BETWEEN :from AND :to',
    ...(filters.length === 0 ? {} : filter),
    ExpressionAttributeValues: values,
    Limit: filters.length === 0 ? query.limit : FILTERED_BATCH,
  };
}
