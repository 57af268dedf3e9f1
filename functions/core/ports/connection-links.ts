/**
 * Port of links for calls that need a person's consent first. Only the vault's own user can open such a link, and when
 * they have consented, the credential is in the vault.
 */
import type { AgentId, ConnectId, EventId, Position, SessionId, ThreadId, WorkspaceId } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';

/** What goes on after the user has consented: a call, or, when `call` is null, the session's list of tools. */
export interface WaitingCall {
  readonly session: SessionId;
  readonly thread: ThreadId;
  readonly call: EventId | null;
  /** The wait that is meant: the call's `sincePosition` while its hand had it. Null for a list. */
  readonly sincePosition: Position | null;
}

/** The agent that wants to act for the user; the consent page names it. */
interface ConnectingAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly version: number;
}

export interface ConnectionOffer {
  readonly workspace: WorkspaceId;
  /** Only the user in its `external_user_id` can use the link; the credential goes into this vault. */
  readonly vault: Vault;
  /** Canonical (`core/vault/server-url.ts`). */
  readonly serverUrl: string;
  /** The server's name in the agent; null for the identity provider. */
  readonly serverName: string | null;
  readonly agent: ConnectingAgent;
  /** The scopes of the server's challenge; empty lets the server's metadata decide. Granted ones are added later. */
  readonly scopes: readonly string[];
  readonly resume: WaitingCall;
  /** The URL in the server's challenge at which discovery begins. */
  readonly resourceMetadata: string | null;
}

interface ConnectionLink {
  readonly id: ConnectId;
  /** For people, never for the model. It is valid for 24 hours. */
  readonly url: string;
}

export interface ConnectionLinks {
  /**
   * A link for this server. Calls of one session that wait for the same server share one link, so that a person consents
   * once; a repeat for the same call returns the same link. Null when the service has no identity provider, or when the
   * vault names no user. Throws `Fault` `records_unavailable`.
   */
  offer(offer: ConnectionOffer): Promise<ConnectionLink | null>;
}
