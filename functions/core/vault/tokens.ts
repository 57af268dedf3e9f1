/**
 * Tokens that are fresh when they are used. The server that refuses a static token, or one without a refresh token, ends
 * it for this call only: the row stays as it is, because only the authorization server can revoke a credential.
 */
import type { Instant } from '#contract/ids.ts';
import { createExpiring } from '#core/ports/expiring.ts';
import type { Bearer, NoBearer, Tokens } from '#core/ports/tokens.ts';
import { unlessAborted } from '#core/ports/unless-aborted.ts';
import { credentialPlace, type StoredCredential } from '#core/ports/vault-records.ts';
import { nextTokenStep } from '#core/vault/next-token-step.ts';
import { LEASE_MS, refresh, type RefreshAttempt, type RefreshResult, type RefreshWorld } from '#core/vault/refresh.ts';

interface Obtaining {
  /** The version of the token that the server refused; null for none. */
  readonly refused: number | null;
  /** Ends the wait for another instance. A refresh that this instance has begun goes on. */
  readonly signal: AbortSignal;
}

export interface Obtained {
  readonly answer: Bearer | NoBearer;
  /** Null when this call led to no token request. */
  readonly attempt: RefreshAttempt | null;
}

/** `stored` has just been read; null when the row is gone. */
type ObtainToken = (stored: StoredCredential | null, obtaining: Obtaining) => Promise<Obtained>;

/** The lease of an instance that died ends within it, and another refresh still fits. */
const PATIENCE_MS = 2 * LEASE_MS;
const LEAST_WAIT_MS = 50;
const MOST_WAIT_MS = 200;
/** How long an instance uses a token without reading it again. */
const MOST_MS = 300_000;
/** No call begins with a token that has less time left. */
export const SPARE_MS = 60_000;
/** Each takes some hundred bytes, and an instance serves few users at a time. */
const MOST_ENTRIES = 1000;

export function createTokens(world: RefreshWorld): Tokens {
  const obtain = createObtainToken(world);
  const answerTo = async (stored: StoredCredential | null, obtaining: Obtaining) =>
    (await unlessAborted(obtain(stored, obtaining), obtaining.signal)).answer;
  return {
    bearer: ({ stored }, signal) => answerTo(stored, { refused: null, signal }),
    async renew({ stored }, { version }, signal) {
      const row = await world.credentials.find(credentialPlace(stored));
      return answerTo(row, { refused: version, signal });
    },
  };
}

export function createObtainToken(world: RefreshWorld): ObtainToken {
  const { stamp, random } = world;
  const nowMs = () => Date.parse(stamp.now());
  // By the version of the row, which the caller has just read: a rotated, replaced or archived token is not found.
  const cache = createExpiring<Bearer>(nowMs, MOST_ENTRIES);
  const flights = new Map<string, Promise<RefreshResult>>();

  /** Calls of one instance share one refresh: only one of them could take the lease. */
  function joined(stored: StoredCredential): Promise<RefreshResult> {
    const name = versionName(stored, stored.version);
    const flight = flights.get(name) ?? refresh(world, stored).finally(() => flights.delete(name));
    flights.set(name, flight);
    return flight;
  }

  function keep(stored: StoredCredential, bearer: Bearer, expiresAt: Instant | null): Bearer {
    cache.drop(versionName(stored, stored.version));
    cache.keep(versionName(stored, bearer.version), bearer, usableUntilMs(nowMs(), expiresAt));
    return bearer;
  }

  async function inForce(stored: StoredCredential): Promise<Bearer | NoBearer> {
    const { version } = stored;
    const kept = cache.find(versionName(stored, version));
    if (kept !== undefined) return kept;
    const values = await world.secrets.read(credentialPlace(stored), stored.secrets);
    const token = values.token ?? values.access_token;
    if (token === undefined) return noBearer('needs_reauth', 'no token is stored');
    const { auth } = stored.credential;
    const expiresAt = auth.type === 'mcp_oauth' ? auth.expires_at : null;
    return keep(stored, { status: 'bearer', token, version, inUse: Object.values(values) }, expiresAt);
  }

  return async function obtainToken(stored, { refused, signal }) {
    const untilMs = nowMs() + PATIENCE_MS;
    let attempt: RefreshAttempt | null = null;
    for (let row = stored; row !== null; row = await world.credentials.find(credentialPlace(row))) {
      signal.throwIfAborted();
      const step = nextTokenStep(row, stamp.now(), refused);
      if (step.do === 'use') return { answer: await inForce(row), attempt };
      if (step.do === 'stop') return { answer: step.answer, attempt };
      if (nowMs() >= untilMs) return { answer: noBearer('unavailable', 'others have been refreshing it'), attempt };
      if (step.do === 'wait') {
        await world.pause(LEAST_WAIT_MS + random() * (MOST_WAIT_MS - LEAST_WAIT_MS));
        continue;
      }
      const result = await joined(row);
      attempt = result.attempt ?? attempt;
      if (result.status === 'refreshed') return { answer: keep(row, result.bearer, result.expiresAt), attempt };
    }
    return { answer: noBearer('needs_reauth', 'the credential is gone'), attempt };
  };
}

function versionName({ workspace, credential }: StoredCredential, version: number): string {
  return `${workspace}/${credential.id}/${version}`;
}

/** Until when an instance may use a token that it got at `nowMs`; a right that is taken away ends by then. */
export function usableUntilMs(nowMs: number, expiresAt: Instant | null): number {
  const endsMs = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - SPARE_MS;
  return Math.min(nowMs + MOST_MS, endsMs);
}

function noBearer(status: NoBearer['status'], detail: string): NoBearer {
  return { status, retryAfterMs: status === 'unavailable' ? LEASE_MS : null, detail };
}
