/** The lean client, and requests that are signed by hand, send what the SDK's own clients send, and understand what AWS answers. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { buffer } from 'node:stream/consumers';
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { primaryThread, SessionId } from '#contract/ids.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createInvoke } from '#aws/invoke.lambda.ts';
import { createRuns } from '#aws/session/runs.step-functions.ts';
import { checkSigned } from '#infra/local/aws/signed.ts';

type Seen = Parameters<typeof checkSigned>[0];
type Answer = readonly [status: number, body: object];

let server: Server;
let seen: Seen[];
let answers: Answer[];
let settings: { readonly endpoint: string; readonly region: string };

const ENV = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret/of+the=role',
  AWS_SESSION_TOKEN: 'token==',
};

beforeEach(async () => {
  seen = [];
  answers = [];
  server = createServer((request, response) => {
    void buffer(request).then((body) => {
      if (request.socket.destroyed) return;
      const { method = '', headers } = request;
      seen.push({ method, path: '/', query: new URLSearchParams(), headers, body });
      const [status, answer] = answers.shift() ?? [200, {}];
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  settings = { endpoint: `http://127.0.0.1:${port}`, region: ENV.AWS_REGION };
  Object.assign(process.env, ENV, { AWS_ENDPOINT_URL: settings.endpoint });
});
afterEach(() => {
  for (const name of [...Object.keys(ENV), 'AWS_ENDPOINT_URL']) delete process.env[name];
  server.close();
  server.closeAllConnections();
});

const ITEM = { pk: { S: 'ws#ü\u2028"\\' }, sk: { N: '1e3' }, tags: { SS: ['a', 'b'] }, on: { BOOL: false } };
const WRITES = [{ Put: { TableName: 't', Item: ITEM } }];
const COMMANDS = [
  new GetItemCommand({ TableName: 't', Key: { pk: { S: 'a' } }, ConsistentRead: true }),
  new PutItemCommand({ TableName: 't', Item: ITEM, ConditionExpression: undefined }),
  new UpdateItemCommand({ TableName: 't', Key: { pk: { S: 'a' } }, UpdateExpression: 'SET a = b' }),
  new QueryCommand({ TableName: 't', Limit: 0, ExpressionAttributeValues: { ':a': { L: [{ NULL: true }] } } }),
  new TransactWriteItemsCommand({ TransactItems: WRITES, ClientRequestToken: 'once' }),
];

/** What reaches AWS, but for instants, ids and what only describes the caller. */
const essence = ({ method, headers, body }: Seen) => ({
  method,
  target: headers['x-amz-target'],
  type: headers['content-type'],
  length: headers['content-length'],
  token: headers['x-amz-security-token'],
  body: JSON.parse(body.toString()),
});

describe('a lean client of DynamoDB', () => {
  test('sends what the SDK sends, signed with the key of the role', async () => {
    const credentials = {
      accessKeyId: ENV.AWS_ACCESS_KEY_ID,
      secretAccessKey: ENV.AWS_SECRET_ACCESS_KEY,
      sessionToken: ENV.AWS_SESSION_TOKEN,
    };
    const plain = new DynamoDBClient({ ...settings, credentials });
    const lean = createDynamoDb(ENV);
    for (const command of COMMANDS) {
      await plain.send(command as GetItemCommand);
      await lean.send(command as GetItemCommand);
      const [ofSdk, ours] = seen.slice(-2) as [Seen, Seen];
      expect(essence(ours)).toEqual(essence(ofSdk));
      expect(ours.headers['authorization']).toMatch(/SignedHeaders=[^,]*\bhost;[^,]*x-amz-security-token/);
      for (const one of [ofSdk, ours]) expect(() => checkSigned(one, ENV.AWS_SECRET_ACCESS_KEY)).not.toThrow();
    }
    expect(() => checkSigned({ ...(seen.at(-1) as Seen), body: Buffer.from('{}') }, ENV.AWS_SECRET_ACCESS_KEY)).toThrow(
      'not the one that was signed',
    );
  });

  test('returns what DynamoDB answers', async () => {
    answers.push([200, { Items: [ITEM], Count: 1, LastEvaluatedKey: { pk: { S: 'a' } } }]);
    const output = await createDynamoDb(ENV).send(new QueryCommand({ TableName: 't' }));
    expect(output).toMatchObject({ Items: [ITEM], Count: 1, LastEvaluatedKey: { pk: { S: 'a' } } });
  });

  test('throws the SDK’s exception for a condition that does not hold, with the row, and does not repeat it', async () => {
    const type = 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException';
    answers.push([400, { __type: type, message: 'The conditional request failed', Item: ITEM }]);
    const sent = createDynamoDb(ENV).send(new PutItemCommand({ TableName: 't', Item: ITEM }));
    const error: unknown = await sent.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ConditionalCheckFailedException);
    expect(error).toMatchObject({ Item: ITEM });
    expect(seen).toHaveLength(1);
  });

  test.each<[string, Answer]>([
    ['a throttled one', [400, { __type: 'x#ThrottlingException', message: 'slow down' }]],
    ['one that a broken server answered', [500, { __type: 'x#InternalServerError' }]],
    ['one that was answered with no JSON', [503, {}]],
  ])('repeats %s, with the same body and a signature of its own', async (_what, answer) => {
    answers.push(answer, [200, { Item: ITEM }]);
    const lean = createDynamoDb(ENV);
    const command = new TransactWriteItemsCommand({ TransactItems: WRITES, ClientRequestToken: 'once' });
    expect(await lean.send(command)).toMatchObject({ Item: ITEM });
    expect(seen.map(({ body }) => body.toString())).toEqual([seen[0]?.body.toString(), seen[0]?.body.toString()]);
    for (const one of seen) expect(() => checkSigned(one, ENV.AWS_SECRET_ACCESS_KEY)).not.toThrow();
  });

  test('keeps requests that are under way at the same time apart', async () => {
    const lean = createDynamoDb(ENV);
    const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
    answers.push(...keys.map((): Answer => [200, { Item: ITEM }]));
    await Promise.all(keys.map((key) => lean.send(new GetItemCommand({ TableName: 't', Key: { pk: { S: key } } }))));
    const asked = seen.map(({ body }) => JSON.parse(body.toString()).Key.pk.S);
    expect(asked.toSorted()).toEqual(keys.toSorted());
    for (const one of seen) expect(() => checkSigned(one, ENV.AWS_SECRET_ACCESS_KEY)).not.toThrow();
  });
});

