/** Ports of the session log, and of the runs that work on it. */
import type { Entry, OwnEnvironment, SessionState } from '#contract/entries.ts';
import { type Instant, type Position, primaryThread, type SessionId, type ThreadId } from '#contract/ids.ts';
import type { Order } from '#contract/pages.ts';
import type { SessionContents } from '#contract/resources.ts';
import type { Session, SessionThread } from '#contract/sessions.ts';

/** Names one log: the partition of a thread. The primary thread's log is the session's own. */
export interface LogKey {
  readonly session: SessionId;
  readonly thread: ThreadId;
}

export function isPrimary({ session, thread }: LogKey): boolean {
  return thread === primaryThread(session);
}

/** The last position of a log and the state folded up to it. */
export interface Head {
  readonly position: Position;
  readonly state: SessionState;
}

export interface PositionedEntry {
  readonly position: Position;
  readonly entry: Entry;
}

/**
 * What a client set in a session, and may change: it is stored beside the session's row, which holds what follows from the
 * log.
 */
export type SessionDetails = Pick<
  Session,
  'id' | 'agent' | 'environment_id' | 'vault_ids' | 'title' | 'metadata' | 'created_at'
>;

/** What is fixed of a child thread. */
export interface ThreadDetails extends Pick<SessionThread, 'id' | 'agent' | 'created_at'> {
  readonly parent_thread_id: ThreadId;
}

interface AnyAppend {
  readonly key: LogKey;
  readonly entries: readonly Entry[];
  /** The state folded over `entries`; it is stored beside them. */
  readonly state: SessionState;
  readonly at: Instant;
  /** Id of the request that caused it, for debugging: the response and the request's log line have it too. */
  readonly cause?: string;
}

export interface Append extends AnyAppend {
  /** The head on which the entries were decided. */
  readonly after: Head;
  /** The session's details as they are to be; absent while they stay. */
  readonly details?: SessionDetails;
  /** What the session's sandboxes find, as it is to be; absent while it stays. */
  readonly contents?: SessionContents;
}

/** The first append of a child thread: its log begins, and its row. */
export interface NewThread extends AnyAppend {
  readonly after: null;
  readonly thread: ThreadDetails;
  /** The environment of the hand that it has of itself: the hand's record begins with it. */
  readonly own?: OwnEnvironment;
}

/**
 * A lost race is a value: another process appended first, and `head` is the log's present head. `beside` has the heads of
 * the other logs, in the order of the call; null for a log that does not exist.
 */
export type Appended =
  | { readonly status: 'appended'; readonly head: Head }
  | { readonly status: 'conflict'; readonly head: Head; readonly beside: readonly (Head | null)[] };

interface LogPart {
  readonly entries: readonly PositionedEntry[];
  readonly head: Head | null;
}

/**
 * The durable, append-only log of a session (docs/design.md#session-log).
 * `append` is all or nothing at exactly `after.position + 1`; a repeat of the same append, its first answer lost, is
 * `appended` and writes nothing. When status, run, details, contents or outcomes change, the session's row changes in the
 * same transaction; when status or run of a child thread change, the thread's row does.
 * Appends of different logs, of one session or of two, are all written or none, in one transaction: at most 30 `beside` the
 * first. When one of them loses its race, all do. Reads are strongly consistent. Only `LogRemover` deletes entries.
 */
export interface SessionLog {
  head(key: LogKey): Promise<Head | null>;
  /**
   * All entries from position `from` on, in order, and the head they lead to; no entries and a null head when the log
   * ends before `from`. `from` is 1 or the position after a head.
   */
  read(key: LogKey, from: Position): Promise<LogPart>;
  /**
   * The same, and without what comes before the head's slice (`sliceFrom`), so that its cost does not grow with the log.
   * A log that was never compacted is read as `read` does, in no more round trips.
   */
  slice(key: LogKey, from: Position): Promise<LogPart>;
  append(append: Append, ...beside: readonly (Append | NewThread)[]): Promise<Appended>;
  /** The entry at a position, or null. */
  entryAt(key: LogKey, position: Position): Promise<Entry | null>;
}

/** The cheapest looks at a log, for asking again and again. */
export interface LogWatch {
  /**
   * Whether an append follows the one that ends at this position. It may miss an append for a moment, and a deleted log
   * looks like one in which nothing follows.
   */
  isFollowed(key: LogKey, at: Position): Promise<boolean>;
  /** The last position, strongly consistent; null when there is no log. */
  lastPosition(key: LogKey): Promise<Position | null>;
}

/** One append of a log, as listings read it. */
export interface PastAppend {
  readonly first: Position;
  readonly entries: readonly PositionedEntry[];
}

export interface LogReader {
  /**
   * Appends one at a time from either end: `asc` begins with the append whose first position is `from`, `desc` with the
   * last one that begins at `from` or before. Reads ahead by one page at most, so stopping early is cheap.
   */
  appends(key: LogKey, order: Order, from: Position): AsyncIterable<PastAppend>;
}

export interface LogRemover {
  /**
   * Deletes the logs of a closed session with their content and the rows of its child threads. The head of the primary
   * thread's log goes last: while anything is left, the session is still closed to appends. A repeat finishes what an
   * interrupted one left.
   */
  remove(session: SessionId): Promise<void>;
}

/** Starts executions of the run's state machine. Idempotent by session, thread and run. */
export interface Runs {
  /** `taken`: an execution of that name has ended, so perhaps none runs this run. */
  start(key: LogKey, run: number): Promise<'started' | 'taken'>;
}

/** The executions that run, as Step Functions lists them: some seconds late, and up to 1,000 a page. */
export interface RunList {
  /** Pages of names, as `runName` makes them. */
  running(): AsyncIterable<readonly string[]>;
}

/** The name of a run's execution. No name is used twice. */
export function runName(key: LogKey, run: number): string {
  return `${key.session}-${isPrimary(key) ? '' : `${key.thread}-`}${run}`;
}
