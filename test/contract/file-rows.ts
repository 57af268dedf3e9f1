/** Calls of the operations on files, as in `core-rows.ts`, and the same by earlier versions of the SDK. */
import { toFile } from '@anthropic-ai/sdk';
import type { FileListParams, FileUploadParams } from '@anthropic-ai/sdk/resources/beta/files';
import Anthropic104, { toFile as toFile104 } from 'sdk-0.104';
import Anthropic86, { toFile as toFile86 } from 'sdk-0.86';
import { expect } from 'vitest';
import { HEADERS, type Everything } from './core-parameters.ts';
import { row, type Given, type Row } from './core-rows.ts';

const TEXT = Buffer.from('a,b\n');
const FILE = {
  ...{ type: 'file', id: expect.stringMatching(/^file_/), filename: 'a.csv', mime_type: 'text/csv' },
  ...{ size_bytes: TEXT.length, downloadable: false, expires_at: null, scope: null },
};

const upload = async ({ client }: Given) =>
  (await client.files.upload({ file: await toFile(TEXT, 'a.csv', { type: 'text/csv' }) })).id;

/** What the answer says of a refused request. */
async function refusalOf(request: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(request).then(
    () => 'accepted',
    ({ status, error }: { readonly status?: number; readonly error?: unknown }) => ({ status, error }),
  );
}

const NOT_DOWNLOADABLE = { status: 400, error: { error: { type: 'invalid_request_error' } } };

const olderClients = ({ service: { runtime } }: Given) => {
  const options = { apiKey: runtime.apiKey, baseURL: runtime.baseUrl, maxRetries: 0 };
  return { '0.86': new Anthropic86(options).beta, '0.104': new Anthropic104(options).beta };
};
const toOldFile = { '0.86': toFile86, '0.104': toFile104 };

/** A page of an earlier version: its fields, and the ids that a program walks on with. */
async function pagesOf(version: '0.86' | '0.104', given: Given) {
  const { files } = olderClients(given)[version];
  const ids = [await upload(given), await upload(given), await upload(given)].toReversed();
  const first = await files.list({ limit: 2 });
  const second = await files.list({ limit: 1, after_id: first.last_id ?? '' });
  const back = await files.list({ limit: 2, before_id: second.data[0]?.id ?? '' });
  const read = (page: typeof first) => ({
    ids: page.data.map(({ id }) => id),
    first: page.first_id,
    last: page.last_id,
  });
  return { ids, first: read(first), hasMore: first.has_more, second: read(second), back: read(back) };
}

const olderRows = (['0.86', '0.104'] as const).flatMap((version): readonly Row[] => [
  row(
    `POST /v1/files, by SDK ${version}`,
    async (given) => {
      const file = await toOldFile[version](TEXT, 'a.csv', { type: 'text/csv' });
      return olderClients(given)[version].files.upload({ file });
    },
    FILE,
  ),
  row(
    `GET /v1/files, by SDK ${version}`,
    async (given) => {
      const { ids, first, hasMore, second, back } = await pagesOf(version, given);
      // Other rows may upload meanwhile; the page after these three is theirs.
      return {
        first: first.ids.length,
        hasMore,
        follows: ids.includes(second.ids[0] ?? ''),
        isBack: back.ids.at(-1) === first.last,
      };
    },
    { first: 2, hasMore: true, follows: true, isBack: true },
  ),
  row(
    `GET /v1/files/{file_id}, by SDK ${version}`,
    async (given) => olderClients(given)[version].files.retrieveMetadata(await upload(given)),
    { filename: 'a.csv' },
  ),
  row(
    `GET /v1/files/{file_id}/content, by SDK ${version}`,
    async (given) => refusalOf(olderClients(given)[version].files.download(await upload(given))),
    NOT_DOWNLOADABLE,
  ),
  row(
    `DELETE /v1/files/{file_id}, by SDK ${version}`,
    async (given) => olderClients(given)[version].files.delete(await upload(given)),
    { type: 'file_deleted' },
  ),
]);

