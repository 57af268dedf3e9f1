/** Puts the tokens of a refresh in force: the new version of the secrets first, then the row that points at it. */
import { Fault } from '#core/ports/errors.ts';
import { endLease, persistently, type Ending, type LeasedRow } from '#core/vault/end-lease.ts';
import type { Refreshed } from '#core/vault/refresh-grant.ts';
import type { SecretWriter } from '#core/ports/secrets.ts';
import type { RefreshLeases } from '#core/ports/vault-records.ts';

interface RotateWorld extends Ending {
  readonly leases: Pick<RefreshLeases, 'rotated'>;
  readonly secrets: Pick<SecretWriter, 'write'>;
}

type Rotation =
  | { readonly status: 'rotated'; readonly version: number }
  /** The stores would not take it while the lease lasted: what it was to follow. The token is good for this call. */
  | { readonly status: 'unsaved'; readonly version: number }
  /** Somebody else decided on this credential meanwhile. */
  | { readonly status: 'superseded' };

type Tokens = Extract<Refreshed, { status: 'refreshed' }>;

export async function rotate(world: RotateWorld, leased: LeasedRow, tokens: Tokens): Promise<Rotation> {
  try {
    return await putInForce(world, leased, tokens);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { status: 'unsaved', version: leased.stored.version };
  }
}

async function putInForce(world: RotateWorld, leased: LeasedRow, tokens: Tokens): Promise<Rotation> {
  const { stored, place, owner, until } = leased;
  const values = {
    access_token: tokens.accessToken,
    ...(tokens.refreshToken === null ? {} : { refresh_token: tokens.refreshToken }),
  };
  const written = await persistently(world, until, () =>
    world.secrets.write(place, 'mcp_oauth', values, stored.secrets),
  );
  const ended = await endLease(world, leased, ({ version, secrets, grantedScopes }) =>
    world.leases.rotated(
      place,
      { version, owner },
      {
        secrets: { ...secrets, ...written },
        expiresAt: tokens.expiresAt,
        grantedScopes: tokens.scopes ?? grantedScopes,
        at: world.stamp.now(),
      },
    ),
  );
  if (ended.status === 'saved') return { status: 'rotated', version: ended.row.version + 1 };
  const isOurs = ended.row !== null && ended.row.secrets.access_token === written.access_token;
  return isOurs ? { status: 'rotated', version: ended.row.version } : { status: 'superseded' };
}
