import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { serveGateway, type GatewayOptions } from '../../../../infra/local/gateway/server.ts';
import type { LoopbackServer } from '../../../../infra/local/loopback.ts';
import type { RoutePart } from '../../../../infra/local/template/parts.ts';
import { startPool, type FunctionFixture, type PoolFixture } from '../lambda/fixture.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const STREAM = (body: string): FunctionFixture => ({
  code: `const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    export const handler = awslambda.streamifyResponse(async (event, raw) => {
      const stream = awslambda.HttpResponseStream.from(raw, { statusCode: 200, headers: { 'content-type': 'text/event-stream' } });
      ${body}
    });`,
});
const API = (body: string): FunctionFixture => ({ code: `export const handler = async (event) => { ${body} };` });
const ECHO = API('return { statusCode: 200, body: JSON.stringify(event) };');

interface Setup {
  readonly gateway: LoopbackServer;
  readonly pool: PoolFixture;
}

async function start(
  functions: Record<string, FunctionFixture>,
  options: Partial<GatewayOptions> = {},
): Promise<Setup> {
  const pool = await startPool(functions);
  const routes: RoutePart[] = [
    { method: 'ANY', path: '/v1/{proxy+}', functionArn: pool.arn('api'), transfer: 'buffered' },
    { method: 'GET', path: '/v1/{id}/stream', functionArn: pool.arn('stream'), transfer: 'stream' },
  ];
  const gateway = await serveGateway({
    template: { routes, gatewayResponses: [], account: '123456789012', binaryMediaTypes: ['multipart/form-data'] },
    lambda: pool.pool,
    port: 0,
    ...options,
  });
  closers.push(gateway.close, pool.close);
  return { gateway, pool };
}

describe('the event that the gateway sends to a function', () => {
  test('has path, parameters, headers, query and body in the format of a REST API', async () => {
    const { gateway } = await start({ api: ECHO });
    const response = await fetch(`${gateway.url}/v1/agents/a1?limit=2&id=x&id=y`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'k' },
      body: '{"ü":1}',
    });
    expect(await response.json()).toMatchObject({
      resource: '/v1/{proxy+}',
      path: '/v1/agents/a1',
      httpMethod: 'POST',
      headers: { 'x-api-key': 'k', 'X-Forwarded-Proto': 'http' },
      multiValueHeaders: { 'x-api-key': ['k'] },
      queryStringParameters: { limit: '2', id: 'y' },
      multiValueQueryStringParameters: { limit: ['2'], id: ['x', 'y'] },
      pathParameters: { proxy: 'agents/a1' },
      requestContext: {
        accountId: '123456789012',
        resourcePath: '/v1/{proxy+}',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        identity: { sourceIp: '127.0.0.1' },
      },
      body: '{"ü":1}',
      isBase64Encoded: false,
    });
  });

  test('has null for absent parts, and base64 for a body of a binary media type alone', async () => {
    const { gateway } = await start({ api: ECHO });
    expect(await (await fetch(`${gateway.url}/v1/x`)).json()).toMatchObject({
      queryStringParameters: null,
      body: null,
    });
    const body = Buffer.from([0xff, 0xfe]);
    const headers = { 'content-type': 'multipart/form-data; boundary=x' };
    const binary = await fetch(`${gateway.url}/v1/x`, { method: 'POST', body, headers });
    expect(await binary.json()).toMatchObject({ isBase64Encoded: true, body: '//4=' });
    const text = await fetch(`${gateway.url}/v1/x`, { method: 'POST', body });
    expect(await text.json()).toMatchObject({ isBase64Encoded: false, body: '\ufffd\ufffd' });
  });
});

