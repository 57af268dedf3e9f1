import {
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, inject, onTestFinished, test, vi } from 'vitest';
import { takeConnections } from '#infra/local/aws/dynamodb/connections.ts';
import { startDynamoDb, type DynamoDb } from '#infra/local/aws/dynamodb/start-dynamodb.ts';
import { isAlive, markOf } from '#infra/local/processes.ts';
import { createUpstream } from '#infra/local/aws/dynamodb/upstream.ts';
import {
  removeScratchDirs,
  scratchDir,
  smallTemplate,
  startWorld,
  type AwsWorld,
} from '#test/infra/local/aws/aws.fixture.ts';

const TABLE = 'Brainstem-Records';
const worlds: AwsWorld[] = [];
const engines: DynamoDb[] = [];
const start = async (...given: Parameters<typeof startWorld>): Promise<AwsWorld> => {
  const world = await startWorld(...given);
  worlds.push(world);
  return world;
};
const startEngine = async (dataDir: string): Promise<DynamoDb> => {
  const engine = await startDynamoDb({ tables: smallTemplate().tables, dataDir, report: () => {} });
  engines.push(engine);
  return engine;
};

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.aws.close();
  for (const engine of engines.splice(0)) await engine.close();
});
afterAll(removeScratchDirs);

const item = (pk: string, sk = 'row') => ({ pk: { S: pk }, sk: { S: sk }, listPk: { S: 'all' }, listSk: { S: pk } });

test('DynamoDB writes items, queries by key and index, and refuses a failed condition', async () => {
  const client = new DynamoDBClient((await start()).as('Api'));
  const put = { TableName: TABLE, Item: item('sesn_1'), ConditionExpression: 'attribute_not_exists(pk)' };
  await client.send(new PutItemCommand(put));
  await expect(client.send(new PutItemCommand(put))).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
  const query = {
    TableName: TABLE,
    IndexName: 'list',
    KeyConditionExpression: 'listPk = :all',
    ExpressionAttributeValues: { ':all': { S: 'all' } },
  };
  expect((await client.send(new QueryCommand(query))).Items).toEqual([item('sesn_1')]);
});

test('each item of a transaction needs the right for the same single write', async () => {
  const client = new DynamoDBClient((await start()).as('Api'));
  const check = {
    TableName: TABLE,
    Key: { pk: { S: 'x' }, sk: { S: 'y' } },
    ConditionExpression: 'attribute_not_exists(pk)',
  };
  const put = { Put: { TableName: TABLE, Item: item('sesn_2') } };
  await client.send(new TransactWriteItemsCommand({ TransactItems: [put, { ConditionCheck: check }] }));
  const denied = client.send(new TransactWriteItemsCommand({ TransactItems: [put, { Delete: check }] }));
  await expect(denied).rejects.toThrow('is not authorized to perform: dynamodb:DeleteItem');
});

test('a role that is limited to some partitions cannot reach another one', async () => {
  const client = new DynamoDBClient((await start()).as('Harness'));
  const update = (pk: string) => ({
    TableName: TABLE,
    Key: { pk: { S: pk }, sk: { S: 'row' } },
    UpdateExpression: 'SET n = :n',
    ExpressionAttributeValues: { ':n': { N: '1' } },
  });
  await client.send(new UpdateItemCommand(update('sesn_1')));
  await expect(client.send(new UpdateItemCommand(update('agent_1')))).rejects.toThrow('Missing statement');
  await expect(client.send(new DeleteItemCommand({ TableName: TABLE, Key: item('sesn_1') }))).rejects.toThrow(
    'dynamodb:DeleteItem',
  );
});

test('written items are there after a restart on the same data', async () => {
  const first = await start();
  await new DynamoDBClient(first.as('Api')).send(new PutItemCommand({ TableName: TABLE, Item: item('sesn_3') }));
  await first.aws.close();
  worlds.length = 0;
  const second = await start({ dataDir: first.dataDir });
  const read = new GetItemCommand({ TableName: TABLE, Key: { pk: { S: 'sesn_3' }, sk: { S: 'row' } } });
  expect((await new DynamoDBClient(second.as('Harness')).send(read)).Item).toEqual(item('sesn_3'));
});

test('a kill of the DynamoDB engine loses no acknowledged write, and the engine restarts by itself', async () => {
  const dynamo = await startEngine(scratchDir());
  const upstream = createUpstream(dynamo.place());
  const acknowledged = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    const pid = dynamo.enginePid() ?? 0;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; ; n += 1) {
        const pk = `${round}-${writer}-${n}`;
        const answer = await upstream.call('PutItem', { TableName: TABLE, Item: item(pk) }).catch(() => null);
        if (answer?.status !== 200) return;
        acknowledged.add(pk);
      }
    });
    await expect.poll(() => acknowledged.size, { interval: 1 }).toBeGreaterThan((round + 1) * 30);
    process.kill(pid, 'SIGKILL');
    await Promise.all(writers);
    await expect
      .poll(() =>
        upstream.call('ListTables', {}).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
  }
  const missing: string[] = [];
  for (const pk of acknowledged) {
    const { body } = await upstream.call('GetItem', { TableName: TABLE, Key: { pk: { S: pk }, sk: { S: 'row' } } });
    if (JSON.parse(body.toString()).Item === undefined) missing.push(pk);
  }
  upstream.close();
  expect(missing).toEqual([]);
});

