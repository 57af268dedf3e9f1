import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Session } from '#contract/sessions.ts';
import { startApi, type Answer, type TestApi } from './api.ts';

const TOOLSET = { type: 'agent_toolset_20260401' };
const WEATHER = { type: 'custom', name: 'weather', description: 'Tells it.', input_schema: { type: 'object' } };

describe('agent and details of a session', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  async function agentAndEnvironment() {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5', tools: [TOOLSET] });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    return { agent: agent.body.id as string, environment_id: environment.body.id as string };
  }

  async function session(more: object = {}): Promise<string> {
    const made = await api.ask('POST', '/v1/sessions', { ...(await agentAndEnvironment()), ...more });
    expect(made.status).toBe(200);
    return made.body.id;
  }

  const update = (id: string, body: unknown): Promise<Answer> => api.ask('POST', `/v1/sessions/${id}`, body);
  const updates = async (id: string) => {
    const { body } = await api.ask('GET', `/v1/sessions/${id}/events?types[]=session.updated`);
    return body.data.map(({ id: _id, processed_at: _at, ...rest }: Record<string, unknown>) => rest);
  };

  it('take the replacements and deletions of overrides, and inherit the rest', async () => {
    const { agent, environment_id } = await agentAndEnvironment();
    const made = await api.ask('POST', '/v1/sessions', {
      agent: { type: 'agent_with_overrides', id: agent, system: 'Be brief.', tools: [WEATHER] },
      environment_id,
    });
    expect(Session.parse(made.body).agent).toMatchObject({
      id: agent,
      version: 1,
      name: 'Ada',
      system: 'Be brief.',
      model: { id: 'claude-opus-5' },
      tools: [{ type: 'custom', name: 'weather' }],
    });
    const cleared = await api.ask('POST', '/v1/sessions', {
      agent: { type: 'agent_with_overrides', id: agent, tools: null },
      environment_id,
    });
    expect(cleared.body.agent.tools).toEqual([]);
  });

  it('cannot be without a model', async () => {
    const { agent, environment_id } = await agentAndEnvironment();
    const refused = await api.ask('POST', '/v1/sessions', {
      agent: { type: 'agent_with_overrides', id: agent, model: null },
      environment_id,
    });
    expect([refused.status, refused.body.error.details]).toEqual([400, { error_code: 'agent_model_required' }]);
  });

  it('are updated by a patch, and one event shows the changes', async () => {
    const id = await session({ title: 'Old', metadata: { keep: '1', drop: '2' } });
    const updated = await update(id, { title: 'New', metadata: { drop: null, add: '3' } });
    expect(updated.body).toMatchObject({ title: 'New', metadata: { keep: '1', add: '3' } });
    expect((await api.ask('GET', `/v1/sessions/${id}`)).body).toMatchObject({
      title: 'New',
      updated_at: updated.body.updated_at,
    });
    expect(await updates(id)).toEqual([{ type: 'session.updated', title: 'New', metadata: { keep: '1', add: '3' } }]);
  });

  it('that stay equal leave no event', async () => {
    const id = await session({ title: 'Same', metadata: { a: '1' } });
    const before = (await api.ask('GET', `/v1/sessions/${id}`)).body;
    const updated = await update(id, { title: 'Same', metadata: { a: '1', b: null }, agent: { tools: [TOOLSET] } });
    expect(updated.body.updated_at).toBe(before.updated_at);
    expect(await updates(id)).toEqual([]);
  });

  it('keep both of two updates at the same time', async () => {
    const id = await session();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => update(id, { metadata: { [`key${index}`]: 'x' } })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    expect(Object.keys((await api.ask('GET', `/v1/sessions/${id}`)).body.metadata)).toHaveLength(8);
    expect(await updates(id)).toHaveLength(8);
  });

  it('take other tools while the session is idle, and the event holds the whole agent', async () => {
    const id = await session();
    const updated = await update(id, { agent: { tools: [TOOLSET, WEATHER] } });
    expect(updated.body.agent.tools).toHaveLength(2);
    expect(await updates(id)).toEqual([{ type: 'session.updated', agent: updated.body.agent }]);
    expect((await update(id, { agent: { tools: [] } })).body.agent.tools).toEqual([]);
  });

  it('refuse other tools while the session runs, and then apply no part of the request', async () => {
    const id = await session();
    const message = { type: 'user.message', content: [{ type: 'text', text: 'hi' }] };
    await api.ask('POST', `/v1/sessions/${id}/events`, { events: [message] });
    const refused = await update(id, { title: 'New', agent: { tools: [] } });
    expect([refused.status, refused.body.error.message]).toEqual([
      400,
      'agent: the session is running: wait until it is idle',
    ]);
    expect((await api.ask('GET', `/v1/sessions/${id}`)).body.title).toBeNull();
    expect((await update(id, { title: 'New' })).status).toBe(200);
  });

  it.each([
    [{ vault_ids: [] }, 'vault_ids: is reserved: vaults are chosen when a session is created', undefined],
    [{ agent: { system: 'x' } }, 'agent.system: is not a known field', undefined],
    [
      { budget: { type: 'limit', max_list_cost: { amount: '500', currency: 'USD' } } },
      expect.stringMatching(/^budget_create_only: /),
      { error_code: 'budget_create_only' },
    ],
    [
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v'])) },
      'metadata: must have at most 16 pairs',
      undefined,
    ],
  ])('are not changed by %j', async (body, message, details) => {
    const refused = await update(await session(), body);
    expect([refused.status, refused.body.error.message, refused.body.error.details]).toEqual([400, message, details]);
  });

  it('are not changed in a terminated session', async () => {
    const id = await session();
    await api.ask('POST', `/v1/sessions/${id}/archive`);
    expect((await update(id, { title: 'late' })).status).toBe(400);
  });

  it('are not changed by another workspace', async () => {
    expect((await update('sesn_01nobody', { title: 'x' })).status).toBe(404);
  });
});
