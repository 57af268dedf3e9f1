import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EnvironmentId, LOG_START, SessionId, ThreadId, WorkspaceId, primaryThread } from '#contract/ids.ts';
import type { SessionState } from '#contract/entries.ts';
import type { ThreadListRequest } from '#core/ports/records.ts';
import type { Head, LogKey, NewThread } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import { createLogRemover } from '#aws/session/log-remover.dynamodb.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import { runningSince } from '#aws/session/running-sessions.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { createSessionRecords } from '#aws/session/session-records.dynamodb.ts';
import { createThreadRecords } from '#aws/session/thread-records.dynamodb.ts';
import { createSandboxRecords, plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createTable } from '#aws/table.ts';
import { CREATED, NOW } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { newThread } from '#test/ports/new-thread.ts';
import { appendOf, saying } from '#test/ports/session-log.suite.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const LATER = '2026-11-21T10:00:09.000Z';
const WOKEN = { status: 'running', run: 1, runningSince: NOW } as const;

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

/** A session with these child threads. */
async function begin(...given: Parameters<typeof newThread>[1][]) {
  const { client: dynamodb, logTable, recordsTable } = db;
  const objects = new Map<string, string>();
  const content = {
    put: async (key: string, text: string) => void objects.set(key, text),
    get: async (key: string) => objects.get(key) ?? '',
    removeAll: async (prefix: string) => {
      for (const key of objects.keys()) if (key.startsWith(prefix)) objects.delete(key);
    },
  };
  const tables = { dynamodb, logTable, recordsTable, content, newName: randomUUID };
  const session = SessionId.parse(`sesn_${randomUUID().replaceAll('-', '')}`);
  const key = { session, thread: primaryThread(session) };
  const records = createTable(dynamodb, recordsTable);
  const log = createSessionLog(tables);
  const created = fold(null, [CREATED]);
  const first = await firstAppend(tables, { key, entries: [CREATED], state: created.state, at: NOW }, 'first');
  await records.transact([first, records.putting({ pk: session, sk: 'session', workspace: WORKSPACE })]);
  const threads = given.map((one) => newThread(key, one));
  const appended = await log.append(appendOf(key, created, [saying('go')]), ...threads);
  return {
    ...tables,
    objects,
    session,
    key,
    log,
    records,
    threads,
    head: appended.head,
    rows: createThreadRecords(tables),
  };
}

const listing = (session: SessionId, over: Partial<ThreadListRequest> = {}): ThreadListRequest => ({
  ...{ workspace: WORKSPACE, session, statuses: null, order: 'asc', from: null, to: null, includeArchived: true },
  ...{ beyond: null, direction: 'next', limit: 1000, ...over },
});

const headOf = ({ state, entries }: NewThread): Head => ({ ...fold(null, entries), state });

