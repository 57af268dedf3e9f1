/** Ports of the audit trail. Nothing here changes or removes a record, and IAM gives nobody the right to. */
import type { AuditEntry, AuditRecord } from '#contract/audit.ts';
import type { EventId, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { Place } from '#core/ports/records.ts';
import type { Range } from '#core/ports/records.ts';

export interface Audit {
  /**
   * Appends to the workspace's chain that `about` chooses (a session's records share one). Resolves when the record is
   * durable, and it is there once, also when an answer was lost on the way. Throws `Fault` `audit_unavailable`: then
   * what was to be recorded must not be done.
   */
  record(workspace: WorkspaceId, about: string, entry: AuditEntry): Promise<void>;
}

/** Looking back over a chain, for whoever cannot know whether an outcome was recorded before its writer died. */
export interface AuditedCalls {
  /**
   * The last record of a call of this session, strongly consistent; null when it is not among the latest thousand of its
   * chain. Throws `Fault` `records_unavailable`.
   */
  lastOf(workspace: WorkspaceId, session: SessionId, call: EventId): Promise<'intent' | 'outcome' | null>;
}

export interface AuditExport extends Range {
  readonly workspace: WorkspaceId;
  readonly session: SessionId | null;
  readonly user: string | null;
  readonly kind: AuditEntry['kind'] | null;
  /** Records strictly after this place; null begins at the oldest. */
  readonly beyond: Place | null;
  readonly limit: number;
}

/**
 * Evidence is told as it is stored: a record that somebody has changed is exported changed, for the verifier to name.
 */
export interface AuditTrail {
  /**
   * Oldest first, of all chains, each chain in its own order. It may trail a write by a moment, and a page may be short,
   * even empty, before the end.
   */
  export(query: AuditExport): Promise<{ readonly records: readonly AuditRecord[]; readonly next: Place | null }>;
  /** One whole chain, by position and strongly consistent: those after position `after`. */
  chain(
    workspace: WorkspaceId,
    chain: string,
    page: { readonly after: number; readonly limit: number },
  ): Promise<{ readonly records: readonly AuditRecord[]; readonly next: number | null }>;
}
