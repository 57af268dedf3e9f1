/**
 * One refresh of one credential, by one instance: lease, request, a new version of the secrets, and the row that puts it
 * in force. No signal cuts it short: once the authorization server has rotated, the only token that still works is here.
 *
 * Where it dies: before the request, the lease runs out and the next call refreshes. Between the server's answer and the
 * row, the next call sends a token that was used, which some servers forgive for a moment; the others answer
 * `invalid_grant`, and the user has to consent again. After the row, everything is in force.
 */
import type { Instant } from '#contract/ids.ts';
import { isIdentity, type Enterprise } from '#core/vault/enterprise.ts';
import { Fault } from '#core/ports/errors.ts';
import { later } from '#core/ports/instant.ts';
import type { Outbound, OutboundAnswer, OutboundFailure } from '#core/ports/outbound.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { Pause, Stamp } from '#core/ports/stamp.ts';
import { endLease, type LeasedRow } from '#core/vault/end-lease.ts';
import { readRefresh, refreshRequest, type Refreshed, type RefreshGrant } from '#core/vault/refresh-grant.ts';
import { rotate } from '#core/vault/rotate.ts';
import type { SecretReader, SecretValues, SecretWriter } from '#core/ports/secrets.ts';
import {
  credentialPlace,
  type CredentialRecords,
  type RefreshLeases,
  type StoredCredential,
} from '#core/ports/vault-records.ts';

export interface RefreshWorld {
  readonly credentials: Pick<CredentialRecords, 'find'>;
  readonly leases: RefreshLeases;
  readonly secrets: SecretReader & Pick<SecretWriter, 'write'>;
  readonly outbound: Outbound;
  /** To the customer's identity provider, which may live where no server of a stranger is reached. */
  readonly identityOutbound: Outbound;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly pause: Pause;
  /** Unique: names the holder of one lease. */
  readonly newName: () => string;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly journal: Journal;
  readonly enterprise: Enterprise | null;
}

/** What the token endpoint was sent and said. */
export interface Exchange {
  readonly reply: OutboundAnswer | OutboundFailure;
  readonly meaning: Refreshed['status'];
  /** Every secret that the reply could repeat. */
  readonly inUse: readonly string[];
}

export type Refresh =
  | {
      readonly status: 'refreshed';
      readonly token: string;
      /** Under which it is in force, or, when it could not be saved, the one that it was to follow. */
      readonly version: number;
      readonly expiresAt: Instant | null;
      readonly exchange: Exchange;
    }
  /** The row says what came of it, or what somebody else made of it: to be read again. */
  | { readonly status: 'ended'; readonly exchange: Exchange | null };

/** Longer than a token request and what is written after it take. */
export const LEASE_MS = 15_000;
const FIRST_COOLDOWN_MS = 30_000;
const MOST_COOLDOWN_MS = 900_000;

export async function refresh(world: RefreshWorld, stored: StoredCredential): Promise<Refresh> {
  const place = credentialPlace(stored);
  // Before the lease: a store that fails now leaves nobody waiting.
  const values = await world.secrets.read(place, stored.secrets);
  const grant = grantOf(world, stored, values);
  const now = world.stamp.now();
  const lease = { owner: world.newName(), now, until: later(now, LEASE_MS) };
  if ((await world.leases.take(place, stored.version, lease)) !== 'taken') return { status: 'ended', exchange: null };
  const outbound = grant.takes === 'id_token' ? world.identityOutbound : world.outbound;
  const reply = await outbound.fetch(refreshRequest(grant));
  const refreshed = readRefresh(reply, grant, now);
  const exchange = { reply, meaning: refreshed.status, inUse: secretsIn(values, refreshed) };
  const leased = { stored, place, owner: lease.owner, until: lease.until };
  const outcome = await settle(world, leased, refreshed);
  report(world, leased, { refreshed, outcome, began: now });
  if (refreshed.status !== 'refreshed' || !('version' in outcome)) return { status: 'ended', exchange };
  return {
    status: 'refreshed',
    token: refreshed.accessToken,
    version: outcome.version,
    expiresAt: refreshed.expiresAt,
    exchange,
  };
}

/** @throws Fault `stored_data_invalid` when the row is none that can be refreshed */
function grantOf({ enterprise }: RefreshWorld, { credential }: StoredCredential, values: SecretValues): RefreshGrant {
  const { auth } = credential;
  if (auth.type !== 'mcp_oauth' || auth.refresh === null || values.refresh_token === undefined) {
    throw new Fault('stored_data_invalid', `${credential.id} has nothing to be refreshed with`);
  }
  const { client_id: id, token_endpoint: tokenEndpoint, token_endpoint_auth: how, resource, scope } = auth.refresh;
  const isSignIn = isIdentity(enterprise, auth.mcp_server_url);
  return {
    tokenEndpoint,
    client: { id, auth: how.type, secret: values.client_secret ?? '' },
    refreshToken: values.refresh_token,
    resource: resource ?? (isSignIn ? null : auth.mcp_server_url),
    scope,
    takes: isSignIn ? 'id_token' : 'access_token',
  };
}

type Outcome =
  | { readonly status: 'rotated' | 'unsaved'; readonly version: number }
  | { readonly status: 'revoked' | 'failed' | 'superseded' };

/** The row learns what came of it, while the lease is ours. */
async function settle(world: RefreshWorld, leased: LeasedRow, refreshed: Refreshed): Promise<Outcome> {
  const { place, owner } = leased;
  switch (refreshed.status) {
    case 'refreshed':
      return rotate(world, leased, refreshed);
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
      return refreshed satisfies never;
  }
}

function cooldown(now: string, failures: number) {
  const ms = Math.min(FIRST_COOLDOWN_MS * 2 ** Math.min(failures, 10), MOST_COOLDOWN_MS);
  return { until: later(now, ms), failures: failures + 1 };
}

function secretsIn(values: SecretValues, refreshed: Refreshed): readonly string[] {
  const fresh = refreshed.status === 'refreshed' ? [refreshed.accessToken, refreshed.refreshToken] : [];
  return [...Object.values(values), ...fresh].filter((value) => value != null);
}

function report(
  { journal, stamp }: RefreshWorld,
  { stored, place }: LeasedRow,
  told: { readonly refreshed: Refreshed; readonly outcome: Outcome; readonly began: string },
): void {
  const { refreshed, outcome, began } = told;
  journal.line('refresh', {
    ...place,
    version: stored.version,
    outcome: outcome.status,
    detail: refreshed.status === 'refreshed' ? refreshed.warning : refreshed.detail,
    duration_ms: Date.parse(stamp.now()) - Date.parse(began),
  });
}
