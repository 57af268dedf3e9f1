import { describe, expect, it } from 'vitest';
import { GatewayEvent } from '#contract/gateway.ts';
import { API_ROUTES, toRequest as requestOf, toResult } from '../../../functions/http/gateway.ts';

const event = (fields: object) => GatewayEvent.parse({ httpMethod: 'GET', path: '/v1/agents', ...fields });

const toRequest = (parsed: GatewayEvent) => requestOf(parsed, API_ROUTES);

describe('the HTTP request made from a gateway event', () => {
  it('keeps repeated and bracketed query parameters, decoded once', () => {
    const request = toRequest(
      event({
        multiValueQueryStringParameters: {
          'statuses[]': ['idle', 'running'],
          'created_at[gte]': ['2026-11-21T10:00:00+01:00'],
        },
      }),
    );
    const query = new URL(request.url).searchParams;
    expect(query.getAll('statuses[]')).toEqual(['idle', 'running']);
    expect(query.get('created_at[gte]')).toBe('2026-11-21T10:00:00+01:00');
  });

  it('takes single query parameters when the event has no repeated ones', () => {
    expect(new URL(toRequest(event({ queryStringParameters: { limit: '2' } })).url).search).toBe('?limit=2');
  });

  it.each(['__proto__', 'constructor', '__proto__[]'])('keeps a query parameter %s', (name) => {
    for (const [field, value] of [
      ['multiValueQueryStringParameters', ['1', '2']],
      ['queryStringParameters', '2'],
    ] as const) {
      const given = JSON.parse(`{"${name}":${JSON.stringify(value)}}`) as object;
      const query = new URL(toRequest(event({ [field]: given })).url).searchParams;
      expect(query.getAll(name)).toEqual([value].flat());
    }
  });

  it('has a path without the base path', () => {
    const request = toRequest(event({ path: '/base/v1/agents', pathParameters: { proxy: 'agents' } }));
    expect(new URL(request.url).pathname).toBe('/v1/agents');
  });

  it.each([
    ...[
      '..%2fvaults',
      '..%2Fvaults',
      '%2e%2e%2fvaults',
      '%2e%2e/vaults',
      '../vaults',
      './x',
      '..',
      '%2E',
      'agent_1%2fversions',
    ],
    ...[
      'agent_1%5cversions',
      '..%5cvaults',
      'agent_1\\versions',
      'agent_1%00',
      'agent_1%0d%0ax',
      'agent_1%7f',
      '%252e%252e%252fvaults',
    ],
    ...['agent_1%3flimit=1', 'agent_1%23x'],
  ])('names no operation with the id %j, as the gateway hands it on and decoded', (id) => {
    const read = (part: string) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    };
    const path = `/v1/agents/${id}`;
    const paths = [
      { path, pathParameters: { proxy: `agents/${read(id)}` } },
      ...(id === 'agent_1%2fversions' ? [] : [{ path: read(path), pathParameters: { proxy: `agents/${read(id)}` } }]),
      { path, pathParameters: { proxy: `agents/${id}` } },
      { path: `/base${path}`, pathParameters: { proxy: `agents/${read(id)}` } },
    ];
    for (const fields of paths) expect(new URL(toRequest(event(fields)).url).pathname).toBe('/');
  });

  it.each(['agent_1', 'us.anthropic.claude-sonnet-4-5-20250929-v1%3A0', '..x', 'a..b', '%C3%A4', 'a%20b', '%zz'])(
    'keeps an id that is only spelled oddly: %s',
    (id) => {
      const request = toRequest(event({ path: `/v1/models/${id}`, pathParameters: { proxy: `models/${id}` } }));
      expect(new URL(request.url).pathname).toBe(`/v1/models/${id}`);
    },
  );

  it('has the service’s host, whatever its path', () => {
    expect(new URL(toRequest(event({ path: '//elsewhere.example/v1' })).url).pathname).toBe('/elsewhere.example/v1');
  });

  it('has a decoded body, and none when the method is GET', async () => {
    const body = Buffer.from('{"name":"\u2713"}').toString('base64');
    expect(await toRequest(event({ httpMethod: 'POST', body, isBase64Encoded: true })).text()).toBe(
      '{"name":"\u2713"}',
    );
    expect(await toRequest(event({ body: '{}' })).text()).toBe('');
  });

  it('is made also from header names and values that HTTP does not allow', () => {
    const request = toRequest(
      event({ headers: { Authorization: 'Bearer k\u00e9y\n', 'X-Other': '\u2713', Empty: undefined } }),
    );
    expect(request.headers.get('authorization')).toBe('Bearer k?y?');
    expect(request.headers.get('x-other')).toBeNull();
  });

  it('has only the headers and the prefix that its function asks for', () => {
    const request = requestOf(
      event({ path: '/c/x', pathParameters: { proxy: 'x' }, headers: { Cookie: 'a=b', Host: 'h' } }),
      {
        prefix: '/connect',
        headers: ['cookie'],
      },
    );
    expect([new URL(request.url).pathname, ...request.headers]).toEqual(['/connect/x', ['cookie', 'a=b']]);
  });

  it('is answered with every cookie in a header of its own', async () => {
    const headers = new Headers({ location: '/' });
    for (const cookie of ['a=1', 'b=2']) headers.append('set-cookie', cookie);
    const result = await toResult(new Response(null, { status: 303, headers }));
    expect(result.headers).toEqual({ location: '/' });
    expect(result.multiValueHeaders).toEqual({ 'set-cookie': ['a=1', 'b=2'] });
  });

  it('is answered with single headers and a text body', async () => {
    const result = await toResult(new Response('{}', { status: 404, headers: { 'request-id': 'req_1' } }));
    expect(result).toMatchObject({
      statusCode: 404,
      headers: { 'request-id': 'req_1' },
      body: '{}',
      isBase64Encoded: false,
    });
  });
});
