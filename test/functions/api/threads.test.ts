import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SessionState } from '#contract/entries.ts';
import { SessionId, WorkspaceId, type ThreadId, primaryThread } from '#contract/ids.ts';
import { SessionThread } from '#contract/sessions.ts';
import { NO_USAGE } from '#core/session/usage.ts';
import { newThread } from '#test/ports/new-thread.ts';
import { appendOf, saying } from '#test/ports/session-log.suite.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_tests');
const STRANGER = { authorization: `Bearer ${OTHER_KEY}` };
const AT = '2100-11-21T10:00:00.000Z';
const RUNNING = { status: 'running', run: 1, runningSince: AT } as const;

describe('child threads', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  /** A session with child threads in these states, which have been told a large text. */
  async function team(...states: readonly Partial<SessionState>[]) {
    const session = SessionId.parse(await api.session());
    const key = { session, thread: primaryThread(session) };
    const head = (await api.world.log.head(key)) ?? expect.fail('no log');
    const entries = [saying('x'.repeat(300_000), 'sevt_c')];
    const threads = states.map((state, at) =>
      newThread(key, { state, entries, workspace: WORKSPACE, at: AT.replace('00.000', `0${at}.000`) }),
    );
    await api.world.log.append(appendOf(key, head, [{ record: { kind: 'mcp.outdated', at: AT } }]), ...threads);
    const path = `/v1/sessions/${session}/threads`;
    const ids = threads.map(({ thread }) => thread.id);
    return { session, path, threads, ids: [key.thread, ...ids] as [ThreadId, ThreadId, ThreadId, ThreadId, ThreadId] };
  }

  const REST = { status: 'idle', run: 1, stopReason: { type: 'end_turn' } } as const;

  it('are listed after the primary one by creation, in pages of any size, and by their status', async () => {
    const { path, ids } = await team({}, RUNNING, REST);
    const pages = async (query: string) => {
      const found: string[] = [];
      for (let page = '', count = 0; count < 9; count += 1) {
        const { status, body } = await api.ask('GET', `${path}?${query}${page}`);
        expect(status).toBe(200);
        found.push(...body.data.map((thread: unknown) => SessionThread.parse(thread).id));
        if (body.next_page === null) return found;
        page = `&page=${body.next_page}`;
      }
      return expect.fail('pages without an end');
    };
    for (const query of ['', 'limit=1', 'limit=2', 'limit=3', 'limit=4', 'limit=1000', 'include_archived=false']) {
      expect(await pages(query)).toEqual(ids.slice(0, 4));
    }
    expect(await pages('statuses[]=running&limit=1')).toEqual([ids[2]]);
    expect(await pages('statuses[]=idle&limit=1')).toEqual([ids[0], ids[1], ids[3]]);
    expect(await pages('statuses[]=terminated')).toEqual([]);
    expect((await api.ask('GET', `${path}?limit=1001`)).status).toBe(400);
    expect((await api.ask('GET', path, undefined, STRANGER)).status).toBe(404);
    const { next_page } = (await api.ask('GET', `${path}?limit=1`)).body;
    expect((await api.ask('GET', `/v1/sessions?page=${next_page}`)).status).toBe(400);
    // A cursor may be forged.
    const forged = { list: 'threads', order: 'asc', at: AT, direction: 'next', id: 'no_thread' };
    const page = `page_${Buffer.from(JSON.stringify(forged)).toString('base64url')}`;
    expect((await api.ask('GET', `${path}?page=${page}`)).status).toBe(200);
  });

  it('show what they are and did, and nothing of what they have not done', async () => {
    const { session, path, ids, threads } = await team({}, RUNNING, {
      ...REST,
      usage: { ...NO_USAGE, active_seconds: 3 },
    });
    const agent = threads[0]?.thread.agent;
    const fixed = {
      type: 'session_thread',
      session_id: session,
      parent_thread_id: ids[0],
      workflow_run_id: null,
      agent,
    };
    const shown = await Promise.all(ids.slice(1, 4).map((id) => api.ask('GET', `${path}/${id}`)));
    const bodies = shown.map(({ body }) => SessionThread.parse(body));
    expect(bodies).toMatchObject([
      { ...fixed, id: ids[1], status: 'idle', usage: null, stats: null, archived_at: null },
      {
        ...fixed,
        id: ids[2],
        status: 'running',
        usage: null,
        stats: { active_seconds: 0 },
        created_at: AT.replace('00.000', '01.000'),
      },
      { ...fixed, id: ids[3], status: 'idle', usage: { active_seconds: 3 }, stats: { active_seconds: 3 } },
    ]);
    expect((await api.ask('GET', path)).body.data.slice(1)).toEqual(bodies);
  });

  it('list events of their own, and the session lists none of them', async () => {
    const { session, path, ids } = await team({}, RUNNING);
    const listed = await api.ask('GET', `${path}/${ids[1]}/events`);
    expect(listed.body).toMatchObject({ data: [{ id: 'sevt_c', type: 'user.message' }], next_page: null });
    expect((await api.ask('GET', `/v1/sessions/${session}/events`)).body.data).toEqual([]);
  });

  it.each(['', '/events', '/archive'])('of another session or workspace do not exist: %s', async (part) => {
    const [own, others] = [await team({}), await team({})];
    const method = part === '/archive' ? 'POST' : 'GET';
    expect((await api.ask(method, `${own.path}/${others.ids[1]}${part}`)).status).toBe(404);
    expect((await api.ask(method, `${own.path}/sthr_none${part}`)).status).toBe(404);
    expect((await api.ask(method, `${own.path}/no-thread${part}`)).status).toBe(404);
    expect((await api.ask(method, `${own.path}/${own.ids[1]}${part}`, undefined, STRANGER)).status).toBe(404);
    expect((await api.ask(method, `${own.path}/${own.ids[1]}${part}`)).status).toBe(200);
  });

  it('are archived unless they run, once, and stay readable', async () => {
    const waiting: Partial<SessionState> = { ...REST, stopReason: { type: 'requires_action', event_ids: [] } };
    const { path, ids } = await team({}, RUNNING, REST, waiting);
    const [primary, idle, running, ...resting] = ids;
    for (const id of [idle, ...resting]) {
      const { status, body } = await api.ask('POST', `${path}/${id}/archive`);
      expect([status, body.status, typeof body.archived_at]).toEqual([200, 'terminated', 'string']);
      expect((await api.ask('POST', `${path}/${id}/archive`)).body).toEqual(body);
      expect((await api.ask('GET', `${path}/${id}`)).body).toEqual(body);
      const { data } = (await api.ask('GET', `${path}/${id}/events`)).body;
      expect(data).toContainEqual(
        expect.objectContaining({ type: 'session.thread_status_terminated', session_thread_id: id }),
      );
    }
    const refused = await api.ask('POST', `${path}/${running}/archive`);
    expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringMatching(/is running: wait/)]);
    expect((await api.ask('GET', `${path}/${running}`)).body).toMatchObject({ status: 'running', archived_at: null });
    expect((await api.ask('POST', `${path}/${primary}/archive`)).status).toBe(400);
    const { data } = (await api.ask('GET', `${path}?statuses[]=terminated`)).body;
    expect(data.map(({ id }: { id: string }) => id)).toEqual([idle, ...resting]);
  });

  it('are deleted with their session, with rows, logs and content', async () => {
    const { session } = await team({}, REST);
    const items = async (table: string) => {
      const { Items = [] } = await api.dynamodb.send(new ScanCommand({ TableName: table, ConsistentRead: true }));
      return Items.filter(({ pk }) => pk?.S?.startsWith(session) === true).length;
    };
    const objects = () => [...api.objects.keys()].filter((key) => key.startsWith(session)).length;
    expect([await items(api.logTable), await items(api.recordsTable), objects()]).toEqual([4, expect.any(Number), 2]);
    expect((await api.ask('DELETE', `/v1/sessions/${session}`)).status).toBe(200);
    expect([await items(api.logTable), await items(api.recordsTable), objects()]).toEqual([0, 0, 0]);
  });
});
