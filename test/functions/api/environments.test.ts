import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Environment } from '#contract/environments.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

describe('environments', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('default to the cloud, unrestricted, without packages', async () => {
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

  it('of another workspace do not exist', async () => {
    const { body } = await api.ask('POST', '/v1/environments', { name: 'box' });
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('GET', `/v1/environments/${body.id}`, undefined, stranger)).status).toBe(404);
  });

  it('are listed newest first', async () => {
    const first = await api.ask('POST', '/v1/environments', { name: 'first' });
    const second = await api.ask('POST', '/v1/environments', { name: 'second' });
    const { body } = await api.ask('GET', '/v1/environments?limit=2&include_archived=true&beta=true');
    expect(body.data).toEqual([second.body, first.body]);
    expect(body.next_page).not.toBeNull();
  });
});
