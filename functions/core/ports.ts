/** What the core needs from the outside. Each port's comment is its contract; every adapter passes the port's suite. */
import type { RefusalCategory } from '#contract/events.ts';
import type { ExecuteRequest, ExecuteResponse } from '#contract/hands.ts';
import type { EventId, Instant, SessionId, ThreadId } from '#contract/ids.ts';
import type { Entry, SessionState } from '#contract/entries.ts';
import type { PackageFailure, PackageList, PackageOrder } from '#contract/packages.ts';
import type { Session } from '#contract/sessions.ts';
import type { ModelUsage } from '#contract/usage.ts';
import type { Bucket, Taken } from '#core/requests/token-bucket.ts';

/** Names one log: the partition of a thread. The primary thread's log is the session's own. */
export interface LogKey {
  readonly session: SessionId;
  readonly thread: ThreadId;
}

/** The last position of a log and the state folded up to it. */
export interface Head {
  readonly position: number;
  readonly state: SessionState;
}

export interface PositionedEntry {
  readonly position: number;
  readonly entry: Entry;
}

/** What a client gave a session, and may change: the row holds it, beside what follows from the log. */
export type SessionDetails = Pick<Session, 'id' | 'agent' | 'environment_id' | 'title' | 'metadata' | 'created_at'>;

export interface Append {
  readonly key: LogKey;
  /** The head on which the entries were decided. */
  readonly after: Head;
  readonly entries: readonly Entry[];
  /** The state folded over `entries`; it is stored beside them. */
  readonly state: SessionState;
  readonly at: Instant;
  /** The session's details as they are to be; absent while they stay. */
  readonly details?: SessionDetails;
  /** The request that asked for it, for whoever debugs: it is in the caller's response and in the request's log line. */
  readonly cause?: string;
}

/** A lost race is a value: somebody else appended first, and `head` is where the log stands now. */
export type Appended =
  | { readonly status: 'appended'; readonly head: Head }
  | { readonly status: 'conflict'; readonly head: Head };

/**
 * The durable, append-only log of a session (design §2).
 * `append` is all or nothing at exactly `after.position + 1`; a repeat of the same append, its first answer lost, is
 * `appended` and writes nothing. When status, run or details change, the session's row changes in the same transaction.
 * Reads are strongly consistent. Nothing here ever deletes an entry but `remove`.
 */
export interface SessionLog {
  head(key: LogKey): Promise<Head | null>;
  /**
   * All entries from position `from` on, in order, and the head they lead to; no entries and a null head when the log
   * ends before `from`. `from` is 1 or the position after a head.
   */
  read(
    key: LogKey,
    from: number,
  ): Promise<{ readonly entries: readonly PositionedEntry[]; readonly head: Head | null }>;
  /**
   * The same, and without what comes before the head's slice (`sliceFrom`), so that its cost does not grow with the log.
   * A log that was never compacted is read as `read` does, in no more round trips.
   */
  slice(
    key: LogKey,
    from: number,
  ): Promise<{ readonly entries: readonly PositionedEntry[]; readonly head: Head | null }>;
  append(append: Append): Promise<Appended>;
  /** The entry at a position, or null. */
  entryAt(key: LogKey, position: number): Promise<Entry | null>;
}

/** Starts executions of the run's state machine. Idempotent by session and run. */
export interface Runs {
  /** `taken`: an execution of that name has ended already, so nobody may be running this run. */
  start(key: LogKey, run: number): Promise<'started' | 'taken'>;
}

/** A tool whose calls are ours, or the client's, to make; as the model provider reads it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Readonly<Record<string, unknown>>;
}

/** A tool that the provider executes itself; beside its type and name, the settings it takes. */
export interface ServerTool {
  readonly type: string;
  readonly name: string;
  readonly [setting: string]: unknown;
}

