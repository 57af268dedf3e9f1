import { describe, expect, it } from 'vitest';
import { GatewayEvent } from '#contract/gateway.ts';
import { API_ROUTES, toRequest as requestOf, toResult } from '../../../functions/http/gateway.ts';

const event = (fields: object) => GatewayEvent.parse({ httpMethod: 'GET', path: '/v1/agents', ...fields });

const toRequest = (parsed: GatewayEvent) => requestOf(parsed, API_ROUTES);

describe('a gateway event', () => {
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

  it('takes single query parameters where there are only those', () => {
    expect(new URL(toRequest(event({ queryStringParameters: { limit: '2' } })).url).search).toBe('?limit=2');
  });

  it('leaves a base path out of the route', () => {
    const request = toRequest(event({ path: '/base/v1/agents', pathParameters: { proxy: 'agents' } }));
    expect(new URL(request.url).pathname).toBe('/v1/agents');
  });

  it('stays on its host whatever the path', () => {
    expect(new URL(toRequest(event({ path: '//elsewhere.example/v1' })).url).pathname).toBe('/elsewhere.example/v1');
  });

  it('decodes a body, and drops one that a GET carries', async () => {
    const body = Buffer.from('{"name":"\u2713"}').toString('base64');
    expect(await toRequest(event({ httpMethod: 'POST', body, isBase64Encoded: true })).text()).toBe(
      '{"name":"\u2713"}',
    );
    expect(await toRequest(event({ body: '{}' })).text()).toBe('');
  });

  it('survives headers that no key can have', () => {
    const request = toRequest(
      event({ headers: { Authorization: 'Bearer k\u00e9y\n', 'X-Other': '\u2713', Empty: undefined } }),
    );
    expect(request.headers.get('authorization')).toBe('Bearer k?y?');
    expect(request.headers.get('x-other')).toBeNull();
  });

  it('gives each route its own headers and prefix', () => {
    const request = requestOf(
      event({ path: '/c/x', pathParameters: { proxy: 'x' }, headers: { Cookie: 'a=b', Host: 'h' } }),
      {
        prefix: '/connect',
        headers: ['cookie'],
      },
    );
    expect([new URL(request.url).pathname, ...request.headers]).toEqual(['/connect/x', ['cookie', 'a=b']]);
  });

  it('gets a result with every cookie apart', async () => {
    const headers = new Headers({ location: '/' });
    for (const cookie of ['a=1', 'b=2']) headers.append('set-cookie', cookie);
    const result = await toResult(new Response(null, { status: 303, headers }));
    expect(result.headers).toEqual({ location: '/' });
    expect(result.multiValueHeaders).toEqual({ 'set-cookie': ['a=1', 'b=2'] });
  });

  it('gets a result with single headers and a text body', async () => {
    const result = await toResult(new Response('{}', { status: 404, headers: { 'request-id': 'req_1' } }));
    expect(result).toMatchObject({
      statusCode: 404,
      headers: { 'request-id': 'req_1' },
      body: '{}',
      isBase64Encoded: false,
    });
  });
});
