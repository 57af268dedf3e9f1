import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorEnvelope } from '#contract/errors.ts';
import { KEY, OTHER_KEY, startApi, type TestApi } from './api.ts';

let api: TestApi;
let session: string;
beforeAll(async () => {
  api = await startApi();
  session = await api.session();
});
afterAll(() => api.close());

const AGENT = { name: 'Ada', model: 'claude-opus-5' };

describe('every response of the API', () => {
  it('is JSON and names its request and its workspace', async () => {
    const { headers } = await api.ask('GET', '/v1/agents');
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('request-id')).toMatch(/^req_01\w{22}$/);
    expect(headers.get('anthropic-workspace-id')).toBe('wrkspc_tests');
  });

  it('writes one log line of ids, counts and names', async () => {
    const { headers } = await api.ask('GET', `/v1/sessions/${session}`);
    expect(api.lines.at(-1)).toEqual({
      message: 'request',
      request_id: headers.get('request-id'),
      method: 'GET',
      route: '/v1/sessions/{session_id}',
      status: 200,
      duration_ms: expect.any(Number),
      session,
      workspace: 'wrkspc_tests',
    });
  });
});

describe('API keys', () => {
  const status = async (headers: Record<string, string>) =>
    (await api.ask('GET', '/v1/agents', undefined, { authorization: '', ...headers })).status;

  it('are taken from either header', async () => {
    expect(await status({ 'x-api-key': KEY })).toBe(200);
    expect(await status({ authorization: `bearer ${KEY}` })).toBe(200);
  });

  it('are refused when missing, unknown or malformed', async () => {
    expect(await status({})).toBe(401);
    expect(await status({ 'x-api-key': 'wrong' })).toBe(401);
    expect(await status({ authorization: 'Bearer' })).toBe(401);
    expect(await status({ authorization: `Basic ${KEY}` })).toBe(401);
    const { body, headers } = await api.ask('GET', '/v1/agents', undefined, { authorization: 'Bearer wrong' });
    expect(ErrorEnvelope.parse(body).error.type).toBe('authentication_error');
    expect(body.request_id).toBe(headers.get('request-id'));
    expect(JSON.stringify(body)).not.toContain('wrong');
  });

  it('give access to their own workspace only', async () => {
    expect(await status({ 'x-api-key': KEY, 'anthropic-workspace-id': 'wrkspc_tests' })).toBe(200);
    expect(await status({ 'x-api-key': OTHER_KEY, 'anthropic-workspace-id': 'wrkspc_tests' })).toBe(403);
  });

  it('are not stored', async () => {
    const { ScanCommand } = await import('@aws-sdk/client-dynamodb');
    const { Items } = await api.dynamodb.send(new ScanCommand({ TableName: api.recordsTable }));
    expect(JSON.stringify(Items)).not.toContain(KEY);
  });
});

