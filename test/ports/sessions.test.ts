import { PutItemCommand, TransactionConflictException } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SessionId, WorkspaceId } from '#contract/ids.ts';
import { plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { NO_USAGE } from '#core/session/usage.ts';
import { AGENT } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const SESSION = SessionId.parse('sesn_1');
const AT = '2026-11-21T10:00:00.000Z';

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

it('a session is archived after a concurrent write of its row has ended', async () => {
  const details = { id: SESSION, agent: AGENT, environment_id: 'env_1', title: null, metadata: {}, created_at: AT };
  const texts = {
    workspace: WORKSPACE,
    body: JSON.stringify(details),
    status: 'terminated',
    usage: JSON.stringify(NO_USAGE),
    updatedAt: AT,
  };
  const columns = Object.entries({ pk: SESSION, sk: 'session', ...texts }).map(([name, S]) => [name, { S }] as const);
  await db.client.send(new PutItemCommand({ TableName: db.recordsTable, Item: Object.fromEntries(columns) }));
  const content = { put: async () => undefined, get: async () => '' };
  const { client: dynamodb, recordsTable, logTable } = db;
  const sessions = createSessionRecords({
    dynamodb,
    recordsTable,
    logTable,
    content,
    newName: () => 'name',
    plannedSandbox,
  });
  db.client.middlewareStack.add(
    () => async () => {
      db.client.middlewareStack.remove('contention');
      throw new TransactionConflictException({ message: 'held', $metadata: {} });
    },
    { step: 'initialize', name: 'contention' },
  );
  expect(await sessions.archive(WORKSPACE, SESSION, AT)).toMatchObject({ archivedAt: AT });
});
