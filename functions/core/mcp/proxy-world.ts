/** The world of the MCP proxy; each of its functions takes the ports that it needs. */
import type { Ports } from '#core/ports/ports.ts';
import type { SessionRecords } from '#core/ports/records.ts';
import type { Bucket } from '#core/ports/token-bucket.ts';
import type { ToolPins } from '#core/ports/tool-pins.ts';
import type { CredentialRecords } from '#core/ports/vault-records.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';
import type { ManagedTokens } from '#core/vault/managed-tokens.ts';

type McpPorts = Pick<
  Ports,
  'mcpClient' | 'marks' | 'links' | 'policies' | 'hooks' | 'tokens' | 'audit' | 'auditedCalls'
>;
type SessionPorts = Pick<Ports, 'log' | 'buckets' | 'sha256' | 'stamp' | 'pause' | 'journal'>;

export interface McpProxyWorld extends McpPorts, SessionPorts {
  readonly sessions: Pick<SessionRecords, 'find'>;
  readonly credentials: Pick<CredentialRecords, 'match'>;
  readonly pins: Pick<ToolPins, 'find' | 'pin' | 'drift' | 'clearDrift'>;
  readonly managedTokens: ManagedTokens;
  readonly enterprise: Enterprise | null;
  /** The rate of one user's calls to one server; null for no limit. */
  readonly callRate: Bucket | null;
}

/** When the work has to be over: the function stops a little later. */
export interface Until {
  /** Epoch milliseconds. */
  readonly deadline: number;
  /** Aborts at the deadline. */
  readonly signal: AbortSignal;
}
