/**
 * A token bucket as one number: the instant up to which its tokens are spent. Time alone refills it, so nothing has to
 * be written for that, and the number only grows: a bucket that was empty stays so until the instant that it names.
 */
const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;

/** How long leased tokens may be used. */
export const LEASE_SECONDS = 5;

export interface Bucket {
  /** Microseconds in which one token comes back. */
  readonly tokenUs: number;
  /** How far ahead of the clock tokens may be spent. */
  readonly burstUs: number;
  /** As many tokens as come back while a lease lasts: an instance that dies with a full lease wastes no more. */
  readonly maxLease: number;
}

/**
 * A lease is spent up to `LEASE_SECONDS` after it was taken, so the burst is that much shorter than a minute: in any
 * stretch of time of t minutes at most `perMinute` · (t + 1) + 1 requests are admitted, by however many instances.
 */
export function bucketOf(perMinute: number): Bucket {
  const tokenUs = Math.ceil(MINUTE_US / perMinute);
  return {
    tokenUs,
    burstUs: Math.ceil((MINUTE_US - LEASE_SECONDS * SECOND_US) / tokenUs) * tokenUs,
    maxLease: Math.max(1, Math.floor((LEASE_SECONDS * SECOND_US) / tokenUs)),
  };
}

type Taken =
  | { readonly status: 'taken'; readonly tokens: number; readonly spentUntilUs: number }
  | { readonly status: 'empty'; readonly untilUs: number };

/** Takes as many of the wanted tokens as there are. */
export function take(bucket: Bucket, spentUntilUs: number, ask: { nowUs: number; wanted: number }): Taken {
  const from = Math.max(spentUntilUs, ask.nowUs);
  const left = Math.floor((ask.nowUs + bucket.burstUs - from) / bucket.tokenUs);
  if (left < 1) return { status: 'empty', untilUs: from + bucket.tokenUs - bucket.burstUs };
  const tokens = Math.min(ask.wanted, left);
  return { status: 'taken', tokens, spentUntilUs: from + tokens * bucket.tokenUs };
}

/**
 * Token buckets shared by all instances, by name; one that is not known is full. `take` gives as many of the wanted
 * tokens as there are, at least one, to this caller alone; a repeat takes again. An answer that is lost loses tokens.
 */
export interface TokenBuckets {
  take(name: string, bucket: Bucket, wanted: number): Promise<Taken>;
}
