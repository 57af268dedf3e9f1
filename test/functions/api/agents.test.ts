import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from '#contract/agents.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

describe('agents', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('are saved with every default decided', async () => {
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

  it('keep the effort that was asked for, in either spelling', async () => {
    for (const effort of ['low', { type: 'low' }]) {
      const made = await api.ask('POST', '/v1/agents', {
        name: 'Ada',
        model: { id: 'claude-opus-5', effort, speed: 'fast' },
      });
      expect(made.body.model).toEqual({ id: 'claude-opus-5', effort: { type: 'low' }, speed: 'fast' });
    }
  });

  it('are read back as they were saved, also by version', async () => {
    const { body } = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    expect((await api.ask('GET', `/v1/agents/${body.id}`)).body).toEqual(body);
    expect((await api.ask('GET', `/v1/agents/${body.id}?version=1`)).body).toEqual(body);
    expect((await api.ask('GET', `/v1/agents/${body.id}?version=2`)).status).toBe(404);
  });

  it('of another workspace do not exist', async () => {
    const { body } = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('GET', `/v1/agents/${body.id}`, undefined, stranger)).status).toBe(404);
    expect((await api.ask('GET', '/v1/agents', undefined, stranger)).body.data).toEqual([]);
  });

  it('are listed newest first, page by page, with the filters the client repeats', async () => {
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

  it('too large for a row are refused before anything is written', async () => {
    const { status, body } = await api.ask('POST', '/v1/agents', {
      name: 'Ada',
      model: 'm',
      system: '\u0001'.repeat(100_000),
    });
    expect(status).toBe(400);
    expect(body.error.message).toMatch(/^system: .*340000 bytes/);
  });
});

describe('pages of large rows', () => {
  it('end before the response is larger than Lambda carries, and go on', async () => {
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
