import { randomUUID } from 'node:crypto';
import { PutItemCommand, TransactionConflictException } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EnvironmentId, EventId, SessionId, WorkspaceId } from '#contract/ids.ts';
import { plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { createSessionReader, createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { createTable } from '#aws/table.ts';
import type { SessionListRequest } from '#core/ports/records.ts';
import { prepare } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { createSession } from '#core/session/create.ts';
import { NO_USAGE } from '#core/session/usage.ts';
import { AGENT, send, sends, steadyStamp } from '#test/functions/core/given.ts';
import { outcome } from '#test/functions/core/outcomes.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const ENVIRONMENT = EnvironmentId.parse('env_1');
const SESSION = SessionId.parse('sesn_1');
const AT = '2026-11-21T10:00:00.000Z';
const LARGE = { ...AGENT, system: 'x'.repeat(100_000) };
const ALL: SessionListRequest = {
  workspace: WORKSPACE,
  order: 'asc',
  from: null,
  to: null,
  includeArchived: true,
  beyond: null,
  direction: 'next',
  limit: 10,
  statuses: null,
  agent: null,
  agentVersion: null,
  memoryStore: null,
};

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

function stores() {
  const content = { put: async () => undefined, get: async () => '' };
  const { client: dynamodb, recordsTable, logTable } = db;
  const tables = { dynamodb, recordsTable, logTable, content, newName: randomUUID };
  return {
    sessions: createSessionRecords({ ...tables, plannedSandbox }),
    log: createSessionLog(tables),
    records: createTable(dynamodb, recordsTable),
  };
}

/** A new session of a large agent, and a way to change it as the API does. */
async function largeSession(workspace: WorkspaceId) {
  const { sessions, log, records } = stores();
  const stamp = steadyStamp();
  const session = SessionId.parse(`sesn_${randomUUID().replaceAll('-', '')}`);
  const made = createSession(
    { agent: LARGE.id, environment_id: ENVIRONMENT },
    { workspace, session, agent: LARGE, environment: ENVIRONMENT, contents: null, guides: {} },
    stamp,
  );
  if (made.status !== 'created') throw new Error(made.message);
  await sessions.create(workspace, made.details, { ...made.first, packages: null, contents: null });
  const { key } = made.first;
  const change = async (command: Command, details = made.details) => {
    const head = (await log.head(key)) ?? expect.fail('no log');
    const prepared = prepare(key, head, command, { stamp });
    if (prepared.status !== 'prepared') throw new Error(prepared.status);
    await log.append({ ...prepared.append, ...(details !== made.details && { details }) });
  };
  return { sessions, records, session, details: made.details, change };
}

/** Write units of everything that `work` writes, indexes included. */
async function written(work: () => Promise<void>): Promise<number> {
  let units = 0;
  const { middlewareStack } = db.client;
  middlewareStack.add(
    (next) => async (args) => {
      const done = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } as never });
      const { ConsumedCapacity = [] } = done.output as { ConsumedCapacity?: unknown };
      for (const { CapacityUnits = 0 } of [ConsumedCapacity].flat() as { CapacityUnits?: number }[]) {
        units += 'TransactItems' in args.input ? CapacityUnits : 0;
      }
      return done;
    },
    { step: 'initialize', name: 'capacity' },
  );
  await work();
  middlewareStack.remove('capacity');
  return units;
}

