/** The session log in memory, for tests of the core; it passes the port's suite like the real adapter. */
import { LOG_START, Position, positionAfter } from '#contract/ids.ts';
import type { Entry } from '#contract/entries.ts';
import type {
  Append,
  Head,
  LogKey,
  LogWatch,
  NewThread,
  PositionedEntry,
  SessionLog,
} from '#core/ports/session-log.ts';

export interface MemoryLog extends SessionLog, LogWatch {
  /** Begins a log, as the creation of a session does. */
  create(key: LogKey, head: Head, entries: readonly Entry[]): void;
  entries(key: LogKey): readonly Entry[];
}

interface Stored {
  readonly head: Head;
  readonly entries: readonly Entry[];
}

const nameOf = (key: LogKey) => `${key.session}/${key.thread}`;

export function memoryLog(): MemoryLog {
  const logs = new Map<string, Stored>();
  const stored = (key: LogKey) => logs.get(nameOf(key)) ?? null;

  async function read(key: LogKey, from: Position) {
    const log = stored(key);
    if (log === null || log.head.position < from) return { entries: [], head: null };
    const entries: PositionedEntry[] = log.entries
      .map((entry, index) => ({ position: Position.parse(index + 1), entry }))
      .filter(({ position }) => position >= from);
    return { entries, head: log.head };
  }

  return {
    create(key, head, entries) {
      logs.set(nameOf(key), { head, entries });
    },
    entries: (key) => stored(key)?.entries ?? [],
    async head(key) {
      return stored(key)?.head ?? null;
    },
    read,
    async isFollowed(key, at) {
      return (stored(key)?.head.position ?? 0) > at;
    },
    async lastPosition(key) {
      return stored(key)?.head.position ?? null;
    },
    slice: (key, from) => read(key, Position.parse(Math.max(from, stored(key)?.head.state.sliceFrom ?? from))),
    async entryAt(key, position) {
      return stored(key)?.entries[position - 1] ?? null;
    },
    async append(append: Append, ...beside: readonly (Append | NewThread)[]) {
      const parts = [append, ...beside];
      const heads = parts.map(({ key }) => stored(key)?.head ?? null);
      const [now, ...others] = heads;
      if (now == null) throw new RangeError('no such log');
      if (parts.some(({ after }, at) => heads[at]?.position !== after?.position)) {
        return { status: 'conflict', head: now, beside: others };
      }
      for (const { key, after, entries, state } of parts) {
        const head = { position: positionAfter(after?.position ?? LOG_START, entries.length), state };
        logs.set(nameOf(key), { head, entries: [...(stored(key)?.entries ?? []), ...entries] });
      }
      const position = positionAfter(append.after.position, append.entries.length);
      return { status: 'appended', head: { position, state: append.state } };
    },
  };
}
