import { createServer, type Server } from 'node:http';
import {
  DynamoDBClient,
  TransactionConflictException,
  TransactionInProgressException,
  type BatchGetItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
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

  it('is repeated while its first try, whose answer was lost, is under way', async () => {
    const tokens: unknown[] = [];
    db.client.middlewareStack.add(
      (next) => async (command) => {
        tokens.push((command.input as { ClientRequestToken?: string }).ClientRequestToken);
        if (tokens.length < 3) throw new TransactionInProgressException({ message: 'under way', $metadata: {} });
        return next(command);
      },
      { step: 'initialize', name: 'contention' },
    );
    const writes = [table().putting({ pk: 'slow', sk: 'row' })];
    expect(await table().transact(writes, 'token')).toEqual({ status: 'saved' });
    expect(tokens).toEqual(['token', 'token', 'token']);
  });

  it('is made at once when no transaction holds the rows', async () => {
    expect(await table().put({ pk: 'free', sk: 'row' })).toMatchObject({ status: 'saved' });
    expect(paused).toEqual([]);
  });
});

describe('rows that are read together', () => {
  let db: TestDynamoDb;
  let paused: number[] = [];
  const keys = Array.from({ length: 130 }, (_, at) => ({ pk: `row${at}`, sk: 'row' }));
  beforeAll(async () => {
    db = await startDynamoDb();
    const { put } = createTable(db.client, db.recordsTable);
    await Promise.all(keys.map((key) => put(key)));
  });
  afterEach(() => {
    db.client.middlewareStack.remove('leave out');
    paused = [];
  });
  afterAll(() => db.close());

  const table = () => createTable(db.client, db.recordsTable, { pause: async (ms) => void paused.push(ms) });

  /** DynamoDB has no capacity for more than so many rows of each request. */
  function leaveOutBeyond(count: number): void {
    db.client.middlewareStack.add(
      (next) => async (command) => {
        const { RequestItems = {} } = command.input as BatchGetItemCommandInput;
        const [asked = []] = Object.values(RequestItems).map(({ Keys }) => Keys);
        const requested = (Keys: typeof asked) => ({ RequestItems: { [db.recordsTable]: { Keys } } });
        const left = { UnprocessedKeys: requested(asked.slice(count)).RequestItems };
        if (count === 0) return { response: {}, output: { Responses: {}, ...left, $metadata: {} } };
        const done = await next({ ...command, input: requested(asked.slice(0, count)) as never });
        return { ...done, output: { ...done.output, ...(asked.length > count && left) } };
      },
      { step: 'initialize', name: 'leave out' },
    );
  }

  it('are all those that exist, also where they are more than one request may name', async () => {
    const found = await table().some([...keys, { pk: 'none', sk: 'row' }]);
    expect(found.map(({ pk }) => pk).toSorted()).toEqual(keys.map(({ pk }) => pk).toSorted());
    expect(await table().some([])).toEqual([]);
  });

  it('are asked for again where DynamoDB leaves some out', async () => {
    leaveOutBeyond(7);
    const wanted = keys.slice(80);
    const found = await table().some(wanted);
    expect(found.map(({ pk }) => pk).toSorted()).toEqual(wanted.map(({ pk }) => pk).toSorted());
    expect(paused).toEqual([]);
  });

  it('are unavailable where DynamoDB leaves all out, ten times', async () => {
    leaveOutBeyond(0);
    await expect(table().some(keys.slice(0, 3))).rejects.toMatchObject({ code: 'records_unavailable' });
    expect(paused).toHaveLength(9);
  });
});

describe('a question that is asked again and again', () => {
  interface Answer {
    readonly status: number;
    readonly body: string;
  }
  const NOTHING = { status: 200, body: '{"Count":0,"Items":[]}' };
  const A_ROW = { status: 200, body: '{"Count":1,"Items":[{"pk":{"S":"log"},"sk":{"N":"7"}}]}' };
  const FAILED = { status: 500, body: '{"__type":"InternalServerError"}' };
  const EXPIRED = { status: 400, body: '{"__type":"InvalidSignatureException","message":"Signature expired"}' };

  let server: Server;
  let client: DynamoDBClient;
  /** Taken one after the other; null closes the connection without an answer. */
  let answers: (Answer | null)[] = [];
  let signatures: string[] = [];
  beforeEach(async () => {
    signatures = [];
    server = createServer((request, response) => {
      signatures.push(String(request.headers.authorization));
      const answer = answers.shift() ?? null;
      if (answer === null) return void request.socket.destroy();
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' }).end(answer.body);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    client = new DynamoDBClient({
      endpoint: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    client.destroy();
    server.close();
  });
  const asking = () =>
    createTable(client, 'log').asking({ where: 'pk = :pk', values: { pk: 'log' }, consistent: false });

  it('is answered anew each time, and signed once a minute', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const ask = asking();
    answers = [NOTHING, NOTHING, A_ROW, NOTHING];
    expect([await ask(), await ask(), await ask()]).toEqual([[], [], [{ pk: 'log', sk: 7 }]]);
    expect(new Set(signatures).size).toBe(1);
    vi.setSystemTime(Date.now() + 61_000);
    expect(await ask()).toEqual([]);
    expect(new Set(signatures).size).toBe(2);
  });

  it.each([
    ['an error of the server', FAILED],
    ['an expired signature', EXPIRED],
    ['a lost connection', null],
    ['an answer that is no JSON', { status: 200, body: '<html>' }],
  ])('is asked by the SDK, which repeats it, after %s', async (_name, refusal) => {
    const ask = asking();
    answers = [NOTHING, refusal, FAILED, A_ROW, NOTHING];
    expect(await ask()).toEqual([]);
    expect(await ask()).toEqual([{ pk: 'log', sk: 7 }]);
    expect(await ask()).toEqual([]);
    expect(signatures).toHaveLength(5);
  });

  it('is a fault of the table when no repeat is answered', async () => {
    const ask = asking();
    answers = [NOTHING, ...Array.from({ length: 10 }, () => FAILED)];
    await ask();
    await expect(ask()).rejects.toMatchObject({ code: 'records_unavailable' });
  });
});
