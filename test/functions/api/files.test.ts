/** Files over the API: forms, names, pages, expiry. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY, OTHER_KEY, startApi, type Answer } from './api.ts';

describe('files', () => {
  let api: Awaited<ReturnType<typeof startApi>>;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  interface Part {
    readonly name?: string;
    readonly filename?: string | null;
    readonly type?: string | null;
    readonly content?: string | Buffer;
  }

  /** As clients write it, byte by byte. */
  function form(parts: readonly Part[]): Buffer {
    const bodies = parts.flatMap(({ name = 'file', filename = 'a.txt', type = null, content = 'hello' }) => [
      `------form-of-a-test-0123456789\r\ncontent-disposition: form-data; name="${name}"${filename === null ? '' : `; filename="${filename}"`}\r\n`,
      type === null ? '\r\n' : `content-type: ${type}\r\n\r\n`,
      content,
      '\r\n',
    ]);
    return Buffer.concat([...bodies, '------form-of-a-test-0123456789--\r\n'].map((part) => Buffer.from(part)));
  }

  async function send(body: Buffer | string, headers: Record<string, string> = {}) {
    const all = {
      authorization: `Bearer ${KEY}`,
      'content-type': 'multipart/form-data; boundary=----form-of-a-test-0123456789',
      ...headers,
    };
    const response = await api.app.request('/v1/files', { method: 'POST', headers: all, body });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }
  const upload = (part: Part = {}, ...more: readonly Part[]) => send(form([part, ...more]));

  it.each<[string, Part, string, string]>([
    ['a plain name', { filename: 'a.csv', type: 'text/csv; charset=utf-8' }, 'a.csv', 'text/csv'],
    ['a path', { filename: '/home/ada/x.csv', type: 'text/csv' }, 'x.csv', 'text/csv'],
    ['a path of Windows', { filename: 'C:\\data\\x.csv', type: 'text/csv' }, 'x.csv', 'text/csv'],
    ['no type', { filename: 'x.pdf' }, 'x.pdf', 'application/pdf'],
    ['the type of any bytes', { filename: 'x.png', type: 'application/octet-stream' }, 'x.png', 'image/png'],
    ['a type that is none', { filename: 'x.json', type: 'json' }, 'x.json', 'application/json'],
    ['a type of its own', { filename: 'x.png', type: 'application/x-mine' }, 'x.png', 'application/x-mine'],
    ['an unknown extension', { filename: 'x.zzz', type: '' }, 'x.zzz', 'application/octet-stream'],
    ['no name', { filename: '', type: 'application/pdf' }, 'unnamed.pdf', 'application/pdf'],
    ['no filename at all', { filename: null }, 'unnamed.txt', 'text/plain'],
    ['a path without a last part', { filename: 'a/', type: 'image/png' }, 'unnamed.png', 'image/png'],
    ['letters of any script', { filename: 'Grüße 你好.txt', type: 'text/plain' }, 'Grüße 你好.txt', 'text/plain'],
  ])('are named and typed by %s', async (_, part, filename, mime_type) => {
    const { status, body } = await upload(part);
    expect(body).toMatchObject({ filename, mime_type, type: 'file', size_bytes: 5, downloadable: false, scope: null });
    expect(status).toBe(200);
  });

  it.each<[string, readonly Part[], RegExp]>([
    ['a name with a reserved character', [{ filename: 'a<b.txt' }], /^filename: /],
    ['a name with a control character', [{ filename: 'a\u0007.txt' }], /^filename: /],
    ['a name of dots', [{ filename: 'a/..' }], /^filename: /],
    ['a name that is too long', [{ filename: `${'a'.repeat(252)}.txt` }], /^filename: /],
    ['no file', [{ name: 'expires_in_seconds', filename: null, content: '3600' }], /file/],
    ['two files', [{}, {}], /file/],
    ['another field', [{}, { name: 'purpose', filename: null, content: 'x' }], /purpose/],
    [
      'a lifetime of an hour less a second',
      [{}, { name: 'expires_in_seconds', filename: null, content: '3599' }],
      /expires_in_seconds/,
    ],
    [
      'a lifetime of more than 90 days',
      [{}, { name: 'expires_in_seconds', filename: null, content: '7776001' }],
      /expires_in_seconds/,
    ],
    [
      'a lifetime that is no number',
      [{}, { name: 'expires_in_seconds', filename: null, content: 'long' }],
      /expires_in_seconds/,
    ],
  ])('are refused with %s', async (_, parts, message) => {
    const { status, body } = await send(form(parts));
    expect([status, body.error]).toEqual([
      400,
      { type: 'invalid_request_error', message: expect.stringMatching(message) },
    ]);
  });

  it.each<[string, Buffer | string, Record<string, string>]>([
    ['JSON', '{}', { 'content-type': 'application/json' }],
    ['a form without a boundary', form([{}]), { 'content-type': 'multipart/form-data' }],
    ['half a form', form([{}]).subarray(0, 60), {}],
    ['an empty body', '', {}],
  ])('are refused in %s', async (_, body, headers) => {
    const answer = await send(body, headers);
    expect([answer.status, answer.body.error.message]).toEqual([400, 'body: must be multipart/form-data']);
  });

  it('are kept byte by byte, whatever the bytes are', async () => {
    const content = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
    const { body } = await upload({ filename: 'x.bin', content });
    const { blob } = (await api.world.files.find('wrkspc_tests' as never, body.id)) ?? {};
    expect(Buffer.from(api.world.blobs.kept.get(blob ?? '') ?? [])).toEqual(content);
  });

  it('have an end when they were given one', async () => {
    const { body } = await upload({}, { name: 'expires_in_seconds', filename: null, content: '3600' });
    expect(Date.parse(body.expires_at) - Date.parse(body.created_at)).toBe(3_600_000);
  });

  it('are retrieved and deleted in their own workspace, once', async () => {
    const { id } = (await upload()).body;
    const asOther = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('GET', `/v1/files/${id}`, undefined, asOther)).status).toBe(404);
    expect((await api.ask('DELETE', `/v1/files/${id}`, undefined, asOther)).status).toBe(404);
    expect((await api.ask('GET', `/v1/files?ids[]=${id}`, undefined, asOther)).body.data).toEqual([]);
    expect((await api.ask('GET', `/v1/files?after_id=${id}`, undefined, asOther)).status).toBe(400);
    expect((await api.ask('GET', `/v1/files/${id}`)).body).toMatchObject({ id });
    expect((await api.ask('DELETE', `/v1/files/${id}`)).body).toEqual({ id, type: 'file_deleted' });
    for (const method of ['GET', 'DELETE']) expect((await api.ask(method, `/v1/files/${id}`)).status).toBe(404);
    expect((await api.ask('GET', '/v1/files/file_0')).status).toBe(404);
  });

  it('are listed newest first, by a cursor and by ids, forwards and backwards', async () => {
    const ids: string[] = [];
    for (let at = 0; at < 5; at += 1) ids.unshift((await upload()).body.id);
    const list = async (query: string) => (await api.ask('GET', `/v1/files?${query}`)).body;
    const idsOf = ({ data }: { data: { id: string }[] }) => data.map(({ id }) => id);
    const first = await list('limit=2');
    expect(idsOf(first)).toEqual(ids.slice(0, 2));
    expect(first).toMatchObject({ has_more: true, first_id: ids[0], last_id: ids[1] });
    expect(idsOf(await list(`limit=2&page=${first.next_page}`))).toEqual(ids.slice(2, 4));
    expect(idsOf(await list(`limit=2&after_id=${ids[1]}`))).toEqual(ids.slice(2, 4));
    const before = await list(`limit=2&before_id=${ids[4]}`);
    expect([idsOf(before), before.has_more]).toEqual([ids.slice(2, 4), true]);
    const toStart = await list(`limit=2&before_id=${ids[2]}`);
    expect([idsOf(toStart), toStart.has_more]).toEqual([ids.slice(0, 2), false]);
    expect(idsOf(await list(`ids[]=${ids[3]}&ids[]=${ids[1]}&ids[]=file_0&ids[]=nothing&ids[]=${ids[1]}`))).toEqual([
      ids[3],
      ids[1],
    ]);
    expect(await list('scope_id=sesn_1')).toMatchObject({ data: [], has_more: false, first_id: null, next_page: null });
  });

  it.each([
    'limit=0',
    'limit=1001',
    'ids[]=file_1&limit=2',
    'ids[]=file_1&page=page_x',
    'after_id=file_1&before_id=file_2',
    'after_id=file_unknown',
    'scope_id=vlt_1',
    'page=page_x',
    `${Array.from({ length: 101 }, (_, index) => `ids[]=file_${index}`).join('&')}`,
  ])('are not listed by %s', async (query) => {
    expect((await api.ask('GET', `/v1/files?${query}`)).body.error?.type).toBe('invalid_request_error');
  });

  it('leave nothing but an announcement when the bytes cannot be stored', async () => {
    const before = (await api.ask('GET', '/v1/files?limit=1000')).body.data.length;
    const { put } = api.world.blobs;
    api.world.blobs.put = async () => {
      throw new Error('died');
    };
    expect((await upload()).status).toBe(500);
    api.world.blobs.put = put;
    expect((await api.ask('GET', '/v1/files?limit=1000')).body.data).toHaveLength(before);
    let announced = 0;
    for await (const { leftover } of api.world.leftovers.due('2999-01-01T00:00:00.000Z'))
      if (leftover.type === 'blob') announced += 1;
    expect(announced).toBeGreaterThan(0);
  });

  it('are in no log line by their names', async () => {
    await upload({ filename: 'secret-name.txt', content: 'secret-content' });
    expect(JSON.stringify(api.lines)).not.toMatch(/secret-/);
  });
});
