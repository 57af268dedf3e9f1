/** The world of the connect pages. Each rule of connecting takes the ports of it that it needs. */
import type { KnownClient } from '#contract/connect.ts';
import type { EventId } from '#contract/ids.ts';
import type { Audit } from '#core/ports/audit.ts';
import type { AuthorizationServers } from '#core/ports/authorization-server.ts';
import type { WaitingCall, ConnectionRecords, RegisteredClients } from '#core/ports/connection-records.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { IdentityProvider, Seals } from '#core/ports/login.ts';
import type { SecretWriter } from '#core/ports/secrets.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { CredentialRecords } from '#core/ports/vault-records.ts';
import type { Resumed } from '#core/session/send.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';

export interface ConnectWorld {
  readonly connections: ConnectionRecords;
  readonly credentials: CredentialRecords;
  readonly clients: RegisteredClients;
  readonly servers: AuthorizationServers;
  readonly identity: IdentityProvider;
  readonly secrets: SecretWriter;
  readonly seals: Seals;
  readonly audit: Audit;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly journal: Journal;
  readonly newToken: () => string;
  /** Lets the call be made again, if it still waits for its user. A repeat changes nothing. */
  readonly resume: (call: WaitingCall) => Promise<Resumed>;
  /** Ends the call with the reason, if it still waits for its user. A repeat changes nothing. */
  readonly decline: (call: WaitingCall & { readonly call: EventId }, reason: string) => Promise<Resumed>;
  readonly enterprise: Enterprise | null;
  readonly knownClients: readonly KnownClient[];
  readonly baseUrl: string;
  readonly appName: string;
}

/** What it takes to finish a connection, for the pages, the API and the sweep. */
export type SettleWorld = Pick<ConnectWorld, 'connections' | 'credentials' | 'resume' | 'decline' | 'stamp'>;
