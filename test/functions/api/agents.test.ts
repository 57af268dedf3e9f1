import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from '#contract/agents.ts';
import { OTHER_KEY, startApi, type Answer, type TestApi } from './api.ts';

describe('the agents API', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('creates an agent with every default filled in', async () => {
    const toolset = {
      type: 'agent_toolset_20260401',
      default_config: { enabled: false },
      configs: [{ name: 'bash', enabled: true }, { name: 'read' }],
    };
    const made = await api.ask('POST', '/v1/agents', {
      name: 'Ada',
      model: 'claude-opus-5',
      description: '',
      tools: [toolset],
    });
    expect(made.status).toBe(200);
    const policy = { permission_policy: { type: 'always_allow' } };
    expect(Agent.parse(made.body)).toMatchObject({
      version: 1,
      description: null,
      system: null,
      model: { id: 'claude-opus-5', effort: { type: 'high' }, speed: 'standard' },
      tools: [
        {
          default_config: { enabled: false, ...policy },
          configs: [
            { type: 'bash', name: 'bash', enabled: true, ...policy },
            { type: 'read', name: 'read', enabled: false, ...policy },
          ],
        },
      ],
      execution_identity: { type: 'service_account' },
      metadata: {},
      archived_at: null,
    });
  });

  it('keeps the requested effort, in either spelling', async () => {
    for (const effort of ['low', { type: 'low' }]) {
      const made = await api.ask('POST', '/v1/agents', {
        name: 'Ada',
        model: { id: 'claude-opus-5', effort, speed: 'fast' },
      });
      expect(made.body.model).toEqual({ id: 'claude-opus-5', effort: { type: 'low' }, speed: 'fast' });
    }
  });

  it('returns an agent as it was saved, also by version', async () => {
    const { body } = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    expect((await api.ask('GET', `/v1/agents/${body.id}`)).body).toEqual(body);
    expect((await api.ask('GET', `/v1/agents/${body.id}?version=1`)).body).toEqual(body);
    expect((await api.ask('GET', `/v1/agents/${body.id}?version=2`)).status).toBe(404);
  });

  it('answers 404 for an agent of another workspace', async () => {
    const { body } = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('GET', `/v1/agents/${body.id}`, undefined, stranger)).status).toBe(404);
    expect((await api.ask('GET', '/v1/agents', undefined, stranger)).body.data).toEqual([]);
  });

  it('lets an agent list those of its workspace alone', async () => {
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    const { body: listed } = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const lead = { name: 'Lead', model: 'claude-opus-5', multiagent: { type: 'coordinator', agents: [listed.id] } };
    const refused = await api.ask('POST', '/v1/agents', lead, stranger);
    expect(refused.status).toBe(400);
    expect(refused.body.error.message).toMatch(/^multiagent\.agents\.0: there is no such agent/);
    expect((await api.ask('GET', '/v1/agents', undefined, stranger)).body.data).toEqual([]);
    const made = await api.ask('POST', '/v1/agents', lead);
    expect(made.body.multiagent.agents).toEqual([{ type: 'agent', id: listed.id, version: 1 }]);
    await api.ask('POST', `/v1/agents/${listed.id}/archive`);
    const again = (fields: object) => api.ask('POST', `/v1/agents/${made.body.id}`, fields);
    expect((await again({ multiagent: lead.multiagent })).body.error.message).toMatch(/the agent is archived/);
    expect((await again({ name: 'Eve' })).body).toMatchObject({ version: 2, multiagent: made.body.multiagent });
    expect((await again({ version: 1, multiagent: { type: 'coordinator', agents: ['agent_0'] } })).status).toBe(409);
    const retired = { type: 'coordinator', agents: [{ type: 'advisor', model: 'claude-opus-4-1' }] };
    expect((await again({ multiagent: retired })).body.error.message).toMatch(
      /^multiagent: the advisor.s model\.id: .* was retired/,
    );
  });

  it('lists newest first, in pages, with the filters that the client repeats', async () => {
    const names = ['one', 'two', 'three', 'four', 'five'];
    const since = new Date().toISOString();
    for (const name of names) await api.ask('POST', '/v1/agents', { name, model: 'claude-opus-5' });
    const query = `limit=2&created_at%5Bgte%5D=${encodeURIComponent(since)}`;
    const seen: string[] = [];
    for (let page: string | null = ''; page !== null;) {
      const { body } = await api.ask('GET', `/v1/agents?${query}${page === '' ? '' : `&page=${page}`}`);
      expect(body.data.length).toBeLessThanOrEqual(2);
      seen.push(...body.data.map((agent: Agent) => agent.name));
      page = body.next_page;
    }
    expect(seen).toEqual(names.toReversed());
  });

  it.each(['metadata', 'tools.0.input_schema.properties'])('refuses a key of %s that it cannot keep', async (path) => {
    const properties = path === 'metadata' ? '{}' : '{"__proto__":{"type":"string"}}';
    const tool = `{"type":"custom","name":"t","description":"T","input_schema":{"type":"object","properties":${properties}}}`;
    const metadata = path === 'metadata' ? '{"constructor":"a","__proto__":"b"}' : '{"constructor":"a"}';
    const body = JSON.parse(`{"name":"Ada","model":"m","tools":[${tool}],"metadata":${metadata}}`) as object;
    const refused = await api.ask('POST', '/v1/agents', body);
    expect([refused.status, refused.body.error.message]).toEqual([
      400,
      `${path}.__proto__: is no name that can be kept`,
    ]);
  });

  it.each([
    ['a server that no toolset names', { tools: [] }, 'mcp_servers.0.name: must be named by an mcp_toolset'],
    [
      'a toolset of a server that they do not have',
      { mcp_servers: [] },
      "tools.0.mcp_server_name: must name one of the agent's mcp_servers",
    ],
  ])('refuses %s', async (_what, fields, message) => {
    const served = {
      tools: [{ type: 'mcp_toolset', mcp_server_name: 'tracker' }],
      mcp_servers: [{ type: 'url', name: 'tracker', url: 'https://tracker.example/mcp' }],
    };
    const agent = { name: 'Ada', model: 'claude-opus-5', ...served };
    expect(await api.ask('POST', '/v1/agents', agent)).toMatchObject({ status: 200, body: served });
    const refused = await api.ask('POST', '/v1/agents', { ...agent, ...fields });
    expect([refused.status, refused.body.error.message]).toEqual([400, message]);
  });

  it('refuses a system prompt with malformed Unicode', async () => {
    const refused = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'm', system: 'half \ud83d' });
    expect([refused.status, refused.body.error.message]).toEqual([400, 'system: must be well-formed Unicode']);
  });

  it.each([
    ['ends before it begins', 'created_at%5Bgte%5D=2026-02-01T00:00:00Z&created_at%5Blte%5D=2026-01-01T00:00:00Z'],
    ['ends before the first year', `created_at%5Blte%5D=${encodeURIComponent('0000-01-01T00:00:00+10:00')}`],
    ['begins after the last year', `created_at%5Bgte%5D=${encodeURIComponent('9999-12-31T23:59:59-10:00')}`],
  ])('lists no agent for a range that %s', async (_what, query) => {
    await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    expect(await api.ask('GET', `/v1/agents?${query}`)).toMatchObject({ status: 200, body: { data: [] } });
  });

  it('refuses an agent that is too large for a row before it writes anything', async () => {
    const { status, body } = await api.ask('POST', '/v1/agents', {
      name: 'Ada',
      model: 'm',
      system: '\u0001'.repeat(100_000),
    });
    expect(status).toBe(400);
    expect(body.error.message).toMatch(/^body: .*340000 bytes/);
  });
});

