/**
 * Ports of what is remembered of a consent. Every change of a record is conditional on what it must still be, and its
 * loser is told by a value, so that a repeat, a second tab and a sweep may all try the same step.
 */
import * as z from 'zod';
import type { ConnectError } from '#contract/connect.ts';
import { AgentId, ConnectId, CredentialId, Instant, VaultId, WorkspaceId, type SessionId } from '#contract/ids.ts';
import type { WaitingCall } from '#core/ports/connect-links.ts';
import type { Saved } from '#core/ports/records.ts';

/** What stays as it was offered. */
export const ConnectFacts = z.object({
  id: ConnectId,
  workspace: WorkspaceId,
  vault: VaultId,
  /** The only person who may open it. */
  user: z.string(),
  server: z.object({
    /** Canonical. */
    url: z.string(),
    /** As an agent names it; null when no agent asked. */
    name: z.string().nullable(),
    /** Where its challenge said that discovery begins. */
    resourceMetadata: z.string().nullable(),
  }),
  agent: z.object({ id: AgentId, name: z.string(), version: z.int() }).nullable(),
  /** Asked for by the challenge or the caller; empty leaves it to the server's metadata. */
  scopes: z.array(z.string()),
  returnUrl: z.string().nullable(),
  createdAt: Instant,
  expiresAt: Instant,
});
export type ConnectFacts = z.infer<typeof ConnectFacts>;

/** One trip to the authorization server, begun by an approval: what its answer is judged by. Nothing in it is secret. */
export const Flow = z.object({
  nonce: z.string(),
  /** No answer is taken from this instant on. */
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
    /** Where its secret is; null for one without. */
    secret: z.string().nullable(),
  }),
});
export type Flow = z.infer<typeof Flow>;

/** Said before a credential is stored: its row at this version, or a later one, proves that it was. */
export const Storing = z.object({ credential: CredentialId, version: z.int(), since: Instant });
export type Storing = z.infer<typeof Storing>;

export interface ConnectRecord extends ConnectFacts {
  readonly status: 'pending' | 'completed' | 'failed';
  readonly endedAt: Instant | null;
  /** Of a pending one: why the last attempt led nowhere. */
  readonly error: ConnectError | null;
  readonly flow: Flow | null;
  readonly storing: Storing | null;
  /** Calls that have not been told yet. */
  readonly waiting: readonly WaitingCall[];
  /** A call, and not only a list, has waited for it, whether it has been told by now or not. */
  readonly isForCall: boolean;
  /** Nobody has to look at it again, unless it is pending. */
  readonly isSettled: boolean;
}

export type Joined =
  | { readonly status: 'joined'; readonly record: ConnectRecord }
  | { readonly status: 'none'; readonly latest: ConnectId | null };

export interface ConnectRecords {
  create(facts: ConnectFacts): Promise<void>;
  /**
   * Adds the call to those that wait for the link of its session for this vault and server: if that is pending, asks
   * for all of these scopes and lasts beyond `until`.
   */
  join(
    facts: Pick<ConnectFacts, 'workspace' | 'vault' | 'server' | 'scopes'>,
    waiting: WaitingCall,
    until: Instant,
  ): Promise<Joined>;
  /** A new link that this call waits for, if the latest for its session, vault and server still is `latest`. */
  createWaiting(facts: ConnectFacts, waiting: WaitingCall, latest: ConnectId | null): Promise<Saved>;
  find(id: ConnectId): Promise<ConnectRecord | null>;
  /** The latest link for each vault and server of the session. */
  ofSession(workspace: WorkspaceId, session: SessionId): Promise<readonly ConnectRecord[]>;
  /** Of a pending one; an earlier flow is over, so that an answer to it is refused. */
  begin(id: ConnectId, flow: Flow): Promise<Saved>;
  /** The one time that a pending link may have its client registered anew; afterwards it is `conflict`. */
  registerAnew(id: ConnectId): Promise<Saved>;
  /** Ends the flow with this nonce, which only one caller can. */
  take(id: ConnectId, nonce: string): Promise<Saved>;
  /** Null takes it back. */
  storing(id: ConnectId, storing: Storing | null): Promise<Saved>;
  /** From pending. A repeat is `saved`. */
  complete(id: ConnectId, at: Instant): Promise<Saved>;
  /** From pending. Its calls have to be told. */
  fail(id: ConnectId, error: ConnectError, at: Instant): Promise<Saved>;
  /** It stays pending, and tells why it is. */
  trouble(id: ConnectId, error: ConnectError): Promise<Saved>;
  /** This call waits for it no more. A repeat changes nothing. */
  resumed(id: ConnectId, waiting: WaitingCall): Promise<void>;
  /** Nothing is left to do for a record that is over and that no call waits for. */
  settled(id: ConnectId): Promise<void>;
  /** Those that failed, or whose credential was about to be stored, before this instant, and that are not settled. */
  unsettled(before: Instant): AsyncIterable<ConnectId>;
}

/** Clients of ours that authorization servers have registered on our request, one per workspace and issuer. */
export interface ConnectClients {
  find(workspace: WorkspaceId, issuer: string): Promise<Flow['client'] | null>;
  /** The first one stays, and is answered to everybody. `secret` is stored where only this function can read it. */
  save(
    workspace: WorkspaceId,
    issuer: string,
    client: { readonly id: string; readonly auth: Flow['client']['auth']; readonly secret: string | null },
  ): Promise<Flow['client']>;
  /** The value of a client's secret. Throws `Fault` `secret_unavailable`. */
  secretOf(client: Flow['client']): Promise<string | null>;
  /** An authorization server does not know it any more: the next consent registers anew. */
  forget(workspace: WorkspaceId, issuer: string, clientId: string): Promise<void>;
}