/** A message that names an upload, which its event repeats. */
const naming = (file_id: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'document' as const, source: { type: 'file' as const, file_id }, title: 'A', context: 'B' }],
});
const NAMING = { content: [{ ...naming('').content[0], source: { type: 'file', file_id: FILE.id } }] };

const messageRows = (['0.86', '0.104'] as const).map((version) =>
  row(
    `POST /v1/sessions/{session_id}/events, a file, by SDK ${version}`,
    async (given) => {
      const { events } = olderClients(given)[version].sessions;
      return events.send(await given.session(), { events: [naming(await upload(given))] });
    },
    { data: [NAMING] },
  ),
);

export const FILE_ROWS: readonly Row[] = [
  row(
    'POST /v1/files',
    async ({ client }) => client.files.upload({ file: await toFile(TEXT, 'a.csv', { type: 'text/csv' }) }),
    FILE,
  ),
  row(
    'POST /v1/files, everything',
    async ({ client }) => {
      const file = await toFile(TEXT, 'a.csv', { type: 'text/csv' });
      const everything: Everything<FileUploadParams> = { file, expires_in_seconds: 3600 };
      const made = await client.files.upload({ ...everything, ...HEADERS });
      const seconds = (Date.parse(made.expires_at ?? '') - Date.parse(made.created_at)) / 1000;
      return { ...made, expires_at: null, seconds };
    },
    { ...FILE, seconds: 3600 },
  ),
  row('GET /v1/files/{file_id}', async (given) => given.client.files.retrieveMetadata(await upload(given)), FILE),
  row(
    'GET /v1/files/{file_id}, everything',
    async (given) => given.client.files.retrieveMetadata(await upload(given), HEADERS),
    FILE,
  ),
  row(
    'GET /v1/files',
    async (given) => {
      const id = await upload(given);
      const { data } = await given.client.files.list();
      return data.find((file) => file.id === id);
    },
    FILE,
  ),
  row(
    'GET /v1/files, everything',
    async (given) => {
      const { files } = given.client;
      const made = { agent: await given.agent(), environment_id: await given.environment() };
      const mounted = async (mount_path: string) => ({
        type: 'file' as const,
        file_id: await upload(given),
        mount_path,
      });
      const session = await given.client.sessions.create({
        ...made,
        resources: [await mounted('a'), await mounted('b')],
      });
      const everything: Everything<FileListParams, 'page' | 'ids'> = { scope_id: session.id, limit: 1 };
      const first = await files.list({ ...everything, ...HEADERS });
      return files.list({ ...everything, page: first.next_page, ...HEADERS });
    },
    { data: [{ ...FILE, scope: { type: 'session', id: expect.stringMatching(/^sesn_/) } }], next_page: null },
  ),
  row(
    'GET /v1/files, by ids',
    async (given) => {
      const ids = [await upload(given), await upload(given), 'file_none'];
      const { data, next_page } = await given.client.files.list({ ids, ...HEADERS });
      return { found: data.map(({ id }) => ids.indexOf(id)), next_page };
    },
    { found: [0, 1], next_page: null },
  ),
  row(
    'GET /v1/files/{file_id}/content, of an upload, which has none',
    async (given) => refusalOf(given.client.files.download(await upload(given), HEADERS)),
    NOT_DOWNLOADABLE,
  ),
  row(
    'DELETE /v1/files/{file_id}',
    async (given) => {
      const id = await upload(given);
      const deleted = await given.client.files.delete(id, HEADERS);
      return { ...deleted, then: await refusalOf(given.client.files.retrieveMetadata(id)) };
    },
    { type: 'file_deleted', then: { status: 404 } },
  ),
  row(
    'POST /v1/sessions/{session_id}/events, a file',
    async (given) =>
      given.client.sessions.events.send(await given.session(), { events: [naming(await upload(given))] }),
    { data: [NAMING] },
  ),
  ...messageRows,
  ...olderRows,
];
