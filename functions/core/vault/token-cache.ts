/**
 * Tokens that this instance has just read. They are kept by the version of the row, which the caller has just read too:
 * what was rotated, replaced or archived since is not found here.
 */
import type { Instant } from '#contract/ids.ts';
import type { Bearer } from '#core/vault/tokens.ts';
import type { StoredCredential } from '#core/vault/vault-records.ts';

export interface TokenCache {
  find(stored: StoredCredential): Bearer | null;
  keep(stored: StoredCredential, bearer: Bearer, expiresAt: Instant | null): void;
}

const MOST_MS = 300_000;
const SPARE_MS = 60_000;
/** Some hundred bytes each: an instance serves few users at a time. */
const MOST_ENTRIES = 1000;

export function createTokenCache(nowMs: () => number): TokenCache {
  const entries = new Map<string, { readonly bearer: Bearer; readonly untilMs: number }>();
  const nameOf = ({ workspace, credential }: StoredCredential, version: number) =>
    `${workspace}/${credential.id}/${version}`;

  return {
    find(stored) {
      const name = nameOf(stored, stored.version);
      const entry = entries.get(name);
      if (entry === undefined || nowMs() < entry.untilMs) return entry?.bearer ?? null;
      entries.delete(name);
      return null;
    },
    keep(stored, bearer, expiresAt) {
      const endsMs = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - SPARE_MS;
      entries.delete(nameOf(stored, stored.version));
      entries.set(nameOf(stored, bearer.version), { bearer, untilMs: Math.min(nowMs() + MOST_MS, endsMs) });
      const oldest = entries.size > MOST_ENTRIES ? entries.keys().next().value : undefined;
      if (oldest !== undefined) entries.delete(oldest);
    },
  };
}
