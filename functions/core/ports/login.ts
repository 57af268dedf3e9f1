/** Ports of who is at the browser: the customer's identity provider, and the seals on what browsers carry for us. */
import type { Granted } from '#core/ports/authorization-server.ts';
import type { Flow } from '#core/ports/connect-records.ts';

/** Who issued the tokens, and how they are refreshed there. */
export interface Issued extends Pick<Flow, 'issuer' | 'tokenEndpoint' | 'scopes' | 'client'> {
  /** Null for an identity provider, whose tokens are for their client. */
  readonly resource: string | null;
}

/** What is kept of a login so that the user's organisation can be asked about them later. */
export interface Identity {
  readonly issued: Issued;
  /** Its access token is the ID token. */
  readonly granted: Granted;
  readonly clientSecret: string | null;
}

export interface LoggedIn {
  /** The value of the claim that equals a vault's `external_user_id`. */
  readonly user: string;
  /** Null for a login that only says who somebody is. */
  readonly identity: Identity | null;
}

export interface IdentityProvider {
  /**
   * Where a browser logs in. `another`: also if somebody is logged in already. `keeps`: so that the identity can be kept
   * and refreshed. Throws `Fault` `login_unavailable`.
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
   * Who the provider's answer says it is, once it is verified; null when the answer is not to be believed or says no.
   * Throws `Fault` `login_unavailable`.
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

/** Keyed hashes with a secret of the deployment: what we said is known again, and what nobody else can derive. */
export interface Seals {
  /** Base64url, 43 characters. A text sealed for one purpose is not sealed for another. */
  seal(purpose: SealPurpose, text: string): Promise<string>;
  /** In constant time. */
  isSeal(purpose: SealPurpose, text: string, seal: string): Promise<boolean>;
}

export type SealPurpose = 'cookie' | 'form' | 'state' | 'verifier' | 'plan';
