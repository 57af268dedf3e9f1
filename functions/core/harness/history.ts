/**
 * The slices of sessions that model requests are made of, in memory. What was read once can never change, so a warm
 * function reads only the log's tail: that keeps the turn's cost flat while the session grows. Losing the memory costs
 * a longer read and nothing else, and the longest is that of a slice.
 */
import type { Entry } from '#contract/entries.ts';
import type { QueuedMessage, SessionEvent } from '#contract/events.ts';
import type { Head, LogKey, SessionLog } from '#core/ports/session-log.ts';
import type { Changed } from '#core/session/change.ts';

/** A slice of a log up to its head. */
export interface Story {
  /** Position of the first entry. */
  readonly first: number;
  readonly entries: readonly Entry[];
  readonly head: Head;
}

export interface History {
  /** The slice up to the log's present head; null when there is no log. */
  load(key: LogKey): Promise<Story | null>;
  /** Adds what this function appended itself. */
  extend(key: LogKey, story: Story, head: Head, entries: readonly Entry[]): Story;
}

/** A function serves few sessions at a time. */
const MAX_STORIES = 16;

/** Of JSON, a share of the function's memory: a slice may hold attachments of many megabytes. */
const MAX_CHARS = 48_000_000;

interface Kept {
  readonly story: Story;
  readonly chars: number;
}

export function createHistory(log: SessionLog): History {
  const stories = new Map<string, Kept>();

  function keep(key: LogKey, grown: Story): Story {
    const story = sliced(grown);
    const name = nameOf(key);
    const chars = charsOf(story, stories.get(name));
    stories.delete(name);
    stories.set(name, { story, chars });
    forgetOldest();
    return story;
  }

  /** Never the newest, which is being worked with. */
  function forgetOldest(): void {
    let chars = [...stories.values()].reduce((sum, kept) => sum + kept.chars, 0);
    for (const [name, kept] of stories) {
      if (stories.size === 1 || (stories.size <= MAX_STORIES && chars <= MAX_CHARS)) return;
      stories.delete(name);
      chars -= kept.chars;
    }
  }

  return {
    async load(key) {
      const known = stories.get(nameOf(key))?.story;
      const next = (known?.head.position ?? 0) + 1;
      const tail = await log.slice(key, next);
      if (tail.head === null) return known ?? null;
      const first = tail.entries[0]?.position ?? next;
      const entries = tail.entries.map(({ entry }) => entry);
      // The slice may begin after all that is known.
      const joins = known !== undefined && first === next;
      return keep(key, {
        first: joins ? known.first : first,
        entries: joins ? [...known.entries, ...entries] : entries,
        head: tail.head,
      });
    },
    extend: (key, story, head, entries) => keep(key, { ...story, entries: [...story.entries, ...entries], head }),
  };
}

function sliced(story: Story): Story {
  const dropped = story.head.state.sliceFrom - story.first;
  if (dropped <= 0) return story;
  return { ...story, first: story.first + dropped, entries: story.entries.slice(dropped) };
}

/** Only what is new is measured, unless the slice begins anew. */
function charsOf({ first, entries }: Story, before: Kept | undefined): number {
  const grows = before !== undefined && before.story.first === first;
  const added = grows ? entries.slice(before.story.entries.length) : entries;
  return added.reduce((sum, entry) => sum + JSON.stringify(entry).length, grows ? before.chars : 0);
}

/** The queued messages with their content, oldest first; a slice begins before all of them. */
export function queuedMessages(story: Story): readonly QueuedMessage[] {
  return story.head.state.queued.flatMap(({ at }) => {
    const entry = story.entries[at - story.first];
    return entry !== undefined && 'event' in entry && isQueued(entry.event) ? [entry.event] : [];
  });
}

function isQueued(event: SessionEvent): event is QueuedMessage {
  return event.type === 'user.message' || event.type === 'system.message';
}

function nameOf(key: LogKey): string {
  return `${key.session}/${key.thread}`;
}

/** The story with a change, and with what somebody else appended before it. */
export async function storyAfter(
  { history }: { readonly history: History },
  key: LogKey,
  story: Story,
  changed: Extract<Changed, { status: 'changed' }>,
): Promise<Story> {
  if (changed.before.position !== story.head.position) return (await history.load(key)) ?? story;
  return history.extend(key, story, changed.head, changed.entries);
}
