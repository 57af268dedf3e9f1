import { describe, expect, test } from 'vitest';
import { createRouter } from '../../../../infra/local/gateway/routes.ts';
import type { RoutePart } from '../../../../infra/local/template/parts.ts';

const route = (method: string, path: string): RoutePart => ({
  method,
  path,
  functionArn: `${method} ${path}`,
  transfer: 'buffered',
});

const find = createRouter([
  route('ANY', '/v1/{proxy+}'),
  route('GET', '/openapi.json'),
  route('GET', '/v1/sessions/{session_id}/events/stream'),
  route('GET', '/v1/sessions/{session_id}/threads/{thread_id}/stream'),
  route('GET', '/v1/{kind}/all'),
]);

describe('the gateway routes a request to', () => {
  test.each([
    ['GET', '/openapi.json', 'GET /openapi.json', {}],
    ['POST', '/v1/agents', 'ANY /v1/{proxy+}', { proxy: 'agents' }],
    ['GET', '/v1/sessions/s1/events', 'ANY /v1/{proxy+}', { proxy: 'sessions/s1/events' }],
    ['GET', '/v1/sessions/s1/events/stream', 'GET /v1/sessions/{session_id}/events/stream', { session_id: 's1' }],
    [
      'GET',
      '/v1/sessions/s1/threads/t1/stream',
      'GET /v1/sessions/{session_id}/threads/{thread_id}/stream',
      { session_id: 's1', thread_id: 't1' },
    ],
    ['GET', '/v1/agents/all', 'GET /v1/{kind}/all', { kind: 'agents' }],
    ['GET', '/v1/sessions/a%20b/events/stream', 'GET /v1/sessions/{session_id}/events/stream', { session_id: 'a b' }],
    ['GET', '/v1/agents/', 'ANY /v1/{proxy+}', { proxy: 'agents/' }],
  ])('the most specific resource: %s %s', (method, path, functionArn, parameters) => {
    expect(find(method, path)).toEqual({ route: expect.objectContaining({ functionArn }), parameters });
  });
});

describe('the gateway finds no method', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v2/agents'],
    ['POST', '/openapi.json'],
    ['GET', '/openapiXjson'],
  ])('for a request of %s %s', (method, path) => {
    expect(find(method, path)).toBeNull();
  });

  test('when the most specific resource lacks it, even beside a greedy one', () => {
    expect(find('POST', '/v1/sessions/s1/events/stream')).toBeNull();
  });
});