describe('an update of an agent by the API', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  const create = async (): Promise<Agent> =>
    (await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' })).body;
  const update = (id: string, body: object) => api.ask('POST', `/v1/agents/${id}`, body);

  it('makes a new version, and every version stays readable', async () => {
    const agent = await create();
    const next = (await update(agent.id, { name: 'Bob', version: 1 })).body;
    expect(next).toMatchObject({ version: 2, name: 'Bob', created_at: agent.created_at });
    expect((await api.ask('GET', `/v1/agents/${agent.id}`)).body).toEqual(next);
    expect((await api.ask('GET', `/v1/agents/${agent.id}?version=1`)).body).toEqual(agent);
    expect((await api.ask('GET', '/v1/agents?limit=1')).body.data).toEqual([next]);
    expect((await api.ask('GET', `/v1/agents/${agent.id}/versions`)).body).toEqual({
      data: [next, agent],
      next_page: null,
    });
  });

  it('that changes nothing makes no version', async () => {
    const agent = await create();
    expect((await update(agent.id, { name: 'Ada', metadata: {} })).body).toEqual(agent);
  });

  it('is applied also when others come at the same time, one after the other', async () => {
    const { id } = await create();
    const keys = Array.from({ length: 8 }, (_, at) => `key${at}`);
    const answers = await Promise.all(keys.map((key) => update(id, { metadata: { [key]: 'x' } })));
    const versions = answers.map((answer) => Number(answer.body.version));
    expect(versions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    const latest = (await api.ask('GET', `/v1/agents/${id}`)).body;
    expect(Object.keys(latest.metadata).toSorted()).toEqual(keys);
  });

  it('is the only one of several for the same version, and the others get a conflict that is not retryable', async () => {
    const { id } = await create();
    const names = ['one', 'two', 'three', 'four'];
    const answers = await Promise.all(names.map((name) => update(id, { name, version: 1 })));
    const refused = answers.filter((answer) => answer.status !== 200);
    expect(refused).toHaveLength(3);
    for (const { status, headers, body } of refused) {
      expect([status, headers.get('x-should-retry'), body.error]).toEqual([
        409,
        'false',
        { type: 'conflict_error', message: 'version: the agent is at version 2' },
      ]);
    }
  });

  it('is refused after archiving, which hides the agent, keeps it readable and refuses new sessions', async () => {
    const agent = await create();
    await update(agent.id, { name: 'Bob' });
    const archived = await api.ask('POST', `/v1/agents/${agent.id}/archive`);
    expect([archived.status, archived.body.archived_at]).toEqual([200, expect.any(String)]);
    expect((await api.ask('POST', `/v1/agents/${agent.id}/archive`)).body).toEqual(archived.body);
    expect((await update(agent.id, { name: 'Eve' })).status).toBe(400);
    const ids = async (query: string) =>
      (await api.ask('GET', `/v1/agents?limit=100${query}`)).body.data.map((each: Agent) => each.id);
    expect(await ids('')).not.toContain(agent.id);
    expect(await ids('&include_archived=true')).toContain(agent.id);
    const environment = (await api.ask('POST', '/v1/environments', { name: 'box' })).body;
    for (const reference of [agent.id, { type: 'agent', id: agent.id, version: 1 }]) {
      const made = await api.ask('POST', '/v1/sessions', { agent: reference, environment_id: environment.id });
      expect([made.status, made.body.error.message]).toEqual([400, 'agent: is archived']);
    }
  });

  it('adds to the list of versions, which has pages and a cursor of its own', async () => {
    const [agent, other] = [await create(), await create()];
    for (const name of ['two', 'three', 'four', 'five']) await update(agent.id, { name });
    const path = `/v1/agents/${agent.id}/versions?limit=2`;
    const seen: number[] = [];
    let page: string | null = null;
    do {
      const { body }: Answer = await api.ask('GET', page === null ? path : `${path}&page=${page}`);
      seen.push(...body.data.map((each: Agent) => each.version));
      page = body.next_page;
      if (page !== null) {
        expect((await api.ask('GET', `/v1/agents/${other.id}/versions?page=${page}`)).status).toBe(400);
        expect((await api.ask('GET', `/v1/agents?page=${page}`)).status).toBe(400);
      }
    } while (page !== null);
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  it('is refused to another workspace', async () => {
    const { id } = await create();
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('POST', `/v1/agents/${id}`, { name: 'Eve' }, stranger)).status).toBe(404);
    expect((await api.ask('POST', `/v1/agents/${id}/archive`, undefined, stranger)).status).toBe(404);
    expect((await api.ask('GET', `/v1/agents/${id}/versions`, undefined, stranger)).status).toBe(404);
    expect((await api.ask('GET', `/v1/agents/${id}`)).body).toMatchObject({ version: 1, archived_at: null });
  });
});

describe('a page of large rows', () => {
  it('ends before the response is larger than Lambda carries, and the next page follows', async () => {
    const api = await startApi();
    const system = '"'.repeat(100_000);
    for (let count = 0; count < 20; count += 1)
      await api.ask('POST', '/v1/agents', { name: `${count}`, model: 'm', system });
    const first = await api.ask('GET', '/v1/agents?limit=100');
    const second = await api.ask('GET', `/v1/agents?limit=100&page=${first.body.next_page}`);
    expect(Buffer.byteLength(JSON.stringify(JSON.stringify(first.body)))).toBeLessThan(6_000_000);
    expect(first.body.data.length).toBeGreaterThan(10);
    expect(first.body.data.length + second.body.data.length).toBe(20);
    expect(second.body.next_page).toBeNull();
    await api.close();
  });
});
