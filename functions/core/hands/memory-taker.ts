/**
 * What the agent writes in the folders of memory stores becomes versions of memories. Another session may have changed a
 * memory since this sandbox got it: then the other text is put beside the file before the agent's text is stored, and the
 * agent reads that in its tool's result, so neither text wins unseen.
 */
import { MEMORY_DIR, type ContentChange } from '#contract/hands.ts';
import type { MemoryVersionId } from '#contract/ids.ts';
import { brokenPath, MAX_MEMORY_BYTES, type MemoryActor } from '#contract/memory.ts';
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
  const by = { type: 'session_actor', session_id: recipient.hand.session } as const;

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

async function storesOf({ contents }: ContentsWorld, { hand }: Recipient): Promise<readonly MemoryStoreResource[]> {
  const found = await contents.find(hand.session);
  return (found?.resources ?? []).filter((one) => one.type === 'memory_store');
}

/** The part of a note that follows the path; null when there is nothing to tell. */
type Note = string | null;

const BY_OTHERS = 'another session changed it meanwhile';

async function removed(world: ContentsWorld, recipient: Recipient, { writing, path, change }: Target): Promise<Note> {
  for (;;) {
    const memory = await world.memories.at(writing, path);
    if (memory === null) return null;
    const meanwhile = await sinceBase(world, writing, { memory, base: change.base });
    if (meanwhile.status === 'changed') {
      const place = await putBeside(world, recipient, { writing, version: meanwhile.version, file: change.path });
      return `${BY_OTHERS}, so it was not removed. ${place} Remove it again if it is of no use.`;
    }
    const done = await deleteMemory(world, writing, { id: memory.id, expected: memory.sha256 });
    if (!isRefusal(done)) return null;
    if (done.type !== 'memory_precondition_failed_error') return notKept(done);
  }
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
      return change.base === null ? null : MADE_ANEW;
    }
    const note = await overwritten(world, recipient, { writing, memory, text, change });
    if (note !== 'moved') return note;
  }
}

const MADE_ANEW = 'it had been removed meanwhile. Your text is kept as a new memory.';

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
  const meanwhile = await sinceBase(world, writing, { memory, base: change.base });
  const isConflict = meanwhile.status === 'changed' && meanwhile.sha256 !== change.sha256;
  const place = isConflict
    ? await putBeside(world, recipient, { writing, version: meanwhile.version, file: change.path })
    : null;
  const precondition = { type: 'content_sha256', content_sha256: memory.sha256 } as const;
  const done = await updateMemory(world, writing, { id: memory.id, content: text, precondition });
  if (done === null) return 'moved';
  if (isRefusal(done)) return done.type === 'memory_precondition_failed_error' ? 'moved' : notKept(done);
  if (place !== null)
    return `${BY_OTHERS}. Your text is kept as its newest version. ${place} Put what matters of both into the file.`;
  return meanwhile.status === 'made anew' ? MADE_ANEW : null;
}

type Meanwhile =
  | { readonly status: 'unchanged' }
  /** Another session's latest version. */
  | { readonly status: 'changed'; readonly version: MemoryVersionId; readonly sha256: string | null }
  /** What the sandbox knew was removed, and this session made the memory that is there. */
  | { readonly status: 'made anew' };

/**
 * What happened to a memory since the sandbox got or kept it. Versions of this session are no conflict: an attempt that
 * died has stored them, or the sandbox does not know yet that they are stored.
 */
async function sinceBase(
  { memories }: ContentsWorld,
  writing: Writing,
  { memory, base }: { readonly memory: StoredMemory; readonly base: string | null },
): Promise<Meanwhile> {
  if (memory.sha256 === base) return { status: 'unchanged' };
  for (const id of memory.recent) {
    const version = await memories.version(writing, id);
    const sha256 = version?.content_sha256 ?? null;
    if (sha256 !== null && sha256 === base) return { status: 'unchanged' };
    if (version !== null && !isBy(version.created_by, writing.by)) return { status: 'changed', version: id, sha256 };
    if (version?.operation === 'created' && base !== null) return { status: 'made anew' };
  }
  return { status: 'unchanged' };
}

function isBy(actor: MemoryActor, by: MemoryActor): boolean {
  return actor.type === 'session_actor' && by.type === 'session_actor' && actor.session_id === by.session_id;
}

interface Other {
  readonly writing: Writing;
  readonly version: MemoryVersionId;
  readonly file: string;
}

/** Says where the other text is. A repeat of the call's id writes nothing again. */
async function putBeside(
  world: ContentsWorld,
  { sandbox }: Recipient,
  { writing, version, file }: Other,
): Promise<string> {
  const content = await world.memories.content(writing, version);
  const path = `${file}${BESIDE}`;
  const call = `beside-${version}`;
  const input = { file_path: path, content: content ?? '' };
  const request = { call, name: 'write' as const, input, timeoutMs: BESIDE_TIMEOUT_MS };
  const reply = content === null ? null : await world.sandboxClient.execute(sandbox, request);
  const isThere = reply?.status === 'answered' && !reply.response.isError;
  return isThere
    ? `The other text is in ${JSON.stringify(path)}, which is not kept.`
    : `The other text could not be put beside it; it is the version ${version}.`;
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