test.runIf(inject('hasBubblewrap'))(
  'no port of this machine leads to the DynamoDB engine, which takes any signature',
  async () => {
    const dynamo = await startEngine(scratchDir());
    const forged = { endpoint: '', region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
    const written: number[] = [];
    for (const port of portsOf(dynamo.enginePid() ?? 0)) {
      const client = new DynamoDBClient({ ...forged, endpoint: `http://127.0.0.1:${port}` });
      await client.send(new PutItemCommand({ TableName: TABLE, Item: item('apikey_1') })).then(
        () => written.push(port),
        () => undefined,
      );
    }
    expect(written).toEqual([]);
  },
);

/** The ports at which a process listens in the network of this process. */
function portsOf(pid: number): readonly number[] {
  const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const [, ...lines] = readFileSync('/proc/self/net/tcp', 'utf8').trim().split('\n');
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === LISTENS && sockets.includes(`socket:[${inode}]`))
    .map(([, address = '']) => Number.parseInt(address.slice(address.indexOf(':') + 1), 16));
}

const LISTENS = '0A';

test('more connections to the DynamoDB engine are handed over as they are needed', async () => {
  const upstream = createUpstream((await startEngine(scratchDir())).place());
  const call = () => upstream.call('DescribeTable', { TableName: TABLE });
  const answers = await Promise.all(Array.from({ length: 50 }, call));
  upstream.close();
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
});

test('without bubblewrap the DynamoDB engine answers at a loopback port, and the operator is told', async () => {
  const path = process.env['PATH'];
  vi.stubEnv('PATH', scratchDir());
  const reports: string[] = [];
  const dataDir = scratchDir();
  const dynamo = await startDynamoDb({ tables: [], dataDir, report: (message) => void reports.push(message) });
  engines.push(dynamo);
  vi.stubEnv('PATH', path);
  const upstream = createUpstream(dynamo.place());
  expect(await upstream.call('ListTables', {})).toMatchObject({ status: 200 });
  upstream.close();
  expect(reports).toEqual([expect.stringContaining('bubblewrap does not work here')]);
});

test('a program that cannot be started leaves no timer behind, for which the runtime would wait at its end', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const child = spawn(join(scratchDir(), 'no-such-program'), { stdio: ['pipe', 'ignore', 'pipe', 'ipc'] });
  takeConnections(child);
  await once(child, 'error');
  vi.advanceTimersByTime(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('the DynamoDB engine dies with a runtime that is killed', async () => {
  const dataDir = scratchDir();
  const script = `
    const { startDynamoDb } = await import(${JSON.stringify(new URL('../../../../infra/local/aws/dynamodb/start-dynamodb.ts', import.meta.url).href)});
    const dynamo = await startDynamoDb({ tables: [], dataDir: ${JSON.stringify(dataDir)}, report: console.error });
    console.log(dynamo.enginePid());
    setInterval(() => {}, 1000);
  `;
  const runtime = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(runtime.stdout, 'data');
  const engine = markOf(Number(String(line).trim()));
  expect(engine).not.toBeNull();
  runtime.kill('SIGKILL');
  await once(runtime, 'exit');
  await expect.poll(() => engine !== null && isAlive(engine)).toBe(false);
});

test('the next runtime stops a DynamoDB engine that outlived its own', async () => {
  const dataDir = scratchDir();
  const first = await startEngine(dataDir);
  const left = JSON.parse(readFileSync(join(dataDir, 'dynamodb.pid'), 'utf8'));
  const second = await startEngine(dataDir);
  expect(isAlive(left)).toBe(false);
  expect(second.enginePid()).not.toBe(first.enginePid());
});

test('an unrelated process that got the engine’s old process id is left alone', async () => {
  const dataDir = scratchDir();
  const bystander = { pid: process.pid, startedAt: 'before this process' };
  writeFileSync(join(dataDir, 'dynamodb.pid'), JSON.stringify(bystander));
  await startEngine(dataDir);
});

test('stored tables with other keys or indexes than the template’s are refused', async () => {
  const dataDir = scratchDir();
  const first = await startEngine(dataDir);
  const [table] = smallTemplate().tables;
  const createTable = { ...table?.createTable, GlobalSecondaryIndexes: [] };
  const other = { name: TABLE, arn: '', ttlAttribute: null, createTable };
  await first.close();
  const again = startDynamoDb({ tables: [other], dataDir, report: () => {} });
  await expect(again).rejects.toThrow(`table ${TABLE} exists with other keys or indexes`);
});