describe('a child thread', () => {
  it('is found by its session and its id, from its first append on', async () => {
    const { rows, threads } = await begin({}, { state: WOKEN });
    const [idle, woken] = threads as [NewThread, NewThread];
    const fixed = { usage: null, updatedAt: NOW, archivedAt: null };
    const never = { ...fixed, status: 'idle', run: 0, runningSince: null };
    expect(await rows.find(WORKSPACE, idle.key)).toEqual({ ...never, key: idle.key, details: idle.thread });
    expect(await rows.find(WORKSPACE, woken.key)).toEqual({
      ...fixed,
      ...WOKEN,
      key: woken.key,
      details: woken.thread,
    });
    const others: readonly LogKey[] = [
      { ...idle.key, session: SessionId.parse('sesn_other') },
      // Its id begins with another one's, and the other way around.
      { ...idle.key, thread: ThreadId.parse(`${idle.key.thread}0`) },
      { ...idle.key, thread: ThreadId.parse(idle.key.thread.slice(0, -1)) },
      { ...idle.key, thread: primaryThread(idle.key.session) },
    ];
    for (const other of others) expect(await rows.find(WORKSPACE, other)).toBeNull();
    expect(await rows.find(WorkspaceId.parse('wrkspc_other'), idle.key)).toBeNull();
  });

  it('that has an environment of its own plans its hand, in no more rows, and every generation has it', async () => {
    const packages = { apt: [], cargo: [], gem: [], go: [], npm: ['left-pad'], pip: [] };
    const own = { id: EnvironmentId.parse('env_lab'), packages };
    const { session, records, threads } = await begin({ own }, { own: { ...own, packages: null } }, {});
    const hands = createSandboxRecords(db.client, db.recordsTable);
    const [hand, bare, none] = threads.map((one) => ({ session, hand: one.key.thread }));
    if (hand === undefined || bare === undefined || none === undefined) return expect.fail('three threads');
    const plan = { status: 'planned', generation: 0, environment: own.id };
    expect(await hands.find(hand)).toEqual({ ...plan, packages });
    expect(await hands.find(bare)).toEqual({ ...plan, packages: null });
    expect(await hands.find(none)).toBeNull();
    expect(await hands.ofSession(session)).toEqual([]);
    const start = { token: 't', archive: 'f00', at: NOW, attempt: 1, since: NOW, notBefore: NOW };
    const watch = { watcher: 'w', watchedUntil: NOW };
    const reserved = await hands.reserve(hand, 0, { ...start, ...watch, plan: own });
    expect(reserved).toMatchObject({ generation: 1, environment: own.id, packages });
    await hands.lost(hand, 1);
    expect(await hands.reserve(hand, 1, { ...start, ...watch })).toMatchObject({
      ...{ generation: 2, environment: own.id, packages },
    });
    const rows: unknown[] = [];
    for await (const row of records.rows({ where: 'pk = :pk', values: { pk: session } })) rows.push(row);
    // The session's, two of each thread, and the hand that was reserved.
    expect(rows).toHaveLength(1 + 2 * 3 + 1);
  });

  it('shows what follows from its log, and what it used when it rests', async () => {
    const { rows, log, threads, records } = await begin({ state: WOKEN });
    const [thread] = threads as [NewThread];
    const { usage } = thread.state;
    const used = { ...usage, input_tokens: 7 };
    let head = headOf(thread);
    const become = async (state: Partial<SessionState>) => {
      const append = { ...appendOf(thread.key, head, [saying('a', `sevt_${head.position}`)]), at: LATER };
      head = (await log.append({ ...append, state: { ...append.state, ...state } })).head;
      return rows.find(WORKSPACE, thread.key);
    };
    expect(await become({ status: 'rescheduling', usage: used })).toMatchObject({
      status: 'rescheduling',
      usage: null,
    });
    const rested = { status: 'idle', run: 1, usage: used, runningSince: null, updatedAt: LATER };
    expect(await become({ status: 'idle', usage: used, runningSince: null })).toMatchObject(rested);
    expect(await become({ ...WOKEN, run: 2, usage: { ...used, input_tokens: 9 } })).toMatchObject({
      ...WOKEN,
      run: 2,
      usage: used,
    });
    const ended = { status: 'terminated', usage: used, runningSince: null } as const;
    expect(await become(ended)).toMatchObject({ ...ended, archivedAt: LATER, details: thread.thread });
    // The agent's item is written once: later writes of it would tell another thread's.
    const details = await records.get({ pk: thread.key.session, sk: `thread#${thread.key.thread}#details` });
    expect(JSON.parse(String(details?.['body']))).toEqual(thread.thread);
  });

  it('is among the active ones while it runs, beside its session', async () => {
    const { log, threads, key, head } = await begin(
      { state: WOKEN },
      {},
      { state: { ...WOKEN, status: 'rescheduling', run: 4 } },
    );
    const active = async () => {
      const found: unknown[] = [];
      for await (const one of runningSince(db.client, db.recordsTable, LATER))
        if (one.session === key.session) found.push(one);
      return found;
    };
    const [first, , third] = threads as [NewThread, NewThread, NewThread];
    const both = [
      { ...first.key, run: 1 },
      { ...third.key, run: 4 },
    ];
    expect(await active()).toEqual(expect.arrayContaining(both));
    expect(await active()).toHaveLength(2);
    const resting = appendOf(third.key, headOf(third), [saying('done')]);
    const told = appendOf(key, head, [saying('told', 'sevt_t')]);
    await log.append({ ...resting, state: { ...resting.state, status: 'idle', runningSince: null } }, told);
    expect(await active()).toEqual([{ ...first.key, run: 1 }]);
  });
});