describe('a buffered response of the gateway', () => {
  test('has the function’s status, repeated headers and bytes', async () => {
    const { gateway } = await start({
      api: API(`return { statusCode: 201, headers: { 'request-id': 'r1' }, multiValueHeaders: { 'set-cookie': ['a=1', 'b=2'] },
        body: Buffer.from([1, 2, 255]).toString('base64'), isBase64Encoded: true };`),
    });
    const response = await fetch(`${gateway.url}/v1/x`);
    expect(response.status).toBe(201);
    expect(response.headers.get('request-id')).toBe('r1');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([1, 2, 255]);
  });

  test.each([
    ['an unknown route', '/nowhere', 403, 'Missing Authentication Token'],
    ['a function that fails', '/v1/fail', 502, 'Internal server error'],
    ['an answer without status', '/v1/shape', 502, 'Internal server error'],
    ['a function that takes too long', '/v1/slow', 504, 'Endpoint request timed out'],
  ])('to %s is the one that API Gateway gives', async (_what, path, status, message) => {
    const api = API(`
      if (event.path === '/v1/fail') throw new Error('x');
      if (event.path === '/v1/shape') return { hello: 1 };
      if (event.path === '/v1/slow') await new Promise((resolve) => setTimeout(resolve, 60_000));
      return { statusCode: 200 };`);
    const { gateway } = await start({ api }, path === '/v1/slow' ? { bufferedLimitMs: 200 } : {});
    const response = await fetch(gateway.url + path);
    expect([response.status, await response.json()]).toEqual([status, { message }]);
  });

  test('to a request that the gateway refuses has the text that the template defines', async () => {
    const part = {
      responseType: 'DEFAULT_4XX',
      status: 404,
      headers: { 'request-id': 'context.requestId', 'x-a': "'1'" },
    };
    const body =
      '{"type":"$context.error.responseType","message":$context.error.messageString,"id":"$context.requestId"}';
    const template = { routes: [], account: '1', gatewayResponses: [{ ...part, body }], binaryMediaTypes: [] };
    const { gateway } = await start({}, { template });
    const response = await fetch(`${gateway.url}/nowhere`);
    const id = response.headers.get('request-id');
    expect([response.status, response.headers.get('x-a')]).toEqual([404, '1']);
    expect(await response.json()).toEqual({
      type: 'MISSING_AUTHENTICATION_TOKEN',
      message: 'Missing Authentication Token',
      id,
    });
  });

  test('to more than 10 MB is 413, also while the client is sending', async () => {
    const { gateway } = await start({ api: ECHO });
    const response = await fetch(`${gateway.url}/v1/x`, { method: 'POST', body: 'x'.repeat(11 * 1024 * 1024) });
    expect([response.status, await response.json()]).toEqual([413, { message: 'Request Too Long' }]);
  });
});

describe('a streamed response of the gateway', () => {
  test('has headers and first bytes before the function ends', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'brainstem-gate-'));
    closers.push(async () => rm(folder, { recursive: true }));
    const open = (gate: string) => writeFile(join(folder, gate), '');
    const { gateway } = await start({
      stream: STREAM(`
        const { existsSync } = await import('node:fs');
        const opened = async (gate) => { while (!existsSync('${folder}/' + gate)) await sleep(5); };
        stream.write(''); await opened('body'); stream.write('data: 1'); await opened('end'); stream.end();`),
    });
    const response = await fetch(`${gateway.url}/v1/a/stream`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body ?? new ReadableStream()).getReader();
    await open('body');
    const first = await reader.read();
    expect(Buffer.from(first.value as Uint8Array).toString()).toBe('data: 1');
    await open('end');
    expect((await reader.read()).done).toBe(true);
  });

  test('is cut when the function fails after the headers, and is 502 when it fails before', async () => {
    const { gateway } = await start({
      stream: STREAM(
        `if (event.pathParameters.id === 'early') throw new Error('x'); stream.write('1'); await sleep(50); throw new Error('y');`,
      ),
    });
    expect((await fetch(`${gateway.url}/v1/early/stream`)).status).toBe(502);
    const cut = await fetch(`${gateway.url}/v1/late/stream`);
    expect(cut.status).toBe(200);
    await expect(cut.text()).rejects.toThrow('terminated');
  });

  test('is cut after a long silence', async () => {
    const { gateway } = await start({ stream: STREAM(`stream.write('1'); await sleep(3000);`) }, { streamIdleMs: 100 });
    await expect((await fetch(`${gateway.url}/v1/a/stream`)).text()).rejects.toThrow('terminated');
  });
});

