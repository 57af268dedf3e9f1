/**
 * Which requests are admitted: those of a known API key, at the rates that the deployment sets. An instance leases
 * tokens from the key's shared bucket and serves requests from its lease, so in steady traffic no request waits for the
 * bucket: the request that uses the last token, or comes shortly before the lease ends, takes the next lease beside its
 * own work. Only an instance's first request waits for one call, and the first after five seconds without any. A lease
 * costs one write unit and is as large as four seconds needed; a refused request costs none, because an empty bucket
 * says until when it is empty. Without a limit no bucket is asked.
 */
import type { ApiKeyId } from '#contract/ids.ts';
import { type TokenBuckets, bucketOf, LEASE_SECONDS, type Bucket } from '#core/ports/token-bucket.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { ApiKey } from '#contract/api-keys.ts';
import type { ApiKeys } from '#core/ports/records.ts';

/** Requests per minute of one API key; null for no limit. Every request that is not a GET counts as a create. */
export interface RateLimits {
  readonly creates: number | null;
  readonly reads: number | null;
}

interface Admission {
  readonly status: 'admitted';
  /** The caller awaits it before the response, because Lambda may freeze the instance after that. Never rejects. */
  readonly renewal: Promise<void>;
}

export interface RateLimiter {
  admit(apiKey: ApiKeyId, method: string): Promise<Admission | RequestRefusal>;
}

interface Limiting {
  readonly limits: RateLimits;
  readonly buckets: TokenBuckets;
  readonly nowMs: () => number;
  /** The most tokens of one lease: 1 for an instance that serves one request for longer than a lease lasts. */
  readonly maxLease: number;
}

/** What an instance knows of a bucket. */
interface Lease {
  readonly tokens: number;
  readonly takenMs: number;
  left: number;
}

/** Holds one spare token, so that a second request need not wait. Later leases are larger when they are used up. */
const FIRST_LEASE = 2;
const GROWTH = 2;
const LEASE_MS = LEASE_SECONDS * 1000;
/** Early enough that requests that come once a second take the next lease before this one ends. */
const RENEW_MS = LEASE_MS - 1000;

const ADMITTED: Admission = { status: 'admitted', renewal: Promise.resolve() };

export function createRateLimiter({ limits, buckets, nowMs, maxLease }: Limiting): RateLimiter {
  const rates = { creates: bucketFor(limits.creates), reads: bucketFor(limits.reads) };
  const leases = new Map<string, Lease>();
  const emptyUntilMs = new Map<string, number>();

  async function lease(name: string, bucket: Bucket, wanted: number): Promise<Lease | null> {
    // The lease's time begins before the request for it: a slow answer must not make the lease longer.
    const takenMs = nowMs();
    const taken = await buckets.take(name, bucket, Math.min(wanted, bucket.maxLease, maxLease));
    if (taken.status === 'empty') {
      emptyUntilMs.set(name, taken.untilUs / 1000);
      return null;
    }
    // When two leases are taken at the same time, one is forgotten: its tokens are lost, and none is used twice.
    const made = { tokens: taken.tokens, takenMs, left: taken.tokens };
    leases.set(name, made);
    return made;
  }

  function spend(name: string, bucket: Bucket, from: Lease): Admission {
    from.left -= 1;
    const heldMs = nowMs() - from.takenMs;
    if (from.tokens === 1 || (from.left > 0 && heldMs < RENEW_MS)) return ADMITTED;
    const renewed = lease(name, bucket, nextLease(from.tokens - from.left, heldMs));
    return { status: 'admitted', renewal: renewed.then(noLease, noLease) };
  }

  return {
    async admit(apiKey, method) {
      const kind = method === 'GET' ? 'reads' : 'creates';
      const bucket = rates[kind];
      if (bucket === null) return ADMITTED;
      const name = `${apiKey}#${kind}`;
      const held = leases.get(name);
      if (held !== undefined && held.left > 0 && nowMs() - held.takenMs < LEASE_MS) return spend(name, bucket, held);
      const waitMs = () => (emptyUntilMs.get(name) ?? 0) - nowMs();
      const made = waitMs() > 0 ? null : await lease(name, bucket, FIRST_LEASE);
      return made === null ? refuseFor(kind, waitMs()) : spend(name, bucket, made);
    },
  };
}

/** The tokens that requests will need at the present rate. Tokens that are leased and not used are lost to all instances. */
function nextLease(used: number, heldMs: number): number {
  return Math.max(FIRST_LEASE, Math.min(used * GROWTH, Math.ceil((used * RENEW_MS) / Math.max(heldMs, 1))));
}

function bucketFor(perMinute: number | null): Bucket | null {
  return perMinute === null ? null : bucketOf(perMinute);
}

/** After a renewal that failed there is no lease: the next request asks for one, and gets the fault. */
function noLease(): void {}

function refuseFor(kind: 'creates' | 'reads', waitMs: number): RequestRefusal {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
  const message = `the API key's rate limit of ${kind} per minute is reached: send it again in ${retryAfterSeconds} s`;
  return { ...refuse('rate_limit_error', message), retryAfterSeconds };
}

/** Header values by lower-case name. */
type Header = (name: string) => string | null | undefined;

/** Finds the key of a request. Current SDKs send it as `Authorization: Bearer`, older ones and curl as `x-api-key`. */
export async function authenticate(header: Header, apiKeys: ApiKeys): Promise<ApiKey | RequestRefusal> {
  const secret = secretOf(header);
  if (secret === null) {
    return refuse('authentication_error', 'an API key is required: send it as "Authorization: Bearer" or "x-api-key"');
  }
  const apiKey = await apiKeys.find(secret);
  if (apiKey === null) return refuse('authentication_error', 'the API key is not known');
  const workspace = header('anthropic-workspace-id');
  if (workspace !== null && workspace !== undefined && workspace !== apiKey.workspace) {
    return refuse('permission_error', 'anthropic-workspace-id: the API key belongs to another workspace');
  }
  return apiKey;
}

function secretOf(header: Header): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(header('authorization') ?? '')?.[1];
  const secret = bearer ?? header('x-api-key')?.trim();
  return secret === undefined || secret === '' ? null : secret;
}
