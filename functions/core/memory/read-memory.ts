import type { MemoryId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { StoredMemory, StorePlace } from '#core/ports/memory.ts';
import type { Ports } from '#core/ports/ports.ts';

type Reading = Pick<Ports, 'memories'>;

/** A memory with its text. Null when there is no such memory. */
export async function readMemory(
  world: Reading,
  place: StorePlace,
  id: MemoryId,
): Promise<{ readonly memory: StoredMemory; readonly content: string } | null> {
  for (;;) {
    const memory = await world.memories.find(place, id);
    if (memory === null) return null;
    const content = await presentContent(world, place, memory);
    if (content !== null) return { memory, content };
  }
}

/** Null when the memory has changed since it was read, and the version that it had was redacted. */
export async function presentContent(
  { memories }: Reading,
  place: StorePlace,
  memory: StoredMemory,
): Promise<string | null> {
  const content = await memories.content(place, memory.version);
  if (content !== null) return content;
  if ((await memories.find(place, memory.id))?.version !== memory.version) return null;
  throw new Fault('stored_data_invalid', `the text of ${memory.version} is missing`);
}