describe('the list of child threads', () => {
  it('pages over them by creation, either way, and filters them', async () => {
    const given = [WOKEN, {}, { status: 'terminated' }, {}, WOKEN] as const;
    const { rows, session, threads } = await begin(
      ...given.map((state, at) => ({ state, at: `2026-11-21T10:00:0${(at * 3) % 5}.000Z` })),
    );
    await begin({});
    const byCreation = threads.map(({ thread }) => thread).toSorted((a, b) => (a.created_at < b.created_at ? -1 : 1));
    const ids = byCreation.map(({ id }) => id);
    const list = async (over: Partial<ThreadListRequest>) => {
      const found: string[] = [];
      for (let { beyond } = listing(session, over), pages = 0; pages < 9; pages += 1) {
        const page = await rows.list(listing(session, { ...over, beyond }));
        expect(page.rows.length).toBeLessThanOrEqual(over.limit ?? 1000);
        found.push(...page.rows.map(({ item }) => item.details.id));
        beyond = page.more;
        if (beyond === null) return found;
      }
      return expect.fail('pages without an end');
    };
    expect(await list({})).toEqual(ids);
    expect(await list({ limit: 2 })).toEqual(ids);
    expect(await list({ limit: 1, order: 'desc' })).toEqual(ids.toReversed());
    const active = threads.filter(({ state }) => state.status === 'running').map(({ thread }) => thread.id);
    expect((await list({ statuses: ['running'], limit: 1 })).toSorted()).toEqual(active.toSorted());
    expect(await list({ statuses: ['idle', 'terminated', 'running'] })).toEqual(ids);
    expect(await list({ workspace: WorkspaceId.parse('wrkspc_other') })).toEqual([]);
    const { details } = (await rows.list(listing(session))).rows[0]?.item ?? expect.fail('none');
    expect(details).toEqual(byCreation[0]);
  });

  it('reads agents that were too large for the transaction in which their threads began', async () => {
    const agent = {
      ...newThread({ session: SessionId.parse('sesn_1'), thread: ThreadId.parse('sthr_1') }).thread.agent,
      system: 'y'.repeat(150_000),
    };
    const { rows, session, threads } = await begin(...Array.from({ length: 20 }, () => ({ agent })));
    const { rows: found } = await rows.list(listing(session));
    expect(found.map(({ item }) => item.details)).toEqual(
      threads.map(({ thread }) => thread).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    );
    expect((await rows.find(WORKSPACE, threads[0]?.key ?? expect.fail('none')))?.details.agent).toEqual(agent);
  });
});

describe('a deleted session', () => {
  it('leaves no row, log or content of its threads, also when its deletion died in between', async () => {
    const large = { entries: [saying('x'.repeat(300_000))] };
    const { session, key, records, threads, content, ...tables } = await begin({}, large, {}, large);
    const other = await begin({});
    const sessions = createSessionRecords({ ...tables, content, plannedSandbox });
    await sessions.remove(session);
    const left = async () => {
      const rows: unknown[] = [];
      for await (const row of records.rows({ where: 'pk = :pk', values: { pk: session } })) rows.push(row);
      return rows.length;
    };
    expect(await left()).toBe(8);
    // The process dies at each of its deletions in turn, and another one goes on.
    const deletions = { allowed: 0 };
    const { middlewareStack } = db.client;
    middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName === 'DeleteItemCommand' && (deletions.allowed -= 1) < 0) throw new Error('killed');
          return next(args);
        },
      { step: 'initialize', name: 'death' },
    );
    const remover = createLogRemover({ ...tables, content });
    const lives = await (async () => {
      for (let life = 1; life < 40; life += 1) {
        expect(await tables.log.head(key)).not.toBeNull();
        deletions.allowed = 1;
        if (
          await remover.remove(session).then(
            () => true,
            () => false,
          )
        )
          return life;
      }
      return expect.fail('the deletion has no end');
    })();
    middlewareStack.remove('death');
    expect(lives).toBeGreaterThan(12);
    expect([await left(), await tables.log.head(key)]).toEqual([0, null]);
    for (const thread of threads)
      expect(await tables.log.read(thread.key, LOG_START)).toEqual({ entries: [], head: null });
    expect(tables.objects.size).toBe(0);
    const [kept] = other.threads as [NewThread];
    expect(await other.log.lastPosition(kept.key)).toBe(1);
    expect(await other.rows.find(WORKSPACE, kept.key)).not.toBeNull();
  });
});
