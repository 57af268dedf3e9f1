/** Leases on a credential's row, for its refresh. None is given on an archived one, and none that was outlives it. */
import { ConditionalCheckFailedException, UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Saved } from '#core/ports/records.ts';
import type { CredentialPlace, RefreshLeases } from '#core/ports/vault-records.ts';
import { assignment, text, texts, type Columns } from '#aws/vault/credential-item.ts';
import { archivedAtOf, contended } from '#aws/table.ts';
import { recordsUnavailable, type Item } from '#aws/row.ts';
import { credentialKey } from '#aws/vault/vault-item.ts';

const IS_VERSION = 'version = :read AND attribute_not_exists(archivedAt)';

export function createRefreshLeases(dynamodb: DynamoDBClient, table: string): RefreshLeases {
  /** Ends the lease that is held, with what came of it. */
  async function end(
    place: CredentialPlace,
    held: { readonly version: number; readonly owner: string },
    columns: Columns,
  ): Promise<Saved> {
    const { ExpressionAttributeValues: values, ...assigned } = assignment({
      ...columns,
      leaseOwner: null,
      leaseUntil: null,
    });
    const command = new UpdateItemCommand({
      TableName: table,
      Key: credentialKey(place),
      ConditionExpression: `${IS_VERSION} AND leaseOwner = :holder`,
      ...assigned,
      ExpressionAttributeValues: { ...values, ':read': { N: String(held.version) }, ':holder': { S: held.owner } },
    });
    try {
      await contended(() => dynamodb.send(command));
      return 'saved';
    } catch (cause) {
      return cause instanceof ConditionalCheckFailedException ? 'conflict' : recordsUnavailable(cause);
    }
  }

  return {
    async take(place, version, { owner, now, until }) {
      // Its own is taken again, for the answer to the first time may have been lost.
      const isFree = '(attribute_not_exists(leaseOwner) OR leaseUntil <= :now OR leaseOwner = :owner)';
      // Whoever read the row before the last refresh failed must not be the next to ask.
      const isCool = '(attribute_not_exists(cooldownUntil) OR cooldownUntil <= :now)';
      const command = new UpdateItemCommand({
        TableName: table,
        Key: credentialKey(place),
        ConditionExpression: `${IS_VERSION} AND #state = :ok AND ${isCool} AND ${isFree}`,
        UpdateExpression: 'SET leaseOwner = :owner, leaseUntil = :until',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: {
          ':ok': { S: 'ok' },
          ':read': { N: String(version) },
          ':now': { S: now },
          ':owner': { S: owner },
          ':until': { S: until },
        },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      try {
        await contended(() => dynamodb.send(command));
        return 'taken';
      } catch (cause) {
        if (!(cause instanceof ConditionalCheckFailedException)) return recordsUnavailable(cause);
        return isHeld(cause.Item, { version, now }) ? 'held' : 'moved';
      }
    },

    rotated: (place, held, { secrets, expiresAt, grantedScopes, at }) =>
      end(place, held, {
        version: { N: String(held.version + 1) },
        secrets: { S: JSON.stringify(secrets) },
        tokenExpiresAt: text(expiresAt),
        grantedScopes: texts(grantedScopes),
        updatedAt: { S: at },
        state: { S: 'ok' },
        cooldownUntil: null,
        failures: { N: '0' },
      }),

    revoked: (place, held) =>
      end(place, held, { version: { N: String(held.version + 1) }, state: { S: 'needs_reauth' } }),

    failed: (place, held, { until, failures }) =>
      end(place, held, { cooldownUntil: { S: until }, failures: { N: String(failures) } }),
  };
}

/** Whether a running lease is all that stands in the way of one that was refused. */
function isHeld(item: Item | undefined, { version, now }: { version: number; now: string }): boolean {
  if (item === undefined || archivedAtOf(item) !== null || item['version']?.N !== String(version)) return false;
  return item['state']?.S === 'ok' && (item['cooldownUntil']?.S ?? '') <= now;
}
