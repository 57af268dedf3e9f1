/** Audit chains on DynamoDB: one record, one item, written at exactly the position after the last one. */
import {
  ConditionalCheckFailedException,
  PutItemCommand,
  QueryCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { AuditEntry, AuditRecord } from '#contract/audit.ts';
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import type { Audit } from '#core/ports/audit.ts';
import { chainOf, recordAfter, type ChainHead } from '#core/audit/chain.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Pause } from '#core/ports/stamp.ts';
import { auditUnavailable, chainKey, recordOf, toAuditItem } from '#aws/audit/audit-item.ts';
import { sha256 } from '#aws/sha256.ts';

export interface AuditOptions {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly now: () => Instant;
  /** The random part of a new record's id. */
  readonly newToken: () => string;
  readonly pause: Pause;
}

/** The position is free: whoever appended since the head was read holds this very key. */
const POSITION_IS_FREE = 'attribute_not_exists(pk)';

/** Of writers that meet at one head one gets on, so this many instances may write into one chain at the same moment. */
const MAX_CONTENDED = 50;
const MAX_PAUSE_MS = 20;

export function createAudit({ dynamodb, table, now, newToken, pause }: AuditOptions): Audit {
  const heads = new Map<string, ChainHead | null>();
  const turns = new Map<string, Promise<void>>();

  async function lastOf(pk: string): Promise<ChainHead | null> {
    const page = await dynamodb
      .send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: pk } },
          ScanIndexForward: false,
          Limit: 1,
          ConsistentRead: true,
        }),
      )
      .catch(auditUnavailable);
    const item = page.Items?.[0];
    return item === undefined ? null : recordOf(item);
  }

  /** `stored` also when it is there already: then an earlier answer to this very write was lost. */
  async function put(record: AuditRecord): Promise<'stored' | 'taken'> {
    const command = new PutItemCommand({
      TableName: table,
      Item: toAuditItem(record),
      ConditionExpression: POSITION_IS_FREE,
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    try {
      await dynamodb.send(command);
      return 'stored';
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) return auditUnavailable(cause);
      return cause.Item?.['id']?.S === record.id ? 'stored' : 'taken';
    }
  }

  async function append(workspace: WorkspaceId, chain: string, entry: AuditEntry): Promise<void> {
    const pk = chainKey(workspace, chain);
    const id = `aud_${newToken()}`;
    for (let attempt = 1; attempt <= MAX_CONTENDED; attempt += 1) {
      const head = heads.get(pk) ?? (await lastOf(pk));
      const record = recordAfter(head, { id, workspace, chain, at: now(), entry }, sha256);
      if ((await put(record)) === 'stored') return void heads.set(pk, record);
      heads.delete(pk);
      await pause(Math.random() * Math.min(attempt, MAX_PAUSE_MS));
    }
    throw new Fault('audit_unavailable', `the audit chain ${chain} had ${MAX_CONTENDED} other writers at once`);
  }

  return {
    record(workspace, about, entry) {
      const chain = chainOf(about, sha256);
      const pk = chainKey(workspace, chain);
      // One after the other within this instance, whatever became of the one before: they would only race each other.
      const work = () => append(workspace, chain, entry);
      const turn = (turns.get(pk) ?? Promise.resolve()).then(work, work);
      turns.set(pk, turn);
      return turn;
    },
  };
}
