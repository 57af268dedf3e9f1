/** The world of the connect pages. Each rule of connecting takes the ports that it needs. */
import type { KnownClient } from '#contract/connect.ts';
import type { EventId } from '#contract/ids.ts';
import type { WaitingCall } from '#core/ports/connection-records.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Resumed } from '#core/session/send.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';

type ConnectPorts = Pick<
  Ports,
  | 'connections'
  | 'credentials'
  | 'clients'
  | 'servers'
  | 'identity'
  | 'secrets'
  | 'seals'
  | 'audit'
  | 'journal'
  | 'newToken'
  | 'sha256'
>;

export interface ConnectWorld extends ConnectPorts {
  readonly stamp: Pick<Ports['stamp'], 'now'>;
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
export type SettlePorts = Pick<ConnectWorld, 'connections' | 'credentials' | 'resume' | 'decline' | 'stamp'>;
