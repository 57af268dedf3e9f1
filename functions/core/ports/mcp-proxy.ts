/** Ports through which other functions ask the MCP proxy. */
import type { ServerListing } from '#contract/mcp.ts';
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import type { CredentialValidation } from '#contract/credential-validation.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';

/** The harness asks these. A lost attempt is repeated. Throws `Fault` `mcp_proxy_unavailable` when all attempts are lost. */
export interface McpProxy {
  /** One listing per server of the session's agent, in the agent's order. A server's failure is its listing. */
  list(key: LogKey): Promise<readonly ServerListing[]>;
  /**
   * One verdict per call, in order. Each denial is in the audit trail before its verdict is returned; a repeat records it
   * again under the same call.
   */
  judge(key: LogKey, calls: readonly WantedCall[]): Promise<readonly McpVerdict[]>;
}

/** The API asks this. Null when there is no such credential. Throws `Fault` `mcp_proxy_unavailable`. */
export interface CredentialTrial {
  validate(place: CredentialPlace): Promise<CredentialValidation | null>;
}
