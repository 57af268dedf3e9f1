import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { Agent, request } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import {
  answerTo,
  granted,
  listening,
  said,
  startProxy,
  type ProxyOptions,
  type RunningProxy,
} from './running-proxy.ts';

async function serve(listener: RequestListener): Promise<number> {
  const server = createHttpServer(listener);
  onTestFinished(() => server.closeAllConnections());
  return listening(server);
}

/** Answers each request with what arrived: its head as it was written, and its body. */
const echo = async (): Promise<number> =>
  serve(async (incoming, response) => {
    const { method, url, rawHeaders, httpVersion } = incoming;
    response.end(JSON.stringify({ method, url, rawHeaders, httpVersion, body: await text(incoming) }));
  });

async function sent(options: ProxyOptions, bytes: (port: number) => string) {
  const port = await echo();
  const answer = await answerTo(await startProxy(options), bytes(port));
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const chunked = /^[0-9a-f]+\r\n(.*)\r\n0$/s.exec(body)?.[1] ?? body;
  return { head, echoed: head.startsWith('HTTP/1.1 200') ? JSON.parse(chunked) : null };
}

it('passes method, path, end-to-end headers and body on, and drops what is for the proxy', async () => {
  const { head, echoed } = await sent(
    {},
    (port) =>
      `PUT http://www.example.com:${port}/a/../%41?q=1&q=%20 HTTP/1.1\r\nHost: other.example.com\r\nX-One: 1\r\nx-one: 2\r\n` +
      `Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nKeep-Alive: 5\r\nX-Mine: a\r\n` +
      `Connection: close, X-Mine, Content-Length\r\nUpgrade: h2c\r\nAccept: */*\r\nContent-Length: 5\r\n\r\nhello`,
  );
  expect(echoed).toMatchObject({ method: 'PUT', url: '/a/../%41?q=1&q=%20', body: 'hello' });
  const port = /example\.com:(\d+)/.exec(echoed.rawHeaders[1])?.[1];
  expect(echoed.rawHeaders).toEqual([
    ...['Host', `www.example.com:${port}`, 'X-One', '1', 'x-one', '2', 'Accept', '*/*'],
    ...['Content-Length', '5', 'Connection', 'close'],
  ]);
  expect(head).not.toMatch(/^(via|x-forwarded|x-powered|server)/im);
});

it.each([
  [
    'a body in chunks',
    'POST',
    'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n',
    'hello world',
  ],
  ['a GET with a body in chunks', 'GET', 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n', 'hi'],
  ['no body', 'POST', '\r\n', ''],
  ['a client that waits for the word to go on', 'POST', 'Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok', 'ok'],
])('passes %s on', async (_what, method, rest, body) => {
  const port = await echo();
  const proxy = await startProxy();
  const answer = await answerTo(
    proxy,
    `${method} http://www.example.com:${port}/ HTTP/1.1\r\nConnection: close\r\n${rest}`,
  );
  expect(answer).toContain(`"body":"${body}"`);
  expect(answer).not.toContain('Expect');
});

it('brings the answer back as it was, with its odd headers, and follows no redirect', async () => {
  const port = await serve((_incoming, response) => {
    const headers = ['Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'Location', 'http://169.254.169.254/'];
    response.writeHead(302, 'Elsewhere', [...headers, 'Connection', 'close', 'Content-Length', '2']).end('go');
  });
  const proxy = await startProxy();
  const answer = await answerTo(proxy, `GET http://www.example.com:${port}/ HTTP/1.1\r\nConnection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 302 Elsewhere\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nLocation: http:\/\/169/);
  expect(answer).toMatch(/\r\n\r\ngo$/);
  expect(proxy.resolved).toEqual(['www.example.com']);
});

it('keeps the connection for more requests, each judged and reported by itself', async () => {
  const port = await echo();
  const proxy = await startProxy({ grant: async () => granted({ type: 'limited', hosts: ['www.example.com'] }) });
  const socket = await proxy.dial();
  const ask = (host: string, more = '') => `GET http://${host}:${port}/ HTTP/1.1\r\n${more}\r\n`;
  // A program may send further requests before it has an answer.
  socket.write(ask('www.example.com') + ask('other.example.com') + ask('www.example.com', 'Connection: close\r\n'));
  const codes = (await said(socket)).match(/HTTP\/1\.1 \d+/g);
  expect(codes).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403', 'HTTP/1.1 200']);
  const told = proxy.uses.map(({ host, verdict, rule }) => [host, verdict, rule]);
  expect(told.toSorted()).toEqual([
    ['other.example.com', 'refused', 'allowed_hosts'],
    ['www.example.com', 'allowed', null],
    ['www.example.com', 'allowed', null],
  ]);
  expect(proxy.uses.find(({ verdict }) => verdict === 'allowed')?.bytesIn).toBeGreaterThan(100);
});

it.each([
  ['what is no request', 'GARBAGE\r\n\r\n'],
  ['a CONNECT', 'CONNECT www.example.com:443 HTTP/1.1\r\n\r\n'],
])('writes nothing of its own into an answer when %s follows', async (_what, bytes) => {
  const port = await serve((_incoming, response) => void response.write('begun'));
  const { dial } = await startProxy();
  const socket = await dial();
  socket.write(`GET http://www.example.com:${port}/ HTTP/1.1\r\n\r\n`);
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk));
  await expect.poll(() => answer).toContain('begun');
  socket.write(bytes);
  await said(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n.*begun\r\n$/s);
});

it('passes more headers on than Node counts, and the body that one of the last announces', async () => {
  let got = '';
  const server = createTcpServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        got += chunk;
        if (got.endsWith('hello')) socket.end('HTTP/1.1 204 None\r\n\r\n');
      });
  });
  const port = await listening(server);
  const many = 'a: 1\r\n'.repeat(2100);
  const head = `POST http://www.example.com:${port}/ HTTP/1.1\r\n${many}Connection: close\r\nContent-Length: 5\r\n\r\n`;
  expect(await answerTo(await startProxy(), `${head}hello`)).toMatch(/^HTTP\/1\.1 204 None/);
  expect(got).toContain(`${many}Content-Length: 5`);
});

