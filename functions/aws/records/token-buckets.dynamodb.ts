/**
 * Shared token buckets: one item each, in the records table. A lease is one conditional update that adds to what is
 * spent, so leases of many instances do not disturb each other; only where the bucket is not as this instance last saw
 * it, a second one follows. Instances' clocks may disagree, by milliseconds: a bucket overspends by as much time.
 */
import {
  ConditionalCheckFailedException,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { Fault } from '#core/ports/errors.ts';
import type { TokenBuckets } from '#core/ports/token-bucket.ts';
import { take, type Bucket } from '#core/ports/token-bucket.ts';
import { recordsUnavailable } from '#aws/row.ts';

/** A bucket that nobody asks any more is full, and need not be kept. */
const KEPT_SECONDS = 3600;
/** More than this many losses in a row mean that the bucket is all but empty. */
const MAX_ATTEMPTS = 5;

export function createTokenBuckets(
  dynamodb: DynamoDBClient,
  table: string,
  nowMs: () => number = Date.now,
): TokenBuckets {
  const seen = new Map<string, number>();

  return {
    async take(name, bucket, wanted) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const nowUs = nowMs() * 1000;
        const known = seen.get(name) ?? 0;
        const taken = take(bucket, known, { nowUs, wanted });
        if (taken.status === 'empty') return taken;
        const spending = { name, bucket, nowUs, costUs: taken.tokens * bucket.tokenUs };
        const { spent, stands } = await (known > nowUs ? spendOn(spending) : spendAnew(spending));
        seen.set(name, stands);
        if (spent) return { ...taken, spentUntilUs: stands };
      }
      return { status: 'empty', untilUs: nowMs() * 1000 + bucket.tokenUs };
    },
  };

  interface Spending {
    readonly name: string;
    readonly bucket: Bucket;
    readonly nowUs: number;
    readonly costUs: number;
  }

  /** Of a bucket that is refilling: after the cost it is not overspent. */
  function spendOn({ name, bucket, nowUs, costUs }: Spending) {
    const isRefilling = 'spentUntil > :now';
    const isEnough = 'spentUntil <= :latest';
    return update(name, nowUs, {
      UpdateExpression: 'SET spentUntil = spentUntil + :cost, expiresAt = :expires',
      ConditionExpression: [isRefilling, isEnough].join(' AND '),
      values: { ':now': nowUs, ':latest': nowUs + bucket.burstUs - costUs, ':cost': costUs },
    });
  }

  /** Of a full bucket: its tokens count from now on. */
  function spendAnew({ name, nowUs, costUs }: Spending) {
    const isNew = 'attribute_not_exists(spentUntil)';
    const isFull = 'spentUntil <= :now';
    return update(name, nowUs, {
      UpdateExpression: 'SET spentUntil = :spent, expiresAt = :expires',
      ConditionExpression: [isNew, isFull].join(' OR '),
      values: { ':now': nowUs, ':spent': nowUs + costUs },
    });
  }

  interface Update {
    readonly UpdateExpression: string;
    readonly ConditionExpression: string;
    readonly values: Readonly<Record<string, number>>;
  }

  /** `stands` is up to when the bucket is spent then, whoever spent it. */
  async function update(name: string, nowUs: number, { values, ...expressions }: Update) {
    const expires = Math.ceil(nowUs / 1_000_000) + KEPT_SECONDS;
    try {
      const { Attributes } = await dynamodb.send(
        new UpdateItemCommand({
          TableName: table,
          Key: { pk: { S: `limit#${name}` }, sk: { S: 'limit' } },
          ...expressions,
          ExpressionAttributeValues: numbers({ ...values, ':expires': expires }),
          ReturnValues: 'ALL_NEW',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return { spent: true, stands: spentUntilOf(Attributes) };
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) return recordsUnavailable(cause);
      // No item: it expired, so the bucket is full.
      return { spent: false, stands: cause.Item === undefined ? 0 : spentUntilOf(cause.Item) };
    }
  }
}

function numbers(values: Readonly<Record<string, number>>): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { N: String(value) }]));
}

function spentUntilOf(item: Readonly<Record<string, AttributeValue>> | undefined): number {
  const spentUntilUs = Number(item?.['spentUntil']?.N);
  if (Number.isSafeInteger(spentUntilUs)) return spentUntilUs;
  throw new Fault('stored_data_invalid', 'a token bucket does not have its shape');
}
