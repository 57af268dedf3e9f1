/**
 * The slices of sessions that model requests are made of, in memory. What was read once can never change, so a warm
 * function reads only the log's tail: that keeps the turn's cost flat while the session grows. Losing the memory costs
 * a longer read and nothing else, and the longest is that of a slice.
 */
import type { Entry, QueuedEntry } from '#contract/entries.ts';
import type { QueuedMessage, SessionEvent } from '#contract/events.ts';
import { LOG_START, positionAfter, type Position } from '#contract/ids.ts';
import type { Head, LogKey, SessionLog } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import { change, type Changed } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';

/** A slice of a log up to its head. */
export interface Slice {
  /** Position of the first entry. */
  readonly first: Position;
  readonly entries: readonly Entry[];
  readonly head: Head;
}

export interface History {
  /** The slice up to the log's present head; null when there is no log. */
  load(key: LogKey): Promise<Slice | null>;
  /** Adds what this function appended itself. */
  extend(key: LogKey, slice: Slice, head: Head, entries: readonly Entry[]): Slice;
}

/** A function instance serves few sessions at a time. */
const MAX_SLICES = 16;

/** Of JSON, a share of the function's memory: a slice may hold attachments of many megabytes. */
const MAX_CHARS = 48_000_000;

interface Kept {
  readonly slice: Slice;
  readonly chars: number;
}

export function createHistory(log: SessionLog): History {
  const slices = new Map<string, Kept>();

  function keep(key: LogKey, grown: Slice): Slice {
    const slice = sliced(grown);
    const name = nameOf(key);
    const chars = charsOf(slice, slices.get(name));
    slices.delete(name);
    slices.set(name, { slice, chars });
    forgetOldest();
    return slice;
  }

  /** It never forgets the newest, which is in use. */
  function forgetOldest(): void {
    let chars = [...slices.values()].reduce((sum, kept) => sum + kept.chars, 0);
    for (const [name, kept] of slices) {
      if (slices.size === 1 || (slices.size <= MAX_SLICES && chars <= MAX_CHARS)) return;
      slices.delete(name);
      chars -= kept.chars;
    }
  }

  return {
    async load(key) {
      const known = slices.get(nameOf(key))?.slice;
      const next = positionAfter(known?.head.position ?? LOG_START);
      const tail = await log.slice(key, next);
      if (tail.head === null) return known ?? null;
      const first = tail.entries[0]?.position ?? next;
      const entries = tail.entries.map(({ entry }) => entry);
      // The slice may begin after everything that is known.
      const joins = known !== undefined && first === next;
      return keep(key, {
        first: joins ? known.first : first,
        entries: joins ? [...known.entries, ...entries] : entries,
        head: tail.head,
      });
    },
    extend: (key, slice, head, entries) => keep(key, { ...slice, entries: [...slice.entries, ...entries], head }),
  };
}

function sliced(slice: Slice): Slice {
  const dropped = slice.head.state.sliceFrom - slice.first;
  if (dropped <= 0) return slice;
  return { ...slice, first: slice.head.state.sliceFrom, entries: slice.entries.slice(dropped) };
}

/** Measures only the new entries, unless the slice has another beginning. */
function charsOf({ first, entries }: Slice, before: Kept | undefined): number {
  const grows = before !== undefined && before.slice.first === first;
  const added = grows ? entries.slice(before.slice.entries.length) : entries;
  return added.reduce((sum, entry) => sum + JSON.stringify(entry).length, grows ? before.chars : 0);
}

/** The queued messages with their content, oldest first; a slice begins before all of them. */
export function queuedMessages(slice: Slice): readonly QueuedEntry[] {
  return slice.head.state.queued.flatMap(({ position }) => {
    const entry = slice.entries[position - slice.first];
    return entry !== undefined && isMessage(entry) ? [entry] : [];
  });
}

const MESSAGES: ReadonlySet<SessionEvent['type']> = new Set<QueuedMessage['type']>([
  'user.message',
  'system.message',
  'agent.thread_message_received',
]);

function isMessage(entry: Entry): entry is QueuedEntry {
  return 'event' in entry && MESSAGES.has(entry.event.type);
}

function nameOf(key: LogKey): string {
  return `${key.session}/${key.thread}`;
}

/** The slice with a change, and with the entries that other processes appended before it. */
export async function sliceAfter(
  { history }: { readonly history: History },
  key: LogKey,
  slice: Slice,
  changed: Extract<Changed, { status: 'changed' }>,
): Promise<Slice> {
  if (changed.before.position !== slice.head.position) return (await history.load(key)) ?? slice;
  return history.extend(key, slice, changed.head, changed.entries);
}

/** Applies a command, wherever the head is by then; the slice afterwards, also when nothing was left to do. */
export async function changeSlice(
  world: Pick<Ports, 'log' | 'stamp'> & { readonly history: History },
  key: LogKey,
  slice: Slice,
  command: Command,
): Promise<Slice> {
  const changed = await change(world, key, slice.head, command);
  if (changed.status !== 'changed') return (await world.history.load(key)) ?? slice;
  return sliceAfter(world, key, slice, changed);
}
