/** From a credential's row to a token that is good for one call, by whatever the row says is to be done for it. */
import { nextTokenStep } from '#core/vault/next-token-step.ts';
import { LEASE_MS, refresh, type Exchange, type Refresh, type RefreshWorld } from '#core/vault/refresh.ts';
import { createTokenCache } from '#core/vault/token-cache.ts';
import type { Bearer, NoBearer } from '#core/ports/tokens.ts';
import { credentialPlace, type StoredCredential } from '#core/ports/vault-records.ts';

interface Obtaining {
  /** The version whose token the server would not take; null for none. */
  readonly refused: number | null;
  /** Ends the waiting for others; what this instance refreshes goes on. */
  readonly signal: AbortSignal;
}

export interface Obtained {
  readonly answer: Bearer | NoBearer;
  /** With the token endpoint, when this call led to one. */
  readonly exchange: Exchange | null;
}

/** `stored` has just been read; null for a row that is gone. */
type ObtainToken = (stored: StoredCredential | null, obtaining: Obtaining) => Promise<Obtained>;

/** A lease of somebody who died runs out within it, and the refresh after that fits too. */
const PATIENCE_MS = 2 * LEASE_MS;
const LEAST_WAIT_MS = 50;
const MOST_WAIT_MS = 200;

export function createObtainToken(world: RefreshWorld): ObtainToken {
  const { stamp, random } = world;
  const nowMs = () => Date.parse(stamp.now());
  const cache = createTokenCache(nowMs);
  const flights = new Map<string, Promise<Refresh>>();

  /** Calls of one instance share one refresh: they would all lose to the first of them. */
  function joined(stored: StoredCredential): Promise<Refresh> {
    const name = `${stored.workspace}/${stored.credential.id}/${stored.version}`;
    const flight = flights.get(name) ?? refresh(world, stored).finally(() => flights.delete(name));
    flights.set(name, flight);
    return flight;
  }

  async function inForce(stored: StoredCredential): Promise<Bearer | NoBearer> {
    const kept = cache.find(stored);
    if (kept !== null) return kept;
    const values = await world.secrets.read(credentialPlace(stored), stored.secrets);
    const { auth } = stored.credential;
    const token = auth.type === 'static_bearer' ? values.token : values.access_token;
    if (token === undefined) return noBearer('needs_reauth', 'no token is stored');
    const bearer: Bearer = { status: 'bearer', token, version: stored.version, inUse: Object.values(values) };
    cache.keep(stored, bearer, auth.type === 'mcp_oauth' ? auth.expires_at : null);
    return bearer;
  }

  function fresh(stored: StoredCredential, refreshed: Extract<Refresh, { status: 'refreshed' }>): Bearer {
    const { token, version, expiresAt, exchange } = refreshed;
    const bearer: Bearer = { status: 'bearer', token, version, inUse: exchange.inUse };
    cache.keep(stored, bearer, expiresAt);
    return bearer;
  }

  return async function obtainToken(stored, { refused, signal }) {
    const untilMs = nowMs() + PATIENCE_MS;
    let exchange: Exchange | null = null;
    for (let row = stored; row !== null; row = await world.credentials.find(credentialPlace(row))) {
      signal.throwIfAborted();
      const step = nextTokenStep(row, stamp.now(), refused);
      if (step.do === 'use') return { answer: await inForce(row), exchange };
      if (step.do === 'stop') return { answer: step.answer, exchange };
      if (nowMs() >= untilMs) return { answer: noBearer('unavailable', 'others have been refreshing it'), exchange };
      if (step.do === 'wait') {
        await world.pause(LEAST_WAIT_MS + random() * (MOST_WAIT_MS - LEAST_WAIT_MS));
        continue;
      }
      const done = await joined(row);
      if (done.status === 'refreshed') return { answer: fresh(row, done), exchange: done.exchange };
      exchange = done.exchange ?? exchange;
    }
    return { answer: noBearer('needs_reauth', 'the credential is gone'), exchange };
  };
}

function noBearer(status: NoBearer['status'], detail: string): NoBearer {
  return { status, retryAfterMs: status === 'unavailable' ? LEASE_MS : null, detail };
}
