/** What a request makes of a memory: a change to write, nothing, or a refusal. */
import { MemoryVersionId, type Instant, type MemoryId } from '#contract/ids.ts';
import type { MemoryActor, MemoryCreate, MemoryUpdate } from '#contract/memory.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { MemoryChange, StoredMemory } from '#core/ports/memory.ts';
import { later } from '#core/ports/stamp.ts';

/** Versions of one memory that are kept whatever their age. */
const RECENT = 5;

/** What is given to each change. */
export interface Marks {
  readonly now: Instant;
  readonly by: MemoryActor;
  /** The random part of the new version's id. */
  readonly token: string;
}

/** A text with its hash and size, of UTF-8. */
export interface Text {
  readonly content: string;
  readonly sha256: string;
  readonly bytes: number;
}

export function creation(id: MemoryId, path: MemoryCreate['path'], text: Text, marks: Marks): MemoryChange {
  const at = marks.now;
  const version = versionId(at, marks.token);
  const { content, sha256, bytes } = text;
  const to = { id, path, version, sha256, bytes, createdAt: at, updatedAt: at, recent: [version] };
  return { from: null, to, version, content, at, by: marks.by };
}

/** `text` is the text that the memory is to have. Null when the memory is as the request wants it. */
export function modification(
  from: StoredMemory,
  { path, precondition, text }: Pick<MemoryUpdate, 'path' | 'precondition'> & { readonly text: Text },
  marks: Marks,
): MemoryChange | RequestRefusal | null {
  const to = { ...from, path: path ?? from.path, sha256: text.sha256, bytes: text.bytes };
  // A repeat of an update whose answer was lost finds its own effect, and not what its precondition names.
  if (to.path === from.path && to.sha256 === from.sha256) return null;
  const expected = precondition?.content_sha256;
  if (expected !== undefined && expected !== from.sha256) return PRECONDITION_FAILED;
  const at = instantAfter(from, marks.now);
  const version = versionId(at, marks.token);
  const recent = [version, ...from.recent].slice(0, RECENT);
  return { from, to: { ...to, version, updatedAt: at, recent }, version, content: text.content, at, by: marks.by };
}

export function deletion(
  from: StoredMemory,
  expected: string | undefined,
  marks: Marks,
): MemoryChange | RequestRefusal {
  if (expected !== undefined && expected !== from.sha256) return PRECONDITION_FAILED;
  const at = instantAfter(from, marks.now);
  return { from, to: null, version: versionId(at, marks.token), content: null, at, by: marks.by };
}

const PRECONDITION_FAILED = refuse(
  'memory_precondition_failed_error',
  'the memory has another content than the request expects: retrieve it and decide again',
);

/** Versions of one memory have an order, whatever the clocks of two writers say. */
function instantAfter({ updatedAt }: StoredMemory, now: Instant): Instant {
  return now > updatedAt ? now : later(updatedAt, 1);
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62⁸ milliseconds are 6,900 years. */
const TIME_DIGITS = 8;
const RANDOM_CHARACTERS = 14;

/** Ids of versions sort by time, so that the list of versions needs no index: `memver_01`, the time, and 83 random bits. */
function versionId(at: Instant, token: string): MemoryVersionId {
  return MemoryVersionId.parse(`${versionPrefix(at)}${token.slice(-RANDOM_CHARACTERS)}`);
}

/** How the ids of all versions of this millisecond begin. */
export function versionPrefix(at: Instant): string {
  let time = '';
  for (let rest = Math.max(0, Date.parse(at)); time.length < TIME_DIGITS; rest = Math.floor(rest / ALPHABET.length)) {
    time = `${ALPHABET[rest % ALPHABET.length]}${time}`;
  }
  return `memver_01${time}`;
}