describe('a request for something that does not exist', () => {
  it.each([
    ['GET', '/v1/agents/agent_01nobody', /^agent_id: /],
    ['GET', '/v1/agents/sesn_01nobody', /^agent_id: /],
    ['POST', '/v1/agents/agent_01nobody', /^agent_id: /],
    ['POST', '/v1/agents/agent_01nobody/archive', /^agent_id: /],
    ['GET', '/v1/agents/agent_01nobody/versions', /^agent_id: /],
    ['GET', '/v1/environments/env_01nobody', /^environment_id: /],
    ['POST', '/v1/environments/env_01nobody', /^environment_id: /],
    ['POST', '/v1/environments/env_01nobody/archive', /^environment_id: /],
    ['DELETE', '/v1/environments/env_01nobody', /^environment_id: /],
    ['GET', '/v1/sessions/sesn_01nobody', /^session_id: /],
    ['GET', '/v1/sessions/%22%3B', /^session_id: /],
    ['DELETE', '/v1/sessions/sesn_01nobody', /^session_id: /],
    ['POST', '/v1/sessions/sesn_01nobody/archive', /^session_id: /],
    ['GET', '/v1/sessions/sesn_01nobody/events', /^session_id: /],
    ['GET', '/v1/nonsense', /no operation/],
    ['GET', '/', /no operation/],
    ['PATCH', '/v1/agents/agent_01nobody', /no operation/],
    ['GET', '/v1/vaults/vlt_01nobody', /^vault_id: /],
    ['GET', '/v1/vaults/vcrd_01nobody', /^vault_id: /],
    ['POST', '/v1/vaults/vlt_01nobody', /^vault_id: /],
    ['DELETE', '/v1/vaults/vlt_01nobody', /^vault_id: /],
    ['POST', '/v1/vaults/vlt_01nobody/archive', /^vault_id: /],
    ['GET', '/v1/vaults/vlt_01nobody/credentials', /^vault_id: /],
    ['GET', '/v1/vaults/vlt_01nobody/credentials/vcrd_01nobody', /^credential_id: /],
    ['POST', '/v1/vaults/vlt_01nobody/credentials/vcrd_01nobody', /^credential_id: /],
    ['DELETE', '/v1/vaults/vlt_01nobody/credentials/vcrd_01nobody', /^credential_id: /],
    ['POST', '/v1/vaults/vlt_01nobody/credentials/vcrd_01nobody/archive', /^credential_id: /],
    ['POST', '/v1/vaults/vlt_01nobody/credentials/vcrd_01nobody/mcp_oauth_validate', /^credential_id: /],
    ['GET', '/v1/sessions/sesn_01nobody/threads/sthr_1/events', /^thread_id: /],
    ['POST', '/v1/sessions/sesn_01nobody/threads/sthr_1/archive', /^thread_id: /],
    ['GET', '/v1/environments/env_1/work/poll', /work\/poll is not built yet/],
    ['GET', '/v1/environments/env_1/work/work_1', /\{work_id\} is not built yet/],
  ])('is answered 404: %s %s', async (method, path, message) => {
    const { status, body } = await api.ask(method, path);
    expect(status).toBe(404);
    expect(ErrorEnvelope.parse(body).error).toMatchObject({
      type: 'not_found_error',
      message: expect.stringMatching(message),
    });
  });
});

