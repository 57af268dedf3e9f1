import { GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { primaryThread, SessionId, mainHand } from '#contract/ids.ts';
import { Session, SessionThread } from '#contract/sessions.ts';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const stranger = { authorization: `Bearer ${OTHER_KEY}` };

describe('the sessions API', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  const logItems = async (session: string) => {
    const pk = { S: `${session}/${primaryThread(SessionId.parse(session))}` };
    const page = await api.dynamodb.send(
      new QueryCommand({
        TableName: api.logTable,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
      }),
    );
    return page.Items ?? [];
  };

  it('keeps the packages of the environment as they were at creation, each once, and deletes them with the session', async () => {
    const records = createSandboxRecords(api.dynamodb, api.recordsTable);
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const config = { type: 'cloud', packages: { npm: ['b', 'a', 'b'], pip: ['c'] } };
    const { body: environment } = await api.ask('POST', '/v1/environments', { name: 'box', config });
    const made = await api.ask('POST', '/v1/sessions', { agent: agent.body.id, environment_id: environment.id });
    await api.ask('POST', `/v1/environments/${environment.id}`, { config: { type: 'cloud', packages: { npm: [] } } });
    const session = SessionId.parse(made.body.id);
    expect(await records.find(mainHand(session))).toMatchObject({
      status: 'planned',
      packages: { apt: [], npm: ['a', 'b'], pip: ['c'] },
    });
    await api.ask('DELETE', `/v1/sessions/${session}`);
    expect(await records.find(mainHand(session))).toBeNull();
  });

  it('keeps the environments that listed agents bring, and refuses one that it cannot have', async () => {
    const post = async (path: string, body: object) => (await api.ask('POST', path, body)).body;
    const environment = await post('/v1/environments', { name: 'box' });
    const packages = { npm: ['b', 'a'] };
    const lab = await post('/v1/environments', { name: 'lab', config: { type: 'cloud', packages } });
    const old = await post('/v1/environments', { name: 'old' });
    await post(`/v1/environments/${old.id}/archive`, {});
    const model = 'claude-opus-5';
    const begin = async (...named: readonly string[]) => {
      const agents = [];
      for (const [at, id] of named.entries())
        agents.push((await post('/v1/agents', { name: `A${at}`, model, metadata: { brainstem_environment: id } })).id);
      const lead = await post('/v1/agents', { name: 'Lead', model, multiagent: { type: 'coordinator', agents } });
      const made = await api.ask('POST', '/v1/sessions', { agent: lead.id, environment_id: environment.id });
      return { made, agents };
    };
    const { made, agents } = await begin(lab.id, environment.id);
    const [item] = await logItems(made.body.id);
    const [{ record }] = JSON.parse(item?.['entries']?.S ?? '[]');
    expect(record.environments).toEqual({
      [agents[0]]: { id: lab.id, packages: expect.objectContaining({ npm: ['a', 'b'] }) },
      [agents[1]]: { id: environment.id, packages: null },
    });
    for (const [id, status, rule] of [
      ['env_none', 404, 'there is no such environment'],
      ['lab', 404, 'there is no such environment'],
      ['', 404, 'there is no such environment'],
      [old.id, 400, 'the environment is archived'],
    ] as const) {
      const refused = await begin(lab.id, id);
      const message = expect.stringContaining(`brainstem_environment of ${refused.agents[1]}: ${rule}`);
      expect(refused.made).toMatchObject({ status, body: { error: { message } } });
    }
  });

  it('answers with the primary thread and with no resources', async () => {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const { body: environment } = await api.ask('POST', '/v1/environments', { name: 'box' });
    const made = await api.ask('POST', '/v1/sessions', { agent: agent.body.id, environment_id: environment.id });
    const path = `/v1/sessions/${made.body.id}`;
    const id = primaryThread(SessionId.parse(made.body.id));
    const thread = await api.ask('GET', `${path}/threads/${id}`);
    expect(thread).toMatchObject({ status: 200, body: { id, session_id: made.body.id, status: 'idle' } });
    expect(SessionThread.parse(thread.body)).toMatchObject({ parent_thread_id: null, agent: { name: 'Ada' } });
    for (const query of ['', '?limit=1', '?statuses[]=idle&statuses[]=running']) {
      expect((await api.ask('GET', `${path}/threads${query}`)).body).toMatchObject({ data: [{ id }], next_page: null });
    }
    expect((await api.ask('GET', `${path}/threads?statuses[]=running`)).body).toEqual({ data: [], next_page: null });
    expect((await api.ask('GET', `${path}/resources`)).body).toEqual({ data: [], next_page: null });
    for (const other of ['sthr_other', primaryThread(SessionId.parse(await api.session()))]) {
      expect(await api.ask('GET', `${path}/threads/${other}`)).toMatchObject({ status: 404 });
      expect(await api.ask('GET', `${path}/threads/${other}/events`)).toMatchObject({ status: 404 });
      expect(await api.ask('POST', `${path}/threads/${other}/archive`)).toMatchObject({ status: 404 });
    }
    for (const part of ['threads', `threads/${id}`, `threads/${id}/events`, 'resources']) {
      expect(await api.ask('GET', `${path}/${part}`, undefined, stranger)).toMatchObject({ status: 404 });
    }
    expect(await api.ask('POST', `${path}/threads/${id}/archive`, undefined, stranger)).toMatchObject({ status: 404 });
  });

  it('lists the events of the primary thread, and does not archive it apart from its session', async () => {
    const session = await api.session();
    await api.send(session, 'one');
    const path = `/v1/sessions/${session}/threads/${primaryThread(SessionId.parse(session))}`;
    const all = await api.ask('GET', `/v1/sessions/${session}/events`);
    expect(all.body.data).toHaveLength(3);
    expect((await api.ask('GET', `${path}/events`)).body).toEqual(all.body);
    const first = await api.ask('GET', `${path}/events?limit=2`);
    const rest = await api.ask('GET', `${path}/events?limit=2&page=${first.body.next_page}`);
    expect([...first.body.data, ...rest.body.data]).toEqual(all.body.data);
    const foreign = await api.ask('GET', `/v1/sessions/${session}/events?page=${first.body.next_page}`);
    expect(foreign).toMatchObject({ status: 400, body: { error: { message: expect.stringMatching(/^page: /) } } });
    expect(await api.ask('GET', `${path}/events?order=desc`)).toMatchObject({ status: 400 });
    expect(await api.ask('POST', `${path}/archive`)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/^thread_id: /) } },
    });
    expect((await api.ask('GET', path)).body).toMatchObject({ status: 'running', archived_at: null });
  });

  it('writes no sandbox record at creation in an environment without packages', async () => {
    const records = createSandboxRecords(api.dynamodb, api.recordsTable);
    expect(await records.find(mainHand(SessionId.parse(await api.session())))).toBeNull();
  });

  it('creates an idle session with a copy of its agent and a log of one record', async () => {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5', metadata: { team: 'x' } });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    const made = await api.ask('POST', '/v1/sessions', {
      agent: { type: 'agent', id: agent.body.id, version: 1 },
      environment_id: environment.body.id,
      title: 'Hello',
      metadata: { a: 'b' },
    });
    expect(made.status).toBe(200);
    const { metadata: _m, created_at: _c, updated_at: _u, archived_at: _a, ...snapshot } = agent.body;
    expect(made.body.agent).toEqual(snapshot);
    expect(Session.parse(made.body)).toMatchObject({
      status: 'idle',
      title: 'Hello',
      metadata: { a: 'b' },
      vault_ids: [],
    });
    expect((await api.ask('GET', `/v1/sessions/${made.body.id}`)).body).toMatchObject({
      ...made.body,
      stats: expect.anything(),
    });
    expect(await logItems(made.body.id)).toHaveLength(1);
  });

  it('requires an agent and an environment that exist', async () => {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    const noAgent = await api.ask('POST', '/v1/sessions', {
      agent: 'agent_01nobody',
      environment_id: environment.body.id,
    });
    expect([noAgent.status, noAgent.body.error.message]).toEqual([404, 'agent: there is no such agent']);
    const noEnvironment = await api.ask('POST', '/v1/sessions', {
      agent: agent.body.id,
      environment_id: 'env_01nobody',
    });
    expect([noEnvironment.status, noEnvironment.body.error.type]).toEqual([404, 'not_found_error']);
    const theirs = { agent: agent.body.id, environment_id: environment.body.id };
    expect((await api.ask('POST', '/v1/sessions', theirs, stranger)).status).toBe(404);
  });

  it('shows the status that the log has', async () => {
    const session = await api.session();
    await api.send(session, 'hello');
    const { body } = await api.ask('GET', `/v1/sessions/${session}`);
    expect(body.status).toBe('running');
    expect(body.stats.active_seconds).toBeGreaterThanOrEqual(0);
  });

  it('archives a session once, which then takes no more events', async () => {
    const session = await api.session();
    const archived = await api.ask('POST', `/v1/sessions/${session}/archive`);
    expect(archived.body).toMatchObject({ status: 'terminated', archived_at: expect.any(String) });
    expect((await api.ask('POST', `/v1/sessions/${session}/archive`)).body).toEqual(archived.body);
    expect((await api.ask('GET', `/v1/sessions/${session}`)).body).toEqual(archived.body);
    const refused = await api.send(session, 'hello?');
    expect([refused.status, refused.body.error.type]).toEqual([400, 'invalid_request_error']);
    const events = await api.ask('GET', `/v1/sessions/${session}/events`);
    expect(events.body.data.map((event: { type: string }) => event.type)).toContain('session.status_terminated');
  });

  it('refuses to archive or delete a running session', async () => {
    const session = await api.session();
    await api.send(session, 'hello');
    for (const [method, path] of [
      ['POST', `/v1/sessions/${session}/archive`],
      ['DELETE', `/v1/sessions/${session}`],
    ] as const) {
      const refused = await api.ask(method, path);
      expect([refused.status, refused.body.error.message]).toEqual([
        400,
        expect.stringMatching(/^session_id: .*running/),
      ]);
    }
    expect((await api.ask('GET', `/v1/sessions/${session}`)).body.status).toBe('running');
  });

  it('answers every request for a session of another workspace with 404', async () => {
    const session = await api.session();
    const requests = [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/archive'],
      ['GET', '/events'],
    ] as const;
    for (const [method, path] of requests) {
      expect((await api.ask(method, `/v1/sessions/${session}${path}`, undefined, stranger)).status).toBe(404);
    }
    const message = { events: [{ type: 'user.message', content: [{ type: 'text', text: 'hi' }] }] };
    expect((await api.ask('POST', `/v1/sessions/${session}/events`, message, stranger)).status).toBe(404);
    expect((await api.ask('GET', `/v1/sessions/${session}`)).body.status).toBe('idle');
  });

  it('deletes a session with its row, its log and its content', async () => {
    const session = await api.session();
    const big = 'x'.repeat(300_000);
    await api.ask('POST', `/v1/sessions/${session}/archive`);
    await api.world.log.head({ session: SessionId.parse(session), thread: primaryThread(SessionId.parse(session)) });
    const other = await api.session({ title: big.slice(0, 500) });
    expect((await api.ask('DELETE', `/v1/sessions/${session}`)).body).toEqual({ id: session, type: 'session_deleted' });
    expect(await logItems(session)).toEqual([]);
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/events'],
    ] as const) {
      expect((await api.ask(method, `/v1/sessions/${session}${path}`)).status).toBe(404);
    }
    expect((await api.ask('GET', `/v1/sessions/${other}`)).status).toBe(200);
  });

  it('deletes a session by a repeat when the first attempt died in the middle', async () => {
    const session = await api.session();
    const removal = api.world.remover.remove;
    Object.assign(api.world.remover, { remove: () => Promise.reject(new Error('killed')) });
    expect((await api.ask('DELETE', `/v1/sessions/${session}`)).status).toBe(500);
    Object.assign(api.world.remover, { remove: removal });
    expect((await api.ask('GET', `/v1/sessions/${session}`)).status).toBe(404);
    expect((await api.send(session, 'hello?')).status).toBe(400);
    expect((await api.ask('DELETE', `/v1/sessions/${session}`)).status).toBe(200);
    expect(await logItems(session)).toEqual([]);
    const Key = { pk: { S: session }, sk: { S: 'session' } };
    expect((await api.dynamodb.send(new GetItemCommand({ TableName: api.recordsTable, Key }))).Item).toBeUndefined();
  });
});