describe('the gateway survives every request, and passes names on that every object has', () => {
  const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'prototype'];

  test.each(NAMES)('%s as header, as parameter and as a part of the path', async (name) => {
    const { gateway } = await start({ api: ECHO });
    const headers = { [name]: 'a', [name.toUpperCase()]: 'b' };
    const sent = request(`${gateway.url}/v1/${name}?${name}=1&${name}=2`, { headers }).end();
    const [response] = await once(sent, 'response');
    const event = JSON.parse(Buffer.concat(await response.toArray()).toString());
    const own = (of: object, key: string): unknown => Object.getOwnPropertyDescriptor(of, key)?.value;
    expect(own(event.multiValueQueryStringParameters, name)).toEqual(['1', '2']);
    expect(own(event.queryStringParameters, name)).toBe('2');
    expect(own(event.multiValueHeaders, name.toUpperCase())).toEqual(['b']);
    expect(event.pathParameters).toEqual({ proxy: name });
  });

  const REQUESTS: readonly (readonly [string, string])[] = [
    ['no HTTP at all', '\0\xff\x16\x03garbage\r\n\r\n'],
    ['nothing', ''],
    ['half a request', 'GET /v1/x HT'],
    ['half a body', 'POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{'],
    ['a chunk of no length', 'POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['two lengths', 'POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['an escape that is none', 'GET /v1/%zz/%?%=%&%c3%28=%ff HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['an escape that is not UTF-8', 'GET /v1/%ff%fe/stream HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['a path of slashes', 'GET //////..//../%2e%2e/ HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['a proxy’s target', 'GET http://user:pw@b.example/v1/x?constructor=1 HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['a target that is no URL', 'GET http://[::1/v1/x HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['CONNECT', 'CONNECT b.example:443 HTTP/1.1\r\nhost: b.example:443\r\n\r\nhello'],
    ['an upgrade', 'GET /v1/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x05'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an expectation', 'POST /v1/x HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\ncontent-length: 0\r\n\r\n'],
    ['no host', 'GET /v1/x HTTP/1.1\r\n\r\n'],
    ['HTTP/1.0', 'GET /v1/x HTTP/1.0\r\n\r\n'],
    ['long headers', `GET /v1/x HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`],
    ['many headers', `GET /v1/x HTTP/1.1\r\nhost: a\r\n${'a: b\r\n'.repeat(1500)}\r\n`],
    ['a long target', `GET /v1/${'%41'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`],
    ['a header without a name', 'GET /v1/x HTTP/1.1\r\nhost: a\r\n: x\r\n\r\n'],
    ['a header in Latin-1', 'GET /v1/x HTTP/1.1\r\nhost: \xe9\r\nx-\xe9: \xe9\r\n\r\n'],
    ['a request behind another', `${'GET /v1/x HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(3)}garbage\r\n\r\n`],
    ['an unknown method', 'BREW /v1/x HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['a method of WebDAV', 'PROPFIND /v1/x HTTP/1.1\r\nhost: a\r\n\r\n'],
  ];

  test('also what is no request', async () => {
    const { gateway } = await start({ api: ECHO, stream: STREAM('stream.end();') });
    for (const [what, bytes] of REQUESTS) {
      for (const leave of ['end', 'destroy'] as const) {
        const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
        socket.on('error', () => undefined).resume();
        await once(socket, 'connect');
        const gone = once(socket, 'close');
        socket.write(Buffer.from(bytes, 'latin1'), () => socket[leave]());
        if (leave === 'destroy') await gone;
        expect([what, leave, (await fetch(`${gateway.url}/v1/x`)).status]).toEqual([what, leave, 200]);
      }
    }
  });

  test('a proxy’s target is served like its path', async () => {
    const { gateway } = await start({ api: ECHO });
    const sent = request({ port: new URL(gateway.url).port, path: `${gateway.url}/v1/x?a=1` }).end();
    const [response] = await once(sent, 'response');
    const event = JSON.parse(Buffer.concat(await response.toArray()).toString());
    expect(event).toMatchObject({ path: '/v1/x', queryStringParameters: { a: '1' } });
  });
});

test('the gateway keeps a connection open for the next request', async () => {
  const { gateway } = await start({ api: ECHO });
  const response = await fetch(`${gateway.url}/v1/x`);
  expect(response.headers.get('connection')).toBe('keep-alive');
  await response.text();
});

test('the gateway fails with the error code when its port is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const pool = await startPool({});
  closers.push(pool.close, async () => void taken.close());
  const options = {
    template: { routes: [], gatewayResponses: [], account: '1', binaryMediaTypes: [] },
    lambda: pool.pool,
    port,
  };
  await expect(serveGateway(options)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('the gateway cuts open streams and frees the port when it closes', async () => {
  const { gateway } = await start({ stream: STREAM(`stream.write('1'); await sleep(5000);`) });
  const response = await fetch(`${gateway.url}/v1/a/stream`);
  await gateway.close();
  await expect(response.text()).rejects.toThrow('terminated');
  const refused = request(`${gateway.url}/v1/x`).end();
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
});
