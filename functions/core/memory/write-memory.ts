/** Creates, updates and deletes memories. A change that another one overtakes is decided again on what that one left. */
import { MemoryId } from '#contract/ids.ts';
import { MAX_MEMORIES, type MemoryActor, type MemoryCreate, type MemoryUpdate } from '#contract/memory.ts';
import { creation, deletion, modification, type Marks, type Text } from '#core/memory/memory-change.ts';
import { presentContent } from '#core/memory/read-memory.ts';
import { STORE_ARCHIVED } from '#core/memory/update-store.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { MemoryChange, MemoryWritten, StoredMemory, StorePlace, Taken } from '#core/ports/memory.ts';
import type { Ports } from '#core/ports/ports.ts';

type MemoryWorld = Pick<Ports, 'memories' | 'stamp' | 'newToken' | 'sha256'>;

/** The store, and who changes it. */
export interface Writing extends StorePlace {
  readonly by: MemoryActor;
}

/** A memory with its text, as a change left it. */
export interface WrittenMemory {
  readonly memory: StoredMemory;
  readonly content: string;
}

/** Null when there is no such store. */
export async function createMemory(
  world: MemoryWorld,
  writing: Writing,
  { path, content }: MemoryCreate,
): Promise<WrittenMemory | RequestRefusal | null> {
  const text = textOf(world, content ?? '');
  const change = creation(MemoryId.parse(`mem_${world.newToken()}`), path, text, marksOf(world, writing));
  const written = await world.memories.write(writing, change);
  return ended(written, change);
}

/** Null when there is no such memory. */
export async function updateMemory(
  world: MemoryWorld,
  writing: Writing,
  { id, ...update }: MemoryUpdate & { readonly id: MemoryId },
): Promise<WrittenMemory | RequestRefusal | null> {
  return changing(world, writing, id, async (memory, marks) => {
    const content = update.content ?? (await presentContent(world, writing, memory));
    if (content === null) return 'moved';
    const text = textOf(world, content);
    return modification(memory, { ...update, text }, marks) ?? { memory, content: text.content };
  });
}

/** Null when there is no such memory. */
export async function deleteMemory(
  world: MemoryWorld,
  writing: Writing,
  { id, expected }: { readonly id: MemoryId; readonly expected: string | undefined },
): Promise<{ readonly deleted: MemoryId } | RequestRefusal | null> {
  const done = await changing(world, writing, id, async (memory, marks) => deletion(memory, expected, marks));
  return isRefusal(done) || done === null ? done : { deleted: id };
}

/** `decide` answers a change, a refusal, what is there already, or `moved` when the memory is another one by now. */
async function changing(
  world: MemoryWorld,
  writing: Writing,
  id: MemoryId,
  decide: (memory: StoredMemory, marks: Marks) => Promise<MemoryChange | WrittenMemory | RequestRefusal | 'moved'>,
): Promise<WrittenMemory | RequestRefusal | null> {
  for (;;) {
    const memory = await world.memories.find(writing, id);
    if (memory === null) return null;
    const decided = await decide(memory, marksOf(world, writing));
    if (decided === 'moved') continue;
    if (isRefusal(decided) || 'memory' in decided) return decided;
    const written = await world.memories.write(writing, decided);
    if (written.status !== 'moved') return ended(written, decided);
  }
}

function ended(written: MemoryWritten, { to, from, content }: MemoryChange): WrittenMemory | RequestRefusal | null {
  switch (written.status) {
    case 'written': {
      const memory = to ?? from;
      return memory && { memory, content: content ?? '' };
    }
    case 'taken':
      return pathConflict(written.by, to?.path ?? '');
    case 'full':
      return refuse('invalid_request_error', `memory_store_id: has ${MAX_MEMORIES} memories, and cannot have more`);
    case 'archived':
      return STORE_ARCHIVED;
    case 'moved':
    case 'gone':
      return null;
    default:
      return written satisfies never;
  }
}

/** The path is the client's own, or in a store of its workspace. */
function pathConflict(by: Taken | null, path: string): RequestRefusal {
  const rule = 'path: another memory has this path, an ancestor of it, or one below it';
  const fields = { conflicting_memory_id: by?.id ?? '', conflicting_path: by?.path ?? path };
  return { ...refuse('memory_path_conflict_error', rule), fields };
}

function textOf({ sha256 }: Pick<Ports, 'sha256'>, content: string): Text {
  return { content, sha256: sha256(content), bytes: new TextEncoder().encode(content).length };
}

function marksOf({ stamp, newToken }: MemoryWorld, { by }: Writing): Marks {
  return { now: stamp.now(), by, token: newToken() };
}