it.each([
  ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
  ['lengths in one line', 'Content-Length: 5, 6\r\n\r\nhello'],
  ['a length beside chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['chunks beside a length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n'],
  ['an encoding that is none', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['chunks that are not the last encoding', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
  ['a folded line', 'X-One: 1\r\n Transfer-Encoding: chunked\r\n\r\n'],
  ['a space before the colon', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
  ['a lone line feed', 'X-One: 1\nX-Two: 2\r\n\r\n'],
  ['a lone carriage return', 'X-One: 1\rX-Two: 2\r\n\r\n'],
  ['a null character', 'X-One: \u0000\r\n\r\n'],
  ['a negative length', 'Content-Length: -1\r\n\r\n'],
  ['a length with a sign', 'Content-Length: +5\r\n\r\nhello'],
  ['a chunk size that is none', 'Transfer-Encoding: chunked\r\n\r\n5 5\r\nhello\r\n0\r\n\r\n'],
  ['too many headers', `X-Long: ${'a'.repeat(40_000)}\r\n\r\n`],
])('refuses a request with %s', async (_what, rest) => {
  let reached = 0;
  const port = await serve((incoming, response) => {
    incoming
      .on('error', () => undefined)
      .on('end', () => (reached += 1))
      .resume();
    response.end();
  });
  const proxy = await startProxy();
  const next = `GET http://www.example.com:${port}/smuggled HTTP/1.1\r\n\r\n`;
  const answer = await answerTo(proxy, `POST http://www.example.com:${port}/ HTTP/1.1\r\n${rest}${next}`);
  expect(answer).toMatch(/^(HTTP\/1\.1 400 the .*\(rule unreadable\)\.\n)?$/s);
  expect(reached).toBe(0);
});

it.each([
  ['the form of a server', 'GET / HTTP/1.1', 400],
  ['another path than /ca.pem', 'GET /ca.pem/../x HTTP/1.1', 400],
  ['https in a request', 'GET https://www.example.com/ HTTP/1.1', 400],
  ['ftp', 'GET ftp://www.example.com/ HTTP/1.1', 400],
  ['credentials in the URL', 'GET http://user:pw@www.example.com/ HTTP/1.1', 400],
  ['credentials that hide the host', 'GET http://www.example.com\\@evil.example.org/ HTTP/1.1', 400],
  ['no host', 'GET http:///path HTTP/1.1', 400],
  ['OPTIONS of the proxy itself', 'OPTIONS * HTTP/1.1', 400],
  ['TRACE', 'TRACE http://www.example.com/ HTTP/1.1', 405],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0', 400],
  ['a WebSocket', 'GET http://www.example.com/ HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: WebSocket', 501],
  ['a line that is no HTTP', '\u0016\u0003\u0001\u0002\u0000\u0001', 400],
])('refuses %s', async (_what, head, status) => {
  const proxy = await startProxy();
  const socket = await proxy.dial();
  socket.end(`${head}\r\n\r\n`, 'latin1');
  expect(await said(socket)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [ -~]+\r\n`));
  expect(proxy.resolved).toEqual([]);
});

it('answers with the certificate of its authority to a caller that the service knows, and to no other', async () => {
  const proxy = await startProxy({
    grant: async ({ token }) => (token === 'token-1' ? granted() : { status: 'unknown' }),
  });
  const ask = 'GET /ca.pem HTTP/1.1\r\nConnection: close\r\n\r\n';
  expect(await answerTo(proxy, ask)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  const stranger = await proxy.dial('EGRESS sesn_1/sandbox/1 token-2\n');
  stranger.write(ask);
  expect(await said(stranger)).toMatch(
    /^HTTP\/1\.1 407 the service does not know this sandbox\r\n.*proxy-authenticate/is,
  );
});

it('breaks the connection when an answer breaks off, and does not end it like a whole one', async () => {
  const port = await serve((_incoming, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('half', () => response.socket?.destroy());
  });
  const inChunks = await serve((_incoming, response) => response.write('half', () => response.socket?.destroy()));
  const proxy = await startProxy();
  for (const broken of [port, inChunks]) {
    const answer = await answerTo(proxy, `GET http://www.example.com:${broken}/ HTTP/1.1\r\n\r\n`);
    expect(answer).toContain('half');
    expect(answer).not.toMatch(/0\r\n\r\n$/);
  }
});

it.each([
  ['closes', ''],
  ['is no HTTP server', 'SSH-2.0-OpenSSH\r\n'],
  ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
  ['has long headers', `HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`],
])('answers 502 for a server that %s', async (_what, bytes) => {
  const server = createTcpServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(bytes)));
  const port = await listening(server);
  const proxy = await startProxy();
  const answer = await answerTo(proxy, `GET http://www.example.com:${port}/ HTTP/1.1\r\nConnection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 502 www\.example\.com:\d+ gave no answer that can be passed on/);
  expect(proxy.uses).toMatchObject([{ verdict: 'unreachable' }]);
});

it('passes on what a server answers before it has read the body', async () => {
  const server = createTcpServer((socket) => {
    socket
      .on('error', () => undefined)
      .once('data', () => {
        socket.pause().write('HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno');
      });
    onTestFinished(() => void socket.destroy());
  });
  const { answer, outgoing } = await upload(await startProxy(), await listening(server), 200 << 20);
  expect(answer.statusCode).toBe(413);
  expect(await text(answer)).toBe('no');
  // Buffers of the kernel, on both sides of the proxy.
  expect(outgoing.socket?.bytesWritten).toBeLessThan(40 << 20);
});

it('carries a large body up and down at the same time', async () => {
  const bytes = 32 << 20;
  const port = await serve((incoming, response) => incoming.pipe(response));
  const proxy = await startProxy();
  const { answer, sending } = await upload(proxy, port, bytes);
  expect((await buffer(answer)).length).toBe(bytes);
  await sending;
  await expect.poll(() => proxy.uses[0]?.bytesIn).toBeGreaterThan(bytes);
});

/** Sends `bytes` zeros through the proxy as a Node program does, and reads the answer. */
async function upload({ dial }: RunningProxy, port: number, bytes: number) {
  const agent = new Agent();
  agent.createConnection = (_options, done) => void dial().then((socket) => done?.(null, socket));
  const host = `www.example.com:${port}`;
  const outgoing = request({
    agent,
    method: 'POST',
    path: `http://${host}/`,
    headers: { host, 'content-length': bytes },
  });
  outgoing.on('error', () => undefined);
  const chunk = Buffer.alloc(1 << 18);
  const send = async (): Promise<void> => {
    for (let at = 0; at < bytes && !outgoing.destroyed; at += chunk.length) {
      if (!outgoing.write(chunk)) await Promise.race([once(outgoing, 'drain'), once(outgoing, 'close')]);
    }
    outgoing.end();
  };
  const sending = send();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  onTestFinished(() => void outgoing.destroy());
  return { answer, outgoing, sending };
}
