/** What a credential's row says is to be done for a token, at one moment (docs/design.md#token-refresh). */
import type { Instant } from '#contract/ids.ts';
import type { McpOAuth } from '#contract/credentials.ts';
import type { NoBearer } from '#core/ports/tokens.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';

export type TokenStep =
  /** The token that is in force is good for this call. */
  | { readonly do: 'use' }
  | { readonly do: 'refresh' }
  /** Somebody else is refreshing, and there is nothing to use meanwhile. */
  | { readonly do: 'wait' }
  | { readonly do: 'stop'; readonly answer: NoBearer };

/** A token whose lifetime nobody told: it is renewed as if it had this one, and used for as long as it is taken. */
const UNKNOWN_LIFETIME_MS = 3_600_000;
const LEAST_MARGIN_MS = 60_000;
const MOST_MARGIN_MS = 300_000;
const MARGIN_SHARE = 0.2;

/** `refused` is the version whose token the server would not take; null for none. */
export function nextTokenStep(stored: StoredCredential, now: Instant, refused: number | null): TokenStep {
  const { auth, archived_at: archivedAt } = stored.credential;
  const isRefused = stored.version === refused;
  if (archivedAt !== null) return stop('the credential is archived');
  if (auth.type === 'environment_variable') return stop('the credential is for no server');
  // Also while an access token has time left: whoever took the consent back does not want it used.
  if (stored.state === 'needs_reauth') return stop('the consent was revoked');
  if (auth.type === 'static_bearer') return isRefused ? stop('the server refused a static token') : { do: 'use' };
  const isUsable = !isRefused && (auth.expires_at === null || now < auth.expires_at);
  if (auth.refresh === null || stored.secrets.refresh_token === undefined) {
    return isUsable ? { do: 'use' } : stop('the token is over and there is no refresh token');
  }
  if (isUsable && !isDue(auth, stored.credential.updated_at, now)) return { do: 'use' };
  if (isUsable && (isBusy(stored, now) || coolsFor(stored, now) > 0)) return { do: 'use' };
  if (isBusy(stored, now)) return { do: 'wait' };
  return coolsFor(stored, now) > 0 ? cooling(stored, now) : { do: 'refresh' };
}

/**
 * Whether so little of a token's life is left that it is renewed before it ends: a fifth of it, between one minute and
 * five, but never more than half, so that one of a minute is not renewed for each call. A row is written when its token
 * is; what changed it since makes the lifetime look shorter than it was, and the renewal come later.
 */
function isDue(auth: McpOAuth, writtenAt: Instant, now: Instant): boolean {
  const writtenMs = Date.parse(writtenAt);
  const endsMs = auth.expires_at === null ? writtenMs + UNKNOWN_LIFETIME_MS : Date.parse(auth.expires_at);
  const lifetimeMs = Math.max(0, endsMs - writtenMs);
  const share = Math.min(MOST_MARGIN_MS, lifetimeMs * MARGIN_SHARE);
  return Date.parse(now) >= endsMs - Math.min(Math.max(LEAST_MARGIN_MS, share), lifetimeMs / 2);
}

function isBusy({ lease }: StoredCredential, now: Instant): boolean {
  return lease !== null && lease.until > now;
}

function coolsFor({ cooldownUntil }: StoredCredential, now: Instant): number {
  return cooldownUntil === null ? 0 : Date.parse(cooldownUntil) - Date.parse(now);
}

function cooling(stored: StoredCredential, now: Instant): TokenStep {
  const detail = `the last ${stored.failures} refreshes failed, and the next one is not due yet`;
  return { do: 'stop', answer: { status: 'unavailable', retryAfterMs: coolsFor(stored, now), detail } };
}

function stop(detail: string): TokenStep {
  return { do: 'stop', answer: { status: 'needs_reauth', retryAfterMs: null, detail } };
}