describe('a request body', () => {
  const text = (value: string) => ({ events: [{ type: 'user.message', content: [{ type: 'text', text: value }] }] });
  const toSession = (fields: object) => ({ agent: 'agent_1', environment_id: 'env_1', ...fields });

  it.each([
    ['/v1/agents', '{"name":', 'body: is not valid JSON'],
    ['/v1/agents', '', 'name: is required'],
    ['/v1/agents', '[]', 'body: must be an object'],
    ['/v1/agents', 'null', 'body: must be an object'],
    ['/v1/agents', { model: 'm' }, 'name: is required'],
    ['/v1/agents', { ...AGENT, name: '' }, 'name: must have at least 1 character(s)'],
    ['/v1/agents', { ...AGENT, name: 'x'.repeat(257) }, 'name: must have at most 256 character(s)'],
    ['/v1/agents', { ...AGENT, name: 7 }, 'name: must be a string'],
    ['/v1/agents', { ...AGENT, colour: 'red' }, 'colour: is not a known field'],
    ['/v1/agents', { ...AGENT, model: 7 }, 'model: must be a string, or must be an object'],
    [
      '/v1/agents',
      { ...AGENT, model: { id: 'm', effort: 'huge' } },
      'model.effort: must be one of low, medium, high, xhigh, max',
    ],
    ['/v1/agents', { ...AGENT, model: { id: 'm', tempo: 1 } }, 'model.tempo: is not a known field'],
    ['/v1/agents', { ...AGENT, skills: [{}] }, 'skills.0.type: must be one of anthropic, custom'],
    [
      '/v1/agents',
      { ...AGENT, tools: [{ type: 'computer' }] },
      'tools.0.type: must be one of agent_toolset_20260401, custom, mcp_toolset',
    ],
    ['/v1/agents', { ...AGENT, metadata: { a: 1 } }, 'metadata.a: must be a string'],
    [
      '/v1/agents',
      { ...AGENT, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, ''])) },
      'metadata: must have at most 16 pairs',
    ],
    [
      '/v1/environments',
      { name: 'box', config: { type: 'self_hosted' } },
      'config: self_hosted environments are not supported yet: use "cloud"',
    ],
    [
      '/v1/environments',
      { name: 'box', config: { type: 'cloud', networking: { type: 'limited' }, packages: { pip: ['pandas'] } } },
      'config.networking.allow_package_managers: must be true to install packages',
    ],
    ['/v1/sessions', { environment_id: 'env_1' }, 'agent: is required'],
    ['/v1/sessions', toSession({ agent: 'env_1' }), 'agent: must be an id that starts with "agent_"'],
    [
      '/v1/sessions',
      toSession({ agent: { type: 'agent', id: 'agent_1', version: 0 } }),
      'agent.version: must be at least 1',
    ],
    [
      '/v1/sessions',
      toSession({ agent: { type: 'agent_with_overrides', id: 'agent_1', name: 'Eve' } }),
      'agent.name: is not a known field',
    ],
    ['/v1/sessions', toSession({ environment_id: 7 }), 'environment_id: must be a string'],
    ['/v1/sessions', toSession({ budget: {} }), 'budget.type: must be one of limit'],
    [
      '/v1/sessions',
      toSession({ budget: { type: 'limit', max_list_cost: { amount: '500', currency: 'USD' } } }),
      expect.stringContaining('budget: '),
    ],
    [
      '/v1/sessions',
      toSession({ initial_events: [{ type: 'user.interrupt' }] }),
      expect.stringMatching(/^initial_events\.0\.type: must be one of user\.message/),
    ],
    [
      '/v1/sessions',
      toSession({ initial_events: [{ type: 'user.message', content: [] }] }),
      'initial_events.0.content: must have at least 1 item(s)',
    ],
    ['/v1/sessions', toSession({ title: 'x'.repeat(501) }), 'title: must have at most 500 character(s)'],
    ['events', { events: [] }, 'events: must have at least 1 item(s)'],
    ['events', { events: 'no' }, 'events: must be an array'],
    [
      'events',
      { events: [{ type: 'user.nonsense' }] },
      expect.stringMatching(/^events\.0\.type: must be one of user\.message/),
    ],
    ['events', { events: [{ type: 'user.define_outcome', description: 'x' }] }, 'events.0.rubric: is required'],
    [
      'events',
      { events: [{ type: 'user.tool_result', tool_use_id: 'sevt_1' }] },
      expect.stringMatching(/^events\.0: .*not supported yet/),
    ],
    [
      'events',
      { events: [...text('fine').events, { type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'allow' }] },
      'events.1.tool_use_id: is not a tool use that waits for a confirmation in this session',
    ],
    [
      'events',
      { events: [{ type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'allow', deny_message: 'no' }] },
      'events.0.deny_message: goes only with result "deny"',
    ],
    [
      'events',
      { events: [{ type: 'user.custom_tool_result', custom_tool_use_id: 'sevt_1' }] },
      'events.0.custom_tool_use_id: is not a custom tool use that waits for a result in this session',
    ],
    [
      'events',
      { events: [{ type: 'user.interrupt', session_thread_id: 'sthr_other' }] },
      'events.0.session_thread_id: there is no such thread in this session',
    ],
    [
      'events',
      { events: [{ type: 'system.message', content: [{ type: 'text', text: 'be brief' }] }, ...text('fine').events] },
      'events.0: a system.message must be the last event of its request',
    ],
    [
      'events',
      {
        events: [
          { type: 'user.message', content: [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }] },
        ],
      },
      'events.0.content.0.source.file_id: there is no such file',
    ],
    [
      'events',
      { events: [...text('fine').events, ...text('').events] },
      'events.1.content.0.text: must say something: whitespace alone is refused by the model provider',
    ],
    [
      'events',
      { events: [{ type: 'user.message', content: [{ type: 'redacted' }] }] },
      'events.0.content.0.type: must be one of text, image, document',
    ],
    [
      'events',
      { events: [{ type: 'user.message', content: [{ type: 'image', source: { type: 'url', url: 'file:///x' } }] }] },
      'events.0.content.0.source.url: must be a valid url',
    ],
    ['archive', { force: true }, 'force: is not a known field'],
  ])('for %s that breaks a rule is refused with the name of the field: %j', async (path, body, message) => {
    const full = path.startsWith('/') ? path : `/v1/sessions/${session}/${path}`;
    const answer = await api.ask('POST', full, body);
    expect([answer.status, answer.body.error.message]).toEqual([400, message]);
    expect(answer.body.error.type).toBe('invalid_request_error');
    expect((await api.ask('GET', `/v1/sessions/${session}/events`)).body.data).toEqual([]);
  });

  it('that is too large is refused by 413, also when only its escapes make it so', async () => {
    const large = await api.ask('POST', `/v1/sessions/${session}/events`, text('x'.repeat(5_000_001)));
    expect([large.status, large.body.error.type]).toEqual([413, 'request_too_large']);
    const escaped = await api.ask('POST', `/v1/sessions/${session}/events`, text('"'.repeat(2_000_000)));
    expect(escaped.status).toBe(413);
  });
});

