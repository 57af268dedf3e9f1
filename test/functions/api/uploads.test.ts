/** Uploads in parts over the API: what is refused, and by which sentence. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

describe('uploads in parts', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  const UPLOAD = { filename: 'a.csv', size_bytes: 5 };
  const begin = (more: object = {}) => api.ask('POST', '/v1/x/uploads', { ...UPLOAD, ...more });

  it.each<[object, object]>([
    [{ filename: '/home/ada/x.csv' }, { filename: 'x.csv', mime_type: 'text/csv' }],
    [
      { filename: 'C:\\x.png', mime_type: 'application/octet-stream' },
      { filename: 'x.png', mime_type: 'image/png' },
    ],
    [{ filename: 'x.png', mime_type: 'Application/X-Mine; a=b' }, { mime_type: 'application/x-mine' }],
    [{ filename: '', mime_type: 'application/pdf' }, { filename: 'unnamed.pdf' }],
    [{ size_bytes: 0 }, { parts: [{ part_number: 1, size_bytes: 0 }] }],
    [{ size_bytes: 8_388_608 }, { parts: [{ size_bytes: 8_388_608 }] }],
    [{ size_bytes: 8_388_609 }, { parts: [{ size_bytes: 8_388_608 }, { size_bytes: 1 }] }],
    [{ expires_in_seconds: 7_776_000 }, { status: 'pending' }],
  ])('take names, types and sizes by the rules of files: %j', async (given, shown) => {
    expect(await begin(given)).toMatchObject({ status: 200, body: shown });
  });

  it.each<[object, RegExp]>([
    [{ filename: undefined }, /^filename: is required/],
    [{ filename: 7 }, /^filename: /],
    [{ filename: 'a<b.txt' }, /^filename: must have/],
    [{ filename: 'a\n.txt' }, /^filename: must have/],
    [{ filename: '..' }, /^filename: must have/],
    [{ filename: 'a'.repeat(256) }, /^filename: must have/],
    [{ filename: 'a\ud800' }, /^filename: must have/],
    [{ size_bytes: undefined }, /^size_bytes: is required/],
    [{ size_bytes: '5' }, /^size_bytes: /],
    [{ size_bytes: -1 }, /^size_bytes: /],
    [{ size_bytes: 1.5 }, /^size_bytes: /],
    [{ size_bytes: 500_000_001 }, /^size_bytes: .*500000000/],
    [{ expires_in_seconds: 3599 }, /^expires_in_seconds: .*3600/],
    [{ expires_in_seconds: 7_776_001 }, /^expires_in_seconds: .*7776000/],
    [{ expires_in_seconds: '3600' }, /^expires_in_seconds: /],
    [{ mime_type: null }, /^mime_type: /],
    [{ purpose: 'skill' }, /^purpose: is not a known field/],
  ])('are refused with a sentence: %j', async (given, message) => {
    const { status, body } = await begin(given);
    expect([status, body.error]).toEqual([
      400,
      { type: 'invalid_request_error', message: expect.stringMatching(message) },
    ]);
    expect(api.world.blobs.kept.size).toBe(0);
  });

  it.each<[unknown, RegExp]>([
    [{}, /^parts: is required/],
    [{ parts: [] }, /^parts: /],
    [{ parts: [{ part_number: 1 }] }, /^parts.0.etag: is required/],
    [{ parts: [{ part_number: 1, etag: '</ETag><Part>' }] }, /^parts.0.etag: must be the ETag/],
    [{ parts: [{ part_number: 1, etag: '' }] }, /^parts.0.etag: must be the ETag/],
    [{ parts: [{ part_number: 0, etag: 'a' }] }, /^parts.0.part_number: /],
    [{ parts: [{ part_number: 2, etag: 'a' }] }, /^parts: must be the 1 parts of the upload/],
    [{ parts: [{ part_number: 1, etag: 'a' }] }, /^parts: each must have been uploaded/],
  ])('are not completed by %j', async (body, message) => {
    const { id } = (await begin()).body;
    const answer = await api.ask('POST', `/v1/x/uploads/${id}/complete`, body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringMatching(message)]);
  });

  it('of another workspace, and those that never were, are not found', async () => {
    const asOther = { authorization: `Bearer ${OTHER_KEY}` };
    const { id } = (await begin()).body;
    const parts = { parts: [{ part_number: 1, etag: 'a' }] };
    const ways = [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/complete', parts],
    ] as const;
    for (const [method, path, body] of ways) {
      for (const answer of [
        await api.ask(method, `/v1/x/uploads/${id}${path}`, body, asOther),
        await api.ask(method, `/v1/x/uploads/upload_none${path}`, body),
        await api.ask(method, `/v1/x/uploads/file_1${path}`, body),
      ]) {
        expect([answer.status, answer.body.error.message]).toEqual([404, 'upload_id: there is no such upload']);
      }
    }
    expect((await api.ask('GET', `/v1/x/uploads/${id}`)).body).toMatchObject({ id, status: 'pending' });
  });

  it('show no URL, name or key in a log line', async () => {
    await begin({ filename: 'secret-name.txt' });
    expect(JSON.stringify(api.lines)).not.toMatch(/secret-|https:|blobs\//);
  });
});
