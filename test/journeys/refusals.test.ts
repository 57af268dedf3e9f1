import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';

describe('the service refuses', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: echo });
  });
  afterAll(async () => service.close());

  const raw = (path: string, init: RequestInit = {}) =>
    fetch(`${service.runtime.baseUrl}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${service.runtime.apiKey}`,
        'content-type': 'application/json',
        ...init.headers,
      },
    });

  it('a wrong or missing key by 401', async () => {
    const stranger = new Anthropic({ baseURL: service.runtime.baseUrl, apiKey: 'wrong', maxRetries: 0 });
    await expect(stranger.beta.agents.list()).rejects.toMatchObject({ status: 401, type: 'authentication_error' });
    expect((await raw('/v1/agents', { headers: { authorization: '' } })).status).toBe(401);
  });

  it('the older way to send a key', async () => {
    const response = await raw('/v1/agents', { headers: { authorization: '', 'x-api-key': service.runtime.apiKey } });
    expect(response.status).toBe(200);
  });

  it('an unknown id by 404, also on the stream', async () => {
    const { sessions, agents } = service.client.beta;
    await expect(agents.retrieve('agent_01nobody')).rejects.toMatchObject({ status: 404, type: 'not_found_error' });
    await expect(sessions.retrieve('sesn_01nobody')).rejects.toMatchObject({ status: 404 });
    await expect(sessions.events.stream('sesn_01nobody')).rejects.toMatchObject({ status: 404 });
  });

  it.each([
    ['invalid JSON', '{"name":', /JSON/],
    ['a body that is no object', '[]', /object/],
    ['a missing field', '{"model":"claude-opus-5"}', /^name: /],
    ['an unknown field', '{"name":"a","model":"m","colour":"red"}', /colour/],
    ['a wrong type', '{"name":7,"model":"m"}', /^name: .*string/],
    ['an over-long string', JSON.stringify({ name: 'x'.repeat(257), model: 'm' }), /^name: .*256/],
    [
      'a feature that does not exist yet',
      '{"name":"a","model":"m","execution_identity":{"type":"aws_role"}}',
      /not supported yet/,
    ],
  ])('%s by 400 with the field and the rule', async (_what, body, message) => {
    const before = (await service.client.beta.agents.list()).data.length;
    const response = await raw('/v1/agents', { method: 'POST', body });
    const { error, request_id } = (await response.json()) as {
      error: { type: string; message: string };
      request_id: string;
    };
    expect(response.status).toBe(400);
    expect(error.type).toBe('invalid_request_error');
    expect(error.message).toMatch(message);
    expect(response.headers.get('request-id')).toBe(request_id);
    expect((await service.client.beta.agents.list()).data).toHaveLength(before);
  });

  it('a request as a whole when one event is invalid', async () => {
    const session = await service.session();
    const events = [
      { type: 'user.message', content: [{ type: 'text', text: 'fine' }] },
      { type: 'user.message', content: [{ type: 'text', text: '' }] },
    ];
    const response = await raw(`/v1/sessions/${session}/events`, { method: 'POST', body: JSON.stringify({ events }) });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('events.1.content.0.text');
    expect(await service.events(session)).toEqual([]);
  });

  it('an event for an archived session', async () => {
    const session = await service.session();
    await service.client.beta.sessions.archive(session);
    await expect(service.send(session, 'hello?')).rejects.toMatchObject({ status: 400 });
  });

  it('a body larger than the service takes by 413', async () => {
    const session = await service.session();
    const body = JSON.stringify({
      events: [{ type: 'user.message', content: [{ type: 'text', text: 'x'.repeat(5_500_000) }] }],
    });
    expect((await raw(`/v1/sessions/${session}/events`, { method: 'POST', body })).status).toBe(413);
    expect(await service.events(session)).toEqual([]);
  });

  it('an operation that is not built yet by an error that says so', async () => {
    await expect(service.client.beta.dreams.list()).rejects.toMatchObject({
      status: 404,
      message: expect.stringContaining('not'),
    });
    const session = await service.session();
    await expect(
      service.client.beta.sessions.events.send(session, {
        events: [{ type: 'user.tool_result', tool_use_id: 'sevt_1' }],
      }),
    ).rejects.toMatchObject({ status: 400, message: expect.stringContaining('not supported yet') });
  });
});
