import { TransactionConflictException } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTable } from '#aws/table.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

describe('a conditional write to rows that a transaction holds', () => {
  let db: TestDynamoDb;
  let paused: number[] = [];
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterEach(() => {
    db.client.middlewareStack.remove('contention');
    paused = [];
  });
  afterAll(() => db.close());

  const table = () => createTable(db.client, db.recordsTable, { pause: async (ms) => void paused.push(ms) });

  /** A transaction holds the rows of the next `times` commands. */
  function contend(times: number) {
    let left = times;
    db.client.middlewareStack.add(
      (next) => async (command) => {
        left -= 1;
        if (left >= 0) throw new TransactionConflictException({ message: 'held', $metadata: {} });
        return next(command);
      },
      { step: 'initialize', name: 'contention' },
    );
  }

  it('is repeated after random pauses that grow up to a limit', async () => {
    contend(19);
    expect(await table().put({ pk: 'contended', sk: 'row' })).toMatchObject({ status: 'saved' });
    expect(paused).toHaveLength(19);
    expect(new Set(paused).size).toBe(19);
    paused.forEach((ms, index) => expect(ms).toBeLessThanOrEqual(Math.min(10 * 2 ** index, 200)));
    expect(await table().get({ pk: 'contended', sk: 'row' })).toMatchObject({ pk: 'contended' });
  });

  it('fails as unavailable records after twenty attempts', async () => {
    contend(20);
    await expect(table().remove({ pk: 'contended', sk: 'row' })).rejects.toMatchObject({ code: 'records_unavailable' });
    expect(paused).toHaveLength(19);
  });

  it('is made at once when no transaction holds the rows', async () => {
    expect(await table().put({ pk: 'free', sk: 'row' })).toMatchObject({ status: 'saved' });
    expect(paused).toEqual([]);
  });
});
