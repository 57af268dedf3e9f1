/** Ports of the sandboxes: their records, tasks and packages, and the calls to them. */
import type {
  ChangesKept,
  ChangesResponse,
  ContentChange,
  ContentEntry,
  ContentsResponse,
  ExecuteRequest,
  ExecuteResponse,
  Manifest,
} from '#contract/hands.ts';
import type { SandboxNetwork } from '#contract/egress.ts';
import type { OwnEnvironment } from '#contract/entries.ts';
import type { EnvironmentId, EventId, HandKey, Instant, SessionId, ThreadId } from '#contract/ids.ts';
import type { PackageFailure, PackageList, PackageOrder } from '#contract/packages.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/** Starts provisioning the sandbox of a thread's hand without waiting for it; the run's own Provision step repeats it. */
export interface Warming {
  warm(key: LogKey, hand: HandKey): Promise<void>;
}

/** Has what an idle sandbox still holds taken over, without waiting for it: the next sweep repeats it. */
export interface Harvesting {
  harvest(hand: HandKey, generation: number): Promise<void>;
}

/** Has an egress proxy started that should be up, without waiting for it: the next sweep repeats it. */
export interface KeepingUp {
  keepUp(proxy: ProxySlot): Promise<void>;
}

/** Ends the sandboxes of a session's hands, if it has any, before it answers. Idempotent. Throws `Fault` `sandbox_not_released`. */
export interface Releasing {
  release(session: SessionId): Promise<void>;
}

/**
 * The record of a hand. `environment` is absent for that of its session. `generation` counts the sandboxes of the hand from
 * 1; a lost one is never used again. `token` is what callers present; the task holds only its hash. `packages` is the
 * session's for good: it was taken from the environment when the session was created. `archive` is where this generation
 * gets them from.
 */
export type SandboxRecord =
  /** No sandbox was asked for yet; only a hand with packages, or with an environment of its own, has this record. */
  | {
      readonly status: 'planned';
      readonly generation: 0;
      readonly packages: PackageList | null;
      readonly environment?: EnvironmentId | undefined;
    }
  | ReservedSandbox;

export type ReservedSandbox = {
  readonly generation: number;
  readonly token: string;
  readonly lastUsedAt: Instant;
  readonly packages: PackageList | null;
  readonly environment?: EnvironmentId | undefined;
  readonly archive: string | null;
  /** None for a sandbox that reaches nothing. */
  readonly network?: SandboxNetwork | null | undefined;
  /** An earlier sandbox was lost. `told` has the threads that know of that, or that the hand was passed to them: a result said so. */
  readonly replaces?: boolean | undefined;
  readonly told?: ReadonlySet<string> | undefined;
} & (
  | ({ readonly status: 'starting' } & SandboxStart)
  /** `task` may still run; null when it never came up. */
  | { readonly status: 'lost'; readonly task: string | null }
  /** There is no sandbox and `reason` says why, to the model. Nothing is tried again before `retryAt`. */
  | { readonly status: 'failed'; readonly reason: string; readonly retryAt: Instant }
  /** `address` is `host:port`, reachable from the execute function only. */
  | ({ readonly status: 'ready'; readonly task: string; readonly address: string; readonly readyAt: Instant } & {
      /** Of a proxy: how many sandboxes could not reach it. */
      readonly unreachable?: number | undefined;
    })
);

/**
 * One attempt to start a sandbox. Each attempt is a generation of its own. `attempt` counts them from 1, and `since` is
 * when the first one began. The attempt waits until `notBefore`. One provisioner, the `watcher`, works on it and asks
 * ECS; it extends `watchedUntil` while it does.
 */
export interface SandboxStart {
  readonly attempt: number;
  readonly since: Instant;
  readonly notBefore: Instant;
  readonly watcher: string;
  readonly watchedUntil: Instant;
}

export interface HandRecord {
  readonly hand: HandKey;
  readonly record: SandboxRecord;
}

export interface SentMark {
  readonly record: SandboxRecord | null;
  readonly sentTo: number;
  readonly again: boolean;
}

