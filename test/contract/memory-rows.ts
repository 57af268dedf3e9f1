/** Calls of the operations on memory stores, as in `core-rows.ts`. */
import type {
  MemoryCreateParams,
  MemoryDeleteParams,
  MemoryListParams,
  MemoryRetrieveParams,
  MemoryUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/memory-stores/memories';
import type {
  MemoryStoreCreateParams,
  MemoryStoreListParams,
  MemoryStoreUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/memory-stores/memory-stores';
import type {
  MemoryVersionListParams,
  MemoryVersionRetrieveParams,
} from '@anthropic-ai/sdk/resources/beta/memory-stores/memory-versions';
import type { BetaManagedAgentsMemoryStoreResourceParam } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { expect } from 'vitest';
import { sha256 } from '#aws/stamp.ts';
import { FUTURE, type Everything } from './core-parameters.ts';
import { archived, page, row, type Given, type Row } from './core-rows.ts';

/** What the SDK sends with these operations; `managed-agents-2026-04-01` is accepted too. */
const HEADERS = { betas: ['agent-memory-2026-07-22'] };
const PAST = '2020-01-01T00:00:00Z';
const RANGE = { 'created_at[gte]': PAST, 'created_at[lte]': FUTURE };

const STORE: Everything<MemoryStoreCreateParams> = { name: 'Notes', description: 'Notes.', metadata: { team: 'a' } };
const STORE_UPDATE: Everything<MemoryStoreUpdateParams> = {
  name: 'More notes',
  description: '',
  metadata: { team: null, floor: '7' },
};
const STORES: Everything<MemoryStoreListParams, 'page'> = { ...RANGE, include_archived: true, limit: 1 };
const MEMORY: Everything<MemoryCreateParams> = { path: '/notes/a.md', content: 'A', view: 'full' };
const UPDATE: Everything<MemoryUpdateParams, 'memory_store_id'> = {
  path: '/notes/b.md',
  content: 'B',
  precondition: { type: 'content_sha256', content_sha256: sha256('A') },
  view: 'full',
};
const READ: Everything<MemoryRetrieveParams, 'memory_store_id'> = { view: 'basic' };
const MEMORIES: Everything<MemoryListParams, 'page'> = { depth: 1, path_prefix: '/notes/', view: 'full', limit: 1 };
const REMOVE: Everything<MemoryDeleteParams, 'memory_store_id'> = { expected_content_sha256: sha256('A') };
const VERSION: Everything<MemoryVersionRetrieveParams, 'memory_store_id'> = { view: 'basic' };
/** Each filter by an actor is called alone, because a version has one. */
const VERSIONS: Everything<
  MemoryVersionListParams,
  'page' | 'memory_id' | 'api_key_id' | 'session_id' | 'service_account_id'
> = { ...RANGE, operation: 'modified', view: 'full', limit: 1 };

const store = async ({ client }: Given) => (await client.memoryStores.create({ name: 'Notes' })).id;

async function memory(given: Given) {
  const memory_store_id = await store(given);
  const made = await given.client.memoryStores.memories.create(memory_store_id, { path: '/notes/a.md', content: 'A' });
  return { ...made, at: { memory_store_id } };
}

/** A memory with three versions. */
async function changed(given: Given) {
  const made = await memory(given);
  const { memories } = given.client.memoryStores;
  await memories.update(made.id, { ...made.at, content: 'B' });
  await memories.update(made.id, { ...made.at, content: 'C' });
  return made;
}

const versionsBy = (filter: (given: Given) => MemoryVersionListParams) => async (given: Given) => {
  const { at } = await changed(given);
  return given.client.memoryStores.memoryVersions.list(at.memory_store_id, filter(given));
};

const RESOURCE: Required<BetaManagedAgentsMemoryStoreResourceParam> = {
  type: 'memory_store',
  memory_store_id: '',
  access: 'read_only',
  instructions: 'Read first.',
};

async function sessionWith({ client, agent, environment }: Given, memory_store_id: string) {
  const resources = [{ ...RESOURCE, memory_store_id }];
  return client.sessions.create({ agent: await agent(), environment_id: await environment(), resources });
}

export const MEMORY_ROWS: readonly Row[] = [
  row('POST /v1/memory_stores', ({ client }) => client.memoryStores.create({ name: 'Notes' }), {
    type: 'memory_store',
    description: '',
    metadata: {},
    archived_at: null,
  }),
  row(
    'POST /v1/memory_stores, everything',
    ({ client }) => client.memoryStores.create({ ...STORE, ...HEADERS }),
    STORE,
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}',
    async (given) => given.client.memoryStores.retrieve(await store(given), HEADERS),
    { name: 'Notes' },
  ),
  row(
    'POST /v1/memory_stores/{memory_store_id}',
    async (given) => given.client.memoryStores.update(await store(given), {}),
    { name: 'Notes' },
  ),
  row(
    'POST /v1/memory_stores/{memory_store_id}, everything',
    async (given) => given.client.memoryStores.update(await store(given), { ...STORE_UPDATE, ...HEADERS }),
    { name: 'More notes', description: '', metadata: { floor: '7' } },
  ),
  row('GET /v1/memory_stores', ({ client }) => client.memoryStores.list(), page),
  row(
    'GET /v1/memory_stores, everything',
    async (given) => {
      await store(given);
      await store(given);
      const first = await given.client.memoryStores.list({ ...STORES, ...HEADERS });
      return given.client.memoryStores.list({ ...STORES, page: first.next_page, ...HEADERS });
    },
    { data: [{ type: 'memory_store' }] },
  ),
  row(
    'DELETE /v1/memory_stores/{memory_store_id}',
    async (given) => given.client.memoryStores.delete(await store(given), HEADERS),
    { id: expect.stringMatching(/^memstore_/), type: 'memory_store_deleted' },
  ),
  row(
    'POST /v1/memory_stores/{memory_store_id}/archive',
    async (given) => given.client.memoryStores.archive(await store(given), HEADERS),
    archived,
  ),

  row(
    'POST /v1/memory_stores/{memory_store_id}/memories',
    async (given) => given.client.memoryStores.memories.create(await store(given), { path: '/a', content: null }),
    { path: '/a', content: null, content_sha256: sha256(''), content_size_bytes: 0 },
  ),
  row(
    'POST /v1/memory_stores/{memory_store_id}/memories, everything',
    async (given) => given.client.memoryStores.memories.create(await store(given), { ...MEMORY, ...HEADERS }),
    { path: '/notes/a.md', content: 'A', content_sha256: sha256('A'), content_size_bytes: 1 },
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
    async (given) => {
      const { id, at } = await memory(given);
      return given.client.memoryStores.memories.retrieve(id, at);
    },
    { content: 'A' },
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memories/{memory_id}, everything',
    async (given) => {
      const { id, at } = await memory(given);
      return given.client.memoryStores.memories.retrieve(id, { ...at, ...READ, ...HEADERS });
    },
    { content: null, content_sha256: sha256('A') },
  ),
  row(
    'POST /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
    async (given) => {
      const { id, at } = await memory(given);
      return given.client.memoryStores.memories.update(id, at);
    },
    { path: '/notes/a.md', content: null },
  ),
  row(
    'POST /v1/memory_stores/{memory_store_id}/memories/{memory_id}, everything',
    async (given) => {
      const { id, at } = await memory(given);
      return given.client.memoryStores.memories.update(id, { ...at, ...UPDATE, ...HEADERS });
    },
    { path: '/notes/b.md', content: 'B', content_sha256: sha256('B') },
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memories',
    async (given) => given.client.memoryStores.memories.list((await memory(given)).at.memory_store_id),
    { data: [{ type: 'memory', path: '/notes/a.md', content: null }], next_page: null },
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memories, everything',
    async (given) => {
      const { memories } = given.client.memoryStores;
      const id = (await memory(given)).at.memory_store_id;
      await memories.create(id, { path: '/notes/b/c.md', content: 'B' });
      await memories.create(id, { path: '/notes/c.md', content: 'C' });
      const first = await memories.list(id, { ...MEMORIES, ...HEADERS });
      const second = await memories.list(id, { ...MEMORIES, page: first.next_page, ...HEADERS });
      const third = await memories.list(id, { ...MEMORIES, page: second.next_page, ...HEADERS });
      return { ...third, data: [...first.data, ...second.data, ...third.data] };
    },
    {
      data: [
        { path: '/notes/a.md', content: 'A' },
        { type: 'memory_prefix', path: '/notes/b/' },
        { path: '/notes/c.md', content: 'C' },
      ],
      next_page: null,
    },
  ),
  row(
    'DELETE /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
    async (given) => {
      const { id, at } = await memory(given);
      return given.client.memoryStores.memories.delete(id, at);
    },
    { id: expect.stringMatching(/^mem_/), type: 'memory_deleted' },
  ),
  row(
    'DELETE /v1/memory_stores/{memory_store_id}/memories/{memory_id}, everything',
    async (given) => {
      const { id, at } = await memory(given);
      return given.client.memoryStores.memories.delete(id, { ...at, ...REMOVE, ...HEADERS });
    },
    { type: 'memory_deleted' },
  ),

  row(
    'GET /v1/memory_stores/{memory_store_id}/memory_versions',
    async (given) => given.client.memoryStores.memoryVersions.list((await changed(given)).at.memory_store_id),
    {
      data: [
        { operation: 'modified', content: null, content_sha256: sha256('C') },
        { operation: 'modified' },
        { operation: 'created', created_by: { type: 'api_actor' } },
      ],
      next_page: null,
    },
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memory_versions, everything',
    async (given) => {
      const { memoryVersions } = given.client.memoryStores;
      const { id, at } = await changed(given);
      const asked = { ...VERSIONS, memory_id: id, ...HEADERS };
      const first = await memoryVersions.list(at.memory_store_id, asked);
      return memoryVersions.list(at.memory_store_id, { ...asked, page: first.next_page });
    },
    { data: [{ operation: 'modified', content: 'B' }] },
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memory_versions, of another memory, session or account',
    async (given) => {
      const filters = [
        { memory_id: 'mem_1' },
        { session_id: 'sesn_1' },
        { api_key_id: 'apikey_other' },
        { service_account_id: 'svac_1' },
      ];
      const pages = await Promise.all(filters.map((filter) => versionsBy(() => filter)(given)));
      return pages.map(({ data }) => data);
    },
    [[], [], [], []],
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}',
    async (given) => {
      const { memory_version_id: id, at } = await changed(given);
      return given.client.memoryStores.memoryVersions.retrieve(id, at);
    },
    { operation: 'created', content: 'A', redacted_at: null },
  ),
  row(
    'GET /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}, everything',
    async (given) => {
      const { memory_version_id: id, at } = await changed(given);
      return given.client.memoryStores.memoryVersions.retrieve(id, { ...at, ...VERSION, ...HEADERS });
    },
    { content: null, content_size_bytes: 1 },
  ),
  row(
    'POST /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}/redact',
    async (given) => {
      const { memory_version_id: id, at } = await changed(given);
      return given.client.memoryStores.memoryVersions.redact(id, { ...at, ...HEADERS });
    },
    { content: null, content_sha256: null, path: null, redacted_by: { type: 'api_actor' } },
  ),
  row('POST /v1/sessions, with a memory store', async (given) => sessionWith(given, await store(given)), {
    resources: [
      {
        type: 'memory_store',
        access: 'read_only',
        instructions: 'Read first.',
        name: 'Notes',
        description: '',
        mount_path: '/mnt/memory/notes',
      },
    ],
  }),
  row(
    'GET /v1/sessions, of a memory store',
    async (given) => {
      const id = await store(given);
      const made = await sessionWith(given, id);
      const { data } = await given.client.sessions.list({ memory_store_id: id });
      const others = await given.client.sessions.list({ memory_store_id: await store(given) });
      return { data: data.map((session) => session.id === made.id), others: others.data };
    },
    { data: [true], others: [] },
  ),
];
