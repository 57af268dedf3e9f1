/** A DynamoDB to test against: the endpoint in `AWS_ENDPOINT_URL_DYNAMODB` when given, else the native engine. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  ListTablesCommand,
  type CreateTableCommandInput,
} from '@aws-sdk/client-dynamodb';

const ENGINE = fileURLToPath(new URL('../../node_modules/@dynoxide/linux-x64/dynoxide', import.meta.url));

export interface TestDynamoDb {
  readonly client: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
  readonly previewsTable: string;
  readonly vaultTable: string;
  readonly auditTable: string;
  readonly memoryTable: string;
  close(): Promise<void>;
}

export async function startDynamoDb(): Promise<TestDynamoDb> {
  const given = process.env['AWS_ENDPOINT_URL_DYNAMODB'];
  const engine = given === undefined ? await startEngine() : { endpoint: given, stop: async () => undefined };
  const client = new DynamoDBClient({
    endpoint: engine.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const suffix = randomUUID().slice(0, 8);
  const tables = {
    logTable: `log-${suffix}`,
    recordsTable: `records-${suffix}`,
    previewsTable: `previews-${suffix}`,
    vaultTable: `vault-${suffix}`,
    auditTable: `audit-${suffix}`,
    memoryTable: `memory-${suffix}`,
  };
  await client.send(new CreateTableCommand(logTable(tables.logTable)));
  await client.send(new CreateTableCommand(recordsTable(tables.recordsTable)));
  await client.send(new CreateTableCommand(previewsTable(tables.previewsTable)));
  await client.send(new CreateTableCommand(listedTable(tables.vaultTable)));
  await client.send(new CreateTableCommand(listedTable(tables.auditTable)));
  await client.send(new CreateTableCommand(listedTable(tables.memoryTable)));
  return {
    client,
    ...tables,
    async close() {
      for (const TableName of Object.values(tables)) await client.send(new DeleteTableCommand({ TableName }));
      client.destroy();
      await engine.stop();
    },
  };
}

async function startEngine() {
  const port = await freePort();
  const child = spawn(ENGINE, ['serve', '--host', '127.0.0.1', '--port', String(port)], { stdio: 'ignore' });
  const endpoint = `http://127.0.0.1:${port}`;
  await answering(endpoint);
  return {
    endpoint,
    stop: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

async function answering(endpoint: string): Promise<void> {
  const client = new DynamoDBClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const ready = await client.send(new ListTablesCommand({})).then(
      () => true,
      () => false,
    );
    if (ready) return client.destroy();
    await sleep(50);
  }
  throw new Error('the DynamoDB engine did not start within 5 s');
}

const logTable = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'N' },
  ],
});

const recordsTable = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  AttributeDefinitions: ['pk', 'sk', 'listPk', 'listSk', 'scopePk', 'scopeSk', 'runningPk', 'runningSk'].map(
    (AttributeName) => ({
      AttributeName,
      AttributeType: 'S',
    }),
  ),
  GlobalSecondaryIndexes: [index('list'), index('scope'), index('running')],
});

const previewsTable = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
});

const listedTable = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  AttributeDefinitions: ['pk', 'sk', 'listPk', 'listSk'].map((AttributeName) => ({
    AttributeName,
    AttributeType: 'S',
  })),
  GlobalSecondaryIndexes: [index('list')],
});

const index = (IndexName: 'list' | 'scope' | 'running') => ({
  IndexName,
  KeySchema: [
    { AttributeName: `${IndexName}Pk`, KeyType: 'HASH' as const },
    { AttributeName: `${IndexName}Sk`, KeyType: 'RANGE' as const },
  ],
  Projection: { ProjectionType: 'ALL' as const },
});