export interface ContentBlock {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface ModelMessage {
  readonly role: 'user' | 'assistant' | 'system';
  readonly content: readonly ContentBlock[];
}

/** A request in the words of the Messages API. */
export interface ModelRequest {
  readonly model: string;
  readonly max_tokens: number;
  readonly system: readonly ContentBlock[];
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ((ToolDefinition | ServerTool) & {
    readonly cache_control?: { readonly type: 'ephemeral' };
  })[];
  /** Model-specific request fields (thinking, effort), already decided. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export interface ModelAnswer {
  readonly model: string;
  readonly stopReason: string;
  readonly stopDetails: { readonly category: RefusalCategory | null; readonly explanation: string | null } | null;
  /** Raw content blocks, order and signatures kept. */
  readonly blocks: readonly ContentBlock[];
  readonly usage: ModelUsage;
}

export interface ModelListener {
  /** The first piece of the answer arrived. */
  onFirstToken(): void;
  /** A tool call began to stream; its input is not known yet. */
  onToolStart(name: string): void;
  /** A block of thinking began to stream. */
  onThinking(): void;
  /** More text arrived; `block` counts the answer's text blocks in order, from 0. */
  onText(block: number, text: string): void;
}

/**
 * The language model. `ask` resolves with the whole answer. It never retries by itself, for retries are the state
 * machine's. Throws `Fault` `model_*`; aborting the signal rejects with the signal's reason.
 */
export interface Model {
  ask(request: ModelRequest, listener: ModelListener, signal: AbortSignal): Promise<ModelAnswer>;
}

/** Starts provisioning a session's sandbox without waiting for it; the run's own Provision step repeats it. */
export interface Warming {
  warm(key: LogKey): Promise<void>;
}

/** Ends a session's sandbox, if it has one, before it answers. Idempotent. Throws `Fault` `sandbox_not_released`. */
export interface Releasing {
  release(session: SessionId): Promise<void>;
}

/**
 * The record of a session's sandbox. `generation` counts the sandboxes of the session from 1; a lost one is never used
 * again. `token` is what callers present; the task holds only its hash. `packages` is the session's for good: it was
 * taken from the environment when the session was created. `archive` is where this generation gets them from.
 */
export type SandboxRecord =
  /** No sandbox was asked for yet; only a session with packages has this record. */
  { readonly status: 'planned'; readonly generation: 0; readonly packages: PackageList } | ReservedSandbox;

export type ReservedSandbox = {
  readonly generation: number;
  readonly token: string;
  readonly lastUsedAt: Instant;
  readonly packages: PackageList | null;
  readonly archive: string | null;
} & (
  | { readonly status: 'starting' }
  | { readonly status: 'lost' }
  /** There is no sandbox and `reason` says why, to the model: its packages could not be installed. */
  | { readonly status: 'failed'; readonly reason: string; readonly failedAt: Instant }
  /** `address` is `host:port`, reachable from the execute function only. */
  | { readonly status: 'ready'; readonly task: string; readonly address: string; readonly readyAt: Instant }
);

export interface SentMark {
  readonly record: SandboxRecord | null;
  readonly sentTo: number;
  readonly again: boolean;
}

/** Every write is conditional on the generation, so that of two writers one wins and the other sees the winner's record. */
export interface SandboxRecords {
  find(session: SessionId): Promise<SandboxRecord | null>;
  /** Reserves the generation after `previous` (0: the first), unless somebody else has. */
  reserve(
    session: SessionId,
    previous: number,
    start: { token: string; archive: string | null; at: Instant },
  ): Promise<SandboxRecord>;
  ready(
    session: SessionId,
    generation: number,
    place: { task: string; address: string; at: Instant },
  ): Promise<SandboxRecord>;
  lost(session: SessionId, generation: number): Promise<void>;
  /** Ends a generation that is starting: it will not be. */
  failed(session: SessionId, generation: number, why: { reason: string; at: Instant }): Promise<SandboxRecord>;
  /**
   * Marks that a call is about to be sent to a generation and reads the record, in one round trip. `sentTo` is the
   * generation of the first mark: a call is never sent to another one. `again` tells that this is not the first.
   */
  send(session: SessionId, call: EventId, generation: number, at: Instant): Promise<SentMark>;
}

export type TaskStatus =
  | { readonly status: 'starting' }
  | { readonly status: 'running'; readonly address: string }
  | { readonly status: 'stopped'; readonly reason: string }
  /** Not known: for a moment after its start, and some time after its end. */
  | { readonly status: 'unknown' };

/** Runs sandbox tasks. `run` is idempotent by session and generation. Throws `Fault` `sandbox_not_ready`. */
export interface Tasks {
  run(
    session: SessionId,
    generation: number,
    start: { readonly tokenSha256: string; readonly archive: string | null },
  ): Promise<string>;
  status(task: string): Promise<TaskStatus>;
  /** Asks for the end of a task; one that has ended already stays so. */
  stop(task: string): Promise<void>;
}

export type FoundArchive =
  | { readonly status: 'built' }
  | { readonly status: 'missing' }
  /** The latest build failed, at that instant. */
  | { readonly status: 'failed'; readonly failure: PackageFailure; readonly at: Instant };

/** Installed packages, each archive under its hash. They live for some weeks: what is missing is built again. */
export interface PackageArchives {
  find(archive: string): Promise<FoundArchive>;
  /** Stores an order; the answered URL shows it to whoever holds the URL, for some minutes. A repeat replaces it. */
  order(archive: string, order: Omit<PackageOrder, 'archiveUrl' | 'failureUrl'>): Promise<string>;
  /** Stores the failure of a build that could not do it by itself. */
  fail(archive: string, failure: PackageFailure): Promise<void>;
}

/** Runs tasks that install packages. `run` is idempotent by archive and attempt. Throws `Fault` `sandbox_not_ready`. */
export interface PackageBuilds {
  run(archive: string, attempt: number, orderUrl: string): Promise<string>;
  status(task: string): Promise<TaskStatus>;
}

export type Delivered =
  | { readonly status: 'delivered' }
  | { readonly status: 'missing' }
  | { readonly status: 'refused' }
  | { readonly status: 'interrupted' };

/** Carries an archive into a sandbox. A repeat changes nothing there. */
export interface PackageDelivery {
  deliver(place: { readonly address: string; readonly token: string }, archive: string): Promise<Delivered>;
}

export type SandboxReply =
  | { readonly status: 'answered'; readonly response: ExecuteResponse }
  /** Nobody listens at the address. */
  | { readonly status: 'unreachable' }
  /** It waits for its packages and has not taken the call. */
  | { readonly status: 'awaits packages' }
  /** It does not take this call: `reason` is for the model. */
  | { readonly status: 'refused'; readonly reason: string }
  /** The connection broke while the call was under way. */
  | { readonly status: 'interrupted' };

export interface SandboxPlace {
  readonly address: string;
  readonly token: string;
}

/** Carries one call to a sandbox, once; a repeated id joins or replays there. */
export interface SandboxClient {
  execute(place: SandboxPlace, request: ExecuteRequest): Promise<SandboxReply>;
  /** Asks for the end of a running call, whose `execute` then answers. Best effort: a call that is not running stays so. */
  cancel(place: SandboxPlace, call: EventId): void;
}

/** A request to where a stranger says: a model, a user, a server's metadata, a redirect. */
export interface OutboundRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly limits: {
    /** Of the body as it is read: decompressed. */
    readonly maxBytes: number;
    /** From the call to the last byte, over all redirects. */
    readonly totalMs: number;
    /** Without a byte from the other side, connecting included. */
    readonly idleMs: number;
    readonly maxRedirects: number;
  };
  /** A rule of the caller's own for the host of each hop: why it may not be asked, or null. */
  readonly ruleAgainst?: (host: string) => string | null;
}

