/**
 * TLS that the proxy opens, and plain HTTP that it changes: only towards hosts for which the caller's grant has a
 * substitution or a repository.
 */
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { Granted } from '#contract/egress.ts';
import type { CredentialId, ResourceId } from '#contract/ids.ts';
import type { Exchange, Refusal } from './exchange.ts';

/** What one request may do; judged anew for each request, because a grant changes while a connection is open. */
export type Judged =
  | {
      readonly status: 'allowed';
      readonly granted: Granted;
      /** `repositories`: the caller reaches nothing of this host but the paths of its repositories. */
      readonly reaches: 'host' | 'repositories';
    }
  | { readonly status: 'refused'; readonly refusal: Refusal };

/** A tunnel that a program has asked for, to a host and port that the caller's grant allowed a moment ago. */
export interface Opening {
  /** In ASCII and lower case, without brackets and without a trailing dot. */
  readonly host: string;
  readonly port: number;
  /** Opens a TCP connection to a judged address of the host, and counts its bytes. Rejects with `Unreachable`. */
  connect(): Promise<Socket>;
  judge(): Promise<Judged>;
  readonly use: OpenedUse;
}

/** For the canonical line and the report. */
export interface OpenedUse {
  /** The secret of this credential or repository went out. */
  usedSecret(id: CredentialId | ResourceId): void;
  /** A request within the tunnel was refused. */
  refused(rule: string): void;
}

export interface OpenedTls {
  /** The certificate of the proxy's authority, in PEM, which `GET /ca.pem` answers. */
  readonly certificate: string;
  /**
   * Serves a tunnel whose `CONNECT` was answered with 200. Resolves when the client's side has closed. Every connection
   * that it opened is closed then.
   */
  openTunnel(client: Duplex, opening: Opening): Promise<void>;
  /** What changes one plain HTTP request to that host; null when nothing does. */
  exchangeOf(granted: Granted, to: Pick<Opening, 'host' | 'port' | 'use'>): Exchange | null;
}

/** `extraCa`: certificates in PEM that servers may have besides those of public authorities; null for none. */
export function openedTls(_options: { readonly extraCa: string | null }): OpenedTls {
  return {
    certificate: '',
    async openTunnel(client) {
      client.destroy();
    },
    exchangeOf: () => null,
  };
}
