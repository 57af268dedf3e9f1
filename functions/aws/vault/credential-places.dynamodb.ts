/**
 * Creation and removal of credentials. The credential's row, the row of its key and the vault's count change in one
 * transaction, so that only one of several requests gets a key, or the last place in the vault.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  MAX_CREDENTIALS,
  type Created,
  type CredentialPlace,
  type CredentialRecords,
  type NewCredential,
} from '#core/ports/vault-records.ts';
import { IS_ACTIVE, archivedAtOf, textOf } from '#aws/row.ts';
import {
  createTable,
  EXISTS,
  IS_NEW,
  recordsUnavailable,
  type Change,
  type Row,
  type Table,
  type Transacted,
  type Write,
} from '#aws/table.ts';
import { pendingKey, forgotten } from '#aws/vault/pending-credentials.dynamodb.ts';
import { newCredentialRow, storedOf } from '#aws/vault/credential-row.ts';
import { credentialKey, uniqueKey, vaultKey } from '#aws/vault/vault-row.ts';

type CredentialPlaces = Pick<CredentialRecords, 'create' | 'archive' | 'remove'>;
/** A conflict means that another function has archived or removed the credential. Each happens once at most. */
const MAX_READS = 4;

export function createCredentialPlaces(dynamodb: DynamoDBClient, name: string): CredentialPlaces {
  const table = createTable(dynamodb, name);

  /** The result is not looked at: another function may be first, and the caller reads the row again. */
  async function leave(place: CredentialPlace, row: Row, going: Write): Promise<void> {
    await table.transact([going, ...freed(table, place, row)]);
  }

  return {
    async create(created, key, user) {
      const transacted = await table.transact(creation(table, { created, key, user }));
      return transacted.status === 'saved' ? { status: 'created' } : notCreated(transacted, user);
    },

    async archive(place, at) {
      const key = credentialKey(place);
      for (let reads = 0; reads < MAX_READS; reads += 1) {
        const row = await table.get(key);
        if (row === null) return null;
        if (archivedAtOf(row) !== null) return storedOf(row);
        const mark = { when: [EXISTS, IS_ACTIVE], set: { archivedAt: at }, add: { version: 1 } };
        await leave(place, row, table.updating(key, mark));
      }
      return recordsUnavailable(new Error('a credential stays neither active nor archived'));
    },

    async remove(place) {
      const key = credentialKey(place);
      for (let reads = 0; reads < MAX_READS; reads += 1) {
        const row = await table.get(key);
        if (row === null) return reads > 0;
        if (archivedAtOf(row) === null) await leave(place, row, table.removing(key, { when: [EXISTS, IS_ACTIVE] }));
        else await table.remove(key);
      }
      return recordsUnavailable(new Error('a credential comes back'));
    },
  };
}

interface Creating {
  readonly created: NewCredential;
  readonly key: string;
  readonly user: string | undefined;
}

function creation(table: Table, creating: Creating): readonly Write[] {
  const { created, key } = creating;
  const { workspace, credential } = created;
  const { id, vault_id: vault, auth } = credential;
  const unique = { ...uniqueKey(workspace, vault, key), credential: id, type: auth.type };
  return [
    table.updating(vaultKey(workspace, vault), placeFor(creating)),
    table.putting(unique, { when: [IS_NEW] }),
    table.putting(newCredentialRow(created, key), { when: [IS_NEW] }),
    table.updating(pendingKey({ workspace, vault, credential: id }), forgotten(credential.created_at)),
  ];
}

function placeFor({ created: { workspace }, user }: Creating): Change {
  const isOurs = 'workspace = :workspace';
  const hasRoom = 'attribute_not_exists(active) OR active < :max';
  // A row without the column was never replaced, so it names the user that was read.
  const namesUser = 'attribute_not_exists(namedUser) OR namedUser = :user';
  return {
    when: [isOurs, IS_ACTIVE, hasRoom, ...(user === undefined ? [] : [namesUser])],
    values: { workspace, max: MAX_CREDENTIALS, user: user ?? null },
    add: { active: 1 },
  };
}

/** Which of the conditions of `creation` did not hold. */
function notCreated({ lost }: Extract<Transacted, { status: 'conflict' }>, user: string | undefined): Created {
  const [place = null, unique = null] = lost;
  if (place !== null && !isOpenTo(user, place.row)) return { status: 'closed' };
  if (unique !== null) return { status: 'duplicate' };
  return place === null ? recordsUnavailable(new Error('the id of a new credential is taken')) : { status: 'full' };
}

function isOpenTo(user: string | undefined, vault: Row | null): boolean {
  if (vault === null || archivedAtOf(vault) !== null) return false;
  return user === undefined || (vault['namedUser'] ?? user) === user;
}

/** Frees the key and the place of an active credential. The key's row may be another credential's by now, and then stays. */
function freed(table: Table, { workspace, vault, credential }: CredentialPlace, row: Row): readonly Write[] {
  const { pk } = vaultKey(workspace, vault);
  const isItsOwn = 'credential = :credential';
  return [
    table.removing({ pk, sk: textOf(row, 'uniqueSk') }, { when: [`${IS_NEW} OR ${isItsOwn}`], values: { credential } }),
    table.updating(vaultKey(workspace, vault), { when: [EXISTS], add: { active: -1 } }),
  ];
}
