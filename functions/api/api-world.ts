/** What the API needs from the outside. */
import type { Audit, AuditTrail } from '#core/ports/audit.ts';
import type { RequestConnectionWorld } from '#core/connect/request-connection.ts';
import type { CredentialTrial } from '#core/ports/mcp-proxy.ts';
import type { GovernanceWorld } from '#core/policy/governance.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { Releasing } from '#core/ports/sandboxes.ts';
import type { AgentRecords, ApiKeys, EnvironmentRecords, SessionRecords } from '#core/ports/records.ts';
import type { LogReader, LogRemover } from '#core/ports/session-log.ts';
import type { RateLimiter } from '#core/requests/rate-limiter.ts';
import type { RunPorts } from '#core/session/repair.ts';
import type { VaultWorld } from '#core/vault/vault-world.ts';

export interface ApiWorld extends RunPorts, VaultWorld {
  readonly agents: AgentRecords;
  readonly environments: EnvironmentRecords;
  readonly sessions: SessionRecords;
  readonly trial: CredentialTrial;
  readonly apiKeys: ApiKeys;
  readonly limiter: RateLimiter;
  readonly reader: LogReader;
  readonly remover: LogRemover;
  readonly releasing: Releasing;
  readonly audit: Audit;
  readonly auditTrail: AuditTrail;
  readonly connecting: RequestConnectionWorld;
  readonly governing: GovernanceWorld;
  /** The random part of a new id. */
  readonly newToken: () => string;
  readonly journal: Journal;
}
