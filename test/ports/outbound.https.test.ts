import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { resolveBySystem, type Resolve } from '#aws/outbound/redirects.https.ts';
import { createOutbound } from '#aws/outbound/outbound.https.ts';
import type { OutboundRequest } from '#core/ports/outbound.ts';
import { certificateFor } from '#test/ports/certificate.ts';

const LIMITS = { maxBytes: 1_000_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 5 };
const HERE = '127.0.0.1';
/** The names that this machine serves, as a customer would allow servers in a private network. */
const HOSTS = ['www.example.com', 'other.example.com', 'untrusted.example.com'];
const ALLOW = HOSTS.map((host) => ({ host, cidr: '127.0.0.0/8' }));

const trusted = certificateFor('www.example.com', 'other.example.com');

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, HERE, resolve));
  return (server.address() as AddressInfo).port;
}

/** Serves over https on a free port while the test runs. */
async function serve(listener: RequestListener, certificate = trusted): Promise<number> {
  const server = createHttpsServer(certificate, listener);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return listen(server);
}

const asked = (request: Partial<OutboundRequest> & { url: string }): OutboundRequest => ({
  method: 'GET',
  ...request,
  limits: { ...LIMITS, ...request.limits },
});

/** An outbound port with a resolver that answers `here` for every name and records the names. */
function wayOut(answers: readonly (readonly string[])[] = [[HERE]], allow = ALLOW) {
  const questions: string[] = [];
  const resolve: Resolve = async (host) => {
    questions.push(host);
    return answers[Math.min(questions.length, answers.length) - 1] ?? [];
  };
  const outbound = createOutbound({ allow, resolve });
  const get = (url: string, limits: Partial<OutboundRequest['limits']> = {}, more: Partial<OutboundRequest> = {}) =>
    outbound.fetch(asked({ url, ...more, limits: { ...LIMITS, ...limits } }));
  return { outbound, questions, get };
}

const redirect =
  (location: string, code = 302) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(code, { location }).end('moved');