/**
 * Records of tasks that are started on demand, each task under the key of what it is for. Every write is conditional on the
 * generation, so that of two writers one wins and the other sees the winner's record.
 */
export interface StartRecords<Key> {
  find(key: Key): Promise<SandboxRecord | null>;
  /**
   * Reserves the generation after `previous` (0: the first), unless another provisioner has. Null: the session is gone. The
   * first one of a hand with an environment of its own is told that, as its `plan`.
   */
  reserve(
    key: Key,
    previous: number,
    start: SandboxStart & {
      token: string;
      archive: string | null;
      network?: SandboxNetwork | null;
      at: Instant;
      plan?: OwnEnvironment;
    },
  ): Promise<SandboxRecord | null>;
  /** Takes over a start that no other provisioner watches at `at`, or goes on watching it. */
  watch(key: Key, generation: number, watch: { watcher: string; at: Instant; until: Instant }): Promise<SandboxRecord>;
  ready(key: Key, generation: number, place: { task: string; address: string; at: Instant }): Promise<SandboxRecord>;
  lost(key: Key, generation: number): Promise<void>;
  /** Marks a starting generation as failed. */
  failed(key: Key, generation: number, why: { reason: string; retryAt: Instant }): Promise<SandboxRecord>;
}

export interface SandboxRecords extends StartRecords<HandKey> {
  /** All hands of a session that have a record. */
  ofSession(session: SessionId): Promise<readonly HandRecord[]>;
  /** A result of this generation told a thread that the earlier sandbox is gone, or that it was passed this one. */
  told(hand: HandKey, thread: ThreadId, generation: number): Promise<void>;
  /**
   * Marks that a call is about to be sent to a generation and reads the record, in one round trip. `sentTo` is the
   * generation of the first mark: a call is never sent to another one. `again` tells that this is not the first.
   */
  send(hand: HandKey, call: EventId, generation: number, at: Instant): Promise<SentMark>;
  /** The generation that a call was marked with; null when it was not. */
  sentTo(hand: HandKey, call: EventId): Promise<number | null>;
}

/** One of the egress proxies, counted from 0. */
export interface ProxySlot {
  readonly slot: number;
}

/** Its records have no packages and no network, and `token` is known to the service only. */
export interface ProxyRecords extends StartRecords<ProxySlot> {
  /** Counts a sandbox that could not reach a ready generation. */
  unreachable(key: ProxySlot, generation: number): Promise<void>;
}

export type TaskStatus =
  | { readonly status: 'starting' }
  /** ECS answers no more questions at this moment (20 a second per account). */
  | { readonly status: 'busy' }
  | { readonly status: 'running'; readonly address: string }
  | { readonly status: 'stopped'; readonly reason: string }
  /** ECS does not know the task: for a moment after its start, and some time after its end. */
  | { readonly status: 'unknown' };

/** `reason`, for the operator, says why ECS starts no task: no capacity, too many requests, a missing right, … */
export type TaskRun =
  | { readonly status: 'started'; readonly task: string }
  | { readonly status: 'refused'; readonly reason: string };

/** Runs tasks. `run` is idempotent by key and generation. `status` throws `Fault` `sandbox_not_ready`. */
export interface Starter<Key> {
  run(
    key: Key,
    generation: number,
    start: { readonly tokenSha256: string; readonly archive: string | null },
  ): Promise<TaskRun>;
  status(task: string): Promise<TaskStatus>;
  /** Asks for the end of a task; one that has ended already stays so. */
  stop(task: string): Promise<void>;
}

export type Tasks = Starter<HandKey>;

/** A task of the cluster of sandboxes and builds. `startedBy` names what it was started for; ECS keeps it. */
export interface ClusterTask {
  readonly task: string;
  readonly startedBy: string;
  readonly createdAt: Instant;
}

/** All tasks of the cluster, in pages of up to 100; a page costs two calls of ECS. Throws `Fault` `sandbox_not_ready`. */
export interface Cluster {
  /** The tasks that start or run, without those that were asked to stop. */
  running(): AsyncIterable<readonly ClusterTask[]>;
  /** The tasks that were asked to stop and have not stopped. */
  stopping(): AsyncIterable<readonly ClusterTask[]>;
  stop: Tasks['stop'];
}

