/** Memories and their versions. */
import * as z from 'zod';
import { MemoryId, MemoryStoreId, MemoryVersionId } from '#contract/ids.ts';
import {
  ChangeViewQuery,
  MAX_FULL_LIMIT,
  MemoriesQuery,
  Memory,
  MemoryCreate,
  MemoryDeleted,
  MemoryDeleteQuery,
  MemoryListItem,
  MemoryUpdate,
  MemoryVersion,
  MemoryVersionsQuery,
  ReadViewQuery,
} from '#contract/memory.ts';
import { pageOf } from '#contract/pages.ts';
import { listMemories, type Item } from '#core/memory/list-memories.ts';
import { presentContent, readMemory } from '#core/memory/read-memory.ts';
import { createMemory, deleteMemory, updateMemory, type Writing } from '#core/memory/write-memory.ts';
import { isRefusal, refuse } from '#core/ports/errors.ts';
import type { StoredMemory, StorePlace } from '#core/ports/memory.ts';
import { rangeOf } from '#core/requests/created-range.ts';
import type { ApiWorld } from '../api-world.ts';
import { fitting } from '../carried-bytes.ts';
import { keyedPages } from '../cursor.ts';
import { notFound, operation, type Call } from '../operation.ts';

const StoreParams = z.object({ memory_store_id: MemoryStoreId });
const MemoryParams = z.object({ memory_store_id: MemoryStoreId, memory_id: MemoryId });
const VersionParams = z.object({ memory_store_id: MemoryStoreId, memory_version_id: MemoryVersionId });

type StoreCall = Pick<Call<z.infer<typeof StoreParams>, unknown, unknown>, 'workspace' | 'params' | 'apiKey'>;
type View = z.infer<typeof ReadViewQuery>['view'];

const placeOf = ({ workspace, params }: StoreCall): StorePlace => ({ workspace, store: params.memory_store_id });

function writingOf(call: StoreCall): Writing {
  return { ...placeOf(call), by: { type: 'api_actor', api_key_id: call.apiKey } };
}

const NO_STORE = notFound('memory_store_id');
const NO_MEMORY = notFound('memory_id');
const NO_VERSION = notFound('memory_version_id');

function memoryView({ store }: StorePlace, memory: StoredMemory, content: string | null): Memory {
  return {
    id: memory.id,
    type: 'memory',
    memory_store_id: store,
    memory_version_id: memory.version,
    path: memory.path,
    content,
    content_sha256: memory.sha256,
    content_size_bytes: memory.bytes,
    created_at: memory.createdAt,
    updated_at: memory.updatedAt,
  };
}

const limitOf = ({ view, limit }: { readonly view: View; readonly limit: number }) =>
  view === 'full' ? Math.min(limit, MAX_FULL_LIMIT) : limit;

const create = operation({
  route: 'POST /v1/memory_stores/{memory_store_id}/memories',
  summary: 'Create a memory',
  params: StoreParams,
  query: ChangeViewQuery,
  body: MemoryCreate,
  response: Memory,
  async handle(call) {
    const writing = writingOf(call);
    const done = await createMemory(call.world, writing, call.body);
    if (done === null || isRefusal(done)) return done ?? NO_STORE;
    return memoryView(writing, done.memory, call.query.view === 'full' ? done.content : null);
  },
});

const retrieve = operation({
  route: 'GET /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
  summary: 'Retrieve a memory',
  params: MemoryParams,
  query: ReadViewQuery,
  response: Memory,
  async handle(call) {
    const { world, params, query } = call;
    const place = placeOf(call);
    if (query.view === 'basic') {
      const memory = await world.memories.find(place, params.memory_id);
      return memory === null ? NO_MEMORY : memoryView(place, memory, null);
    }
    const read = await readMemory(world, place, params.memory_id);
    return read === null ? NO_MEMORY : memoryView(place, read.memory, read.content);
  },
});

const update = operation({
  route: 'POST /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
  summary: 'Update the text or the path of a memory: a change makes a version',
  params: MemoryParams,
  query: ChangeViewQuery,
  body: MemoryUpdate,
  response: Memory,
  async handle(call) {
    const writing = writingOf(call);
    const done = await updateMemory(call.world, writing, { ...call.body, id: call.params.memory_id });
    if (done === null || isRefusal(done)) return done ?? NO_MEMORY;
    return memoryView(writing, done.memory, call.query.view === 'full' ? done.content : null);
  },
});

const memoryPages = keyedPages('asc', z.string().min(1).max(1100));

