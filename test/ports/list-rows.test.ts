import { BatchWriteItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import type { ListRequest } from '#core/ports/records.ts';
import { listKeys, textOf } from '#aws/row.ts';
import { listRows } from '#aws/list-rows.ts';
import { createTable } from '#aws/table.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const ROWS = 2100;
const START = Date.parse('2026-11-21T10:00:00.000Z');

const row = (number: number) => {
  const id = `sesn_${String(number).padStart(5, '0')}`;
  const createdAt = new Date(START + number).toISOString();
  return {
    pk: id,
    sk: 'session',
    colour: number === 0 ? 'red' : 'blue',
    ...listKeys(WORKSPACE, 'session', { createdAt, id }),
  };
};

describe('a list with a filter that matches almost no row', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
    for (let start = 0; start < ROWS; start += 25) {
      const puts = Array.from({ length: 25 }, (_, index) => ({ PutRequest: { Item: marshall(row(start + index)) } }));
      await db.client.send(new BatchWriteItemCommand({ RequestItems: { [db.recordsTable]: puts } }));
    }
  });
  afterAll(() => db.close());

  const list = (request: Partial<ListRequest>) =>
    listRows(
      {
        table: createTable(db.client, db.recordsTable),
        kind: 'session',
        keyOf: (id) => ({ pk: id, sk: 'session' }),
      },
      {
        request: {
          workspace: WORKSPACE,
          order: 'desc',
          from: null,
          to: null,
          includeArchived: true,
          beyond: null,
          direction: 'next',
          limit: 20,
          ...request,
        },
        filter: { conditions: ['colour = :red'], values: { red: 'red' } },
        read: (found) => textOf(found, 'pk'),
      },
    );

  it('ends a page early, and the next page continues there', async () => {
    const first = await list({});
    expect(first.rows).toEqual([]);
    expect(first.more).not.toBeNull();
    const second = await list({ beyond: first.more });
    expect(second).toMatchObject({ rows: [{ item: 'sesn_00000' }], more: null });
  });

  it('reads no row outside the range', async () => {
    const at = new Date(START).toISOString();
    const found = await list({ from: { at, inclusive: true }, to: { at, inclusive: true } });
    expect(found).toMatchObject({ rows: [{ item: 'sesn_00000' }], more: null });
    expect(await list({ from: { at, inclusive: false }, order: 'asc', limit: 5 })).toMatchObject({ rows: [] });
  });
});
