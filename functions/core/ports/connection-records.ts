/**
 * Ports of connecting a user: records and links. Every change of a record is conditional on the state it must still have,
 * and a value tells the loser, so that a repeat, a second tab and a sweep may all try the same step.
 */
import * as z from 'zod';
import type { ConnectError } from '#contract/connect.ts';
import {
  AgentId,
  ConnectId,
  CredentialId,
  Instant,
  VaultId,
  WorkspaceId,
  type EventId,
  type Position,
  type SessionId,
  type ThreadId,
} from '#contract/ids.ts';
import type { Saved } from '#core/ports/records.ts';
import type { Vault } from '#contract/vaults.ts';

/** The part of a record that never changes. */
export const ConnectionFacts = z.object({
  id: ConnectId,
  workspace: WorkspaceId,
  vault: VaultId,
  /** The only person who may open the link. */
  user: z.string(),
  server: z.object({
    /** Canonical. */
    url: z.string(),
    /** The server's name in the agent; null for the identity provider, or when no agent asked. */
    name: z.string().nullable(),
    /** The URL in its challenge at which discovery begins. */
    resourceMetadata: z.string().nullable(),
  }),
  /** The agent that wants to act for the user; the consent page names it. */
  agent: z.object({ id: AgentId, name: z.string(), version: z.int() }).nullable(),
  /** The challenge or the API's client asked for them; empty leaves the choice to the server's metadata. */
  scopes: z.array(z.string()),
  returnUrl: z.string().nullable(),
  createdAt: Instant,
  expiresAt: Instant,
});
export type ConnectionFacts = z.infer<typeof ConnectionFacts>;

/** One visit to the authorization server after an approval, and all that its answer is checked against. Nothing is secret. */
export const ConnectionAttempt = z.object({
  nonce: z.string(),
  /** From this instant on no answer is accepted. */
  until: Instant,
  issuer: z.string(),
  /** Whether the server says that its answers name it (RFC 9207). */
  namesItself: z.boolean(),
  tokenEndpoint: z.string(),
  resource: z.string(),
  scopes: z.array(z.string()),
  client: z.object({
    id: z.string(),
    auth: z.enum(['none', 'client_secret_basic', 'client_secret_post']),
    /** The name of the client's secret; null for a client without one. */
    secret: z.string().nullable(),
  }),
});
export type ConnectionAttempt = z.infer<typeof ConnectionAttempt>;

/** Written before a credential is stored: the credential's row at this or a later version proves that it was. */
export const Storing = z.object({ credential: CredentialId, version: z.int(), since: Instant });
export type Storing = z.infer<typeof Storing>;

export interface Connection extends ConnectionFacts {
  readonly status: 'pending' | 'completed' | 'failed';
  readonly endedAt: Instant | null;
  /** Why the last attempt of a pending record failed. */
  readonly error: ConnectError | null;
  readonly attempt: ConnectionAttempt | null;
  readonly storing: Storing | null;
  /** Calls that have not been told of the outcome. */
  readonly waiting: readonly WaitingCall[];
  /** Whether a call, and not only a list of tools, has waited for it. It stays true after the call is told. */
  readonly isForCall: boolean;
  /** Whether nothing is left to do, unless the record is pending. */
  readonly isSettled: boolean;
}

type Joined =
  | { readonly status: 'joined'; readonly record: Connection }
  | { readonly status: 'none'; readonly latest: ConnectId | null };

