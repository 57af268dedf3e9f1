import { afterAll, beforeAll, expect, it } from 'vitest';
import { OTHER_KEY, startApi, type TestApi } from '#test/functions/api/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

it('scenario 6: a memory store does not exist for a key of another workspace', async () => {
  const stranger = { authorization: `Bearer ${OTHER_KEY}` };
  const { body: store } = await api.ask('POST', '/v1/memory_stores', { name: 'Notes' });
  const path = `/v1/memory_stores/${store.id}`;
  const { body: memory } = await api.ask('POST', `${path}/memories`, { path: '/a', content: 'text' });
  const own = `${path}/memories/${memory.id}`;
  const version = `${path}/memory_versions/${memory.memory_version_id}`;
  await api.ask('POST', own, { content: 'more text' });
  const attempts = [
    ['GET', path, undefined],
    ['POST', path, { name: 'Mine' }],
    ['POST', `${path}/archive`, undefined],
    ['DELETE', path, undefined],
    ['POST', `${path}/memories`, { path: '/b', content: 'text' }],
    ['GET', `${path}/memories`, undefined],
    ['GET', own, undefined],
    ['POST', own, { content: 'theirs' }],
    ['DELETE', own, undefined],
    ['GET', `${path}/memory_versions`, undefined],
    ['GET', version, undefined],
    ['POST', `${version}/redact`, undefined],
  ] as const;
  for (const [method, to, body] of attempts) {
    const answer = await api.ask(method, to, body, stranger);
    // The response equals the one for a store that never existed.
    const missing = await api.ask(method, to.replace(store.id, 'memstore_01unknown'), body, stranger);
    expect(answer).toMatchObject({ status: 404, body: { error: missing.body.error } });
    expect(missing.status).toBe(404);
  }
  expect((await api.ask('GET', '/v1/memory_stores', undefined, stranger)).body.data).toEqual([]);
  expect((await api.ask('GET', path)).body).toEqual(store);
  expect((await api.ask('GET', own)).body.content).toBe('more text');
});
