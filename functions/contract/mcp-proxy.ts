/**
 * The requests of other functions to the MCP proxy. They never name a user, a server's URL or a credential: the proxy
 * reads these from the session's own record (`docs/security.md`, Users).
 */
import * as z from 'zod';
import { CredentialId, EventId, SessionId, ThreadId, VaultId, WorkspaceId } from './ids.ts';
import { ServerListing } from './mcp.ts';
import { HandCall } from './run.ts';

const log = { session: SessionId, thread: ThreadId };

/** A call that the model wants made, before it is in the log. */
export const WantedCall = z.object({
  id: EventId,
  /** Name of the server in the agent. */
  server: z.string(),
  tool: z.string(),
  input: z.record(z.string(), z.unknown()),
});
export type WantedCall = z.infer<typeof WantedCall>;

export const McpProxyRequest = z.discriminatedUnion('do', [
  /** The tools of the agent's servers. Answers `McpListings`. */
  z.strictObject({ do: z.literal('list'), ...log }),
  /** Whether calls may be made, before they are told. Answers `McpVerdicts`. */
  z.strictObject({ do: z.literal('judge'), ...log, calls: z.array(WantedCall).min(1) }),
  /** Makes one call of the log; its result goes to the log. Answers nothing. */
  z.strictObject({ do: z.literal('call'), ...log, call: HandCall }),
  /** Tries a credential. Answers `CredentialValidation`, or null when there is no such credential. */
  z.strictObject({
    do: z.literal('validate'),
    workspace: WorkspaceId,
    vault: VaultId,
    credential: CredentialId,
  }),
]);
export type McpProxyRequest = z.infer<typeof McpProxyRequest>;

export const McpListings = z.object({ servers: z.array(ServerListing) });
export type McpListings = z.infer<typeof McpListings>;

/** `ask` and `deny` overrule the agent's own permission policy; `allow` leaves it as it is. */
export const McpVerdict = z.object({
  id: EventId,
  decision: z.enum(['allow', 'ask', 'deny']),
  /** For the model, when the decision is `deny`. */
  reason: z.string(),
});
export type McpVerdict = z.infer<typeof McpVerdict>;

export const McpVerdicts = z.object({ verdicts: z.array(McpVerdict) });
export type McpVerdicts = z.infer<typeof McpVerdicts>;
