import { createServer } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ResourceId } from '#contract/ids.ts';
import { tracesIn } from '#test/mcp/traces.ts';
import { bytesOf, exchange, PLACEHOLDER, SECRET, serveTls, stage, substitution, type Handler } from './opened-stage.ts';
import { answerTo, listening } from './running-proxy.ts';

const HOST = 'www.example.com';
const BODY = `before ${SECRET} after`;
const CLEAN = `before ${PLACEHOLDER} after`;

/** What a program reads when a server answers like this to a request that holds no placeholder. */
async function answerOf(handler: Handler, { method = 'GET', grant = undefined as Parameters<typeof stage>[0] } = {}) {
  const port = await serveTls(handler);
  const { tls } = await stage(grant);
  const answer = await exchange(await tls(HOST, port), bytesOf(`${method} / HTTP/1.1`, [`Host: ${HOST}:${port}`]));
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  return { answer, head, body: Buffer.from(dechunked(rest.join('\r\n\r\n')), 'latin1').toString() };
}

function dechunked(text: string): string {
  const [, size = '', rest = ''] = /^([0-9a-f]+)\r\n(.*)$/s.exec(text) ?? [];
  const length = Number.parseInt(size, 16);
  return length > 0 ? rest.slice(0, length) + dechunked(rest.slice(length + 2)) : '';
}

