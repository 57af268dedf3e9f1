import { describe, expect, it } from 'vitest';
import { createContractFetch } from './contract-fetch.ts';

const AGENT = {
  id: 'agent_01',
  type: 'agent',
  version: 1,
  name: 'Ada',
  description: null,
  system: null,
  model: { id: 'claude-opus-5', effort: { type: 'high' }, speed: 'standard' },
  tools: [],
  mcp_servers: [],
  skills: [],
  multiagent: null,
  execution_identity: { type: 'service_account' },
  metadata: {},
  created_at: '2026-11-21T10:00:00.000Z',
  updated_at: '2026-11-21T10:00:00.000Z',
  archived_at: null,
};
const HEADERS = {
  'content-type': 'application/json',
  'request-id': 'req_01',
  'anthropic-workspace-id': 'wrkspc_1',
};
const ERROR = { type: 'error', error: { type: 'not_found_error', message: 'no' }, request_id: 'req_01' };

async function fetched(path: string, body: unknown, head: { status?: number; headers?: Record<string, string> } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const sent = new Response(text, { status: head.status ?? 200, headers: head.headers ?? HEADERS });
  const { fetch, breaches } = createContractFetch(() => Promise.resolve(sent));
  const response = await fetch(`http://localhost${path}`);
  const read = await response.text().catch((error: unknown) => String(error));
  return { status: response.status, read, breaches };
}

describe('a response that keeps the contract, checked by contractFetch,', () => {
  it.each([
    ['an object', '/v1/agents/agent_01', AGENT, {}],
    ['a page', '/v1/agents', { data: [AGENT], next_page: null }, {}],
    ['an error', '/v1/agents/agent_02', ERROR, { status: 404 }],
    ['an error for an unknown path', '/v1/nowhere', ERROR, { status: 404 }],
  ])('is passed on unchanged: %s', async (_what, path, body, head) => {
    const { read, breaches } = await fetched(path, body, head);
    expect(breaches).toEqual([]);
    expect(JSON.parse(read)).toEqual(body);
  });
});

describe('a response that breaks the contract, checked by contractFetch,', () => {
  const { system: _missing, ...short } = AGENT;
  it.each([
    ['a missing field', '/v1/agents/agent_01', short, {}, 'GET /v1/agents/{agent_id} answers 200: system: '],
    ['a field more', '/v1/agents/agent_01', { ...AGENT, colour: 'red' }, {}, 'the whole: Unrecognized key: "colour"'],
    [
      'a field more, deep inside',
      '/v1/agents',
      { data: [{ ...AGENT, model: { ...AGENT.model, tempo: 1 } }], next_page: null },
      {},
      'GET /v1/agents answers 200: data.0.model: Unrecognized key: "tempo"',
    ],
    ['a wrong type', '/v1/agents/agent_01', { ...AGENT, version: '1' }, {}, 'version: '],
    ['an operation that is in no table', '/v1/nowhere', {}, {}, 'there is no such operation'],
    ['no JSON', '/v1/agents', 'oops', {}, 'the body is no JSON'],
    [
      'no content type',
      '/v1/agents/agent_01',
      AGENT,
      { headers: { ...HEADERS, 'content-type': 'text/plain' } },
      'content-type',
    ],
    [
      'no request id',
      '/v1/agents/agent_01',
      AGENT,
      { headers: { ...HEADERS, 'request-id': '' } },
      'request-id is missing',
    ],
    ['another success', '/v1/agents/agent_01', AGENT, { status: 201 }, 'a success is a 200'],
    ['another status', '/v1/agents/agent_02', ERROR, { status: 400 }, 'not_found_error belongs to 404'],
    ['another id', '/v1/agents/agent_02', { ...ERROR, request_id: 'req_02' }, { status: 404 }, 'request_id is not'],
    ['no envelope', '/v1/agents/agent_02', { message: 'no' }, { status: 404 }, 'error: '],
    ['an unknown type', '/v1/agents', { ...ERROR, error: { type: 'x', message: '' } }, { status: 404 }, 'error.type: '],
  ])(
    'is reported by operation and path, and the request is not repeated: %s',
    async (_what, path, body, head, told) => {
      const { status, read, breaches } = await fetched(path, body, head);
      expect(breaches).toEqual([expect.stringContaining(told)]);
      expect([status, JSON.parse(read).error.message]).toEqual([599, breaches[0]]);
    },
  );
});

describe('a stream, checked by contractFetch,', () => {
  const STREAM = '/v1/sessions/sesn_1/events/stream';
  const headers = { ...HEADERS, 'content-type': 'text/event-stream' };
  const event = { id: 'sevt_1', type: 'session.status_running', processed_at: '2026-11-21T10:00:00.000Z' };
  const frame = (name: string, body: object) => `event: ${name}\ndata: ${JSON.stringify(body)}\n\n`;

  it('is passed on unchanged with comments, pings, events and an error', async () => {
    const text = `: open\n\n${frame('ping', { type: 'ping' })}${frame(event.type, event)}${frame('error', ERROR)}`;
    expect(await fetched(STREAM, text, { headers })).toEqual({ status: 200, read: text, breaches: [] });
  });

  it.each([
    ['another name', frame('session.status_idle', event), 'type: '],
    ['no name', `data: ${JSON.stringify(event)}\n\n`, 'one line of event'],
    ['a field more', frame(event.type, { ...event, colour: 'red' }), 'colour'],
    ['a field less', frame(event.type, { ...event, id: undefined }), 'id: '],
    ['an unknown type', frame('session.tired', { ...event, type: 'session.tired' }), 'type: '],
  ])('ends with an error at a frame with %s', async (_what, text, told) => {
    const { read, breaches } = await fetched(STREAM, text, { headers });
    expect(breaches).toEqual([
      expect.stringMatching(/^GET \/v1\/sessions\/\{session_id\}\/events\/stream answers 200: a frame/),
    ]);
    expect(breaches[0]).toContain(told);
    expect(read).toContain(breaches[0]);
  });
});
