import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDynamoDb, type DynamoDb } from '#infra/local/aws/dynamodb/start-dynamodb.ts';
import { itemBytes, measured } from './capacity.ts';
import type { AwsRequest, AwsResponse } from '#infra/local/aws/service.ts';
import { removeScratchDirs, scratchDir, smallTemplate } from '#test/infra/local/aws/aws.fixture.ts';

const TableName = 'Brainstem-Records';
let dynamodb: DynamoDb;

beforeAll(async () => {
  dynamodb = await startDynamoDb({ tables: smallTemplate().tables, dataDir: scratchDir(), report: () => {} });
});
afterAll(async () => {
  await dynamodb.close();
  removeScratchDirs();
});

async function call(operation: string, input: object) {
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    'x-amz-date': '20260101T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
  };
  const request = {
    service: 'dynamodb',
    operation,
    headers,
    body: Buffer.from(JSON.stringify(input)),
  } as unknown as AwsRequest;
  const response = await measured(request, (asked) => dynamodb.read(asked).answer());
  return { ...response, answer: JSON.parse(String(response.body)) };
}

const key = (pk: string) => ({ pk: { S: pk }, sk: { S: 'row' } });
const row = (pk: string, kb: number) => ({ ...key(pk), text: { S: 'x'.repeat(kb * 1024 - 64) } });
const listed = { listPk: { S: 'all' }, listSk: { S: '1' } };
const put = (Item: object, more = {}) => call('PutItem', { TableName, Item, ...more });
const read = (operation: string, input: object) => call(operation, { TableName, ...input });
const query = (pk: string, more = {}) =>
  read('Query', { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: pk } }, ...more });
const isNew = { ConditionExpression: 'attribute_not_exists(pk)' };

const written = (writeUnits: number) => ({ readUnits: 0, writeUnits });
const taken = (readUnits: number) => ({ readUnits, writeUnits: 0 });

describe('the DynamoDB capacity that a call consumes', () => {
  test('is one unit per started KB for a write, and as much for each index that holds the item', async () => {
    expect((await put(row('w1', 1))).consumed).toEqual(written(1));
    expect((await put(row('w2', 3))).consumed).toEqual(written(3));
    expect((await put({ ...row('w3', 3), ...listed })).consumed).toEqual(written(6));
  });

  test('is that of the larger item when a write replaces or updates an item', async () => {
    await put(row('o1', 5));
    const update = { UpdateExpression: 'SET n = :n', ExpressionAttributeValues: { ':n': { N: '1' } } };
    expect((await read('UpdateItem', { Key: key('o1'), ...update })).consumed).toEqual(written(5));
    expect((await put(row('o1', 1))).consumed).toEqual(written(5));
  });

  test('is twofold in a transaction', async () => {
    const check = { ConditionCheck: { TableName, Key: key('absent'), ...isNew } };
    const transaction = { TransactItems: [{ Put: { TableName, Item: row('t1', 3) } }, check] };
    expect((await call('TransactWriteItems', transaction)).consumed).toEqual(written(2 * 3 + 2 * 1));
  });

  test('is that of reads when a transaction is repeated', async () => {
    const transaction = { ClientRequestToken: 'again', TransactItems: [{ Put: { TableName, Item: row('t2', 3) } }] };
    await call('TransactWriteItems', transaction);
    expect((await call('TransactWriteItems', transaction)).consumed).toMatchObject({ writeUnits: 0 });
  });

  test('is one unit per started 4 KB for a read, half for an eventually consistent one, and one for an empty result', async () => {
    await put(row('r1', 9));
    expect((await query('r1', { ConsistentRead: true })).consumed).toEqual(taken(3));
    expect((await query('r1')).consumed).toEqual(taken(1.5));
    expect((await query('nothing', { ConsistentRead: true })).consumed).toEqual(taken(1));
    expect((await read('GetItem', { Key: key('r1') })).consumed).toEqual(taken(1.5));
  });

  test('does not depend on a projection', async () => {
    await put(row('p1', 9));
    expect((await query('p1', { ConsistentRead: true, ProjectionExpression: 'pk' })).consumed).toEqual(taken(3));
  });

  test('is that of the larger item when a write is refused', async () => {
    await put(row('f1', 5));
    const shown = { ...isNew, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };
    expect(await put(row('f1', 2), shown)).toMatchObject({ status: 400, consumed: written(5) });
    expect(await put(row('f1', 7), shown)).toMatchObject({ status: 400, consumed: written(7) });
    const transaction = { TransactItems: [{ Put: { TableName, Item: row('f1', 2), ...shown } }] };
    expect(await call('TransactWriteItems', transaction)).toMatchObject({ status: 400, consumed: written(10) });
  });

  test('is zero for an invalid call', async () => {
    expect(await put({ pk: { S: 'no sort key' } })).not.toHaveProperty('consumed');
    expect(await call('ListTables', {})).not.toHaveProperty('consumed');
  });
});

