import type { RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { allowInsecureRequests, customFetch, discovery } from 'openid-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FetchLimits, OutboundError } from '#core/ports/outbound.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { ALLOW_HERE, bodyOf, listenHere, type Listening } from '#test/mcp/listening.ts';

const LIMITS: FetchLimits = { maxBytes: 100_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 3 };

const wayOut = (limits: Partial<FetchLimits> = {}) =>
  createGuardedFetch({ allow: ALLOW_HERE, resolve: resolveBySystem }, { ...LIMITS, ...limits });

async function serve(listener: RequestListener): Promise<Listening> {
  const listening = await listenHere(listener);
  onTestFinished(listening.close);
  return listening;
}

const echo: RequestListener = (incoming, outgoing) =>
  void bodyOf(incoming).then((body) => {
    const { method, url, headers } = incoming;
    outgoing.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=b' });
    outgoing.end(JSON.stringify({ method, url, headers, body }));
  });

const failureOf = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  return error instanceof OutboundError ? { failure: error.failure, sent: error.sent, message: error.message } : error;
};

describe('the guarded fetch', () => {
  it('sends method, headers and body, and no other headers', async () => {
    const { origin, port } = await serve(echo);
    const response = await wayOut()(`${origin}/a?b=c`, { method: 'POST', headers: { 'X-A': '1' }, body: '{}' });
    expect(response).toMatchObject({ status: 200, ok: true, url: `${origin}/a?b=c` });
    expect(await response.json()).toEqual({
      method: 'POST',
      url: '/a?b=c',
      headers: {
        host: `127.0.0.1:${port}`,
        connection: 'close',
        'accept-encoding': 'gzip, br',
        'content-type': 'text/plain;charset=UTF-8',
        'content-length': '2',
        'x-a': '1',
      },
      body: '{}',
    });
  });

  it('takes forms, bytes and Request objects as fetch does', async () => {
    const { origin } = await serve(echo);
    const form = await wayOut()(new URL(origin), { method: 'POST', body: new URLSearchParams({ a: 'b c' }) });
    expect(await form.json()).toMatchObject({
      headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
      body: 'a=b+c',
    });
    const request = new Request(`${origin}/r`, {
      method: 'POST',
      body: Buffer.from('bytes'),
      headers: { accept: 'x' },
    });
    expect(await (await wayOut()(request)).json()).toMatchObject({
      url: '/r',
      headers: { accept: 'x' },
      body: 'bytes',
    });
  });

  it('returns no cookies and no headers that are wrong for the decoded body', async () => {
    const { origin } = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-encoding': 'gzip', 'set-cookie': 'a=b', 'x-a': 'b' }).end(gzipSync('packed'));
    });
    const response = await wayOut()(origin);
    expect([...response.headers.keys()]).not.toEqual(expect.arrayContaining(['set-cookie']));
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(await response.text()).toBe('packed');
  });

  it('returns a body while it is being sent', async () => {
    const { promise: seen, resolve } = Promise.withResolvers<void>();
    const { origin } = await serve((_incoming, outgoing) => {
      outgoing.write('first');
      void seen.then(() => outgoing.end('second'));
    });
    const reader = (await wayOut()(origin)).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('first');
    resolve();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('second');
    expect(await reader?.read()).toMatchObject({ done: true });
  });

  it('closes the connection when the body is cancelled', async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const { origin } = await serve((_incoming, outgoing) => {
      outgoing.on('close', resolve).write('on and on');
    });
    await (await wayOut()(origin)).body?.cancel();
    await gone;
  });

  it.each([204, 205, 304])('returns %i without a body', async (status) => {
    const { origin } = await serve((_incoming, outgoing) => void outgoing.writeHead(status).end());
    const response = await wayOut()(origin, { method: 'DELETE' });
    expect(response).toMatchObject({ status, body: null });
  });

  describe('for a redirect', () => {
    const pointing = () =>
      serve((incoming, outgoing) => {
        if (incoming.url === '/end') return echo(incoming, outgoing);
        outgoing.writeHead(307, { location: incoming.url === '/out' ? 'https://169.254.169.254/' : '/end' }).end();
      });

    it('follows it after judging its target', async () => {
      const { origin } = await pointing();
      const response = await wayOut()(`${origin}/`, { method: 'POST', body: 'b' });
      expect(response.url).toBe(`${origin}/end`);
      expect(await response.json()).toMatchObject({ method: 'POST', body: 'b' });
      expect(await failureOf(wayOut()(`${origin}/out`))).toMatchObject({ failure: 'blocked' });
    });

    it('returns the response with the option manual', async () => {
      const { origin } = await pointing();
      const response = await wayOut()(`${origin}/out`, { redirect: 'manual' });
      expect(response.status).toBe(307);
      expect(response.headers.get('location')).toBe('https://169.254.169.254/');
    });

    it('fails with the option error', async () => {
      const { origin } = await pointing();
      expect(await failureOf(wayOut()(`${origin}/`, { redirect: 'error' }))).toMatchObject({ failure: 'redirects' });
    });
  });

  describe('rejects', () => {
    it.each([
      ['http://metadata.internal/', 'blocked'],
      ['https://10.0.0.1/', 'blocked'],
      ['file:///etc/passwd', 'blocked'],
      ['https://user:password@www.example.com/', 'blocked'],
      ['nonsense', 'blocked'],
    ])('the URL %s', async (url, failure) => {
      expect(await failureOf(wayOut()(url))).toMatchObject({ failure, sent: false });
    });

    it('for a port where no server listens, with sent: false', async () => {
      const { origin, close } = await listenHere(echo);
      await close();
      expect(await failureOf(wayOut()(origin))).toMatchObject({ failure: 'unreachable', sent: false });
    });

    it('for a server that does not answer or breaks off, with sent: true', async () => {
      const silent = await serve(() => {});
      expect(await failureOf(wayOut({ idleMs: 1000 })(silent.origin))).toMatchObject({
        failure: 'timeout',
        sent: true,
      });
      expect(await failureOf(wayOut({ totalMs: 1000 })(silent.origin))).toMatchObject({
        failure: 'timeout',
        sent: true,
      });
      const broken = await serve((incoming) => void incoming.socket.destroy());
      expect(await failureOf(wayOut()(broken.origin))).toMatchObject({ failure: 'unreachable', sent: true });
    });

    it('for a body that is too large, too slow or breaks off', async () => {
      const large = await serve((_incoming, outgoing) => void outgoing.end('x'.repeat(100_001)));
      expect(await failureOf((await wayOut()(large.origin)).text())).toMatchObject({
        failure: 'too_large',
        sent: true,
      });
      const dripping = await serve((_incoming, outgoing) => {
        const drip = setInterval(() => outgoing.write('.'), 5);
        outgoing.on('close', () => clearInterval(drip));
      });
      const slow = await wayOut({ totalMs: 1000 })(dripping.origin);
      expect(await failureOf(slow.text())).toMatchObject({ failure: 'timeout', sent: true });
      const broken = await serve((_incoming, outgoing) => {
        outgoing.writeHead(200, { 'content-length': '10' }).write('half', () => outgoing.destroy());
      });
      expect(await failureOf((await wayOut()(broken.origin)).text())).toMatchObject({ failure: 'unreachable' });
    });

    it('with the reason of a signal, before and during the body', async () => {
      const { origin } = await serve((_incoming, outgoing) => void outgoing.write('on and on'));
      const stop = new AbortController();
      const { body } = await wayOut()(origin, { signal: stop.signal });
      const reader = body?.getReader();
      await reader?.read();
      const next = reader?.read();
      stop.abort(new Error('enough'));
      await expect(next).rejects.toThrow('enough');
      await expect(wayOut()(origin, { signal: stop.signal })).rejects.toThrow('enough');
    });

    it('for a method that it does not send', async () => {
      await expect(wayOut()('https://www.example.com/', { method: 'PUT' })).rejects.toThrow(TypeError);
    });
  });

  it('works as the fetch of openid-client', async () => {
    const { origin } = await serve((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ issuer: origin, token_endpoint: `${origin}/token` }));
    });
    const options = { execute: [allowInsecureRequests], [customFetch]: wayOut() };
    const server = await discovery(new URL(origin), 'client', undefined, undefined, options);
    expect(server.serverMetadata().token_endpoint).toBe(`${origin}/token`);
  });
});
