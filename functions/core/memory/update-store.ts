import type { Instant } from '#contract/ids.ts';
import type { MemoryStore, MemoryStoreUpdate } from '#contract/memory.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { StorePlace } from '#core/ports/memory.ts';
import type { Ports } from '#core/ports/ports.ts';
import { METADATA_TOO_LARGE, patchMetadata } from '#core/requests/patch-metadata.ts';

/** Null when there is no such store. When another request changed it first, the update is decided again. */
export async function updateMemoryStore(
  { memoryStores, stamp }: Pick<Ports, 'memoryStores' | 'stamp'>,
  place: StorePlace,
  update: MemoryStoreUpdate,
): Promise<MemoryStore | RequestRefusal | null> {
  for (;;) {
    const found = await memoryStores.find(place);
    if (found === null) return null;
    const changed = changedStore(found.store, update, stamp.now());
    if (changed === found.store || isRefusal(changed)) return changed;
    if ((await memoryStores.replace(place.workspace, { ...found, store: changed })) === 'saved') return changed;
  }
}

export const STORE_ARCHIVED = refuse('invalid_request_error', 'memory_store_id: is archived');

/** The store itself when nothing changes. */
function changedStore(store: MemoryStore, update: MemoryStoreUpdate, now: Instant): MemoryStore | RequestRefusal {
  if (store.archived_at !== null) return STORE_ARCHIVED;
  const metadata = patchMetadata(store.metadata, update.metadata);
  if (metadata === null) return METADATA_TOO_LARGE;
  const { name, description } = update;
  const changed = { ...store, name: name ?? store.name, description: description ?? store.description, metadata };
  return JSON.stringify(changed) === JSON.stringify(store) ? store : { ...changed, updated_at: now };
}
