/**
 * Every error that a client can meet, through the official SDK: status, type and request id, and how many HTTP calls
 * the SDK makes before it throws.
 */
import { engineClient } from '#test/runtime/engine-client.ts';
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_STATUS, ErrorEnvelope, type ErrorType } from '#contract/errors.ts';
import { serveGateway, type GatewayOptions } from '#infra/local/gateway/server.ts';
import type { LoopbackServer } from '#infra/local/loopback.ts';
import { appAssembly } from '#test/infra/synthesized.ts';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';
import { spendLimits } from '#test/journeys/spent-limits.ts';

interface Seen {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: unknown;
}

/**
 * The SDK with its default number of retries. The test records each request, and shortens each wait to a millisecond.
 */
function noting({
  fetch,
  ...options
}: Pick<Service, 'fetch'> & { baseURL: string; apiKey: string; defaultHeaders?: Record<string, string> }) {
  const seen: Seen[] = [];
  const client = new Anthropic({
    ...options,
    async fetch(url, init) {
      const response = await fetch(url, init);
      if (response.ok) return response;
      const text = await response.text();
      const headers = new Headers(response.headers);
      seen.push({ status: response.status, retryAfter: headers.get('retry-after'), body: JSON.parse(text) });
      headers.set('retry-after-ms', '1');
      return new Response(text, { status: response.status, headers });
    },
  });
  return { client, seen };
}

interface Expected {
  readonly type: ErrorType;
  readonly calls: 1 | 3;
}

async function expectError(
  { client, seen }: ReturnType<typeof noting>,
  ask: (client: Anthropic) => PromiseLike<unknown>,
  { type, calls }: Expected,
): Promise<APIError> {
  const error: unknown = await Promise.resolve(ask(client)).catch((thrown: unknown) => thrown);
  if (!(error instanceof APIError)) throw new Error(`${type} was expected and nothing was refused`);
  const { request_id: requestId } = ErrorEnvelope.parse(seen.at(-1)?.body);
  expect([error.status, error.type, error.requestID]).toEqual([ERROR_STATUS[type], type, requestId]);
  expect(requestId).toMatch(/^(req_01\w{22}|[0-9a-f-]{36})$/);
  expect(error.headers?.get('content-type')).toBe('application/json');
  expect(seen.map(({ status }) => status)).toEqual(Array.from({ length: calls }, () => ERROR_STATUS[type]));
  return error;
}

/** A record that no version of this service writes. */
async function breakAgent({ runtime }: Service, agent: string): Promise<void> {
  const table = runtime.template.tables.find(({ name }) => name !== runtime.template.outputs['LogTableName']);
  const client = engineClient(runtime);
  await client.send(
    new UpdateItemCommand({
      TableName: table?.name,
      Key: { pk: { S: agent }, sk: { S: 'agent#latest' } },
      UpdateExpression: 'SET body = :broken',
      ConditionExpression: 'attribute_exists(body)',
      ExpressionAttributeValues: { ':broken': { S: '{}' } },
    }),
  );
  client.destroy();
}

const AGENT = { name: 'Ada', model: 'claude-opus-5' };
const ENVIRONMENT = { name: 'lab' };

describe('the SDK, for an error of the service,', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: echo });
  });
  afterAll(async () => service.close());

  const as = (apiKey = service.runtime.apiKey, defaultHeaders = {}) =>
    noting({ baseURL: service.runtime.baseUrl, apiKey, defaultHeaders, fetch: service.fetch });

  it('names each unknown route by a request id of its own kind: 404', async () => {
    for (const path of ['/v1/nothing', '/nothing', '/v2/sessions', '/sessions']) {
      const response = await service.fetch(`${service.client.baseURL}${path}`);
      expect(await response.json()).toMatchObject({
        error: { type: 'not_found_error' },
        request_id: response.headers.get('request-id'),
      });
      expect(response.headers.get('request-id')).toMatch(/^req_/);
    }
  });

  it('does not repeat a request that breaks a rule: 400', async () => {
    await expectError(as(), ({ beta }) => beta.agents.create({ ...AGENT, name: '' }), {
      type: 'invalid_request_error',
      calls: 1,
    });
  });

  it('does not repeat a request with a wrong key: 401', async () => {
    await expectError(as('wrong'), ({ beta }) => beta.agents.list(), { type: 'authentication_error', calls: 1 });
  });

  it('does not repeat a request for another workspace: 403', async () => {
    const stranger = as(undefined, { 'anthropic-workspace-id': 'wrkspc_other' });
    await expectError(stranger, ({ beta }) => beta.agents.list(), { type: 'permission_error', calls: 1 });
  });

  it.each<[string, (client: Anthropic) => PromiseLike<unknown>]>([
    ['an id', ({ beta }) => beta.agents.retrieve('agent_01nobody')],
    ['an id, on a stream', ({ beta }) => beta.sessions.events.stream('sesn_01nobody')],
    ['a path of the API', (client) => client.get('/v1/nowhere')],
    ['a path of the gateway', (client) => client.get('/nowhere')],
    ['a method of the gateway', (client) => client.post('/v1/sessions/sesn_1/events/stream')],
  ])('does not repeat a request for %s that does not exist: 404', async (_what, ask) => {
    await expectError(as(), ask, { type: 'not_found_error', calls: 1 });
  });

  it('does not repeat a request that was decided on an old version: 409', async () => {
    const { id } = await service.client.beta.agents.create(AGENT);
    const ask = ({ beta }: Anthropic) => beta.agents.update(id, { name: 'Eve', version: 7 });
    await expectError(as(), ask, { type: 'conflict_error', calls: 1 });
  });

  it.each([
    ['the service', 5_200_000],
    ['its function', 7_000_000],
    ['the gateway', 11_000_000],
  ])('does not repeat a request larger than %s accepts, and shows the limit: 413', async (_who, bytes) => {
    const ask = ({ beta }: Anthropic) => beta.environments.create({ ...ENVIRONMENT, description: 'x'.repeat(bytes) });
    const error = await expectError(as(), ask, { type: 'request_too_large', calls: 1 });
    expect(error.apiMessage).toMatch(/5000000|5 MB/);
  });

  it('does not repeat a request that meets a malformed record: 500', async () => {
    const { id } = await service.client.beta.agents.create(AGENT);
    await breakAgent(service, id);
    await expectError(as(), ({ beta }) => beta.agents.retrieve(id), { type: 'api_error', calls: 1 });
  });

  it('repeats a request when the function died, and gets the answer: 500', async () => {
    const { client, seen } = as();
    const killed = service.runtime.faults.killDuring({ function: 'api', call: 1, phase: 'before' });
    await client.beta.environments.list();
    await killed;
    expect(seen.map(({ status }) => status)).toEqual([500]);
  });
});