describe('the list of sessions', () => {
  let api: TestApi;
  const ids: string[] = [];
  let agent = '';
  beforeAll(async () => {
    api = await startApi();
    for (let count = 0; count < 7; count += 1) ids.push(await api.session());
    agent = (await api.ask('GET', `/v1/sessions/${ids[3]}`)).body.agent.id;
    await api.send(ids[1] ?? '', 'hello');
    await api.ask('POST', `/v1/sessions/${ids[2]}/archive`);
  });
  afterAll(() => api.close());

  const list = async (query: string) => {
    const { status, body } = await api.ask('GET', `/v1/sessions?${query}`);
    expect(status).toBe(200);
    return { ids: body.data.map((session: Session) => session.id), next: body.next_page, prev: body.prev_page };
  };

  it('leaves out archived ones unless the query includes them', async () => {
    expect((await list('')).ids).toEqual(ids.filter((id) => id !== ids[2]).toReversed());
    expect((await list('include_archived=true')).ids).toEqual(ids.toReversed());
  });

  it('goes forwards and backwards, in both orders', async () => {
    for (const order of ['asc', 'desc']) {
      const all = order === 'asc' ? ids : ids.toReversed();
      const first = await list(`include_archived=true&order=${order}&limit=3`);
      const second = await list(`include_archived=true&order=${order}&limit=3&page=${first.next}`);
      const third = await list(`include_archived=true&order=${order}&limit=3&page=${second.next}`);
      expect([first.ids, second.ids, third.ids]).toEqual([all.slice(0, 3), all.slice(3, 6), all.slice(6)]);
      expect([first.prev, third.next]).toEqual([null, null]);
      const back = await list(`include_archived=true&order=${order}&limit=3&page=${third.prev}`);
      expect(back.ids).toEqual(second.ids);
      const start = await list(`include_archived=true&order=${order}&limit=3&page=${back.prev}`);
      expect([start.ids, start.prev]).toEqual([first.ids, null]);
      expect((await list(`include_archived=true&order=${order}&limit=3&page=${start.next}`)).ids).toEqual(second.ids);
    }
  });

  it('filters by status, agent and version', async () => {
    expect((await list('statuses%5B%5D=running')).ids).toEqual([ids[1]]);
    expect((await list('statuses=running&statuses=idle')).ids).toHaveLength(6);
    expect((await list('statuses[]=terminated&include_archived=true')).ids).toEqual([ids[2]]);
    expect((await list(`agent_id=${agent}`)).ids).toEqual([ids[3]]);
    expect((await list(`agent_id=${agent}&agent_version=2`)).ids).toEqual([]);
  });

  it('filters by creation time, to the millisecond and finer', async () => {
    const at = (await api.ask('GET', `/v1/sessions/${ids[3]}`)).body.created_at as string;
    const finer = at.replace('Z', '9Z');
    const of = async (filter: string, instant = at) =>
      (await list(`include_archived=true&order=asc&created_at%5B${filter}%5D=${encodeURIComponent(instant)}`)).ids;
    expect(await of('gte')).toEqual(ids.slice(3));
    expect(await of('gt')).toEqual(ids.slice(4));
    expect(await of('lte')).toEqual(ids.slice(0, 4));
    expect(await of('lt')).toEqual(ids.slice(0, 3));
    expect(await of('gte', finer)).toEqual(ids.slice(4));
    expect(await of('lt', finer)).toEqual(ids.slice(0, 4));
    expect(await of('gte', at.replace('Z', '+00:00'))).toEqual(ids.slice(3));
  });

  it('refuses a cursor of another order, list or range, and text that is no cursor', async () => {
    const { next } = await list('limit=2');
    const late = '2100-01-01T00:00:00Z';
    const refused = async (path: string) => {
      const { status, body } = await api.ask('GET', path);
      expect(status).toBe(400);
      return body.error.message as string;
    };
    expect(await refused(`/v1/sessions?order=asc&page=${next}`)).toMatch(/^page: .*order=desc/);
    expect(await refused(`/v1/sessions?created_at[gt]=${encodeURIComponent(late)}&page=${next}`)).toMatch(
      /^page: .*created_at/,
    );
    expect(await refused(`/v1/agents?page=${next}`)).toMatch(/^page: /);
    expect(await refused(`/v1/sessions/${ids[0]}/events?page=${next}`)).toMatch(/^page: /);
    const made = (cursor: object) => `page_${Buffer.from(JSON.stringify(cursor)).toString('base64url')}`;
    const unstorable = made({ list: 'sessions', order: 'desc', at: late, id: '\ud800', direction: 'next' });
    for (const page of ['page_', 'page_!!!', 'x', made({ list: 'sessions' }), unstorable]) {
      expect(await refused(`/v1/sessions?page=${page}`)).toMatch(/^page: /);
    }
  });

  it('of a deployment or an unknown memory store is empty', async () => {
    for (const filter of ['deployment_id=depl_1', 'memory_store_id=memstore_1']) {
      const { status, body } = await api.ask('GET', `/v1/sessions?${filter}`);
      expect([status, body]).toEqual([200, { data: [], next_page: null, prev_page: null }]);
    }
  });
});
