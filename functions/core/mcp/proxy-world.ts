/** The ports of the MCP proxy; each of its functions takes those that it needs. */
import type { Audit, AuditedCalls } from '#core/ports/audit.ts';
import type { Sha256 } from '#core/ports/canonical-json.ts';
import type { ConnectionLinks } from '#core/ports/connection-records.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';
import type { ManagedTokens } from '#core/vault/managed-tokens.ts';
import type { CallMarks } from '#core/ports/call-marks.ts';
import type { McpClient } from '#core/ports/mcp-client.ts';
import type { ToolPins } from '#core/ports/tool-pins.ts';
import type { Hooks, Policies } from '#core/ports/policy.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { Pause, Stamp } from '#core/ports/stamp.ts';
import type { SessionLog } from '#core/ports/session-log.ts';
import type { Bucket, TokenBuckets } from '#core/ports/token-bucket.ts';
import type { SessionRecords } from '#core/ports/records.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import type { CredentialRecords } from '#core/ports/vault-records.ts';

export interface McpProxyWorld {
  readonly log: SessionLog;
  readonly sessions: Pick<SessionRecords, 'find'>;
  readonly credentials: Pick<CredentialRecords, 'match'>;
  readonly tokens: Tokens;
  readonly managedTokens: ManagedTokens;
  readonly enterprise: Enterprise | null;
  readonly client: McpClient;
  readonly pins: Pick<ToolPins, 'find' | 'pin' | 'drift' | 'clearDrift'>;
  readonly policies: Policies;
  readonly hooks: Hooks;
  readonly audit: Audit;
  readonly auditedCalls: AuditedCalls;
  readonly marks: CallMarks;
  readonly links: ConnectionLinks;
  readonly buckets: TokenBuckets;
  /** The rate of one user's calls to one server; null for no limit. */
  readonly callRate: Bucket | null;
  readonly sha256: Sha256;
  readonly stamp: Stamp;
  readonly pause: Pause;
  readonly journal: Journal;
}

/** When the work has to be over: the function stops a little later. */
export interface Until {
  /** Epoch milliseconds. */
  readonly deadline: number;
  /** Aborts at the deadline. */
  readonly signal: AbortSignal;
}