export interface ConnectionRecords {
  create(facts: ConnectionFacts): Promise<void>;
  /**
   * Lets the call wait for the session's latest link for this vault and server, if that link is pending, asks for all of
   * these scopes and lasts beyond `until`.
   */
  join(
    facts: Pick<ConnectionFacts, 'workspace' | 'vault' | 'server' | 'scopes'>,
    waiting: WaitingCall,
    until: Instant,
  ): Promise<Joined>;
  /** Makes a link that this call waits for, if the latest link for its session, vault and server is still `latest`. */
  createWaiting(facts: ConnectionFacts, waiting: WaitingCall, latest: ConnectId | null): Promise<Saved>;
  find(id: ConnectId): Promise<Connection | null>;
  /** The latest link for each vault and server of the session. */
  ofSession(workspace: WorkspaceId, session: SessionId): Promise<readonly Connection[]>;
  /** Begins an attempt of a pending record. It replaces an earlier attempt, so that an answer to that one is refused. */
  begin(id: ConnectId, attempt: ConnectionAttempt): Promise<Saved>;
  /** A pending link may have its client registered anew once; after that it is `conflict`. */
  registerAnew(id: ConnectId): Promise<Saved>;
  /** Ends the attempt with this nonce. Only one caller gets `saved`. */
  take(id: ConnectId, nonce: string): Promise<Saved>;
  /** Null removes it. */
  storing(id: ConnectId, storing: Storing | null): Promise<Saved>;
  /** Completes a pending record. A repeat is `saved`. */
  complete(id: ConnectId, at: Instant): Promise<Saved>;
  /** Fails a pending record. Its calls have to be told. */
  fail(id: ConnectId, error: ConnectError, at: Instant): Promise<Saved>;
  /** Stores the error of the last attempt; the record stays pending. */
  trouble(id: ConnectId, error: ConnectError): Promise<Saved>;
  /** Removes a call that was told. A repeat changes nothing. */
  resumed(id: ConnectId, waiting: WaitingCall): Promise<void>;
  /** Nothing is left to do for a record that is over and that no call waits for. */
  settled(id: ConnectId): Promise<void>;
  /** Records that are not settled, and that before this instant failed or began to store a credential. */
  unsettled(before: Instant): AsyncIterable<ConnectId>;
}

/** The clients that authorization servers have registered for this service, one per workspace and issuer. */
export interface RegisteredClients {
  find(workspace: WorkspaceId, issuer: string): Promise<ConnectionAttempt['client'] | null>;
  /** The first client stays, and every caller gets it. Only this function can read the stored `secret`. */
  save(
    workspace: WorkspaceId,
    issuer: string,
    client: { readonly id: string; readonly auth: ConnectionAttempt['client']['auth']; readonly secret: string | null },
  ): Promise<ConnectionAttempt['client']>;
  /** The value of a client's secret. Throws `Fault` `secret_unavailable`. */
  secretOf(client: ConnectionAttempt['client']): Promise<string | null>;
  /** Forgets a client that its authorization server does not know: the next attempt registers a new one. */
  forget(workspace: WorkspaceId, issuer: string, clientId: string): Promise<void>;
}

/** A call that goes on after the user has approved; when `call` is null, the session's list of tools. */
export interface WaitingCall {
  readonly session: SessionId;
  readonly thread: ThreadId;
  readonly call: EventId | null;
  /** The wait that is meant: the call's `sincePosition` while its hand had it. Null for a list. */
  readonly sincePosition: Position | null;
}

export interface ConnectionOffer extends Pick<ConnectionFacts, 'workspace' | 'server' | 'agent' | 'scopes'> {
  /** Only the user in its `external_user_id` can use the link; the credential goes into this vault. */
  readonly vault: Vault;
  readonly resume: WaitingCall;
}

interface ConnectionLink {
  readonly id: ConnectId;
  /** For people, never for the model. It is valid for 24 hours. */
  readonly url: string;
}

/**
 * Links for calls whose user must connect a server first. Only the vault's own user can open such a link, and when they have
 * approved, the credential is in the vault.
 */
export interface ConnectionLinks {
  /**
   * A link for this server. Calls of one session that wait for the same server share one link, so that a person approves
   * once; a repeat for the same call returns the same link. Null when the service has no identity provider, or when the
   * vault names no user. Throws `Fault` `records_unavailable`.
   */
  offer(offer: ConnectionOffer): Promise<ConnectionLink | null>;
}
