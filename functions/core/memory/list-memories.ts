/** Lists of memories by path. */
import type { StoredMemory, StorePlace } from '#core/ports/memory.ts';
import type { Ports } from '#core/ports/ports.ts';

interface Listing {
  /** Ends in "/". */
  readonly prefix: string;
  /** 0 lists every memory below the prefix; 1 shows a folder as one item. */
  readonly depth: number;
  /** The path of the item that the page follows; null for the first page. */
  readonly after: string | null;
  readonly limit: number;
}

/** A memory, or the prefix of those in a folder, which ends in "/". */
export type Item = { readonly path: string; readonly memory: StoredMemory | null };

export async function listMemories(
  { memories }: Pick<Ports, 'memories'>,
  place: StorePlace,
  { prefix, depth, after, limit }: Listing,
): Promise<{ readonly rows: readonly Item[]; readonly more: boolean }> {
  const rows: Item[] = [];
  for await (const memory of memories.list(place, prefix, after)) {
    const item = depth === 0 ? { path: memory.path, memory } : grouped(memory, prefix);
    // All memories of a folder stand together, because they are sorted by path.
    if (rows.at(-1)?.path === item.path) continue;
    if (rows.length === limit) return { rows, more: true };
    rows.push(item);
  }
  return { rows, more: false };
}

function grouped(memory: StoredMemory, prefix: string): Item {
  const end = memory.path.indexOf('/', prefix.length);
  return end === -1 ? { path: memory.path, memory } : { path: memory.path.slice(0, end + 1), memory: null };
}