describe('a session', () => {
  it('whose status changes is written without its details, which may be large', async () => {
    const { sessions, session, change, details } = await largeSession(WORKSPACE);
    expect(await written(() => change(send('hi')))).toBeLessThan(16);
    expect(await sessions.find(WORKSPACE, session)).toMatchObject({ status: 'running', details });
    const reader = createSessionReader(db.client, db.recordsTable);
    expect(await reader.find(session)).toMatchObject({ workspace: WORKSPACE, details, contents: null });
    expect(await reader.find(SessionId.parse('sesn_gone'))).toBeNull();
  });

  it('shows changed details from the append on that tells them', async () => {
    const { sessions, session, change, details } = await largeSession(WORKSPACE);
    await change({ do: 'update', changes: { title: 'new' } }, { ...details, title: 'new' });
    expect(await sessions.find(WORKSPACE, session)).toMatchObject({ status: 'idle', details: { title: 'new' } });
    expect(await sessions.archive(WORKSPACE, session, AT)).toMatchObject({ archivedAt: AT, details: { title: 'new' } });
    expect(await sessions.archive(WorkspaceId.parse('wrkspc_other'), session, AT)).toBeNull();
    expect(await sessions.find(WorkspaceId.parse('wrkspc_other'), session)).toBeNull();
  });

  it('is listed with status and details, by either', async () => {
    const workspace = WorkspaceId.parse('wrkspc_listed');
    const made = [await largeSession(workspace), await largeSession(workspace), await largeSession(workspace)] as const;
    const [first, second, third] = made;
    await second.change(send('hi'));
    await third.change({ do: 'update', changes: { title: 'new' } }, { ...third.details, title: 'new' });
    const list = async (over: Partial<SessionListRequest> = {}) => {
      const { rows, more } = await first.sessions.list({ ...ALL, workspace, ...over });
      return { more, titles: Object.fromEntries(rows.map(({ item }) => [item.details.id, item.details.title])) };
    };
    expect((await list()).titles).toEqual({ [first.session]: null, [second.session]: null, [third.session]: 'new' });
    expect(Object.keys((await list({ statuses: ['running'] })).titles)).toEqual([second.session]);
    expect(Object.keys((await list({ agentVersion: 99 })).titles)).toEqual([]);
    expect((await list({ limit: 2 })).more).not.toBeNull();
    await second.change(sends({ type: 'user.interrupt' }));
    await first.sessions.remove(second.session);
    expect(Object.keys((await list()).titles).toSorted()).toEqual([first.session, third.session].toSorted());
  });

  it('is listed for half of what reading each costs, in one request beside that of the index', async () => {
    const workspace = WorkspaceId.parse('wrkspc_cheap');
    const made = [await largeSession(workspace), await largeSession(workspace), await largeSession(workspace)] as const;
    const [{ sessions, records, session }] = made;
    const reads: { readonly command: string; readonly units: number }[] = [];
    const { middlewareStack } = db.client;
    middlewareStack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          const done = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } as never });
          const { ConsumedCapacity } = done.output as { ConsumedCapacity?: unknown };
          const [{ CapacityUnits: units = 0 } = {}] = [ConsumedCapacity].flat() as { CapacityUnits?: number }[];
          reads.push({ command: commandName, units });
          return done;
        },
      { step: 'initialize', name: 'capacity' },
    );
    expect((await sessions.list({ ...ALL, workspace })).rows).toHaveLength(made.length);
    await records.get({ pk: session, sk: 'session#details' });
    middlewareStack.remove('capacity');
    expect(reads.map(({ command }) => command)).toEqual(['QueryCommand', 'BatchGetItemCommand', 'GetItemCommand']);
    expect(reads[1]?.units).toBe(((reads[2]?.units ?? 0) / 2) * made.length);
  });

  it('shows its outcomes, from the append on that tells of them, alone and in a list', async () => {
    const workspace = WorkspaceId.parse('wrkspc_outcomes');
    const { sessions, session, change, details } = await largeSession(workspace);
    const request = EventId.parse('sevt_request');
    const shown = async () => (await sessions.find(workspace, session))?.outcomes;
    expect(await shown()).toEqual([]);
    await change(sends(outcome('A report')));
    expect(await shown()).toMatchObject([{ description: 'A report', result: 'pending', explanation: null }]);
    await change({ do: 'claim', request, taken: [] });
    expect(await shown()).toMatchObject([{ result: 'running', iteration: 0 }]);
    await change({ do: 'give up', cause: 'attempts', taken: [] });
    await change(sends(outcome('A table'), { type: 'user.interrupt' }, outcome('A chart')));
    const expected = [
      { description: 'A report', result: 'failed', explanation: expect.any(String), completed_at: expect.any(String) },
      { description: 'A table', result: 'interrupted', explanation: expect.any(String) },
      { description: 'A chart', result: 'pending', explanation: null, completed_at: null },
    ];
    expect(await shown()).toMatchObject(expected);
    expect((await sessions.list({ ...ALL, workspace })).rows.map(({ item }) => item.outcomes)).toMatchObject([
      expected,
    ]);
    await change(sends({ type: 'user.interrupt' }));
    expect((await sessions.archive(workspace, session, AT))?.outcomes).toHaveLength(3);
    expect((await sessions.find(workspace, session))?.details).toEqual(details);
  });

  it('that is half removed is neither found nor listed', async () => {
    const workspace = WorkspaceId.parse('wrkspc_removed');
    for (const sk of ['session', 'session#details']) {
      const { sessions, records, session } = await largeSession(workspace);
      await records.remove({ pk: session, sk });
      expect(await sessions.find(workspace, session)).toBeNull();
      expect((await sessions.list({ ...ALL, workspace })).rows).toEqual([]);
      await sessions.remove(session);
      expect(await records.page({ where: 'pk = :pk', values: { pk: session } })).toMatchObject({ rows: [] });
    }
  });

  it('is archived after a concurrent write of its row has ended', async () => {
    const details = { id: SESSION, agent: AGENT, environment_id: 'env_1', title: null, metadata: {}, created_at: AT };
    const texts = { workspace: WORKSPACE, status: 'terminated', usage: JSON.stringify(NO_USAGE), updatedAt: AT };
    const rows = [
      { pk: SESSION, sk: 'session', ...texts },
      { pk: SESSION, sk: 'session#details', body: JSON.stringify(details) },
    ];
    for (const row of rows) {
      const columns = Object.entries(row).map(([name, S]) => [name, { S }] as const);
      await db.client.send(new PutItemCommand({ TableName: db.recordsTable, Item: Object.fromEntries(columns) }));
    }
    const { sessions } = stores();
    db.client.middlewareStack.add(
      () => async () => {
        db.client.middlewareStack.remove('contention');
        throw new TransactionConflictException({ message: 'held', $metadata: {} });
      },
      { step: 'initialize', name: 'contention' },
    );
    expect(await sessions.archive(WORKSPACE, SESSION, AT)).toMatchObject({ archivedAt: AT });
  });
});
