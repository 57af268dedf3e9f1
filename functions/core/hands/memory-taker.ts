/**
 * What the agent writes in the folders of memory stores becomes versions of memories. Another session may have changed a
 * memory since this sandbox got it: then the other text is put beside the file before the agent's text is stored, and the
 * agent reads that in its tool's result, so neither text wins unseen.
 */
import { MEMORY_DIR, type ContentChange } from '#contract/hands.ts';
import { brokenPath, MAX_MEMORY_BYTES } from '#contract/memory.ts';
import type { MemoryStoreResource } from '#contract/resources.ts';
import type { ChangeTaker, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { createMemory, deleteMemory, updateMemory, type Writing } from '#core/memory/write-memory.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import type { StoredMemory } from '#core/ports/memory.ts';
import type { Content } from '#core/ports/sandboxes.ts';

/** Ends the name of a file with another session's text. Such a file is no memory. */
const BESIDE = '.other-version';
const BESIDE_TIMEOUT_MS = 10_000;

interface Target {
  readonly writing: Writing;
  /** Of the memory in its store. */
  readonly path: string;
  readonly change: ContentChange;
}

export function memoryTaker(world: ContentsWorld, recipient: Recipient): ChangeTaker {
  let stores: Promise<readonly MemoryStoreResource[]> | undefined;
  const by = { type: 'session_actor', session_id: recipient.key.session } as const;

  return {
    takes: (path) => path.startsWith(`${MEMORY_DIR}/`),
    async take(change, content) {
      if (change.path.endsWith(BESIDE)) return null;
      const store = (await (stores ??= storesOf(world, recipient))).find(({ mount_path }) =>
        change.path.startsWith(`${mount_path}/`),
      );
      const named = JSON.stringify(change.path);
      if (store === undefined) return `(${named} is in the folder of no memory store, and is not kept.)`;
      if (store.access !== 'read_write') return `(${named} is read-only: what you did to it is not kept.)`;
      const path = change.path.slice(store.mount_path.length);
      const writing = { workspace: recipient.state.workspace, store: store.memory_store_id, by };
      const target = { writing, path, change };
      const note =
        content === null
          ? await removed(world, recipient, target)
          : await written(world, recipient, { ...target, content });
      return note === null ? null : `(Memory ${named}: ${note})`;
    },
  };
}

async function storesOf({ contents }: ContentsWorld, { key }: Recipient): Promise<readonly MemoryStoreResource[]> {
  const found = await contents.find(key.session);
  return (found?.resources ?? []).filter((one) => one.type === 'memory_store');
}

/** The part of a note that follows the path; null when there is nothing to tell. */
type Note = string | null;

async function removed(world: ContentsWorld, recipient: Recipient, { writing, path, change }: Target): Promise<Note> {
  const memory = await world.memories.at(writing, path);
  if (memory === null) return null;
  const expected = change.base ?? undefined;
  const done = await deleteMemory(world, writing, { id: memory.id, expected });
  if (!isRefusal(done)) return null;
  if (done.type !== 'memory_precondition_failed_error') return notKept(done);
  const place = await putBeside(world, recipient, { writing, memory, file: change.path });
  return `another session changed it meanwhile, so it was not removed. ${place} Remove it again if it is of no use.`;
}

async function written(
  world: ContentsWorld,
  recipient: Recipient,
  { writing, path, change, content }: Target & { readonly content: Content },
): Promise<Note> {
  const rule = brokenPath(path);
  if (rule !== null) return `it is not kept, because the path of a memory ${rule}.`;
  if (change.bytes > MAX_MEMORY_BYTES) return `it is not kept, because a memory has at most ${MAX_MEMORY_BYTES} bytes.`;
  const text = await textOf(content);
  if (text === null) return 'it is not kept, because it is no text in UTF-8.';
  for (;;) {
    const memory = await world.memories.at(writing, path);
    if (memory === null) {
      const done = await createMemory(world, writing, { path, content: text });
      // Another session has just made one: both are decided on together.
      if (isRefusal(done) && done.fields?.conflicting_path === path) continue;
      if (isRefusal(done)) return notKept(done);
      if (done === null) return 'it is not kept, because its memory store was deleted.';
      return change.base === null ? null : 'another session removed it meanwhile. Your text is kept as a new memory.';
    }
    const note = await overwritten(world, recipient, { writing, memory, text, change });
    if (note !== 'moved') return note;
  }
}

interface Overwriting {
  readonly writing: Writing;
  readonly memory: StoredMemory;
  readonly text: string;
  readonly change: ContentChange;
}

async function overwritten(
  world: ContentsWorld,
  recipient: Recipient,
  { writing, memory, text, change }: Overwriting,
): Promise<Note | 'moved'> {
  // The memory as it was before this text. An attempt that died after the write finds its own text, and tells of the other.
  const other = memory.sha256 === change.sha256 ? await earlier(world, writing, memory) : memory;
  const isConflict = other !== null && other.sha256 !== change.base && other.sha256 !== change.sha256;
  const place = isConflict ? await putBeside(world, recipient, { writing, memory: other, file: change.path }) : null;
  const precondition = { type: 'content_sha256', content_sha256: memory.sha256 } as const;
  const done = await updateMemory(world, writing, { id: memory.id, content: text, precondition });
  if (done === null) return 'moved';
  if (isRefusal(done)) return done.type === 'memory_precondition_failed_error' ? 'moved' : notKept(done);
  if (place === null) return null;
  return `another session changed it meanwhile. Your text is kept as its newest version. ${place} Put what matters of both into the file.`;
}

/** The memory with the version before its present one; null when there is none of another text. */
async function earlier(
  { memories }: ContentsWorld,
  writing: Writing,
  memory: StoredMemory,
): Promise<Pick<StoredMemory, 'id' | 'version' | 'sha256'> | null> {
  const [, before] = memory.recent;
  const version = before === undefined ? null : await memories.version(writing, before);
  const sha256 = version?.content_sha256 ?? null;
  return before === undefined || sha256 === null ? null : { id: memory.id, version: before, sha256 };
}

interface Other {
  readonly writing: Writing;
  readonly memory: Pick<StoredMemory, 'id' | 'version'>;
  readonly file: string;
}

/** Says where the other text is. A repeat of the call's id writes nothing again. */
async function putBeside(
  world: ContentsWorld,
  { sandbox }: Recipient,
  { writing, memory, file }: Other,
): Promise<string> {
  const content = await world.memories.content(writing, memory.version);
  const path = `${file}${BESIDE}`;
  const call = `beside-${memory.version}`;
  const input = { file_path: path, content: content ?? '' };
  const request = { call, name: 'write' as const, input, timeoutMs: BESIDE_TIMEOUT_MS };
  const reply = content === null ? null : await world.sandboxClient.execute(sandbox, request);
  const isThere = reply?.status === 'answered' && !reply.response.isError;
  return isThere
    ? `The other text is in ${JSON.stringify(path)}, which is not kept.`
    : `The other text could not be put beside it; it is the version ${memory.version}.`;
}

function notKept({ message }: RequestRefusal): string {
  return `it is not kept (${message}).`;
}

async function textOf({ body }: Content): Promise<string | null> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  try {
    for (const piece of pieces) text += decoder.decode(piece, { stream: true });
    return text + decoder.decode();
  } catch {
    return null;
  }
}