describe('the SDK, for an error of the gateway,', () => {
  let service: Service;
  const gateways: LoopbackServer[] = [];
  beforeAll(async () => {
    service = await startService({ script: echo });
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.close();
    await service.close();
  });

  /** The template's gateway in front of a function with this behaviour. */
  async function before(invoke: GatewayOptions['lambda']['invoke']) {
    const lambda = { invoke, stream: () => Promise.reject(new Error('no streams here')) };
    const gateway = await serveGateway({ template: service.runtime.template, lambda, port: 0, bufferedLimitMs: 20 });
    gateways.push(gateway);
    return noting({ baseURL: gateway.url, apiKey: 'any', fetch: service.fetch });
  }

  it('repeats after a second when there are too many invocations: 429', async () => {
    const busy = Object.assign(new Error('busy'), { name: 'Lambda.TooManyRequestsException' });
    const noted = await before(() => Promise.reject(busy));
    await expectError(noted, ({ beta }) => beta.agents.list(), { type: 'rate_limit_error', calls: 3 });
    expect(noted.seen.map(({ retryAfter }) => retryAfter)).toEqual(['1', '1', '1']);
  });

  it('repeats when the function fails: 500', async () => {
    const noted = await before(() => Promise.reject(new Error('broken')));
    await expectError(noted, ({ beta }) => beta.agents.list(), { type: 'api_error', calls: 3 });
  });

  it('repeats when the function takes too long: 504', async () => {
    const noted = await before(() => new Promise(() => {}));
    await expectError(noted, ({ beta }) => beta.agents.list(), { type: 'timeout_error', calls: 3 });
  });
});

describe('the SDK, for an exceeded rate limit,', () => {
  let service: Service;
  beforeAll(async () => {
    const cdkOut = appAssembly({ 'rateLimits.createsPerMinute': '3', 'rateLimits.readsPerMinute': '2' });
    service = await startService({ script: echo, cdkOut });
  });
  afterAll(() => service.close());

  it('repeats after the seconds that the response states, on buffered routes and on streams: 429', async () => {
    const session = await service.session();
    const noted = () =>
      noting({ baseURL: service.runtime.baseUrl, apiKey: service.runtime.apiKey, fetch: service.fetch });
    await spendLimits(service);
    const creates = noted();
    await expectError(creates, ({ beta }) => beta.agents.create(AGENT), { type: 'rate_limit_error', calls: 3 });
    // The limit is two reads per minute: one opens a stream in its own function, the other gets a buffered answer.
    const stream = await service.client.beta.sessions.events.stream(session);
    await service.client.beta.sessions.retrieve(session);
    await spendLimits(service);
    const reads = noted();
    await expectError(reads, ({ beta }) => beta.agents.list(), { type: 'rate_limit_error', calls: 3 });
    const streams = noted();
    const again = ({ beta }: Anthropic) => beta.sessions.events.stream(session);
    await expectError(streams, again, { type: 'rate_limit_error', calls: 3 });
    for (const { retryAfter } of [...creates.seen, ...reads.seen, ...streams.seen]) {
      expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
      expect(retryAfter).toMatch(/^\d+$/);
    }
    stream.controller.abort();
  });
});
