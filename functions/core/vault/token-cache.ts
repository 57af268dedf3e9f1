/**
 * Tokens that this instance has just read. They are kept by the version of the row, which the caller has just read too:
 * what was rotated, replaced or archived since is not found here.
 */
import type { Instant } from '#contract/ids.ts';
import { createExpiring } from '#core/ports/expiring.ts';
import type { Bearer } from '#core/ports/tokens.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';

interface TokenCache {
  find(stored: StoredCredential): Bearer | null;
  keep(stored: StoredCredential, bearer: Bearer, expiresAt: Instant | null): void;
}

const MOST_MS = 300_000;
/** Before its end a token is no longer begun with. */
export const SPARE_MS = 60_000;
/** Some hundred bytes each: an instance serves few users at a time. */
const MOST_ENTRIES = 1000;

export function createTokenCache(nowMs: () => number): TokenCache {
  const entries = createExpiring<Bearer>(nowMs, MOST_ENTRIES);
  const nameOf = ({ workspace, credential }: StoredCredential, version: number) =>
    `${workspace}/${credential.id}/${version}`;

  return {
    find: (stored) => entries.find(nameOf(stored, stored.version)) ?? null,
    keep(stored, bearer, expiresAt) {
      entries.drop(nameOf(stored, stored.version));
      entries.keep(nameOf(stored, bearer.version), bearer, usableUntilMs(nowMs(), expiresAt));
    },
  };
}

/** Of a token that ends at `expiresAt`, had at `nowMs`: whoever takes a right away sees it gone by then. Epoch milliseconds. */
export function usableUntilMs(nowMs: number, expiresAt: Instant | null): number {
  const endsMs = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - SPARE_MS;
  return Math.min(nowMs + MOST_MS, endsMs);
}
