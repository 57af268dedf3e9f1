/**
 * One refresh of one credential by one instance: it takes the lease, asks, writes the new tokens as a new version of the
 * secrets, and then the row that puts them in force. No signal cuts it short: after the authorization server has rotated,
 * the only token that still works is here.
 *
 * When the process dies before the request, the lease runs out and the next call refreshes. When it dies between the
 * server's answer and the row, the next call sends a refresh token that was used: some servers forgive that for a moment,
 * the others answer `invalid_grant`, and the user has to consent again. After the row, everything is in force.
 */
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import { later, type Stamp } from '#core/ports/stamp.ts';
import type { Outbound, OutboundAnswer, OutboundFailure } from '#core/ports/outbound.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Saved } from '#core/ports/records.ts';
import type { SecretReader, SecretValues, SecretWriter } from '#core/ports/secrets.ts';
import type { Bearer } from '#core/ports/tokens.ts';
import { credentialPlace, type CredentialPlace, type StoredCredential } from '#core/ports/vault-records.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';
import { grantOf, readRefresh, refreshRequest, type RefreshReply } from '#core/vault/refresh-grant.ts';

export interface RefreshWorld extends Pick<Ports, 'leases' | 'outbound' | 'pause' | 'newToken' | 'journal'> {
  readonly credentials: Pick<Ports['credentials'], 'find'>;
  readonly secrets: SecretReader & Pick<SecretWriter, 'write'>;
  /** To the customer's identity provider, at a host that servers of strangers may not have. */
  readonly identityOutbound: Outbound;
  readonly stamp: Pick<Stamp, 'now'>;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly enterprise: Enterprise | null;
}

/** One token request and what its answer means. */
export interface RefreshAttempt {
  readonly answer: OutboundAnswer | OutboundFailure;
  readonly meaning: RefreshReply['status'];
  /** Every secret that the answer could repeat. */
  readonly inUse: readonly string[];
}

export type RefreshResult =
  | {
      readonly status: 'refreshed';
      /** Its version is the row's; when the token could not be saved, the version that it was to follow. */
      readonly bearer: Bearer;
      readonly expiresAt: Instant | null;
      readonly attempt: RefreshAttempt;
    }
  /** The caller reads the row again, which this refresh or another function has changed. */
  | { readonly status: 'ended'; readonly attempt: RefreshAttempt | null };

/** Longer than a token request and the writes after it. */
export const LEASE_MS = 15_000;
const FIRST_COOLDOWN_MS = 30_000;
const MOST_COOLDOWN_MS = 900_000;
const FIRST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 1000;

export async function refresh(world: RefreshWorld, stored: StoredCredential): Promise<RefreshResult> {
  const place = credentialPlace(stored);
  // Before the lease: when the store fails here, no other call has to wait.
  const values = await world.secrets.read(place, stored.secrets);
  const grant = grantOf(world.enterprise, stored, values);
  const now = world.stamp.now();
  const leased = { stored, place, owner: world.newToken(), until: later(now, LEASE_MS) };
  const taken = await world.leases.take(place, stored.version, { owner: leased.owner, now, until: leased.until });
  if (taken !== 'taken') return { status: 'ended', attempt: null };
  const outbound = grant.takes === 'id_token' ? world.identityOutbound : world.outbound;
  const answer = await outbound.fetch(refreshRequest(grant));
  const reply = readRefresh(answer, grant, now);
  const saved = await saveReply(world, leased, reply);
  world.journal.line('refresh', {
    ...place,
    version: stored.version,
    outcome: saved.status,
    detail: reply.status === 'refreshed' ? reply.warning : reply.detail,
    duration_ms: Date.parse(world.stamp.now()) - Date.parse(now),
  });
  const attempt = { answer, meaning: reply.status, inUse: secretsIn(values, reply) };
  if (reply.status !== 'refreshed' || (saved.status !== 'rotated' && saved.status !== 'unsaved')) {
    return { status: 'ended', attempt };
  }
  const { version } = saved;
  const bearer = { status: 'bearer' as const, token: reply.accessToken, version, inUse: attempt.inUse };
  return { status: 'refreshed', bearer, expiresAt: reply.expiresAt, attempt };
}

function secretsIn(values: SecretValues, reply: RefreshReply): readonly string[] {
  const fresh = reply.status === 'refreshed' ? [reply.accessToken, reply.refreshToken] : [];
  return [...Object.values(values), ...fresh].filter((value) => value != null);
}

/** A row as it was when its lease was taken. */
interface LeasedRow {
  readonly stored: StoredCredential;
  readonly place: CredentialPlace;
  readonly owner: string;
  readonly until: Instant;
}

