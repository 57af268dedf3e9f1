/** Items of the audit table: keys, the columns that an export filters by, and the record as it was sealed. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { AuditRecord } from '#contract/audit.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Place } from '#core/ports/records.ts';

export type AuditItem = Record<string, AttributeValue>;

const POSITION_DIGITS = 12;

export function chainKey(workspace: WorkspaceId, chain: string): string {
  return `${workspace}#${chain}`;
}

/** Padded, so that positions sort as text. */
export function positionKey(position: number): string {
  return String(position).padStart(POSITION_DIGITS, '0');
}

/** `<at>#<chain>.<position>`: records of one instant keep their chain's order in an export by time. */
export function listKeysOf(workspace: WorkspaceId, { createdAt, id }: Place): AuditItem {
  return { listPk: { S: `${workspace}#audit` }, listSk: { S: `${createdAt}#${id}` } };
}

function listedId(record: Pick<AuditRecord, 'chain' | 'position'>): string {
  return `${record.chain}.${positionKey(record.position)}`;
}

/** The keys of the record that an export has come to. */
export function listedKeys(workspace: WorkspaceId, place: Place): AuditItem {
  const [chain = '', position = ''] = place.id.split('.');
  return { ...listKeysOf(workspace, place), pk: { S: chainKey(workspace, chain) }, sk: { S: position } };
}

export function toAuditItem(record: AuditRecord): AuditItem {
  const { workspace, entry } = record;
  const session = 'session' in entry ? { session: { S: entry.session } } : {};
  const user = entry.user === null ? {} : { user: { S: entry.user } };
  return {
    pk: { S: chainKey(workspace, record.chain) },
    sk: { S: positionKey(record.position) },
    ...listKeysOf(workspace, { createdAt: record.at, id: listedId(record) }),
    id: { S: record.id },
    kind: { S: entry.kind },
    ...session,
    ...user,
    body: { S: JSON.stringify(record) },
  };
}

/** Not parsed further: it is evidence, and whether it still is what was written is for the verifier to say. */
export function recordOf(item: AuditItem): AuditRecord {
  try {
    return JSON.parse(item['body']?.S ?? '') as AuditRecord;
  } catch (cause) {
    throw new Fault('stored_data_invalid', `the audit record ${item['pk']?.S} ${item['sk']?.S} is no JSON`, {
      cause: cause instanceof Error ? cause.name : 'unknown',
    });
  }
}

export function auditUnavailable(cause: unknown): never {
  throw new Fault('audit_unavailable', 'the audit trail did not answer', { cause });
}
