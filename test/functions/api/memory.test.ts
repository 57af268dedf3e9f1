/** Memory stores over HTTP: what is refused, and that no text is told where it must not be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_MEMORY_BYTES } from '#contract/memory.ts';
import { sha256 } from '#aws/stamp.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const STRANGER = { authorization: `Bearer ${OTHER_KEY}` };

async function aStore() {
  const { body } = await api.ask('POST', '/v1/memory_stores', { name: 'Notes' });
  return `/v1/memory_stores/${body.id}`;
}
const create = (store: string, path: string, content: unknown = 'text') =>
  api.ask('POST', `${store}/memories`, { path, content });

describe('a memory is refused', () => {
  it.each([
    ['without a slash at its beginning', 'a'],
    ['that ends in a slash', '/a/'],
    ['with an empty segment', '/a//b'],
    ['with the segment .', '/./a'],
    ['with the segment ..', '/a/../b'],
    ['that names nothing', '/'],
    ['that is empty', ''],
    ['with a line break', '/a\nb'],
    ['with a tab', '/a\tb'],
    ['with a zero-width character', '/a\u200bb'],
    ['with a line separator', '/a\u2028b'],
    ['with a paragraph separator', '/a\u2029b'],
    ['with a lone surrogate', '/a\ud800'],
    ['in Unicode Normalization Form D', '/e\u0301'],
    ['with 21 segments', '/a'.repeat(21)],
    ['with 1,025 bytes', `/${'a'.repeat(1024)}`],
    ['with 1,026 bytes in 514 characters', `/${'é'.repeat(512)}b`],
  ])('at a path %s', async (_name, path) => {
    const refused = await create(await aStore(), path);
    expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringMatching(/^path: must /)]);
  });

  it.each([
    ['has 102,401 bytes', 'a'.repeat(MAX_MEMORY_BYTES + 1)],
    ['has 102,402 bytes in 51,201 characters', 'é'.repeat(MAX_MEMORY_BYTES / 2 + 1)],
    ['has a lone surrogate', 'a\ud800'],
    ['is no text', 7],
  ])('with a content that %s', async (_name, content) => {
    const refused = await create(await aStore(), '/a', content);
    expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringMatching(/^content: must /)]);
  });

  it('without a content, and accepted at every limit', async () => {
    const store = await aStore();
    const missing = await api.ask('POST', `${store}/memories`, { path: '/a' });
    expect([missing.status, missing.body.error.message]).toEqual([400, 'content: is required']);
    const longest = `/${'é'.repeat(511)}b`;
    for (const path of [longest, '/a'.repeat(20), '/ ', '/…', '/.a', '/日本', '/ID#1']) {
      expect((await create(store, path, 'é'.repeat(MAX_MEMORY_BYTES / 2))).status).toBe(200);
    }
  });
});

it('conflicts are told as 409 that no SDK repeats, with the memory that has the path', async () => {
  const store = await aStore();
  const { body: memory } = await create(store, '/a/b');
  const taken = await create(store, '/a/b/c');
  expect(taken).toMatchObject({
    status: 409,
    body: {
      error: {
        type: 'memory_path_conflict_error',
        conflicting_memory_id: memory.id,
        conflicting_path: '/a/b',
      },
    },
  });
  const precondition = { type: 'content_sha256', content_sha256: sha256('other') };
  const update = (body: object) => api.ask('POST', `${store}/memories/${memory.id}`, body);
  const stale = await update({ content: 'new', precondition });
  expect(stale).toMatchObject({ status: 409, body: { error: { type: 'memory_precondition_failed_error' } } });
  for (const answer of [taken, stale]) expect(answer.headers.get('x-should-retry')).toBe('false');
  // The memory has what is asked for already.
  const version = memory.memory_version_id;
  expect(await update({ content: 'text', path: '/a/b', precondition })).toMatchObject({
    status: 200,
    body: { memory_version_id: version, updated_at: memory.updated_at },
  });
  expect(await update({ content: null, path: null })).toMatchObject({
    status: 200,
    body: { memory_version_id: version },
  });
  const wrong = await api.ask('DELETE', `${store}/memories/${memory.id}?expected_content_sha256=${sha256('other')}`);
  expect(wrong).toMatchObject({ status: 409, body: { error: { type: 'memory_precondition_failed_error' } } });
  expect((await api.ask('GET', `${store}/memories/${memory.id}`)).body.content).toBe('text');
});

it.each([
  ['memories?depth=2', 'depth'],
  ['memories?depth=-1', 'depth'],
  ['memories?depth=x', 'depth'],
  ['memories?path_prefix=%2Fa', 'path_prefix'],
  ['memories?path_prefix=a%2F', 'path_prefix'],
  ['memories?view=all', 'view'],
  ['memories?limit=101', 'limit'],
  ['memories?page=page_x', 'page'],
  ['memory_versions?operation=read', 'operation'],
  ['memory_versions?memory_id=x', 'memory_id'],
  ['memory_versions?page=page_x', 'page'],
])('the list %s is refused by name', async (list, field) => {
  const refused = await api.ask('GET', `${await aStore()}/${list}`);
  expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringContaining(`${field}: `)]);
});

it('a cursor belongs to the prefix of its list', async () => {
  const store = await aStore();
  for (const path of ['/a/1', '/a/2', '/b/1']) await create(store, path);
  const { body } = await api.ask('GET', `${store}/memories?path_prefix=/a/&limit=1`);
  expect((await api.ask('GET', `${store}/memories?path_prefix=/b/&page=${body.next_page}`)).status).toBe(400);
  const rest = await api.ask(
    'GET',
    `${store}/memories?path_prefix=/a/&order=desc&order_by=path&page=${body.next_page}`,
  );
  expect(rest.body.data.map(({ path }: { path: string }) => path)).toEqual(['/a/2']);
});

it('pages with contents hold 20 memories, and versions outlive their memory', async () => {
  const store = await aStore();
  for (let n = 0; n < 22; n += 1) await create(store, `/m${String(n).padStart(2, '0')}`);
  const first = (await api.ask('GET', `${store}/memories?view=full&limit=100`)).body;
  const second = (await api.ask('GET', `${store}/memories?view=full&limit=100&page=${first.next_page}`)).body;
  expect([first.data.length, second.data.length, second.next_page]).toEqual([20, 2, null]);
  const { id } = first.data[0];
  await api.ask('DELETE', `${store}/memories/${id}`);
  expect((await api.ask('GET', `${store}/memories/${id}`)).status).toBe(404);
  const versions = (await api.ask('GET', `${store}/memory_versions?memory_id=${id}&view=full`)).body.data;
  expect(versions).toMatchObject([
    { operation: 'deleted', path: '/m00', content: null, content_sha256: null },
    { operation: 'created', path: '/m00', content: 'text' },
  ]);
});

it('the present version is not redacted; an old one loses its text, and keeps actor and time', async () => {
  const store = await aStore();
  const { body: memory } = await create(store, '/a', 'secret text');
  const redact = () => api.ask('POST', `${store}/memory_versions/${memory.memory_version_id}/redact`);
  expect(await redact()).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error' } } });
  await api.ask('POST', `${store}/memories/${memory.id}`, { content: 'plain text' });
  const { body: redacted } = await redact();
  expect(redacted).toMatchObject({ path: null, content: null, created_by: { api_key_id: 'apikey_1' } });
  expect((await redact()).body).toEqual(redacted);
  const all = await api.ask('GET', `${store}/memory_versions?view=full`);
  expect(JSON.stringify(all.body)).not.toContain('secret text');
});

it('an archived store is read, emptied and deleted, and takes nothing', async () => {
  const store = await aStore();
  const { body: memory } = await create(store, '/a');
  await api.ask('POST', `${store}/memories/${memory.id}`, { content: 'new' });
  await api.ask('POST', `${store}/archive`);
  const change = { content: 'newer' };
  for (const answer of [
    await create(store, '/b'),
    await api.ask('POST', `${store}/memories/${memory.id}`, change),
    await api.ask('POST', store, { name: 'Other' }),
  ]) {
    expect([answer.status, answer.body.error.message]).toEqual([400, 'memory_store_id: is archived']);
  }
  for (const [method, path] of [
    ['GET', `${store}/memories?view=full`],
    ['GET', `${store}/memories/${memory.id}`],
    ['POST', `${store}/memory_versions/${memory.memory_version_id}/redact`],
    ['DELETE', `${store}/memories/${memory.id}`],
    ['DELETE', store],
  ] as const) {
    expect((await api.ask(method, path)).status).toBe(200);
  }
  for (const path of ['', '/memories', '/memory_versions', `/memory_versions/${memory.memory_version_id}`]) {
    expect((await api.ask('GET', `${store}${path}`)).status).toBe(404);
  }
});

it('no line of the log and no error has a text or a path', async () => {
  const store = await aStore();
  const canary = 'canary-of-memory';
  const { body: memory } = await create(store, `/${canary}`, canary);
  await create(store, `/${canary}/below`, canary);
  await api.ask('POST', `${store}/memories/${memory.id}`, { content: `${canary} 2` });
  const refused = await create(store, `/${canary}//`, canary);
  await api.ask('GET', `${store}/memories?path_prefix=/${canary}/`);
  expect(JSON.stringify(api.lines)).not.toContain(canary);
  expect(JSON.stringify(refused.body)).not.toContain(canary);
});

describe('a session with memory stores', () => {
  const creating = async (resources: readonly object[]) => {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    return api.ask('POST', '/v1/sessions', { agent: agent.body.id, environment_id: environment.body.id, resources });
  };
  const attach = (store: string, fields: object = {}) => ({
    type: 'memory_store',
    memory_store_id: store.slice(store.lastIndexOf('/') + 1),
    ...fields,
  });

  it('shows each with its own folder, in the order of the request, and keeps its name', async () => {
    const stores = [await aStore(), await aStore()];
    const made = await creating(stores.map((store) => attach(store)));
    await api.ask('POST', stores[0] ?? '', { name: 'Renamed' });
    const { body } = await api.ask('GET', `/v1/sessions/${made.body.id}`);
    expect(body.resources).toEqual(made.body.resources);
    expect(body.resources).toMatchObject([
      { ...attach(stores[0] ?? ''), name: 'Notes', access: 'read_write', mount_path: '/mnt/memory/notes' },
      { ...attach(stores[1] ?? ''), instructions: null, mount_path: '/mnt/memory/notes-2' },
    ]);
    const listed = await api.ask('GET', `/v1/sessions?memory_store_id=${attach(stores[1] ?? '').memory_store_id}`);
    expect(listed.body.data.map(({ id }: { id: string }) => id)).toEqual([made.body.id]);
    const id = body.resources[0].id;
    expect((await api.ask('DELETE', `/v1/sessions/${made.body.id}/resources/${id}`)).status).toBe(400);
    expect((await api.ask('POST', `/v1/sessions/${made.body.id}/resources`, attach(stores[0] ?? ''))).status).toBe(400);
  });

  it('is refused, with the index, when one is unknown, archived, attached twice, or one too many', async () => {
    const [store, archived, theirs] = [await aStore(), await aStore(), '/v1/memory_stores/memstore_01unknown'];
    await api.ask('POST', `${archived}/archive`);
    const { body: foreign } = await api.ask('POST', '/v1/memory_stores', { name: 'Theirs' }, STRANGER);
    const nine = await Promise.all(Array.from({ length: 9 }, async () => attach(await aStore())));
    for (const [resources, message] of [
      [[attach(store), attach(theirs)], 'resources.1.memory_store_id: there is no such memory store'],
      [[attach(store), attach(`/${foreign.id}`)], 'resources.1.memory_store_id: there is no such memory store'],
      [[attach(archived)], 'resources.0.memory_store_id: is archived'],
      [[attach(store), attach(store)], 'resources.1.memory_store_id: is attached already'],
      [nine, 'resources.8: a session has at most 8 resources of type memory_store'],
      [[attach(store, { instructions: 'x'.repeat(4097) })], 'resources.0.instructions: '],
      [[attach(store, { access: 'write' })], 'resources.0.access: '],
      [[attach(store, { mount_path: '/mnt/x' })], 'resources.0.mount_path: '],
    ] as const) {
      const refused = await creating(resources);
      expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringContaining(message)]);
    }
  });
});
