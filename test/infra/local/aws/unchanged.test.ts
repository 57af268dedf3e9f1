import { describe, expect, it } from 'vitest';
import { createAccesses } from '#infra/local/aws/dynamodb/accesses.ts';
import { rememberUnchanged } from '#infra/local/aws/dynamodb/unchanged.ts';
import type { AwsResponse } from '#infra/local/aws/service.ts';

const TABLE = {
  name: 'log',
  arn: '',
  createTable: { KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }] },
  ttlAttribute: null,
};
const accesses = createAccesses([TABLE]);

const keyOf = (pk: string) => ({ pk: { S: pk }, sk: { N: '7' } });
const GET = (pk: string) => ({ operation: 'GetItem', input: { TableName: 'log', Key: keyOf(pk) } });
const QUERY = (pk: string, index = {}) => ({
  operation: 'Query',
  input: {
    TableName: 'log',
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': { S: pk } },
    ...index,
  },
});

/** A table whose answers the test gives, one after the other; a call without an answer at hand waits for it. */
function table() {
  const answer = rememberUnchanged();
  let asked = 0;
  return {
    asked: () => asked,
    call(
      { operation, input }: { operation: string; input: object },
      body: Promise<string> | string = '{}',
      status = 200,
    ) {
      const request = { operation, body: Buffer.from(JSON.stringify(input)) };
      return answer({ request, accesses: accesses(operation, { ...input }) }, async (): Promise<AwsResponse> => {
        asked += 1;
        return { status, headers: {}, body: await body };
      });
    },
  };
}

const WRITES = [
  { operation: 'PutItem', input: { TableName: 'log', Item: keyOf('a') } },
  { operation: 'UpdateItem', input: { TableName: 'log', Key: keyOf('a') } },
  { operation: 'DeleteItem', input: { TableName: 'log', Key: keyOf('a') } },
  {
    operation: 'TransactWriteItems',
    input: {
      TransactItems: [
        { Put: { TableName: 'other', Item: keyOf('x') } },
        { Put: { TableName: 'log', Item: keyOf('a') } },
      ],
    },
  },
  { operation: 'BatchWriteItem', input: { RequestItems: { log: [{ PutRequest: { Item: keyOf('a') } }] } } },
  { operation: 'ExecuteStatement', input: { Statement: 'INSERT …' } },
];

describe('a read that found nothing', () => {
  it.each([GET('a'), QUERY('a')])(
    'is answered from memory while nothing is written to its partition: $operation',
    async (read) => {
      const { call, asked } = table();
      const first = await call(read);
      await call({ operation: 'PutItem', input: { TableName: 'log', Item: keyOf('b') } });
      expect(await call(read)).toEqual(first);
      expect(asked()).toBe(2);
    },
  );

  it.each(WRITES)('is asked again after $operation', async (write) => {
    const { call } = table();
    await call(GET('a'));
    await call(write);
    expect(await call(GET('a'), '{"Item":{}}')).toMatchObject({ body: '{"Item":{}}' });
  });

  it.each(WRITES)('is asked again after $operation that began before it and ended after it', async (write) => {
    const { call } = table();
    const { promise, resolve } = Promise.withResolvers<string>();
    const writing = call(write, promise);
    await call(GET('a'));
    resolve('{}');
    await writing;
    expect(await call(GET('a'), '{"Item":{}}')).toMatchObject({ body: '{"Item":{}}' });
  });

  it.each(WRITES)('is not remembered when $operation came between question and answer', async (write) => {
    const { call } = table();
    const { promise, resolve } = Promise.withResolvers<string>();
    const reading = call(GET('a'), promise);
    await call(write);
    resolve('{}');
    await reading;
    expect(await call(GET('a'), '{"Item":{}}')).toMatchObject({ body: '{"Item":{}}' });
  });

  it('is asked again after a write whose answer was lost', async () => {
    const { call } = table();
    await call(GET('a'));
    await expect(call(WRITES[0] ?? expect.fail(), Promise.reject(new Error('lost')))).rejects.toThrow('lost');
    expect(await call(GET('a'), '{"Item":{}}')).toMatchObject({ body: '{"Item":{}}' });
  });
});

it.each([
  ['another read of the partition', GET('a'), QUERY('a'), '{}', 200],
  ['a read of another table', GET('a'), { ...GET('a'), input: { ...GET('a').input, TableName: 'other' } }, '{}', 200],
  ['a read that found rows', GET('a'), GET('a'), JSON.stringify({ Item: 'x'.repeat(300) }), 200],
  ['a read that failed', GET('a'), GET('a'), '{}', 500],
  ['a read of an index', QUERY('a', { IndexName: 'list' }), QUERY('a', { IndexName: 'list' }), '{}', 200],
] as const)('%s is not answered from memory', async (_name, first, second, body, status) => {
  const { call, asked } = table();
  await call(first, body, status);
  await call(second, '{"Count":0}');
  expect(asked()).toBe(2);
});
