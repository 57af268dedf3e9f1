/** Rows of the audit table: keys, the columns that an export filters by, and the record with its hash. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AuditRecord } from '#contract/audit.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Place } from '#core/ports/records.ts';
import { createTable, type Row, type Table } from '#aws/table.ts';

export function auditTable(dynamodb: DynamoDBClient, name: string): Table {
  return createTable(dynamodb, name, { unavailable: auditUnavailable });
}

/** The partition with a row for each workspace that has records. */
export const REGISTER = 'workspaces';

const POSITION_DIGITS = 12;

export function chainKey(workspace: WorkspaceId, chain: string): string {
  return `${workspace}#${chain}`;
}

/** Padded, so that positions sort as text. */
export function positionKey(position: number): string {
  return String(position).padStart(POSITION_DIGITS, '0');
}

/** `<at>#<chain>.<position>`: records of one instant keep their chain's order in an export by time. */
export function listKeysOf(workspace: WorkspaceId, { createdAt, id }: Place) {
  return { listPk: `${workspace}#audit`, listSk: `${createdAt}#${id}` };
}

function listedId(record: Pick<AuditRecord, 'chain' | 'position'>): string {
  return `${record.chain}.${positionKey(record.position)}`;
}

/** The keys of the last record of an export's page. */
export function listedKeys(workspace: WorkspaceId, place: Place) {
  const [chain = '', position = ''] = place.id.split('.');
  return { ...listKeysOf(workspace, place), pk: chainKey(workspace, chain), sk: position };
}

export function auditRow(record: AuditRecord) {
  const { workspace, entry } = record;
  return {
    pk: chainKey(workspace, record.chain),
    sk: positionKey(record.position),
    ...listKeysOf(workspace, { createdAt: record.at, id: listedId(record) }),
    id: record.id,
    kind: entry.kind,
    session: 'session' in entry ? (entry.session ?? null) : null,
    user: entry.user,
    body: JSON.stringify(record),
  };
}

/** The record is evidence and is not parsed further: the verifier decides whether it is the record that was written. */
export function auditRecord({ pk, sk, body }: Row): AuditRecord {
  try {
    return JSON.parse(String(body)) as AuditRecord;
  } catch (cause) {
    throw new Fault('stored_data_invalid', `the audit record ${pk} ${sk} is no JSON`, {
      cause: cause instanceof Error ? cause.name : 'unknown',
    });
  }
}

function auditUnavailable(cause: unknown): never {
  throw new Fault('audit_unavailable', 'the audit trail did not answer', { cause });
}
