import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { createAccesses } from '#infra/local/aws/dynamodb/accesses.ts';
import { createUpstream, placeAt } from '#infra/local/aws/dynamodb/upstream.ts';
import { removeScratchDirs, smallTemplate } from '#test/infra/local/aws/aws.fixture.ts';

afterAll(removeScratchDirs);

const accesses = createAccesses(smallTemplate().tables);
const TableName = 'Brainstem-Records';
const ARN = `arn:aws:dynamodb:us-east-1:000000000000:table/${TableName}`;
const key = (pk: string) => ({ pk: { S: pk }, sk: { S: 'row' } });
const values = { ':k': { S: 'sesn_1' }, ':s': { S: 'a' } };
const leading = (...keys: string[]) => ({ 'dynamodb:LeadingKeys': keys });

test.each([
  ['GetItem', { TableName, Key: key('a') }, [['dynamodb:GetItem', ARN, leading('a')]]],
  ['PutItem', { TableName: ARN, Item: key('a') }, [['dynamodb:PutItem', ARN, leading('a')]]],
  ['DescribeTable', { TableName }, [['dynamodb:DescribeTable', ARN, {}]]],
  ['ListTables', {}, [['dynamodb:ListTables', '*', {}]]],
  ['Scan', { TableName }, [['dynamodb:Scan', ARN, {}]]],
  [
    'BatchGetItem',
    { RequestItems: { [TableName]: { Keys: [key('a'), key('b')] }, Other: { Keys: [key('c')] } } },
    [
      ['dynamodb:BatchGetItem', ARN, leading('a', 'b')],
      ['dynamodb:BatchGetItem', ARN.replace(TableName, 'Other'), {}],
    ],
  ],
  [
    'Query',
    { TableName, IndexName: 'list', KeyConditionExpression: 'listPk = :k' },
    [['dynamodb:Query', `${ARN}/index/list`, {}]],
  ],
  [
    'Query',
    { TableName, KeyConditionExpression: 'sk > :s AND pk = :k', ExpressionAttributeValues: values },
    [['dynamodb:Query', ARN, leading('sesn_1')]],
  ],
  [
    'Query',
    {
      TableName,
      KeyConditionExpression: '#p = :k',
      ExpressionAttributeNames: { '#p': 'pk' },
      ExpressionAttributeValues: values,
    },
    [['dynamodb:Query', ARN, leading('sesn_1')]],
  ],
  // Nothing here needs these: only a role that may do them to every table may do them.
  ['TransactGetItems', { TransactItems: [] }, [['dynamodb:TransactGetItems', '*', {}]]],
  [
    'TransactWriteItems',
    {
      TransactItems: [
        { Put: { TableName, Item: key('a') } },
        { Update: { TableName, Key: key('b') } },
        { ConditionCheck: { TableName, Key: key('c') } },
      ],
    },
    [
      ['dynamodb:PutItem', ARN, leading('a')],
      ['dynamodb:UpdateItem', ARN, leading('b')],
      ['dynamodb:ConditionCheckItem', ARN, leading('c')],
    ],
  ],
])('%s needs the rights %j', (operation, input, expected) => {
  expect(accesses(operation, input).map(({ action, resource, context }) => [action, resource, context])).toEqual(
    expected,
  );
});

test('all requests to an external endpoint have one access key, because DynamoDB Local keeps a database per key', async () => {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    response.setHeader('x-amz-crc32', '1').end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const upstream = createUpstream(placeAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  for (const worker of ['AKIAONE', 'AKIATWO']) {
    const authorization = `AWS4-HMAC-SHA256 Credential=${worker}/20260101/us-east-1/dynamodb/aws4_request, Signature=x`;
    const answer = await upstream.send(
      { authorization, 'x-amz-target': 'DynamoDB_20120810.ListTables' },
      Buffer.from('{}'),
    );
    expect(answer).toMatchObject({ status: 200, headers: { 'x-amz-crc32': '1' }, body: Buffer.from('{}') });
  }
  upstream.close();
  server.close();
  const keys = seen.map((headers) => /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1]);
  expect(new Set(keys).size).toBe(1);
  expect(keys).not.toContain('AKIAONE');
});