type SavedReply =
  | { readonly status: 'rotated'; readonly version: number }
  /** The stores failed until the lease ended. The token is good for this call; `version` is the row's. */
  | { readonly status: 'unsaved'; readonly version: number }
  | { readonly status: 'revoked' | 'failed' }
  /** Another function has changed this credential meanwhile. */
  | { readonly status: 'superseded' };

/** Writes to the row what the reply means, while this instance holds the lease. */
async function saveReply(world: RefreshWorld, leased: LeasedRow, reply: RefreshReply): Promise<SavedReply> {
  const { place, owner } = leased;
  switch (reply.status) {
    case 'refreshed':
      return rotate(world, leased, reply).catch((error: unknown) => {
        if (!(error instanceof Fault)) throw error;
        return { status: 'unsaved', version: leased.stored.version };
      });
    case 'revoked': {
      const ended = await endLease(world, leased, ({ version }) => world.leases.revoked(place, { version, owner }));
      return { status: ended.status === 'saved' ? 'revoked' : 'superseded' };
    }
    case 'failed': {
      const ended = await endLease(world, leased, ({ version, failures }) =>
        world.leases.failed(place, { version, owner }, cooldown(world.stamp.now(), failures)),
      );
      return { status: ended.status === 'saved' ? 'failed' : 'superseded' };
    }
    default:
      return reply satisfies never;
  }
}

function cooldown(now: Instant, failures: number) {
  const ms = Math.min(FIRST_COOLDOWN_MS * 2 ** Math.min(failures, 10), MOST_COOLDOWN_MS);
  return { until: later(now, ms), failures: failures + 1 };
}

/** Puts the tokens in force: the new version of the secrets first, then the row that points at it. */
async function rotate(
  world: RefreshWorld,
  leased: LeasedRow,
  { accessToken: access_token, refreshToken, expiresAt, scopes }: Extract<RefreshReply, { status: 'refreshed' }>,
): Promise<SavedReply> {
  const { stored, place, owner, until } = leased;
  const values = { access_token, ...(refreshToken === null ? {} : { refresh_token: refreshToken }) };
  const written = await persistently(world, until, () =>
    world.secrets.write(place, 'mcp_oauth', values, stored.secrets),
  );
  const ended = await endLease(world, leased, ({ version, secrets, grantedScopes }) => {
    const change = { secrets: { ...secrets, ...written }, expiresAt, grantedScopes: scopes ?? grantedScopes };
    return world.leases.rotated(place, { version, owner }, { ...change, at: world.stamp.now() });
  });
  if (ended.status === 'saved') return { status: 'rotated', version: ended.row.version + 1 };
  const isOurs = ended.row !== null && ended.row.secrets.access_token === written.access_token;
  return isOurs ? { status: 'rotated', version: ended.row.version } : { status: 'superseded' };
}

type LeaseEnd =
  /** `row` is the row before the write. */
  | { readonly status: 'saved'; readonly row: StoredCredential }
  /** Another function ended the lease, or this one did and the answer was lost. Null: the row is gone. */
  | { readonly status: 'over'; readonly row: StoredCredential | null };

/**
 * A client that renames the credential meanwhile moves its version on, which must not lose the tokens: while the row has
 * the lease and the refresh token of this refresh, the write is repeated on the row as it is by then.
 */
async function endLease(
  world: RefreshWorld,
  leased: LeasedRow,
  write: (row: StoredCredential) => Promise<Saved>,
): Promise<LeaseEnd> {
  for (let row = leased.stored; ;) {
    const before = row;
    if ((await persistently(world, leased.until, () => write(before))) === 'saved') return { status: 'saved', row };
    const now = await persistently(world, leased.until, () => world.credentials.find(leased.place));
    const isOurs = now !== null && now.lease?.owner === leased.owner && now.credential.archived_at === null;
    const isSameToken = now?.secrets.refresh_token === leased.stored.secrets.refresh_token;
    if (!isOurs || !isSameToken) return { status: 'over', row: now };
    row = now;
  }
}

/** Repeats the work after a retryable fault until the lease could be another instance's. Throws the last fault. */
async function persistently<Value>(
  { stamp, pause }: Pick<RefreshWorld, 'stamp' | 'pause'>,
  until: Instant,
  work: () => Promise<Value>,
): Promise<Value> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MOST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      const mayPass = error instanceof Fault && error.retryable;
      if (!mayPass || Date.parse(stamp.now()) + pauseMs >= Date.parse(until)) throw error;
    }
    await pause(pauseMs);
  }
}