export type FoundArchive =
  | { readonly status: 'built' }
  | { readonly status: 'missing' }
  /** The latest build failed, at that instant. */
  | { readonly status: 'failed'; readonly failure: PackageFailure; readonly at: Instant };

/** Installed packages, each archive under its hash. They live for some weeks: what is missing is built again. */
export interface PackageArchives {
  find(archive: string): Promise<FoundArchive>;
  /** Stores an order and answers a URL at which it can be read for some minutes. A repeat replaces it. */
  order(archive: string, order: Omit<PackageOrder, 'archiveUrl' | 'failureUrl'>): Promise<string>;
  /** Stores the failure of a build that could not do it by itself. */
  fail(archive: string, failure: PackageFailure): Promise<void>;
}

/** Runs tasks that install packages, as `Tasks` does. `run` is idempotent by archive and attempt. */
export interface PackageBuilds {
  run(archive: string, attempt: number, orderUrl: string): Promise<TaskRun>;
  status(task: string): Promise<TaskStatus>;
}

/** Bytes that are read once, piece by piece. Reading fails when they do not come as a whole. */
export interface Content {
  readonly bytes: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Reads an archive; null when it is gone. */
export interface ArchiveReader {
  read(archive: string): Promise<Content | null>;
}

export type SandboxReply =
  | { readonly status: 'answered'; readonly response: ExecuteResponse }
  /** No server listens at the address. */
  | { readonly status: 'unreachable' }
  /** It lacks contents that the call must find, and has not taken it. */
  | { readonly status: 'awaits contents' }
  /** A program waits for the egress proxy, and `unreachable` is the address that was told and cannot be reached. */
  | { readonly status: 'awaits way out'; readonly unreachable: string | null }
  /**
   * Earlier calls have not ended there, or repositories are being cloned, and it has not taken this one. `missing` are the
   * calls that it does not know.
   */
  | { readonly status: 'awaits calls'; readonly missing: readonly string[] }
  /** It does not take this call: `reason` is for the model. */
  | { readonly status: 'refused'; readonly reason: string }
  /** The connection broke while the call was under way. */
  | { readonly status: 'interrupted' };

export interface SandboxPlace {
  readonly address: string;
  readonly token: string;
}

type Expected =
  | { readonly status: 'told'; readonly lacking: readonly string[] }
  | { readonly status: 'refused' }
  | { readonly status: 'interrupted' };

export interface Parcel {
  readonly entry: ContentEntry;
  readonly content: Content;
}

export type Put =
  | { readonly status: 'put'; readonly refused: ContentsResponse['refused'] }
  | { readonly status: 'refused' }
  | { readonly status: 'interrupted' };

/** Carries one call to a sandbox, once; a repeated id joins or replays there. */
export interface SandboxClient {
  execute(place: SandboxPlace, request: ExecuteRequest): Promise<SandboxReply>;
  /** Names all that the session's calls must find, and answers the paths that the sandbox lacks. */
  expect(place: SandboxPlace, manifest: Manifest): Promise<Expected>;
  /**
   * Sends contents in one stream; none is held in memory. Each is put as a whole or not at all, and a repeat changes
   * nothing. A failure of `parcels` breaks the stream and is thrown.
   */
  put(place: SandboxPlace, parcels: AsyncIterable<Parcel>): Promise<Put>;
  /** What changed in the folders that the agent writes to and was not kept; null when the sandbox does not answer. */
  changes(place: SandboxPlace): Promise<ChangesResponse | null>;
  /** The bytes of a change; null when the file is no longer what the change says. Reading fails when it changes meanwhile. */
  read(place: SandboxPlace, change: ContentChange): Promise<Content | null>;
  /** Says what is stored and told, so that the sandbox does not tell it again. Best effort: a repeat is told again. */
  keep(place: SandboxPlace, kept: ChangesKept): Promise<void>;
  /** Asks for the end of a call: its `execute` then answers, and a call that has not begun never runs. Best effort. */
  cancel(place: SandboxPlace, call: EventId): void;
}
