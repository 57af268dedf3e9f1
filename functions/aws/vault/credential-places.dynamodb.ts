/**
 * Coming and going of credentials. A row, the row of its key while it is active, and its place in the vault's count
 * change in one transaction, so that of several that want the same key, or the last place, one gets it.
 */
import {
  DeleteItemCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type DynamoDBClient,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import {
  MAX_CREDENTIALS,
  type Created,
  type CredentialPlace,
  type CredentialRecords,
  type NewCredential,
} from '#core/ports/vault-records.ts';
import { forgotten } from '#aws/vault/credential-arrivals.dynamodb.ts';
import { newCredentialItem, storedOf } from '#aws/vault/credential-item.ts';
import { readRow, archivedAtOf, contended, isLostRace } from '#aws/table.ts';
import { recordsUnavailable, textOf, type Item } from '#aws/row.ts';
import { credentialKey, uniqueKey, vaultKey } from '#aws/vault/vault-item.ts';

type CredentialPlaces = Pick<CredentialRecords, 'create' | 'archive' | 'remove'>;

const IS_ACTIVE = 'attribute_exists(pk) AND attribute_not_exists(archivedAt)';
/** Losing means that somebody archived or removed it, which each credential outlives once. */
const MAX_READS = 4;

export function createCredentialPlaces(dynamodb: DynamoDBClient, table: string): CredentialPlaces {
  const row = (Key: Item) => readRow(dynamodb, table, Key);

  async function transact(TransactItems: TransactWriteItem[]): Promise<void> {
    await contended(() => dynamodb.send(new TransactWriteItemsCommand({ TransactItems })));
  }

  /** Somebody else may be faster: what stands afterwards is read again. */
  async function leave(place: CredentialPlace, item: Item, going: TransactWriteItem): Promise<void> {
    await transact([going, ...freed(table, place, item)]).catch((cause: unknown) =>
      isLostRace(cause) ? undefined : recordsUnavailable(cause),
    );
  }

  return {
    async create(created, key, user) {
      try {
        await transact(arrival(table, { created, key, user }));
        return { status: 'created' };
      } catch (cause) {
        return notCreated(cause, user) ?? recordsUnavailable(cause);
      }
    },

    async archive(place, at) {
      const Key = credentialKey(place);
      for (let reads = 0; reads < MAX_READS; reads += 1) {
        const item = await row(Key);
        if (item === undefined) return null;
        if (archivedAtOf(item) !== null) return storedOf(item);
        const mark = {
          TableName: table,
          Key,
          ConditionExpression: IS_ACTIVE,
          UpdateExpression: 'SET archivedAt = :at ADD version :one',
          ExpressionAttributeValues: { ':at': { S: at }, ':one': { N: '1' } },
        };
        await leave(place, item, { Update: mark });
      }
      return recordsUnavailable(new Error('a credential stays neither active nor archived'));
    },

    async remove(place) {
      const Key = credentialKey(place);
      for (let reads = 0; reads < MAX_READS; reads += 1) {
        const item = await row(Key);
        if (item === undefined) return reads > 0;
        if (archivedAtOf(item) === null) {
          await leave(place, item, { Delete: { TableName: table, Key, ConditionExpression: IS_ACTIVE } });
        } else {
          await dynamodb.send(new DeleteItemCommand({ TableName: table, Key })).catch(recordsUnavailable);
        }
      }
      return recordsUnavailable(new Error('a credential comes back'));
    },
  };
}

interface Arriving {
  readonly created: NewCredential;
  readonly key: string;
  readonly user: string | undefined;
}

function arrival(table: string, arriving: Arriving): TransactWriteItem[] {
  const { created, key } = arriving;
  const { workspace, credential } = created;
  const { id, vault_id: vault, auth } = credential;
  const unique = { ...uniqueKey(workspace, vault, key), credential: { S: id }, type: { S: auth.type } };
  const isNew = 'attribute_not_exists(pk)';
  return [
    { Update: placeFor(table, arriving) },
    { Put: { TableName: table, Item: unique, ConditionExpression: isNew } },
    { Put: { TableName: table, Item: newCredentialItem(created, key), ConditionExpression: isNew } },
    { Update: forgotten(table, { workspace, vault, credential: id }, credential.created_at) },
  ];
}

function placeFor(table: string, { created, user }: Arriving) {
  const { workspace, credential } = created;
  const isOpen = 'workspace = :workspace AND attribute_not_exists(archivedAt)';
  const hasRoom = '(attribute_not_exists(active) OR active < :max)';
  // A row without the column was replaced by nobody: it names whom it named when it was read.
  const namesUser = '(attribute_not_exists(namedUser) OR namedUser = :user)';
  return {
    TableName: table,
    Key: vaultKey(workspace, credential.vault_id),
    ConditionExpression: [isOpen, hasRoom, ...(user === undefined ? [] : [namesUser])].join(' AND '),
    UpdateExpression: 'ADD active :one',
    ExpressionAttributeValues: {
      ':workspace': { S: workspace },
      ':max': { N: String(MAX_CREDENTIALS) },
      ':one': { N: '1' },
      ...(user === undefined ? {} : { ':user': { S: user } }),
    },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  };
}

/** Which of the conditions of `arrival` failed; null when none did. */
function notCreated(cause: unknown, user: string | undefined): Created | null {
  if (!(cause instanceof TransactionCanceledException)) return null;
  const [place, unique] = (cause.CancellationReasons ?? []).map((reason) => ({
    failed: reason.Code === 'ConditionalCheckFailed',
    item: reason.Item,
  }));
  if (place?.failed === true && !isOpenTo(user, place.item)) return { status: 'closed' };
  if (unique?.failed === true) return { status: 'duplicate' };
  return place?.failed === true ? { status: 'full' } : null;
}

function isOpenTo(user: string | undefined, vault: Item | undefined): boolean {
  if (vault === undefined || archivedAtOf(vault) !== null) return false;
  return user === undefined || (vault['namedUser']?.S ?? user) === user;
}

/** What an active credential gives back. The key may be another's by now, if this loses. */
function freed(table: string, { workspace, vault, credential }: CredentialPlace, item: Item): TransactWriteItem[] {
  const unique = {
    TableName: table,
    Key: { ...vaultKey(workspace, vault), sk: { S: textOf(item, 'uniqueSk') } },
    ConditionExpression: 'attribute_not_exists(pk) OR credential = :credential',
    ExpressionAttributeValues: { ':credential': { S: credential } },
  };
  const place = {
    TableName: table,
    Key: vaultKey(workspace, vault),
    ConditionExpression: 'attribute_exists(pk)',
    UpdateExpression: 'ADD active :less',
    ExpressionAttributeValues: { ':less': { N: '-1' } },
  };
  return [{ Delete: unique }, { Update: place }];
}
