/** Calls of the operations on uploads in parts, as in `core-rows.ts`. They are not in the SDK, whose client sends them all the same. */
import type Anthropic from '@anthropic-ai/sdk';
import { expect } from 'vitest';
import type { Upload } from '#contract/uploads.ts';
import { row, type Given, type Row } from './core-rows.ts';

const TEXT = Buffer.from('a,b\n1,2\n');
const UPLOAD = { id: expect.stringMatching(/^upload_/), type: 'upload', status: 'pending', file_id: null };

function parts({ service }: Given) {
  const { client } = service;
  const begin = (more: object = {}) =>
    client.post('/v1/x/uploads', { body: { filename: 'a.csv', size_bytes: TEXT.length, ...more } }) as Promise<Upload>;
  return {
    ...{ client, begin },
    /** An upload whose only part is there. */
    async sent() {
      const { id, parts: all } = await begin();
      const sent = all.map(async ({ part_number, url }) => {
        const response = await fetch(url, { method: 'PUT', body: TEXT });
        return { part_number, etag: response.headers.get('etag') };
      });
      const body = { parts: await Promise.all(sent) };
      const complete = () =>
        client.post(`/v1/x/uploads/${id}/complete`, { body }) as Promise<Anthropic.Beta.BetaFileMetadata>;
      return { id, complete };
    },
  };
}

export const UPLOAD_ROWS: readonly Row[] = [
  row('POST /v1/x/uploads', (given) => parts(given).begin(), {
    ...{ ...UPLOAD, filename: 'a.csv', mime_type: 'text/csv', size_bytes: TEXT.length },
    parts: [{ part_number: 1, size_bytes: TEXT.length, url: expect.stringMatching(/^http/) }],
  }),
  row(
    'POST /v1/x/uploads, everything',
    (given) => parts(given).begin({ mime_type: 'application/x-a', expires_in_seconds: 3600, size_bytes: 500_000_000 }),
    {
      ...UPLOAD,
      mime_type: 'application/x-a',
      size_bytes: 500_000_000,
      parts: expect.toSatisfy(({ length }) => length === 60),
    },
  ),
  row(
    'GET /v1/x/uploads/{upload_id}',
    async (given) => {
      const { client, begin } = parts(given);
      return client.get(`/v1/x/uploads/${(await begin()).id}`);
    },
    { ...UPLOAD, parts: [{ part_number: 1, url: expect.any(String) }] },
  ),
  row(
    'GET /v1/x/uploads/{upload_id}, completed',
    async (given) => {
      const { client, sent } = parts(given);
      const { id, complete } = await sent();
      await complete();
      return client.get(`/v1/x/uploads/${id}`);
    },
    { status: 'completed', file_id: expect.stringMatching(/^file_/), parts: [] },
  ),
  row(
    'POST /v1/x/uploads/{upload_id}/complete, twice',
    async (given) => {
      const { complete } = await parts(given).sent();
      const [first, second] = [await complete(), await complete()];
      return { ...first, isSame: first.id === second.id };
    },
    { type: 'file', filename: 'a.csv', size_bytes: TEXT.length, downloadable: false, scope: null, isSame: true },
  ),
  row(
    'DELETE /v1/x/uploads/{upload_id}',
    async (given) => {
      const { client, begin } = parts(given);
      return client.delete(`/v1/x/uploads/${(await begin()).id}`);
    },
    { id: expect.stringMatching(/^upload_/), type: 'upload_deleted' },
  ),
];
