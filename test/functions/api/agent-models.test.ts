import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './api.ts';

describe('an agent that the API creates', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('is refused when its model lacks what it asks for, and takes the model’s own default effort', async () => {
    const made = await api.ask('POST', '/v1/agents', {
      name: 'Ada',
      model: { id: 'claude-haiku-4-5', effort: 'max' },
    });
    expect([made.status, made.body.error.message]).toEqual([400, expect.stringMatching(/^model\.effort: /)]);
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5-5' });
    expect(agent.body.model.effort).toEqual({ type: 'medium' });
    const updated = await api.ask('POST', `/v1/agents/${agent.body.id}`, {
      model: { id: 'claude-sonnet-5-5', speed: 'fast' },
    });
    expect([updated.status, updated.body.error.message]).toEqual([400, expect.stringMatching(/^model\.speed: /)]);
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    const session = await api.ask('POST', '/v1/sessions', {
      agent: { type: 'agent_with_overrides', id: agent.body.id, model: { id: 'claude-sonnet-5-5', speed: 'fast' } },
      environment_id: environment.body.id,
    });
    expect([session.status, session.body.error.message]).toEqual([
      400,
      expect.stringMatching(/^agent\.model\.speed: /),
    ]);
  });
});