export interface OutboundFailure {
  readonly status: 'failed';
  /** `blocked`: a rule says no, and no connection was made to where it says so. `unreadable`: answered, in no way we read. */
  readonly failure: 'blocked' | 'unreachable' | 'timeout' | 'too_large' | 'redirects' | 'unreadable';
  /** Names the host and the rule, never path, query, headers or addresses. */
  readonly message: string;
}

export interface OutboundAnswer {
  readonly status: 'answered';
  readonly code: number;
  /** Names in lower case; of several values the joined text. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

/**
 * The way out, guarded against requests to where nobody outside may send us (`core/outbound`). Each hop's name is
 * resolved once, all of its addresses are judged, and the connection goes to one of those. No cookies, no cache, no
 * retries, no connection reused. What the other side does wrong is a value; aborting the signal rejects with its reason.
 */
export interface Outbound {
  fetch(request: OutboundRequest, signal?: AbortSignal): Promise<OutboundAnswer | OutboundFailure>;
}

/** What a person would read of an HTML page, as Markdown; links are absolute, scripts and what is hidden are left out. */
export type ReadPage = (html: string, url: string) => { readonly title: string; readonly text: string };

/**
 * Token buckets shared by all instances, by name; one that is not known is full. `take` gives as many of the wanted
 * tokens as there are, at least one, to this caller alone; a repeat takes again. An answer that is lost loses tokens.
 */
export interface TokenBuckets {
  take(name: string, bucket: Bucket, wanted: number): Promise<Taken>;
}

/** Time and ids are given, so that the core stays a function of its input. */
export interface Stamp {
  now(): Instant;
  eventId(): EventId;
}

/** Waiting is given too: tests let time pass without sleeping. */
export type Pause = (ms: number) => Promise<void>;

/** One canonical line per turn, call and request: ids, counts, durations and error classes, never content. */
export interface Journal {
  line(
    message: 'turn' | 'tool call' | 'request',
    fields: Readonly<Record<string, string | number | boolean | null>>,
  ): void;
  metric(name: MetricName, unit: 'Milliseconds' | 'Count', value: number): void;
}

export type MetricName =
  | 'TimeToFirstToken'
  | 'TurnDuration'
  | 'ToolDuration'
  | 'InputTokens'
  | 'OutputTokens'
  | 'ModelErrors'
  | 'RequestErrors';
