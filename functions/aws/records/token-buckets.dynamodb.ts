/**
 * Shared token buckets: one item each, in the records table. A lease is one conditional update that adds to what is
 * spent, so leases of many instances do not disturb each other; only where the bucket is not as this instance last saw
 * it, a second one follows. Instances' clocks may disagree, by milliseconds: a bucket overspends by as much time.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Fault } from '#core/ports/errors.ts';
import type { TokenBuckets } from '#core/ports/token-bucket.ts';
import { take, type Bucket } from '#core/ports/token-bucket.ts';
import { createTable, type Change, type Row } from '#aws/table.ts';

/** A bucket that is asked for no token for so long is full, and need not be kept. */
const KEPT_SECONDS = 3600;
/** More than this many losses in a row mean that the bucket is all but empty. */
const MAX_ATTEMPTS = 5;

export function createTokenBuckets(
  dynamodb: DynamoDBClient,
  tableName: string,
  nowMs: () => number = Date.now,
): TokenBuckets {
  const table = createTable(dynamodb, tableName);
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
      when: [isRefilling, isEnough],
      values: { now: nowUs, latest: nowUs + bucket.burstUs - costUs },
      add: { spentUntil: costUs },
    });
  }

  /** Of a full bucket: its tokens count from now on. */
  function spendAnew({ name, nowUs, costUs }: Spending) {
    const isNew = 'attribute_not_exists(spentUntil)';
    const isFull = 'spentUntil <= :now';
    return update(name, nowUs, {
      when: [`${isNew} OR ${isFull}`],
      values: { now: nowUs },
      set: { spentUntil: nowUs + costUs },
    });
  }

  /** `stands` is up to when the bucket is spent then, by whichever instance. */
  async function update(name: string, nowUs: number, { set, ...change }: Change) {
    const expiresAt = Math.ceil(nowUs / 1_000_000) + KEPT_SECONDS;
    const { status, row } = await table.update(
      { pk: `limit#${name}`, sk: 'limit' },
      { ...change, set: { ...set, expiresAt }, returns: 'new' },
    );
    // No row: it expired, so the bucket is full.
    return { spent: status === 'saved', stands: row === null ? 0 : spentUntilOf(row) };
  }
}

function spentUntilOf({ spentUntil }: Row): number {
  if (typeof spentUntil === 'number' && Number.isSafeInteger(spentUntil)) return spentUntil;
  throw new Fault('stored_data_invalid', 'a token bucket does not have its shape');
}