describe('the DynamoDB response that a function gets', () => {
  test('is what the function asked for, with the right checksum', async () => {
    const stored = row('a1', 1);
    await put(stored);
    const { answer, body, headers } = await query('a1', { ConsistentRead: true });
    expect(answer).toEqual({ Count: 1, ScannedCount: 1, Items: [stored] });
    expect(headers['x-amz-crc32']).toBe(String(crc32(body)));
    expect((await put(stored)).answer).toEqual({});
  });

  test('continues where a page ends', async () => {
    for (const sk of ['1', '2']) await put({ pk: { S: 'page' }, sk: { S: sk } });
    const { answer } = await query('page', { Limit: 1 });
    expect(answer.LastEvaluatedKey).toEqual({ pk: { S: 'page' }, sk: { S: '1' } });
  });

  test('has the consumed capacity only when the function asked for it', async () => {
    const { answer, consumed } = await put(row('a2', 2), { ReturnConsumedCapacity: 'TOTAL' });
    expect(answer).toEqual({ ConsumedCapacity: { TableName, CapacityUnits: 2 } });
    expect(consumed).toEqual(written(2));
  });

  test('keeps an attribute with the name of the capacity field', async () => {
    const stored = { ...key('a3'), ConsumedCapacity: { N: '7' }, text: { S: '"ConsumedCapacity":{}' } };
    await put(stored);
    const { answer, consumed } = await read('GetItem', { Key: key('a3') });
    expect(answer).toEqual({ Item: stored });
    expect(consumed).toEqual(taken(0.5));
  });

  test('of an engine that returns no capacity is passed on unchanged', async () => {
    const told: AwsResponse = { status: 200, headers: {}, body: '{"Item":{"ConsumedCapacity":{"N":"7"}}}' };
    const body = Buffer.from('{"TableName":"t"}');
    const request = { service: 'dynamodb', operation: 'GetItem', body } as unknown as AwsRequest;
    expect(await measured(request, async () => told)).toBe(told);
  });
});

test('the size of an item is that of its names and values', () => {
  expect(itemBytes({ pk: { S: 'ü' } })).toBe(2 + 2);
  expect(itemBytes({ n: { N: '12345' } })).toBe(1 + 4);
  expect(itemBytes({ n: { N: '-0.5' } })).toBe(1 + 2);
  expect(itemBytes({ b: { B: 'AAAA' }, t: { BOOL: true }, o: { NULL: true } })).toBe(1 + 3 + 2 + 2);
  expect(itemBytes({ l: { L: [{ S: 'ab' }, { N: '1' }] } })).toBe(1 + 3 + (1 + 2) + (1 + 2));
  expect(itemBytes({ m: { M: { a: { S: 'b' } } }, s: { SS: ['ab', 'c'] } })).toBe(1 + 3 + 1 + 2 + (1 + 3));
});
