import { randomUUID } from 'node:crypto';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenBuckets } from '#aws/records/token-buckets.dynamodb.ts';
import { bucketOf, LEASE_SECONDS } from '#core/ports/token-bucket.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const START_MS = Date.parse('2026-11-21T10:00:00.000Z');

describe('token buckets in DynamoDB', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  const PER_MINUTE = 60;
  const FULL = PER_MINUTE - LEASE_SECONDS;
  const bucket = bucketOf(PER_MINUTE);
  const instance = (nowMs = () => START_MS) => createTokenBuckets(db.client, db.recordsTable, nowMs);
  const tokens = async (buckets: ReturnType<typeof instance>, name: string, wanted: number) => {
    const taken = await buckets.take(name, bucket, wanted);
    return taken.status === 'taken' ? taken.tokens : 0;
  };

  it('begin full, give at most what is left, and tell when there is more', async () => {
    const [one, name] = [instance(), randomUUID()];
    expect(await tokens(one, name, FULL - 3)).toBe(FULL - 3);
    expect(await tokens(one, name, 10)).toBe(3);
    expect(await one.take(name, bucket, 1)).toEqual({ status: 'empty', untilUs: (START_MS + 1000) * 1000 });
  });

  it('are shared by independent instances to the last token', async () => {
    const name = randomUUID();
    const taken = await Promise.all(Array.from({ length: 40 }, () => tokens(instance(), name, 2)));
    const given = taken.reduce((sum, one) => sum + one, 0);
    expect(given).toBeLessThanOrEqual(FULL);
    const rest = await tokens(instance(), name, FULL);
    expect(given + rest).toBe(FULL);
  });

  it('refill with time, never above full', async () => {
    let now = START_MS;
    const [one, name] = [instance(() => now), randomUUID()];
    await tokens(one, name, FULL);
    now += 2500;
    expect(await tokens(one, name, FULL)).toBe(2);
    now += 10 * 60_000;
    expect(await tokens(one, name, 10 * FULL)).toBe(FULL);
    expect(
      await tokens(
        instance(() => now),
        name,
        1,
      ),
    ).toBe(0);
  });

  it('expire after an hour without requests, when they are full again', async () => {
    const name = randomUUID();
    await tokens(instance(), name, FULL);
    const Key = { pk: { S: `limit#${name}` }, sk: { S: 'limit' } };
    const { Item } = await db.client.send(new GetItemCommand({ TableName: db.recordsTable, Key }));
    const spentUntil = Number(Item?.['spentUntil']?.N) / 1_000_000;
    expect(Number(Item?.['expiresAt']?.N)).toBeGreaterThan(spentUntil);
  });
});
