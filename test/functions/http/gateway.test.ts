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

  it('has a path without the base path', () => {
    const request = toRequest(event({ path: '/base/v1/agents', pathParameters: { proxy: 'agents' } }));
    expect(new URL(request.url).pathname).toBe('/v1/agents');
  });

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
