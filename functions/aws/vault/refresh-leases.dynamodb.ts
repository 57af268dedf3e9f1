/** Leases on a credential's row, for its refresh. Every write requires that the credential is active. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Saved } from '#core/ports/records.ts';
import type { CredentialPlace, RefreshLeases } from '#core/ports/vault-records.ts';
import { IS_ACTIVE } from '#aws/row.ts';
import { createTable, type Columns, type Row } from '#aws/table.ts';
import { jsonColumn, storedOf } from '#aws/vault/credential-row.ts';
import { credentialKey } from '#aws/vault/vault-row.ts';

const isVersion = 'version = :read';

export function createRefreshLeases(dynamodb: DynamoDBClient, name: string): RefreshLeases {
  const table = createTable(dynamodb, name);

  /** Ends the lease and writes the outcome of the refresh. */
  async function end(
    place: CredentialPlace,
    held: { readonly version: number; readonly owner: string },
    columns: Columns,
  ): Promise<Saved> {
    const isHolder = 'leaseOwner = :holder';
    const written = await table.update(credentialKey(place), {
      when: [isVersion, IS_ACTIVE, isHolder],
      values: { read: held.version, holder: held.owner },
      set: { ...columns, leaseOwner: null, leaseUntil: null },
    });
    return written.status;
  }

  return {
    async take(place, version, { owner, now, until }) {
      const isOk = '#state = :ok';
      // The owner takes its own lease again, because the first answer may have been lost.
      const isFree = 'attribute_not_exists(leaseOwner) OR leaseUntil <= :now OR leaseOwner = :owner';
      // A function that read the row before the last refresh failed must not ask during the cool-down.
      const isCool = 'attribute_not_exists(cooldownUntil) OR cooldownUntil <= :now';
      const { status, row } = await table.update(credentialKey(place), {
        when: [isVersion, IS_ACTIVE, isOk, isCool, isFree],
        values: { ok: 'ok', read: version, now, owner },
        set: { leaseOwner: owner, leaseUntil: until },
      });
      if (status === 'saved') return 'taken';
      return isHeld(row, { version, now }) ? 'held' : 'moved';
    },

    rotated: (place, held, { secrets, expiresAt, grantedScopes, at }) =>
      end(place, held, {
        version: held.version + 1,
        secrets: JSON.stringify(secrets),
        tokenExpiresAt: expiresAt,
        grantedScopes: jsonColumn(grantedScopes),
        updatedAt: at,
        state: 'ok',
        cooldownUntil: null,
        failures: 0,
      }),

    revoked: (place, held) => end(place, held, { version: held.version + 1, state: 'needs_reauth' }),

    failed: (place, held, { until, failures }) => end(place, held, { cooldownUntil: until, failures }),
  };
}

/** Whether a running lease was the only reason why the lease was not taken. */
function isHeld(row: Row | null, { version, now }: { version: number; now: string }): boolean {
  if (row === null) return false;
  const stored = storedOf(row);
  const isActiveVersion = stored.credential.archived_at === null && stored.version === version;
  return isActiveVersion && stored.state === 'ok' && (stored.cooldownUntil ?? '') <= now;
}
