/**
 * A session's entries in memory. What was read once can never change, so a warm function reads only the log's tail:
 * that keeps the turn's cost flat while the session grows. Losing the memory costs a longer read and nothing else.
 */
import type { Entry } from '#contract/entries.ts';
import type { QueuedMessage, SessionEvent } from '#contract/events.ts';
import type { Head, LogKey, SessionLog } from '#core/ports.ts';

export interface Story {
  readonly entries: readonly Entry[];
  readonly head: Head;
}

export interface History {
  /** The whole log up to its present head; null when there is none. */
  load(key: LogKey): Promise<Story | null>;
  /** Adds what this function appended itself. */
  extend(key: LogKey, story: Story, head: Head, entries: readonly Entry[]): Story;
}

/** Sessions kept; a function serves few at a time, and each may weigh megabytes. */
const MAX_STORIES = 16;

export function createHistory(log: SessionLog): History {
  const stories = new Map<string, Story>();

  function keep(key: LogKey, story: Story): Story {
    const name = nameOf(key);
    stories.delete(name);
    stories.set(name, story);
    const oldest = stories.keys().next().value;
    if (stories.size > MAX_STORIES && oldest !== undefined) stories.delete(oldest);
    return story;
  }

  return {
    async load(key) {
      const known = stories.get(nameOf(key));
      const tail = await log.read(key, (known?.head.position ?? 0) + 1);
      if (tail.head === null) return known ?? null;
      const entries = tail.entries.map(({ entry }) => entry);
      return keep(key, { entries: known === undefined ? entries : [...known.entries, ...entries], head: tail.head });
    },
    extend: (key, story, head, entries) => keep(key, { entries: [...story.entries, ...entries], head }),
  };
}

/** The queued messages with their content, oldest first. */
export function queuedMessages(story: Story): readonly QueuedMessage[] {
  return story.head.state.queued.flatMap(({ at }) => {
    const entry = story.entries[at - 1];
    return entry !== undefined && 'event' in entry && isQueued(entry.event) ? [entry.event] : [];
  });
}

function isQueued(event: SessionEvent): event is QueuedMessage {
  return event.type === 'user.message' || event.type === 'system.message';
}

function nameOf(key: LogKey): string {
  return `${key.session}/${key.thread}`;
}
