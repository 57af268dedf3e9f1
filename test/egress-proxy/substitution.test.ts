import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Granted, Substitution } from '#contract/egress.ts';
import { CredentialId, ResourceId } from '#contract/ids.ts';
import { bytesOf, exchange, PLACEHOLDER, SECRET, serveEcho, serveTls, stage, substitution } from './opened-stage.ts';

const HOST = 'www.example.com';
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const form = (text: string) => new URLSearchParams({ a: text }).toString();

/** One request through the proxy, and what the server got of it. */
async function sent(request: {
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
  readonly grant?: Partial<Granted>;
  readonly reach?: Granted['reach'];
}) {
  const { path = '/p', headers = [], body = '', grant, reach } = request;
  const { port, got } = await serveEcho();
  const { tls, uses } = await stage(grant, reach);
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const head = bytesOf(`POST ${path} HTTP/1.1`, [`Host: ${HOST}:${port}`, length, ...headers]);
  const answer = await exchange(await tls(HOST, port), head, Buffer.from(body));
  await expect.poll(() => uses.some(({ verdict }) => verdict === 'allowed')).toBe(true);
  return { answer, got: got[0], used: uses.flatMap(({ secrets }) => secrets), uses };
}

describe('a placeholder', () => {
  it.each([
    ['authorization', `Bearer ${PLACEHOLDER}`, `Bearer ${Buffer.from(SECRET).toString('latin1')}`],
    ['authorization', basic(`me:${PLACEHOLDER}`), basic(`me:${SECRET}`)],
    [
      'authorization',
      basic(`${PLACEHOLDER}:`).replace('Basic', 'bASIC'),
      basic(`${SECRET}:`).replace('Basic', 'bASIC'),
    ],
    ['x-api-key', PLACEHOLDER, Buffer.from(SECRET).toString('latin1')],
    ['cookie', `a=1; t=${PLACEHOLDER}`, `a=1; t=${Buffer.from(SECRET).toString('latin1')}`],
  ])('becomes the secret in the header %s', async (name, value, expected) => {
    const { got, used } = await sent({ headers: [`${name}: ${value}`] });
    expect(got?.headers[name]).toBe(expected);
    expect(used).toContain('vcrd_1');
  });

  it.each([
    ['text/plain', `a ${PLACEHOLDER} b ${PLACEHOLDER}`, `a ${SECRET} b ${SECRET}`],
    ['application/x-www-form-urlencoded; charset=utf-8', form(PLACEHOLDER), form(SECRET)],
    ['application/json', JSON.stringify({ a: PLACEHOLDER }), JSON.stringify({ a: SECRET })],
    ['application/vnd.api+json', JSON.stringify([PLACEHOLDER]), JSON.stringify([SECRET])],
    ['application/x-ndjson', `${JSON.stringify([PLACEHOLDER])}\n`, `${JSON.stringify([SECRET])}\n`],
    ['multipart/form-data; boundary=x', `--x\r\n\r\n${PLACEHOLDER}\r\n--x--`, `--x\r\n\r\n${SECRET}\r\n--x--`],
  ])('becomes the secret in a body of type %s, with its new length', async (type, body, expected) => {
    const { got, used } = await sent({ headers: [`Content-Type: ${type}`], body });
    expect(got?.body).toBe(expected);
    expect(got?.headers['content-length']).toBe(String(Buffer.byteLength(expected)));
    expect(used).toContain('vcrd_1');
  });

  it('is found wherever a chunked body is cut', async () => {
    const { port, got } = await serveEcho();
    const { tls } = await stage();
    const parts = [...`before ${PLACEHOLDER} after`].map((character) => `1\r\n${character}\r\n`);
    const head = bytesOf('PUT / HTTP/1.1', [`Host: ${HOST}:${port}`, 'Transfer-Encoding: chunked']);
    await exchange(await tls(HOST, port), head, ...parts, '0\r\n\r\n');
    expect(got[0]?.body).toBe(`before ${SECRET} after`);
    expect(got[0]?.headers['transfer-encoding']).toBe('chunked');
  });

  it('stays in the URL, and in headers that hold URLs', async () => {
    const path = `/a/${PLACEHOLDER}?key=${PLACEHOLDER}`;
    const { got, used } = await sent({
      path,
      headers: [`Referer: https://a/${PLACEHOLDER}`, `Origin: ${PLACEHOLDER}`],
    });
    expect(got?.line).toBe(`POST ${path}`);
    expect(got?.headers.referer).toBe(`https://a/${PLACEHOLDER}`);
    expect(got?.headers.origin).toBe(PLACEHOLDER);
    expect(used).toEqual([]);
  });

  it.each<[string, Partial<Substitution>, string, string]>([
    ['in a header that the credential does not allow', { header: false }, PLACEHOLDER, SECRET],
    ['in a body that the credential does not allow', { body: false }, SECRET, PLACEHOLDER],
  ])('stays %s', async (_where, more, header, body) => {
    const grant = { substitutions: [substitution(more)] };
    const { got } = await sent({ headers: [`x-key: ${PLACEHOLDER}`], body: PLACEHOLDER, grant });
    expect(Buffer.from(String(got?.headers['x-key']), 'latin1').toString()).toBe(header);
    expect(got?.body).toBe(body);
  });

  it('stays towards a host that the credential does not name, also when another secret opens that host', async () => {
    const other = {
      placeholder: `placeholder_${'f'.repeat(48)}`,
      credential: CredentialId.parse('vcrd_2'),
      secret: 'two',
    };
    const grant = { substitutions: [substitution({ hosts: ['*.example.org', 'example.com'] }), substitution(other)] };
    const { got, used } = await sent({
      headers: [`x-key: ${PLACEHOLDER}`, `y: ${other.placeholder}`],
      body: PLACEHOLDER,
      grant,
    });
    expect(got?.headers['x-key']).toBe(PLACEHOLDER);
    expect(got?.headers['y']).toBe('two');
    expect(got?.body).toBe(PLACEHOLDER);
    expect(used).toEqual(['vcrd_2']);
  });

  it('of another session is only a text', async () => {
    const { got, used } = await sent({
      headers: [`x-key: ${PLACEHOLDER.replace('7', '8')}`],
      body: PLACEHOLDER.slice(1),
    });
    expect(got?.headers['x-key']).toBe(PLACEHOLDER.replace('7', '8'));
    expect(got?.body).toBe(PLACEHOLDER.slice(1));
    expect(used).toEqual([]);
  });

  it('stays when only a repository opens the host', async () => {
    const repository = { resource: ResourceId.parse('sesrsc_1'), path: '/owner/name', authorization: null };
    const { port, got } = await serveEcho();
    const grant = {
      substitutions: [substitution()],
      repositories: [{ ...repository, origin: `https://${HOST}:${port}` }],
    };
    const { tls } = await stage(grant, { type: 'limited', hosts: ['else.example.com'] });
    const headers = [`Host: ${HOST}:${port}`, `x-key: ${PLACEHOLDER}`, `Content-Length: ${PLACEHOLDER.length}`];
    const head = bytesOf('POST /owner/name.git/git-upload-pack HTTP/1.1', headers);
    await exchange(await tls(HOST, port), head, PLACEHOLDER);
    expect(got[0]?.headers['x-key']).toBe(PLACEHOLDER);
    expect(got[0]?.body).toBe(PLACEHOLDER);
  });

  it('is no reason to refuse a compressed body that has none', async () => {
    const { answer, got } = await sent({ headers: ['Content-Encoding: gzip'], body: gzipSync('nothing') });
    expect(answer).toContain('200 OK');
    expect(got?.headers['content-encoding']).toBe('gzip');
  });

  it.each<[string, string, Buffer]>([
    ['holds it', 'gzip', gzipSync(`a ${PLACEHOLDER}`)],
    ['is broken', 'gzip', Buffer.from('no gzip')],
    ['has an unknown coding', 'compress', Buffer.from('x')],
    ['has two codings', 'gzip, br', gzipSync('x')],
    ['is too long', 'gzip', gzipSync(randomBytes(300_000))],
    ['becomes too long', 'gzip', gzipSync(Buffer.alloc(8_000_000))],
  ])('in a compressed body is refused with a sentence when the body %s', async (_how, coding, body) => {
    const { answer, got, uses } = await sent({ headers: [`Content-Encoding: ${coding}`], body });
    expect(answer).toMatch(/^HTTP\/1.1 415 .*send it without Content-Encoding/);
    expect(got).toBeUndefined();
    await expect.poll(() => uses.map(({ rule }) => rule)).toContain('compressed_body');
  });

  it('of a secret that no header can hold is refused without the secret', async () => {
    const grant = { substitutions: [substitution({ secret: 'one\r\nX-Injected: two' })] };
    const { answer, got } = await sent({ headers: [`x-key: ${PLACEHOLDER}`], grant });
    expect(answer).toMatch(/^HTTP\/1.1 400 the secret of a credential has a line break/);
    expect(answer).not.toContain('Injected');
    expect(got).toBeUndefined();
  });

  it('is replaced in a body of many megabytes, which goes out in chunks and is not held in memory', async () => {
    const megabytes = 64;
    const filler = randomBytes(1_048_576);
    const seen = createHash('sha256');
    let underWay = 0;
    let most = 0;
    const lengths: (string | undefined)[] = [];
    const port = await serveTls((request, response) => {
      lengths.push(request.headers['content-length']);
      request.on('data', (chunk: Buffer) => {
        seen.update(chunk);
        underWay -= chunk.length;
      });
      request.on('end', () => response.end());
    });
    const { tls } = await stage();
    const socket = await tls(HOST, port);
    const length = megabytes * filler.length + PLACEHOLDER.length;
    socket.write(bytesOf('PUT / HTTP/1.1', [`Host: ${HOST}:${port}`, `Content-Length: ${length}`]));
    const expected = createHash('sha256');
    for (let at = 0; at < megabytes; at += 1) {
      if (at === megabytes / 2) {
        socket.write(PLACEHOLDER);
        expected.update(SECRET);
      }
      expected.update(filler);
      underWay += filler.length;
      most = Math.max(most, underWay);
      if (!socket.write(filler)) await new Promise((resolve) => void socket.once('drain', resolve));
    }
    expect(await exchange(socket)).toContain('200 OK');
    expect(seen.digest('hex')).toBe(expected.digest('hex'));
    expect(lengths).toEqual([undefined]);
    // What the program has written and the server has not received: buffers of sockets, and no body.
    expect(most).toBeLessThan(32 * 1_048_576);
  });
});