describe('the API’s rate limit', () => {
  it('is answered by 429 with the seconds to wait, before the request has any effect', async () => {
    const limited = await startApi({ creates: 1, reads: null });
    expect((await limited.ask('POST', '/v1/agents', AGENT)).status).toBe(200);
    const { status, headers, body } = await limited.ask('POST', '/v1/agents', AGENT);
    expect([status, ErrorEnvelope.parse(body).error.type]).toEqual([429, 'rate_limit_error']);
    expect(headers.get('retry-after')).toMatch(/^(59|60)$/);
    expect(limited.lines.at(-1)).toMatchObject({ status: 429, error_class: 'rate_limit_error' });
    expect((await limited.ask('GET', '/v1/agents')).body.data).toHaveLength(1);
    expect((await limited.ask('POST', '/v1/agents', AGENT, { authorization: `Bearer ${OTHER_KEY}` })).status).toBe(200);
    await limited.close();
  });
});

describe('a query', () => {
  it.each([
    ['/v1/agents?limit=0', 'limit: must be at least 1'],
    ['/v1/agents?limit=101', 'limit: must be at most 100'],
    ['/v1/agents?limit=many', 'limit: must be a number'],
    ['/v1/agents?limit=1&limit=2', 'limit: must be a number'],
    ['/v1/agents?colour=red', 'colour: is not a known field'],
    ...['constructor', '__proto__', 'toString', 'hasOwnProperty'].flatMap((name) => [
      [`/v1/agents?${name}=x`, `${name}: is not a known field`],
      [`/v1/sessions?${name}[]=x`, `${name}: is not a known field`],
      [`/v1/agents/agent_1?${name}=x&${name}=y`, `${name}: is not a known field`],
    ]),
    ['/v1/agents?include_archived=yes', 'include_archived: must be one of true, false'],
    ['/v1/agents?created_at[gte]=yesterday', 'created_at[gte]: must be a valid datetime'],
    ['/v1/sessions?order=up', 'order: must be one of asc, desc'],
    ['/v1/sessions?statuses[]=tired', 'statuses.0: must be one of idle, running, rescheduling, terminated'],
    ['/v1/sessions?agent_version=1', 'agent_version: needs agent_id beside it'],
    ['/v1/sessions?deployment_id=vlt_1', 'deployment_id: must be an id that starts with "depl_"'],
    ['/v1/agents/agent_1?version=zero', 'version: must be an integer from 1'],
  ])('that breaks a rule is refused with the name of the parameter: %s', async (path, message) => {
    const { status, body } = await api.ask('GET', path);
    expect([status, body.error.message]).toEqual([400, message]);
  });

  it('may have the parameters that old clients append', async () => {
    expect((await api.ask('GET', '/v1/agents?beta=true')).status).toBe(200);
  });
});

describe('a fault of the API', () => {
  const CANARY = 'canary-7f3a';

  it('is answered 500 with the id under which it is logged, and without its message', async () => {
    const { list } = api.world.agents;
    Object.assign(api.world.agents, { list: () => Promise.reject(new TypeError(`broke on ${CANARY}`)) });
    const { status, headers, body } = await api.ask('GET', '/v1/agents');
    Object.assign(api.world.agents, { list });
    expect([status, body.error.type]).toEqual([500, 'api_error']);
    expect(body.error.message).toContain(headers.get('request-id'));
    expect(JSON.stringify(body)).not.toContain(CANARY);
    expect(api.lines.at(-1)).toMatchObject({
      status: 500,
      error_class: 'TypeError',
      request_id: headers.get('request-id'),
    });
    expect(api.metrics).toContain('RequestErrors');
  });

  it('quotes nothing of the request in the response or in a log line, and neither does a refusal', async () => {
    const asked = [
      await api.ask('POST', '/v1/agents', `{"name":"${CANARY}`),
      await api.ask('POST', '/v1/agents', { name: 'a', model: 'm', tools: CANARY }),
      await api.ask('POST', '/v1/agents', { ...AGENT, system: [CANARY] }),
      await api.ask('POST', `/v1/sessions/${session}/events`, { events: [{ type: CANARY }] }),
      await api.ask('GET', `/v1/agents?page=${CANARY}`),
      await api.ask('GET', `/v1/agents/${CANARY}`),
      await api.ask('GET', '/v1/agents', undefined, { authorization: `Bearer ${CANARY}` }),
    ];
    for (const { status, body } of asked) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(JSON.stringify(body)).not.toContain(CANARY);
    }
    expect(JSON.stringify(api.lines)).not.toContain(CANARY);
  });
});