describe('the start of a run', () => {
  const machine = 'arn:aws:states:eu-central-1:1:stateMachine:run';
  const session = SessionId.parse('sesn_1');
  const key = { session, thread: primaryThread(session) };

  test('sends what the SDK sends, signed', async () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = ENV;
    const credentials = { accessKeyId, secretAccessKey, sessionToken: AWS_SESSION_TOKEN };
    const input = JSON.stringify({ ...key, run: 1 });
    const plain = new SFNClient({ ...settings, credentials });
    await plain.send(new StartExecutionCommand({ stateMachineArn: machine, name: 'sesn_1-1', input }));
    expect(await createRuns(process.env, machine).start(key, 1)).toBe('started');
    const [ofSdk, ours] = seen as [Seen, Seen];
    for (const header of ['content-type', 'x-amz-target']) expect(ours.headers[header]).toBe(ofSdk.headers[header]);
    expect(JSON.parse(ours.body.toString())).toEqual(JSON.parse(ofSdk.body.toString()));
    expect(() => checkSigned(ours, secretAccessKey)).not.toThrow();
  });

  test.each([
    ['taken', [400, { __type: 'ExecutionAlreadyExists', message: 'it is taken' }]],
    ['taken', [400, { __type: 'com.amazonaws.sfn#ExecutionAlreadyExists' }]],
  ] satisfies [string, Answer][])('is %s when the name is', async (answer, refusal) => {
    answers.push(refusal);
    expect(await createRuns(process.env, machine).start(key, 1)).toBe(answer);
    expect(seen).toHaveLength(1);
  });

  test.each([
    ['throttled', [400, { __type: 'ThrottlingException' }]],
    ['unavailable', [503, {}]],
  ] satisfies [string, Answer][])('is tried again when Step Functions is %s', async (_why, refusal) => {
    answers.push(refusal, refusal);
    expect(await createRuns(process.env, machine).start(key, 1)).toBe('started');
    expect(seen).toHaveLength(3);
  });

  test('fails at once when it is refused', async () => {
    answers.push([400, { __type: 'InvalidArn' }]);
    await expect(createRuns(process.env, machine).start(key, 1)).rejects.toMatchObject({ code: 'run_not_started' });
    expect(seen).toHaveLength(1);
  });
});

describe('an invocation', () => {
  const signal = AbortSignal.timeout(10_000);
  const invoke = () => createInvoke(process.env, { retries: 0 })('f', { type: 'Event', input: { a: 1 }, signal });

  test('is sent again on a new connection when the idle one was closed', async () => {
    await invoke();
    // The server ends the connection as soon as something more comes on it.
    server.prependOnceListener('request', (request) => void request.socket.resetAndDestroy());
    await invoke();
    expect(seen).toHaveLength(2);
    for (const one of seen) expect(one.body.toString()).toBe('{"a":1}');
  });

  test('is not sent again when a new connection is closed', async () => {
    server.prependListener('request', (request) => void request.socket.resetAndDestroy());
    await expect(invoke()).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});
