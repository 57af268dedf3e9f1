/**
 * Port for whoever finds that a call needs a person's consent first: a link that only the vault's own user can open, and
 * at whose end the credential is in the vault.
 */
import type { AgentId, ConnectId, EventId, SessionId, ThreadId, WorkspaceId } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';

/** What goes on by itself once the user has consented: a call, or, with null, the list of what the session may call. */
export interface WaitingCall {
  readonly session: SessionId;
  readonly thread: ThreadId;
  readonly call: EventId | null;
  /** Which of its waits is meant: the call's `since` while its hand had it. Null of a list. */
  readonly since: number | null;
}

/** Who wants to act for the user: the consent page names it. */
export interface ConnectingAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly version: number;
}

export interface ConnectOffer {
  readonly workspace: WorkspaceId;
  /** Its `external_user_id` is the only person who can use the link; the credential goes into it. */
  readonly vault: Vault;
  /** Canonical (`core/vault/server-url.ts`). */
  readonly serverUrl: string;
  /** As the agent names it; null for the identity provider. */
  readonly serverName: string | null;
  readonly agent: ConnectingAgent;
  /** What the server asked for in its challenge; empty lets the server's metadata decide. Granted ones are added later. */
  readonly scopes: readonly string[];
  readonly resume: WaitingCall;
  /** From the server's challenge: where discovery begins. */
  readonly resourceMetadata: string | null;
}

export interface ConnectLink {
  readonly id: ConnectId;
  /** For people, never for the model. Good for 24 hours. */
  readonly url: string;
}

export interface ConnectLinks {
  /**
   * A link for this server. What waits in one session for the same server shares one, so that a person consents once; a
   * repeat for the same call answers the same link. Null when the service has no identity provider to ask who
   * somebody is, or the vault names no user. Throws `Fault` `records_unavailable`.
   */
  offer(offer: ConnectOffer): Promise<ConnectLink | null>;
}
