/** Port of the engine that keeps access tokens fresh (docs/design.md#token-refresh). */
import type { Match } from '#core/ports/vault-records.ts';

/** A token to use once, now. Its lifetime is the call's. */
export interface Bearer {
  readonly status: 'bearer';
  readonly token: string;
  /** Version of the row that it was read from; `renew` is told it after a refusal. */
  readonly version: number;
  /** Every secret value that this call could leak: each is removed from the answer. */
  readonly inUse: readonly string[];
}

export interface NoBearer {
  /**
   * `needs_reauth`: the user has to consent, or to sign in. `other_user`: the same, because another user has signed in.
   * `access_denied`: the user's organisation says no, and no consent changes that. `unavailable`: later, after
   * `retryAfterMs`.
   */
  readonly status: 'needs_reauth' | 'other_user' | 'access_denied' | 'unavailable';
  readonly retryAfterMs: number | null;
  /** For logs: names endpoint host and error code, never a token or an answer's text. */
  readonly detail: string;
}

export interface Tokens {
  /** A token that is good for this call, refreshed before if it is about to expire. Only throws `Fault`s. */
  bearer(match: Match, signal: AbortSignal): Promise<Bearer | NoBearer>;
  /** The server refused the token of `bearer`: it is read again, and refreshed once unless another instance has. */
  renew(match: Match, refused: Bearer, signal: AbortSignal): Promise<Bearer | NoBearer>;
}
