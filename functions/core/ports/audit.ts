/** Ports of the audit trail. Nothing here changes or removes a record, and IAM gives no role the right to. */
import type { AuditEntry, AuditHeads, AuditRecord, SignedAuditHeads } from '#contract/audit.ts';
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

/** Reads back a chain, for an attempt that cannot know whether an earlier one recorded its outcome before it died. */
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

/** Records are exported as they are stored, also those that were tampered with: the verifier names them. */
export interface AuditTrail {
  /**
   * Records of all chains, oldest first, each chain in its own order. It may miss a write of the last moment, and a page
   * before the end may be short, even empty.
   */
  export(query: AuditExport): Promise<{ readonly records: readonly AuditRecord[]; readonly next: Place | null }>;
  /** The records of one chain after position `after`, in order and strongly consistent. */
  chain(
    workspace: WorkspaceId,
    chain: string,
    page: { readonly after: number; readonly limit: number },
  ): Promise<{ readonly records: readonly AuditRecord[]; readonly next: number | null }>;
}

/** For exports. The function behind it alone may sign, and writes no records. */
export interface AuditSigner {
  /** The heads of this moment, signed, and kept out of the reach of the table. Throws `Fault` `audit_unavailable`. */
  heads(workspace: WorkspaceId): Promise<SignedAuditHeads>;
}

/** The ends of chains, strongly consistent. */
export interface ChainEnds {
  /** The workspaces that have records; an administrator of the table could take one out. */
  workspaces(): AsyncGenerator<WorkspaceId>;
  /** Null when there is no record, or when what is there is no record of this chain and position. */
  last(workspace: WorkspaceId, chain: string): Promise<ChainEnd | null>;
  at(workspace: WorkspaceId, chain: string, position: number): Promise<ChainEnd | null>;
}

export interface ChainEnd {
  readonly position: number;
  readonly hash: string;
}

/** The deployment's key. */
export interface HeadsKey {
  sign(heads: AuditHeads): Promise<SignedAuditHeads>;
  isOurs(heads: SignedAuditHeads): Promise<boolean>;
}

/** The newest signed heads of each workspace, in a place that rights on the table do not reach. */
export interface KeptHeads {
  workspaces(): AsyncGenerator<WorkspaceId>;
  /** `version` names what is stored; null when there is nothing. Throws `Fault` `stored_data_invalid`. */
  find(workspace: WorkspaceId): Promise<{ readonly heads: SignedAuditHeads; readonly version: string } | null>;
  /** Replaces exactly that version, or nothing when it is null. `conflict`: another process was faster. */
  keep(heads: SignedAuditHeads, version: string | null): Promise<'kept' | 'conflict'>;
}