describe('the outbound port', () => {
  const before = getCACertificates('default');
  beforeAll(() => setDefaultCACertificates([...before, trusted.cert]));
  afterAll(() => setDefaultCACertificates(before));

  it('returns code, headers, body and final URL', async () => {
    const port = await serve((request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'x-a': ['1', '2'] });
      response.end(`${request.method} ${request.url} ${request.headers.host}`);
    });
    const url = `https://www.example.com:${port}/a?b=c#d`;
    const reply = await wayOut().get(url);
    expect(reply).toMatchObject({
      status: 'answered',
      code: 200,
      url,
      headers: { 'content-type': 'text/plain', 'x-a': '1, 2' },
    });
    expect(bodyOf(reply)).toBe(`GET /a?b=c www.example.com:${port}`);
  });

  it('sends a body, and returns every status code', async () => {
    const port = await serve((request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer' });
      request.pipe(response);
    });
    const reply = await wayOut().get(`https://www.example.com:${port}/`, {}, { method: 'POST', body: 'grant=1' });
    expect(reply).toMatchObject({ code: 401, headers: { 'www-authenticate': 'Bearer' } });
    expect(bodyOf(reply)).toBe('grant=1');
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const)('decodes %s', async (encoding, compress) => {
    const port = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(compress('packed'));
    });
    expect(bodyOf(await wayOut().get(`https://www.example.com:${port}/`))).toBe('packed');
  });

  it('resolves names by the system in the product', async () => {
    expect(await resolveBySystem('localhost')).toContain(HERE);
  });

  describe('refuses', () => {
    it('a name that resolves to a private address, and opens no connection', async () => {
      let connections = 0;
      const port = await serve(() => (connections += 1));
      const { get } = wayOut([[HERE]], []);
      expect(await get(`https://www.example.com:${port}/`)).toEqual({
        status: 'failed',
        failure: 'blocked',
        message: 'www.example.com resolves to a loopback address',
      });
      expect(connections).toBe(0);
    });

    it('a name with any private address', async () => {
      const reply = await wayOut([['93.184.216.34', '10.0.0.1']]).get('https://www.example.com/');
      expect(reply).toMatchObject({ failure: 'blocked', message: expect.stringContaining('private address') });
    });

    it('a rebound name: it is resolved once, and the judged address is the one connected to', async () => {
      const port = await serve((_request, response) => response.end('ok'));
      const { get, questions } = wayOut([[HERE], ['10.0.0.1']]);
      expect(await get(`https://www.example.com:${port}/`)).toMatchObject({ code: 200 });
      expect(questions).toEqual(['www.example.com']);
    });

    it('a rebound name at the first redirect, which is judged by its own resolution', async () => {
      const port = await serve(redirect('/again'));
      const { get, questions } = wayOut([[HERE], ['10.0.0.1']]);
      expect(await get(`https://www.example.com:${port}/`)).toMatchObject({
        failure: 'blocked',
        message: 'www.example.com resolves to a private address',
      });
      expect(questions).toHaveLength(2);
    });

    it('a name with another name’s certificate, and a self-signed certificate', async () => {
      const own = await serve((_request, response) => response.end('ok'));
      expect(await wayOut().get(`https://untrusted.example.com:${own}/`)).toMatchObject({
        failure: 'unreachable',
        message: 'untrusted.example.com could not be reached (ERR_TLS_CERT_ALTNAME_INVALID)',
      });
      const port = await serve((_request, response) => response.end('ok'), certificateFor('untrusted.example.com'));
      expect(await wayOut().get(`https://untrusted.example.com:${port}/`)).toMatchObject({ failure: 'unreachable' });
    });

    it('what the caller’s own rule excludes, at each redirect', async () => {
      const port = await serve((request, response) =>
        redirect(`https://other.example.com:${port}/`)(request, response),
      );
      const ruleAgainst = (host: string) => (host.startsWith('other') ? 'is not for you' : null);
      const { get, questions } = wayOut();
      expect(await get(`https://www.example.com:${port}/`, {}, { ruleAgainst })).toMatchObject({
        failure: 'blocked',
        message: 'other.example.com is not for you',
      });
      expect(questions).toEqual(['www.example.com']);
    });

    it('plain http, unless the customer allows it for this host', async () => {
      const server = createHttpServer((_request, response) => response.end('plain'));
      onTestFinished(() => void server.close());
      const url = `http://www.example.com:${await listen(server)}/`;
      expect(await wayOut().get(url)).toMatchObject({ failure: 'blocked' });
      const allow = [{ host: 'www.example.com', cidr: '127.0.0.0/8', http: true }];
      expect(bodyOf(await wayOut([[HERE]], allow).get(url))).toBe('plain');
    });
  });

  describe('follows redirects', () => {
    it('to their targets', async () => {
      const port = await serve((request, response) =>
        request.url === '/end' ? response.end('there') : redirect('/end', 308)(request, response),
      );
      const reply = await wayOut().get(`https://www.example.com:${port}/`);
      expect(reply).toMatchObject({ url: `https://www.example.com:${port}/end` });
    });

    it.each([
      ['a metadata address', 'https://169.254.169.254/latest/meta-data/', 'blocked'],
      ['a disguised loopback address', 'https://2130706433/', 'blocked'],
      ['a private name', 'https://vault.internal/', 'blocked'],
      ['a file', 'file:///etc/passwd', 'blocked'],
      ['plain http', 'http://www.example.com/', 'redirects'],
      ['nowhere', 'https://[', 'redirects'],
    ])('except %s', async (_what, location, failure) => {
      const port = await serve(redirect(location));
      expect(await wayOut().get(`https://www.example.com:${port}/`)).toMatchObject({ status: 'failed', failure });
    });

    it('at most five times', async () => {
      let redirects = 0;
      const port = await serve((request, response) => redirect(`/${(redirects += 1)}`)(request, response));
      expect(await wayOut().get(`https://www.example.com:${port}/`)).toEqual({
        status: 'failed',
        failure: 'redirects',
        message: 'www.example.com redirects more than 5 times',
      });
      expect(redirects).toBe(6);
    });

    it('with credentials to the same origin, and without to another one', async () => {
      const seen: (string | undefined)[] = [];
      const port = await serve((request, response) => {
        seen.push(`${request.headers['authorization']} ${request.headers['x-key']} ${request.headers['accept']}`);
        if (request.url === '/') return redirect('/same')(request, response);
        if (request.url === '/same') return redirect(`https://other.example.com:${port}/end`)(request, response);
        response.end();
      });
      const headers = { Authorization: 'Bearer t', 'X-Key': 'k', Accept: 'text/html' };
      await wayOut().get(`https://www.example.com:${port}/`, {}, { headers });
      expect(seen).toEqual(['Bearer t k text/html', 'Bearer t k text/html', 'undefined undefined text/html']);
    });

    it('with a body to the same origin only, and as a GET where the code demands it', async () => {
      const seen: (string | undefined)[] = [];
      const port = await serve((request, response) => {
        seen.push(`${request.method} ${request.url} ${request.headers['content-type']}`);
        if (request.url === '/303') return redirect('/got', 303)(request, response);
        if (request.url === '/307') return redirect(`https://other.example.com:${port}/`, 307)(request, response);
        response.end();
      });
      const post = { method: 'POST', body: 'secret=1', headers: { 'content-type': 'text/plain' } } as const;
      await wayOut().get(`https://www.example.com:${port}/303`, {}, post);
      expect(seen).toEqual(['POST /303 text/plain', 'GET /got undefined']);
      expect(await wayOut().get(`https://www.example.com:${port}/307`, {}, post)).toMatchObject({
        failure: 'redirects',
      });
      expect(seen).toHaveLength(3);
    });
  });

  describe('gives up', () => {
    it('on a name that does not exist, and on a port where no server listens', async () => {
      expect(await wayOut([[]]).get('https://www.example.com/')).toEqual({
        status: 'failed',
        failure: 'unreachable',
        message: 'www.example.com could not be resolved',
      });
      const server = createTcpServer();
      const port = await listen(server);
      await new Promise((resolve) => server.close(resolve));
      expect(await wayOut().get(`https://www.example.com:${port}/?q=secret`)).toEqual({
        status: 'failed',
        failure: 'unreachable',
        message: 'www.example.com could not be reached (ECONNREFUSED)',
      });
    });

    it('on a resolver that does not answer', async () => {
      const outbound = createOutbound({ allow: [], resolve: () => new Promise(() => {}) });
      const request = asked({ url: 'https://www.example.com/', limits: { ...LIMITS, totalMs: 50 } });
      expect(await outbound.fetch(request)).toMatchObject({ failure: 'timeout' });
    });

    it('on a server that accepts and sends nothing', async () => {
      const server = createTcpServer((socket) => void onTestFinished(() => void socket.destroy()));
      onTestFinished(() => void server.close());
      const port = await listen(server);
      expect(await wayOut().get(`https://www.example.com:${port}/`, { idleMs: 50 })).toEqual({
        status: 'failed',
        failure: 'timeout',
        message: 'www.example.com said nothing for 50 ms',
      });
    });

    it('on a body that comes too slowly', async () => {
      const port = await serve((_request, response) => {
        const drip = setInterval(() => response.write('.'), 5);
        response.on('close', () => clearInterval(drip));
      });
      expect(await wayOut().get(`https://www.example.com:${port}/`, { totalMs: 200 })).toEqual({
        status: 'failed',
        failure: 'timeout',
        message: 'www.example.com did not answer within 200 ms',
      });
    });

    it('on a body that is too large, as soon as the limit is reached', async () => {
      let closed = () => {};
      const gone = new Promise<void>((resolve) => (closed = resolve));
      const port = await serve((_request, response) => {
        const pour = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', pour).on('close', closed);
        pour();
      });
      expect(await wayOut().get(`https://www.example.com:${port}/`)).toMatchObject({ failure: 'too_large' });
      await gone;
    });

    it.each([
      ['gzip', gzipSync],
      ['br', (bytes: Buffer) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } })],
    ] as const)('on a %s bomb, before it is decompressed', async (encoding, compress) => {
      const bomb = compress(Buffer.alloc(200_000_000));
      expect(bomb.length).toBeLessThan(LIMITS.maxBytes);
      const port = await serve((_request, response) => {
        response.writeHead(200, { 'content-encoding': encoding }).end(bomb);
      });
      const before = process.memoryUsage().rss;
      expect(await wayOut().get(`https://www.example.com:${port}/`)).toMatchObject({ failure: 'too_large' });
      expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    });

    it.each([
      ['what is not the encoding it says', { 'content-encoding': 'gzip' }],
      ['an encoding it did not ask for', { 'content-encoding': 'gzip, gzip' }],
    ])('on %s', async (_what, headers) => {
      const port = await serve((_request, response) => void response.writeHead(200, headers).end('plain'));
      expect(await wayOut().get(`https://www.example.com:${port}/`)).toMatchObject({ failure: 'unreadable' });
    });

    it('on a body that breaks off', async () => {
      const port = await serve((_request, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('half');
        setImmediate(() => response.destroy());
      });
      expect(await wayOut().get(`https://www.example.com:${port}/`)).toMatchObject({ failure: 'unreachable' });
    });

    it('when its caller does, with the caller’s reason', async () => {
      const stop = new AbortController();
      const port = await serve(() => stop.abort(new Error('enough')));
      const request = asked({ url: `https://www.example.com:${port}/` });
      await expect(wayOut().outbound.fetch(request, stop.signal)).rejects.toThrow('enough');
    });
  });
});

function bodyOf(reply: Awaited<ReturnType<ReturnType<typeof wayOut>['get']>>): string {
  return reply.status === 'answered' ? Buffer.from(reply.body).toString('utf8') : reply.message;
}
