import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../egress-proxy/authority.ts';
import { bytesOf, exchange, PLACEHOLDER, SECRET, serveEcho, serveTls, stage, substitution } from './opened-stage.ts';

const HOST = 'www.example.com';
const OTHER = 'other.example.com';
const key = `x-key: ${PLACEHOLDER}`;

describe('a tunnel that the proxy opened', () => {
  it.each<[string, string, string, number]>([
    ['another Host', 'GET / HTTP/1.1', `Host: ${OTHER}`, 421],
    ['another port in Host', 'GET / HTTP/1.1', `Host: ${HOST}:1`, 421],
    ['a Host with a user', 'GET / HTTP/1.1', `Host: ${OTHER}@${HOST}`, 421],
    ['two Hosts', 'GET / HTTP/1.1', `Host: {authority}\r\nHost: ${OTHER}`, 421],
    ['the same Host twice', 'GET / HTTP/1.1', 'Host: {authority}\r\nHost: {authority}', 421],
    ['no Host', 'GET / HTTP/1.1', 'x: y', 421],
    ['no Host in HTTP/1.0', 'GET / HTTP/1.0', 'x: y', 421],
    ['an absolute URL', `GET https://${OTHER}/ HTTP/1.1`, 'Host: {authority}', 400],
    ['an absolute URL of plain HTTP', `GET http://${OTHER}/ HTTP/1.1`, 'Host: {authority}', 400],
    ['a path without a slash', `GET @${OTHER}/ HTTP/1.1`, 'Host: {authority}', 400],
    ['CONNECT', `CONNECT ${OTHER}:443 HTTP/1.1`, `Host: ${OTHER}:443`, 400],
    ['TRACE', 'TRACE / HTTP/1.1', 'Host: {authority}', 405],
    ['a WebSocket', 'GET / HTTP/1.1', 'Host: {authority}\r\nUpgrade: websocket\r\nConnection: upgrade', 501],
    ['a preface of HTTP/2', 'PRI * HTTP/2.0', '\r\nSM', 400],
    ['HTTP/0.9', 'GET /', '', 400],
    [
      'a length and chunks',
      'POST / HTTP/1.1',
      'Host: {authority}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked',
      400,
    ],
    ['two lengths', 'POST / HTTP/1.1', 'Host: {authority}\r\nContent-Length: 5\r\nContent-Length: 6', 400],
    ['a length with a sign', 'POST / HTTP/1.1', 'Host: {authority}\r\nContent-Length: +5', 400],
    ['an unknown transfer coding', 'POST / HTTP/1.1', 'Host: {authority}\r\nTransfer-Encoding: xchunked', 400],
    ['two transfer codings', 'POST / HTTP/1.1', 'Host: {authority}\r\nTransfer-Encoding: gzip, chunked', 400],
    ['chunks twice', 'POST / HTTP/1.1', 'Host: {authority}\r\nTransfer-Encoding: chunked, chunked', 400],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0', 'Host: {authority}\r\nTransfer-Encoding: identity', 400],
    ['a space before the colon', 'POST / HTTP/1.1', 'Host: {authority}\r\nContent-Length : 5', 400],
    ['a bare line feed', 'GET / HTTP/1.1', 'Host: {authority}\nx: y', 400],
    ['a bare carriage return', 'GET / HTTP/1.1', 'Host: {authority}\rx: y', 400],
    ['a null byte', 'GET / HTTP/1.1', 'Host: {authority}\r\nx: \0', 400],
    ['headers without an end', 'GET / HTTP/1.1', `Host: {authority}\r\nx: ${'a'.repeat(40_000)}`, 400],
  ])('refuses a request with %s, and the server gets nothing', async (_what, line, headers, status) => {
    const { port, got } = await serveEcho();
    const { tls, uses } = await stage();
    const head = bytesOf(line, [headers.replaceAll('{authority}', `${HOST}:${port}`), key]);
    const answer = await exchange(await tls(HOST, port), head);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [a-z]`, 'i'));
    expect(got).toEqual([]);
    await expect.poll(() => uses.map(({ verdict }) => verdict)).toContain('refused');
    expect(uses.flatMap(({ secrets }) => secrets)).toEqual([]);
  });

  it.each([
    ['another name in TLS', { servername: OTHER }],
    ['no name in TLS', { servername: '' }],
    ['only HTTP/2', { alpn: ['h2'] }],
  ])('is not opened for %s', async (_what, options) => {
    const { port, got } = await serveEcho();
    const { tls, uses } = await stage();
    expect(await exchange(await tls(HOST, port, options), bytesOf('GET / HTTP/1.1', [`Host: ${OTHER}`]))).toBe('');
    expect(got).toEqual([]);
    await expect.poll(() => uses.map(({ rule }) => rule)).toContain('tls');
  });

  it('goes to no server that does not prove to be the host, or of an authority that is not known', async () => {
    const stranger = createAuthority();
    for (const context of [stranger.contextFor(HOST), null]) {
      // The test's own authority signs for another host then.
      const port = await serveTls(
        (_request, response) => void response.end(),
        (name) => context ?? name.replace(HOST, OTHER),
      );
      const { tls, uses } = await stage();
      const answer = await exchange(await tls(HOST, port), bytesOf('GET / HTTP/1.1', [`Host: ${HOST}:${port}`, key]));
      expect(answer).toMatch(/^HTTP\/1.1 502 www.example.com did not prove with a certificate/);
      await expect.poll(() => uses.map(({ rule }) => rule)).toContain('server_certificate');
    }
  });

  it('is not opened where no secret may go', async () => {
    const { port } = await serveEcho();
    const { tls } = await stage({ substitutions: [substitution({ hosts: [OTHER] })] });
    const secured = await tls(HOST, port);
    // The certificate is the server's own, of an authority that the program does not know.
    const [error] = (await once(secured, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET_ISSUER/);
  });

  it('smuggles nothing: a second request in a body, and a path or header that ends one, arrive as what they are', async () => {
    const { port, got } = await serveEcho();
    const { tls } = await stage();
    const inner = bytesOf(`GET /inner HTTP/1.1`, [`Host: ${OTHER}`]);
    const path = '/a%0d%0aHost:%20evil.example.com';
    const headers = [`Host: ${HOST}:${port}`, `Content-Length: ${inner.length}`];
    await exchange(await tls(HOST, port), bytesOf(`GET ${path} HTTP/1.1`, headers, inner));
    expect(got.map(({ line, body }) => [line, body])).toEqual([[`GET ${path}`, inner]]);
  });

  it('lets a header that Connection names not take away what the proxy adds', async () => {
    const { port, got } = await serveEcho();
    const { tls } = await stage();
    const headers = [
      `Host: ${HOST}:${port}`,
      'Connection: host, x-key, content-length, accept-encoding',
      key,
      'Content-Length: 2',
    ];
    await exchange(await tls(HOST, port), ['POST / HTTP/1.1', ...headers, 'Connection: close', '', 'ab'].join('\r\n'));
    expect(got[0]?.body).toBe('ab');
    expect(got[0]?.headers).toMatchObject({ host: `${HOST}:${port}`, 'accept-encoding': 'identity' });
    expect(got[0]?.headers).not.toHaveProperty('x-key');
  });

  it('carries one request after the other over one connection to the server, in their order', async () => {
    let connections = 0;
    const lines: string[] = [];
    const port = await serveTls(
      (request, response) => {
        lines.push(request.url ?? '');
        response.setHeader('x-at', request.url ?? '');
        setTimeout(() => response.end(), request.url === '/0' ? 30 : 0);
      },
      (name) => ((connections += 1), name),
    );
    const { tls } = await stage();
    const requests = [0, 1, 2, 3].map((at) => `GET /${at} HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n`);
    const last = bytesOf('GET /4 HTTP/1.1', [`Host: ${HOST}:${port}`]);
    const answer = await exchange(await tls(HOST, port), [...requests, last].join(''));
    expect(answer.match(/(?<=x-at: )\/\d/g)).toEqual(['/0', '/1', '/2', '/3', '/4']);
    expect(lines).toEqual(['/0', '/1', '/2', '/3', '/4']);
    expect(connections).toBe(1);
  });

  it('ends when a program sends many requests without reading an answer', async () => {
    const port = await serveTls(() => undefined);
    const { tls } = await stage();
    const request = `GET / HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n`;
    expect(await exchange(await tls(HOST, port), request.repeat(40))).toBe('');
  });

  it('ends when the server ends it, so that a program does not send into nothing', async () => {
    const port = await serveTls((_request, response) => void response.end('LAST', () => response.socket?.end()));
    const { tls } = await stage();
    const answer = await exchange(await tls(HOST, port), `GET / HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n`);
    expect(answer).toContain('LAST');
  });

  it('asks for a body only when the request may be sent', async () => {
    const { port, got } = await serveEcho();
    const { tls } = await stage();
    const socket = await tls(HOST, port);
    socket.write(bytesOf('POST / HTTP/1.1', [`Host: ${HOST}:${port}`, 'Expect: 100-continue', 'Content-Length: 2']));
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(String(first)).toMatch(/^HTTP\/1.1 100 /);
    expect(await exchange(socket, 'ab')).toContain('200 OK');
    expect(got[0]?.body).toBe('ab');
    expect(got[0]?.headers).not.toHaveProperty('expect');
  });

  it('passes on an answer that comes before the body has ended', async () => {
    const port = await serveTls((_request, response) => void response.writeHead(413).end('too long'));
    const { tls } = await stage();
    const socket = await tls(HOST, port);
    const head = bytesOf('POST / HTTP/1.1', [`Host: ${HOST}:${port}`, 'Content-Length: 3000000']);
    expect(await exchange(socket, head, Buffer.alloc(1_000_000))).toMatch(/^HTTP\/1.1 413 [\s\S]*too long/);
  });

  it('tells the secret to no log line', async () => {
    const { port } = await serveEcho();
    const { tls, lines } = await stage();
    await exchange(await tls(HOST, port), bytesOf('GET / HTTP/1.1', [`Host: ${HOST}:${port}`, key]));
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).toContain('vcrd_1');
    expect(JSON.stringify(lines)).not.toContain(SECRET.slice(0, 8));
  });
});
