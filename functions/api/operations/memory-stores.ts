import * as z from 'zod';
import { MemoryStoreId, type WorkspaceId } from '#contract/ids.ts';
import {
  MemoryStore,
  MemoryStoreCreate,
  MemoryStoreDeleted,
  MemoryStoresQuery,
  MemoryStoreUpdate,
} from '#contract/memory.ts';
import { pageOf } from '#contract/pages.ts';
import { updateMemoryStore } from '#core/memory/update-store.ts';
import type { StorePlace } from '#core/ports/memory.ts';
import { notFound, operation } from '../operation.ts';
import { forwardPage } from '../record-page.ts';

const Params = z.object({ memory_store_id: MemoryStoreId });

interface StoreCall {
  readonly workspace: WorkspaceId;
  readonly params: z.infer<typeof Params>;
}

const placeOf = ({ workspace, params }: StoreCall): StorePlace => ({ workspace, store: params.memory_store_id });

const NO_STORE = notFound('memory_store_id');

const create = operation({
  route: 'POST /v1/memory_stores',
  summary: 'Create a memory store',
  body: MemoryStoreCreate,
  response: MemoryStore,
  async handle({ world, workspace, body }) {
    const id = MemoryStoreId.parse(`memstore_${world.newToken()}`);
    const now = world.stamp.now();
    const { name, description, metadata } = body;
    const marks = { created_at: now, updated_at: now, archived_at: null };
    const kept = { name, description: description ?? '', metadata: metadata ?? {} };
    const store: MemoryStore = { id, type: 'memory_store', ...kept, ...marks };
    await world.memoryStores.create(workspace, store);
    return store;
  },
});

const retrieve = operation({
  route: 'GET /v1/memory_stores/{memory_store_id}',
  summary: 'Retrieve a memory store',
  params: Params,
  response: MemoryStore,
  async handle(call) {
    return (await call.world.memoryStores.find(placeOf(call)))?.store ?? NO_STORE;
  },
});

const list = operation({
  route: 'GET /v1/memory_stores',
  summary: 'List memory stores, newest first',
  query: MemoryStoresQuery,
  response: pageOf(MemoryStore),
  handle: (call) => forwardPage('memory_stores', call, (request) => call.world.memoryStores.list(request)),
});

const update = operation({
  route: 'POST /v1/memory_stores/{memory_store_id}',
  summary: "Update a memory store's name, description or metadata",
  params: Params,
  body: MemoryStoreUpdate,
  response: MemoryStore,
  async handle(call) {
    return (await updateMemoryStore(call.world, placeOf(call), call.body)) ?? NO_STORE;
  },
});

const archive = operation({
  route: 'POST /v1/memory_stores/{memory_store_id}/archive',
  summary: 'Archive a memory store: its memories can be read and deleted, and no session can take it',
  params: Params,
  response: MemoryStore,
  async handle(call) {
    return (await call.world.memoryStores.archive(placeOf(call), call.world.stamp.now())) ?? NO_STORE;
  },
});

const remove = operation({
  route: 'DELETE /v1/memory_stores/{memory_store_id}',
  summary: 'Delete a memory store with its memories and their versions',
  params: Params,
  response: MemoryStoreDeleted,
  async handle(call) {
    const place = placeOf(call);
    const removed = await call.world.memoryStores.remove(place);
    return removed ? { id: place.store, type: 'memory_store_deleted' as const } : NO_STORE;
  },
});

export const memoryStoreOperations = [create, retrieve, update, list, archive, remove];
