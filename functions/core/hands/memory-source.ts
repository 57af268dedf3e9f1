/** The memories of the session's stores, each a file below the folder of its store. */
import type { ContentEntry } from '#contract/hands.ts';
import type { MemoryStoreResource } from '#contract/resources.ts';
import type { ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { presentContent } from '#core/memory/read-memory.ts';
import type { StoredMemory, StorePlace } from '#core/ports/memory.ts';

interface Mounted {
  readonly place: StorePlace;
  readonly memory: StoredMemory;
}

export function memorySource(world: ContentsWorld, { state: { workspace }, contents }: Recipient): ContentSource {
  const stores = (contents?.resources ?? []).filter((one) => one.type === 'memory_store');
  const byPath = new Map<string, Mounted>();

  async function entriesOf({ memory_store_id, mount_path, access }: MemoryStoreResource): Promise<ContentEntry[]> {
    const place = { workspace, store: memory_store_id };
    const entries: ContentEntry[] = [{ path: mount_path, version: '1', access, form: 'folder' }];
    // A store that was deleted meanwhile is an empty folder.
    if ((await world.memoryStores.find(place)) === null) return entries;
    for await (const memory of world.memories.list(place, '/', null)) {
      const path = `${mount_path}${memory.path}`;
      byPath.set(path, { place, memory });
      entries.push({ path, version: memory.sha256, bytes: memory.bytes, access, form: 'file' });
    }
    return entries;
  }

  return {
    entries: async () => (await Promise.all(stores.map(entriesOf))).flat(),
    async read({ path }) {
      const mounted = byPath.get(path);
      if (mounted === undefined) return null;
      const content = await presentContent(world, mounted.place, mounted.memory);
      if (content === null) return null;
      const bytes = new TextEncoder().encode(content);
      return { bytes: bytes.length, body: once(bytes) };
    },
    without: ({ path }, absence) => {
      const why = absence.why === 'missing' ? 'it changed meanwhile' : absence.reason;
      return { do: 'go on', note: `(The memory ${JSON.stringify(path)} is not in the sandbox: ${why}.)` };
    },
  };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
