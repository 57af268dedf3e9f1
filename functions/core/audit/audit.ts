/** Ports of the audit trail. Nothing here changes or removes a record, and IAM gives nobody the right to. */
import type { AuditEntry, AuditRecord } from '#contract/audit.ts';
import type { Instant, SessionId, WorkspaceId } from '#contract/ids.ts';

export interface Audit {
  /**
   * Appends to the workspace's chain that `about` chooses (a session's records share one). Resolves when the record is
   * durable. Throws `Fault` `audit_unavailable`: then what was to be recorded must not be done.
   */
  record(workspace: WorkspaceId, about: string, entry: AuditEntry): Promise<void>;
}

export interface AuditQuery {
  readonly workspace: WorkspaceId;
  readonly from: Instant | null;
  readonly to: Instant | null;
  readonly session: SessionId | null;
  readonly user: string | null;
  readonly kind: AuditEntry['kind'] | null;
  /** Opaque; null begins at the oldest. */
  readonly after: string | null;
  readonly limit: number;
}

export interface AuditTrail {
  /** Oldest first. A page may be short before the end. */
  export(query: AuditQuery): Promise<{ readonly records: readonly AuditRecord[]; readonly next: string | null }>;
}
