/** Audit chains on DynamoDB: one record, one item, written at exactly the position after the last one. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { AuditEntry, type AuditRecord } from '#contract/audit.ts';
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import type { Audit } from '#core/ports/audit.ts';
import { chainOf, recordAfter, type ChainHead } from '#core/audit/chain.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Pause } from '#core/ports/stamp.ts';
import { auditTable, chainKey, auditRecord, auditRow, REGISTER } from '#aws/audit/audit-row.ts';
import { sha256 } from '#aws/stamp.ts';
import { IS_NEW } from '#aws/table.ts';

interface AuditOptions {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly now: () => Instant;
  /** The random part of a new record's id. */
  readonly newToken: () => string;
  readonly pause: Pause;
}

/** In each round one of the writers at a head succeeds, so this many instances may write into one chain at once. */
const MAX_CONTENDED = 50;
const MAX_PAUSE_MS = 20;

export function createAudit({ dynamodb, table: name, now, newToken, pause }: AuditOptions): Audit {
  const table = auditTable(dynamodb, name);
  const heads = new Map<string, ChainHead | null>();
  const turns = new Map<string, Promise<void>>();

  async function lastOf(pk: string): Promise<ChainHead | null> {
    const { rows } = await table.page({ where: 'pk = :pk', values: { pk }, order: 'desc', limit: 1 });
    const [last] = rows;
    return last === undefined ? null : auditRecord(last);
  }

  /** `stored` also when the record is there already, because the answer to an earlier attempt was lost. */
  async function put(record: AuditRecord): Promise<'stored' | 'taken'> {
    // Another writer that has appended since the head was read has taken this key.
    const { status, row } = await table.put(auditRow(record), { when: [IS_NEW] });
    return status === 'saved' || row?.['id'] === record.id ? 'stored' : 'taken';
  }

  async function append(workspace: WorkspaceId, chain: string, entry: AuditEntry): Promise<void> {
    const pk = chainKey(workspace, chain);
    const id = `aud_${newToken()}`;
    for (let attempt = 1; attempt <= MAX_CONTENDED; attempt += 1) {
      const head = heads.get(pk) ?? (await lastOf(pk));
      // First, so that no chain begins whose heads are not signed.
      if (head === null) await table.put({ pk: REGISTER, sk: workspace }, { when: [IS_NEW] });
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
      // A record holds the fields of its kind only: the verifier refuses any other.
      const known = AuditEntry.parse(entry);
      // Records of one instance are appended one after the other, because they would only race each other.
      const work = () => append(workspace, chain, known);
      const turn = (turns.get(pk) ?? Promise.resolve()).then(work, work);
      turns.set(pk, turn);
      return turn;
    },
  };
}