const list = operation({
  route: 'GET /v1/memory_stores/{memory_store_id}/memories',
  summary: 'List memories by path, or the folders and memories of one folder',
  params: StoreParams,
  query: MemoriesQuery,
  response: pageOf(MemoryListItem),
  async handle(call) {
    const { world, query } = call;
    const place = placeOf(call);
    const { path_prefix: prefix, depth } = query;
    const named = `memories of ${prefix}`;
    const after = memoryPages.follows(named, query.page);
    if (isRefusal(after)) return after;
    const listing = { prefix, depth, after, limit: limitOf(query) };
    const [store, { rows, more }] = await Promise.all([
      world.memoryStores.find(place),
      listMemories(world, place, listing),
    ]);
    if (store === null) return NO_STORE;
    const viewed = await Promise.all(rows.map((item) => itemView(world, place, item, query.view)));
    const shown = viewed.filter((item) => item !== null);
    return memoryPages.page(named, { rows: shown, more }, ({ path }) => path);
  },
});

/** Null when the memory is gone by now. */
async function itemView(world: ApiWorld, place: StorePlace, { path, memory }: Item, view: View) {
  if (memory === null) return { type: 'memory_prefix' as const, path };
  if (view === 'basic') return memoryView(place, memory, null);
  const content = await presentContent(world, place, memory);
  if (content !== null) return memoryView(place, memory, content);
  const read = await readMemory(world, place, memory.id);
  // A memory that was renamed meanwhile has another place in the list.
  return read === null || read.memory.path !== path ? null : memoryView(place, read.memory, read.content);
}

const remove = operation({
  route: 'DELETE /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
  summary: 'Delete a memory; its versions stay for 30 days',
  params: MemoryParams,
  query: MemoryDeleteQuery,
  response: MemoryDeleted,
  async handle(call) {
    const asked = { id: call.params.memory_id, expected: call.query.expected_content_sha256 };
    const done = await deleteMemory(call.world, writingOf(call), asked);
    if (done === null || isRefusal(done)) return done ?? NO_MEMORY;
    return { id: done.deleted, type: 'memory_deleted' as const };
  },
});

const versionPages = keyedPages('desc', MemoryVersionId);

const listVersions = operation({
  route: 'GET /v1/memory_stores/{memory_store_id}/memory_versions',
  summary: "List the versions of a store's memories, newest first",
  params: StoreParams,
  query: MemoryVersionsQuery,
  response: pageOf(MemoryVersion),
  async handle(call) {
    const { world, query } = call;
    const place = placeOf(call);
    const cursor = versionPages.follows('memory_versions', query.page);
    if (isRefusal(cursor)) return cursor;
    const before = cursor === null ? null : MemoryVersionId.parse(cursor);
    const request = { ...query, ...rangeOf(query), before, limit: limitOf(query) };
    const [store, { versions, more }] = await Promise.all([
      world.memoryStores.find(place),
      query.service_account_id === undefined ? world.memories.versions(place, request) : { versions: [], more: null },
    ]);
    if (store === null) return NO_STORE;
    const viewed = await Promise.all(versions.map((version) => versionView(world, place, version, query.view)));
    const data = [...fitting(viewed, (version) => version)];
    const last = data.length < viewed.length ? (data.at(-1)?.id ?? null) : more;
    return { data, next_page: last === null ? null : versionPages.cursorAt('memory_versions', last) };
  },
});

async function versionView(
  { memories }: ApiWorld,
  place: StorePlace,
  version: MemoryVersion,
  view: View,
): Promise<MemoryVersion> {
  if (view === 'basic' || version.content_sha256 === null) return version;
  return { ...version, content: await memories.content(place, version.id) };
}

const retrieveVersion = operation({
  route: 'GET /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}',
  summary: 'Retrieve a version of a memory',
  params: VersionParams,
  query: ReadViewQuery,
  response: MemoryVersion,
  async handle(call) {
    const { world, params, query } = call;
    const place = placeOf(call);
    const version = await world.memories.version(place, params.memory_version_id);
    return version === null ? NO_VERSION : versionView(world, place, version, query.view);
  },
});

const redact = operation({
  route: 'POST /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}/redact',
  summary: 'Remove text, hash, size and path of an old version for good',
  params: VersionParams,
  response: MemoryVersion,
  async handle(call) {
    const { world, params } = call;
    const { by, ...place } = writingOf(call);
    const version = await world.memories.version(place, params.memory_version_id);
    if (version === null) return NO_VERSION;
    // A version that is not the present one never becomes it again.
    if ((await world.memories.find(place, version.memory_id))?.version === version.id) return IS_PRESENT;
    return (await world.memories.redact(place, version, { at: world.stamp.now(), by })) ?? NO_VERSION;
  },
});

const IS_PRESENT = refuse(
  'invalid_request_error',
  'memory_version_id: is the present version of a memory: update or delete the memory first',
);

export const memoryOperations = [create, retrieve, update, list, remove, listVersions, retrieveVersion, redact];
