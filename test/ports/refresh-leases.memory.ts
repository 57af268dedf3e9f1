/** The leases in memory, over rows that tests can read and write; they pass the port's suite like the real adapter. */
import type { Saved } from '#core/ports/records.ts';
import {
  credentialPlace,
  type CredentialPlace,
  type CredentialRecords,
  type RefreshLeases,
  type StoredCredential,
} from '#core/ports/vault-records.ts';
import type { LeaseWorld } from '#test/ports/refresh-leases.suite.ts';

export interface MemoryLeases extends LeaseWorld {
  put(stored: StoredCredential): void;
}

type Held = { readonly version: number; readonly owner: string };

export function memoryLeases(): MemoryLeases {
  const rows = new Map<string, StoredCredential>();
  const nameOf = ({ workspace, vault, credential }: CredentialPlace) => `${workspace}/${vault}/${credential}`;
  const put = (stored: StoredCredential) => void rows.set(nameOf(credentialPlace(stored)), stored);

  function end(place: CredentialPlace, held: Held, ended: (row: StoredCredential) => StoredCredential): Saved {
    const row = rows.get(nameOf(place));
    const isHeld = row?.version === held.version && row.lease?.owner === held.owner;
    if (row === undefined || !isHeld || row.credential.archived_at !== null) return 'conflict';
    put({ ...ended(row), lease: null });
    return 'saved';
  }

  const credentials: Pick<CredentialRecords, 'find' | 'replace' | 'archive' | 'remove'> = {
    find: async (place) => rows.get(nameOf(place)) ?? null,
    async replace(stored) {
      const row = rows.get(nameOf(credentialPlace(stored)));
      if (row?.version !== stored.version - 1 || row.credential.archived_at !== null) return 'conflict';
      put({ ...stored, lease: row.lease, state: 'ok', cooldownUntil: null, failures: 0 });
      return 'saved';
    },
    async archive(place, at) {
      const row = rows.get(nameOf(place));
      if (row === undefined || row.credential.archived_at !== null) return row ?? null;
      put({ ...row, credential: { ...row.credential, archived_at: at }, version: row.version + 1 });
      return rows.get(nameOf(place)) ?? null;
    },
    remove: async (place) => rows.delete(nameOf(place)),
  };

  const leases: RefreshLeases = {
    async take(place, version, { owner, now, until }) {
      const row = rows.get(nameOf(place));
      const isSame = row?.version === version && row.credential.archived_at === null && row.state === 'ok';
      if (row === undefined || !isSame || (row.cooldownUntil ?? '') > now) return 'moved';
      if (row.lease !== null && row.lease.until > now && row.lease.owner !== owner) return 'held';
      put({ ...row, lease: { owner, until } });
      return 'taken';
    },
    rotated: async (place, held, { secrets, expiresAt, grantedScopes, at }) =>
      end(place, held, (row) => {
        const { auth } = row.credential;
        const moved = auth.type === 'mcp_oauth' ? { ...auth, expires_at: expiresAt } : auth;
        const credential = { ...row.credential, auth: moved, updated_at: at };
        const version = row.version + 1;
        return { ...row, credential, secrets, grantedScopes, version, cooldownUntil: null, failures: 0 };
      }),
    revoked: async (place, held) =>
      end(place, held, (row) => ({ ...row, version: row.version + 1, state: 'needs_reauth' })),
    failed: async (place, held, { until, failures }) =>
      end(place, held, (row) => ({ ...row, cooldownUntil: until, failures })),
  };

  return {
    leases,
    credentials,
    put,
    async save(created) {
      put({ ...created, version: 1, state: 'ok', lease: null, cooldownUntil: null, failures: 0 });
    },
  };
}
