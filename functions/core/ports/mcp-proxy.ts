/** Ports of the MCP proxy, for those who ask it. */
import type { ServerListing } from '#contract/mcp.ts';
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import type { CredentialValidation } from '#contract/credential-validation.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';

/** What the harness asks. An attempt that is lost is repeated. Throws `Fault` `mcp_proxy_unavailable` when all are. */
export interface McpProxy {
  /** Of every server of the session's agent, in the agent's order. What a server does wrong is its listing. */
  list(key: LogKey): Promise<readonly ServerListing[]>;
  /**
   * One verdict per call, in order. Refusals are in the audit trail by then, and once more, under the same call, for
   * each repeat.
   */
  judge(key: LogKey, calls: readonly WantedCall[]): Promise<readonly McpVerdict[]>;
}

/** What the API asks. Null when there is no such credential. Throws `Fault` `mcp_proxy_unavailable`. */
export interface CredentialTrial {
  validate(place: CredentialPlace): Promise<CredentialValidation | null>;
}
