/** Ports that identify a browser's user: the customer's identity provider, and the seals on what a browser carries. */
import type { Granted } from '#core/ports/authorization-server.ts';
import type { ConnectionAttempt } from '#core/ports/connection-records.ts';

/** The issuer of tokens, and how they are refreshed there. */
export interface Issued extends Pick<ConnectionAttempt, 'issuer' | 'tokenEndpoint' | 'scopes' | 'client'> {
  /** Null for an identity provider: its tokens are for the client itself. */
  readonly resource: string | null;
}

/** The part of a login that is kept, so that the user's organisation can be asked about them later. */
export interface Identity {
  readonly issued: Issued;
  /** Its access token is the ID token. */
  readonly granted: Granted;
  readonly clientSecret: string | null;
}

export interface LoggedIn {
  /** The value of the claim that equals a vault's `external_user_id`. */
  readonly user: string;
  /** Null for a login that only identifies the user. */
  readonly identity: Identity | null;
}

export interface IdentityProvider {
  /**
   * The URL at which a browser logs in. `another`: the provider asks also a user who is logged in already. `keeps`: the
   * identity can be kept and refreshed. Throws `Fault` `login_unavailable`.
   */
  loginUrl(login: {
    readonly redirectUrl: string;
    readonly state: string;
    readonly nonce: string;
    readonly verifier: string;
    readonly another: boolean;
    readonly keeps: boolean;
  }): Promise<string>;
  /**
   * The user that the provider's verified answer names; null when the answer cannot be verified or declines. Throws `Fault`
   * `login_unavailable`.
   */
  loggedIn(answer: {
    /** The redirect URL as the browser came back to it, parameters included. */
    readonly url: string;
    readonly state: string;
    readonly nonce: string;
    readonly verifier: string;
    readonly keeps: boolean;
  }): Promise<LoggedIn | null>;
}

/** Keyed hashes with a secret of the deployment: only this service can make them, and it recognises its own. */
export interface Seals {
  /** Base64url, 43 characters. A text sealed for one purpose is not sealed for another. */
  seal(purpose: SealPurpose, text: string): Promise<string>;
  /** Compares in constant time. */
  isSeal(purpose: SealPurpose, text: string, seal: string): Promise<boolean>;
}

export type SealPurpose = 'cookie' | 'form' | 'state' | 'verifier' | 'plan';
