/** Ports of who is at the browser: the customer's identity provider, and the seals on what browsers carry for us. */

export interface IdentityProvider {
  /** Where a browser logs in. `another`: also if somebody is logged in already. Throws `Fault` `login_unavailable`. */
  loginUrl(login: {
    readonly redirectUrl: string;
    readonly state: string;
    readonly nonce: string;
    readonly verifier: string;
    readonly another: boolean;
  }): Promise<string>;
  /**
   * The user of the provider's answer, once it is verified; null when the answer is not to be believed or says no.
   * Throws `Fault` `login_unavailable`.
   */
  userOf(answer: {
    /** The redirect URL as the browser came back to it, parameters included. */
    readonly url: string;
    readonly state: string;
    readonly nonce: string;
    readonly verifier: string;
  }): Promise<string | null>;
}

/** Keyed hashes with a secret of the deployment: what we said is known again, and what nobody else can derive. */
export interface Seals {
  /** Base64url, 43 characters. A text sealed for one purpose is not sealed for another. */
  seal(purpose: SealPurpose, text: string): Promise<string>;
  /** In constant time. */
  isSeal(purpose: SealPurpose, text: string, seal: string): Promise<boolean>;
}

export type SealPurpose = 'cookie' | 'form' | 'state' | 'verifier' | 'plan';