describe('a secret that a server echoes', () => {
  const coats: readonly (readonly [string, (text: string) => string])[] = [
    ['as it is', (text) => text],
    ['in base64', (text) => Buffer.from(`me:${text}`).toString('base64')],
    ['URL-encoded', encodeURIComponent],
    ['in a form', (text) => new URLSearchParams({ a: text }).toString()],
    ['in JSON', (text) => JSON.stringify(text)],
    ['in hex', (text) => Buffer.from(text).toString('hex')],
    ['its first half', (text) => text.slice(0, 15)],
    ['as a server reads the bytes of a header', (text) => Buffer.from(text).toString('latin1')],
    ['in JSON, as a server reads a header', (text) => JSON.stringify(Buffer.from(text).toString('latin1'))],
  ];
  it.each(coats)('in a body becomes the placeholder again: %s', async (_how, wear) => {
    const { body } = await answerOf((_request, response) => void response.end(`before ${wear(SECRET)} after`));
    expect(body).toMatch(/^before .* after$/);
    expect(body).toContain(PLACEHOLDER);
    expect(tracesIn(body, [SECRET])).toEqual([]);
    expect(body).not.toContain(SECRET.slice(0, 8));
  });

  it('in Latin 1 is found', async () => {
    const { body } = await answerOf((_request, response) => void response.end(Buffer.from(BODY, 'latin1')));
    expect(body).toBe(CLEAN);
  });

  it('in headers, their names and the words of the status line is redacted', async () => {
    const raw = Buffer.from(SECRET).toString('latin1');
    const { answer, head } = await answerOf((_request, response) => {
      response.writeHead(302, raw, {
        location: `https://evil.example.com/?t=${encodeURIComponent(SECRET)}`,
        'set-cookie': [`a=${Buffer.from(SECRET).toString('base64')}`, 'b=2'],
        'x-echo': `Bearer ${raw}`,
        [`x-${Buffer.from(SECRET).toString('hex')}`]: '1',
      });
      response.end();
    });
    expect(head).toMatch(new RegExp(`^HTTP/1.1 302 ${PLACEHOLDER}`));
    expect(head).toContain(`location: https://evil.example.com/?t=${PLACEHOLDER}`);
    expect(head).toContain(`x-echo: Bearer ${PLACEHOLDER}`);
    expect(head).toContain('b=2');
    expect(tracesIn(Buffer.from(answer, 'latin1').toString(), [SECRET])).toEqual([]);
  });

  it('is found wherever the server cuts its answer', async () => {
    const { body } = await answerOf(async (_request, response) => {
      for (const byte of Buffer.from(BODY)) {
        response.write(Buffer.of(byte));
        await new Promise((resolve) => void setImmediate(resolve));
      }
      response.end();
    });
    expect(body).toBe(CLEAN);
  });

  it.each([
    ['gzip', gzipSync(BODY)],
    ['x-gzip', gzipSync(BODY)],
    ['deflate', deflateSync(BODY)],
    ['br', brotliCompressSync(BODY)],
    ['zstd', zstdCompressSync(BODY)],
  ])('is found in an answer that is compressed although the proxy asked for none: %s', async (coding, bytes) => {
    const asked: unknown[] = [];
    const { head, body } = await answerOf((request, response) => {
      asked.push(request.headers['accept-encoding']);
      response.writeHead(200, { 'content-encoding': coding, 'content-length': bytes.length }).end(bytes);
    });
    expect(asked).toEqual(['identity']);
    expect(body).toBe(CLEAN);
    expect(head.toLowerCase()).not.toMatch(/content-encoding|content-length/);
  });

  it.each([
    ['with a length', { 'content-encoding': 'gzip', 'content-length': 0 }],
    ['in chunks', { 'content-encoding': 'br' }],
  ])('is not looked for in an empty answer that claims to be compressed: %s', async (_how, headers) => {
    const { answer, body } = await answerOf((_request, response) => void response.writeHead(200, headers).end());
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toMatch(/content-length: 0|\r\n0\r\n\r\n$/);
    expect(body).toBe('');
  });

  it.each(['compress', 'gzip, br'])('in an answer of the coding %s is refused with it', async (coding) => {
    const { answer } = await answerOf((_request, response) => {
      response.writeHead(200, { 'content-encoding': coding }).end(BODY);
    });
    expect(answer).toMatch(/^HTTP\/1.1 502 the answer is compressed/);
  });

  it('of a repository becomes a marker', async () => {
    const token = 'ghp_qwertyuiopasdfghjklz';
    const value = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
    const repository = { resource: ResourceId.parse('sesrsc_1'), origin: `https://${HOST}`, path: '/owner/name' };
    const grant = {
      repositories: [{ ...repository, authorization: { header: 'authorization', value } }],
      substitutions: [substitution()],
    };
    const { body } = await answerOf((_request, response) => void response.end(`${token} ${value}`), { grant });
    expect(body).toContain('[redacted]');
    expect(tracesIn(body, [token])).toEqual([]);
  });

  it('leaves the length of an answer to HEAD', async () => {
    const { head } = await answerOf(
      (_request, response) => void response.writeHead(200, { 'content-length': 7 }).end(),
      {
        method: 'HEAD',
      },
    );
    expect(head.toLowerCase()).toContain('content-length: 7');
  });

  it('over plain HTTP is redacted too, and a placeholder there never becomes a secret', async () => {
    const got: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      got.push(request.headers.authorization);
      response.end(BODY);
    });
    const port = await listening(server);
    const proxy = await stage();
    const request = bytesOf(`GET http://${HOST}:${port}/ HTTP/1.1`, [
      `Host: ${HOST}:${port}`,
      `Authorization: Bearer ${PLACEHOLDER}`,
    ]);
    const answer = await answerTo(proxy, request);
    expect(got).toEqual([`Bearer ${PLACEHOLDER}`]);
    expect(answer).toContain(PLACEHOLDER);
    expect(tracesIn(Buffer.from(answer, 'latin1').toString(), [SECRET])).toEqual([]);
    server.closeAllConnections();
  });
});

describe('an answer without secrets', () => {
  it('reaches the program event by event', async () => {
    const steps = Promise.withResolvers<() => void>();
    const port = await serveTls((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
      steps.resolve(() => void response.end('data: two\n\n'));
    });
    const { tls } = await stage();
    const socket = await tls(HOST, port);
    const text = exchange(socket, bytesOf('GET / HTTP/1.1', [`Host: ${HOST}:${port}`]));
    await new Promise<void>((resolve) => {
      let heard = '';
      socket.on('data', (chunk: Buffer) => {
        heard += String(chunk);
        if (heard.includes('data: one\n\n')) resolve();
      });
    });
    (await steps.promise)();
    expect(await text).toContain('data: two\n\n');
  });

  it('that breaks off is not taken for a whole one', async () => {
    const { answer } = await answerOf((_request, response) => {
      response.write('one');
      setImmediate(() => response.destroy());
    });
    expect(answer).not.toContain('\r\n0\r\n');
  });
});
