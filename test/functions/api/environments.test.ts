import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Environment } from '#contract/environments.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

describe('the environments API', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('creates a cloud environment with unrestricted network and no packages by default', async () => {
    const made = await api.ask('POST', '/v1/environments', { name: 'box', description: '' });
    expect(made.status).toBe(200);
    expect(Environment.parse(made.body)).toMatchObject({
      description: '',
      config: {
        type: 'cloud',
        networking: { type: 'unrestricted' },
        packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
      },
      scope: 'organization',
    });
    expect((await api.ask('GET', `/v1/environments/${made.body.id}`)).body).toEqual(made.body);
  });

  it('answers 404 for an environment of another workspace', async () => {
    const { body } = await api.ask('POST', '/v1/environments', { name: 'box' });
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('GET', `/v1/environments/${body.id}`, undefined, stranger)).status).toBe(404);
  });

  it('lists newest first', async () => {
    const first = await api.ask('POST', '/v1/environments', { name: 'first' });
    const second = await api.ask('POST', '/v1/environments', { name: 'second' });
    const { body } = await api.ask('GET', '/v1/environments?limit=2&include_archived=true&beta=true');
    expect(body.data).toEqual([second.body, first.body]);
    expect(body.next_page).not.toBeNull();
  });

  const create = async (body: object = {}) =>
    (await api.ask('POST', '/v1/environments', { name: 'box', ...body })).body;

  it('updates single fields', async () => {
    const made = await create({ description: 'A box.', config: { type: 'cloud', packages: { pip: ['pandas'] } } });
    const path = `/v1/environments/${made.id}`;
    const { status, body } = await api.ask('POST', path, {
      config: { type: 'cloud', packages: { npm: ['left-pad'] } },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      description: 'A box.',
      config: { networking: { type: 'unrestricted' }, packages: { pip: ['pandas'], npm: ['left-pad'] } },
    });
    expect((await api.ask('GET', path)).body).toEqual(body);
  });

  it('applies updates that come at the same time, one after the other', async () => {
    const { id } = await create();
    const keys = Array.from({ length: 8 }, (_, at) => `key${at}`);
    await Promise.all(keys.map((key) => api.ask('POST', `/v1/environments/${id}`, { metadata: { [key]: 'x' } })));
    expect(Object.keys((await api.ask('GET', `/v1/environments/${id}`)).body.metadata).toSorted()).toEqual(keys);
  });

  it('refuses a change of type with an error code', async () => {
    const { id } = await create();
    const { status, body } = await api.ask('POST', `/v1/environments/${id}`, { config: { type: 'self_hosted' } });
    expect([status, body.error.details]).toEqual([400, { error_code: 'invalid_config_type_change' }]);
  });

  it('archives finally: readable, hidden, closed to updates and to new sessions', async () => {
    const { id } = await create();
    const archived = await api.ask('POST', `/v1/environments/${id}/archive`);
    expect([archived.status, archived.body.archived_at]).toEqual([200, expect.any(String)]);
    expect((await api.ask('POST', `/v1/environments/${id}/archive`)).body).toEqual(archived.body);
    expect((await api.ask('GET', `/v1/environments/${id}`)).body).toEqual(archived.body);
    const { status, body } = await api.ask('POST', `/v1/environments/${id}`, { name: 'lab' });
    expect([status, body.error.details]).toEqual([400, { error_code: 'environment_archived' }]);
    expect(body.error.message).toMatch(/^environment_archived: /);
    const ids = async (query: string) =>
      (await api.ask('GET', `/v1/environments?limit=100${query}`)).body.data.map((each: Environment) => each.id);
    expect(await ids('')).not.toContain(id);
    expect(await ids('&include_archived=true')).toContain(id);
    const agent = (await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' })).body;
    expect((await api.ask('POST', '/v1/sessions', { agent: agent.id, environment_id: id })).status).toBe(400);
  });

  it('deletes an environment, archived or not, and its sessions stay readable', async () => {
    const session = await api.session();
    const { environment_id: used } = (await api.ask('GET', `/v1/sessions/${session}`)).body;
    const { id: archived } = await create();
    await api.ask('POST', `/v1/environments/${archived}/archive`);
    for (const id of [used, archived]) {
      expect((await api.ask('DELETE', `/v1/environments/${id}`)).body).toEqual({ id, type: 'environment_deleted' });
      expect((await api.ask('GET', `/v1/environments/${id}`)).status).toBe(404);
      expect((await api.ask('DELETE', `/v1/environments/${id}`)).status).toBe(404);
    }
    expect((await api.ask('GET', `/v1/sessions/${session}`)).body).toMatchObject({ environment_id: used });
  });

  it('refuses changes by another workspace', async () => {
    const { id } = await create();
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('POST', `/v1/environments/${id}`, { name: 'lab' }, stranger)).status).toBe(404);
    expect((await api.ask('POST', `/v1/environments/${id}/archive`, undefined, stranger)).status).toBe(404);
    expect((await api.ask('DELETE', `/v1/environments/${id}`, undefined, stranger)).status).toBe(404);
    expect((await api.ask('GET', `/v1/environments/${id}`)).body).toMatchObject({ name: 'box', archived_at: null });
  });
});
