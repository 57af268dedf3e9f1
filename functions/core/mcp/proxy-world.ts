/** What the MCP proxy is made of. */
import type { Audit, AuditedCalls } from '#core/audit/audit.ts';
import type { Sha256 } from '#core/canonical-json.ts';
import type { ConnectLinks } from '#core/connect/connect-links.ts';
import type { Enterprise } from '#core/enterprise/enterprise.ts';
import type { ManagedTokens } from '#core/enterprise/managed-tokens.ts';
import type { CallMarks } from '#core/mcp/call-marks.ts';
import type { McpClient } from '#core/mcp/mcp-client.ts';
import type { ToolPins } from '#core/mcp/tool-pins.ts';
import type { Hooks } from '#core/policy/hooks.ts';
import type { Policies } from '#core/policy/policy.ts';
import type { Journal, Pause, SessionLog, Stamp, TokenBuckets } from '#core/ports.ts';
import type { SessionRecords } from '#core/records.ts';
import type { Bucket } from '#core/requests/token-bucket.ts';
import type { Tokens } from '#core/vault/tokens.ts';
import type { CredentialRecords } from '#core/vault/vault-records.ts';

export interface McpProxyWorld {
  readonly log: SessionLog;
  readonly sessions: Pick<SessionRecords, 'find'>;
  readonly credentials: Pick<CredentialRecords, 'match'>;
  readonly tokens: Tokens;
  readonly managedTokens: ManagedTokens;
  readonly enterprise: Enterprise | null;
  readonly client: McpClient;
  readonly pins: Pick<ToolPins, 'find' | 'pin' | 'drift' | 'settle'>;
  readonly policies: Policies;
  readonly hooks: Hooks;
  readonly audit: Audit;
  readonly auditedCalls: AuditedCalls;
  readonly marks: CallMarks;
  readonly links: ConnectLinks;
  readonly buckets: TokenBuckets;
  /** Calls of one user to one server; null for any number. */
  readonly callRate: Bucket | null;
  readonly sha256: Sha256;
  readonly stamp: Stamp;
  readonly pause: Pause;
  readonly journal: Journal;
}

/** When everything has to be over: the function stops a little later. */
export interface Until {
  /** Epoch milliseconds. */
  readonly deadline: number;
  /** Aborts then. */
  readonly signal: AbortSignal;
}
