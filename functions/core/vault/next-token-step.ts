/** What a call does next for a token, decided by the credential's row and the time (docs/design.md#token-refresh). */
import type { Instant } from '#contract/ids.ts';
import type { McpOAuth } from '#contract/credentials.ts';
import type { NoBearer } from '#core/ports/tokens.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';

export type TokenStep =
  /** The token in force is good for this call. */
  | { readonly do: 'use' }
  | { readonly do: 'refresh' }
  /** Another instance is refreshing, and there is no token to use meanwhile. */
  | { readonly do: 'wait' }
  | { readonly do: 'stop'; readonly answer: NoBearer };

/** A token of unknown lifetime is renewed as if it had this one, and used until the server refuses it. */
const UNKNOWN_LIFETIME_MS = 3_600_000;
const LEAST_MARGIN_MS = 60_000;
const MOST_MARGIN_MS = 300_000;
const MARGIN_SHARE = 0.2;

/** `refused` is the version of the token that the server refused; null for none. */
export function nextTokenStep(stored: StoredCredential, now: Instant, refused: number | null): TokenStep {
  const { auth, archived_at: archivedAt } = stored.credential;
  const isRefused = stored.version === refused;
  if (archivedAt !== null) return stop('the credential is archived');
  if (auth.type === 'environment_variable') return stop('the credential is for no server');
  // Also while the access token has time left: the consent was taken back, so it must not be used.
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
 * Whether the token is renewed before it ends: when a fifth of its lifetime is left, at least one minute and at most
 * five, but never more than half, so that a token of one minute is not renewed for each call. The lifetime counts from the last
 * write of the row; a change after the token's makes it look shorter, and the renewal come later.
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
