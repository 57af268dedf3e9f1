/**
 * Ports of the records: agents, environments, sessions and API keys. A record of another workspace does not exist for
 * the caller. Reads by id are strongly consistent; lists may trail a write by a moment.
 */
import type { Agent } from '#contract/agents.ts';
import type { ApiKey } from '#contract/api-keys.ts';
import type { Environment } from '#contract/environments.ts';
import type { AgentId, EnvironmentId, Instant, MemoryStoreId, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { PackageList } from '#contract/packages.ts';
import type { SessionContents } from '#contract/resources.ts';
import type { Order } from '#contract/pages.ts';
import type { OutcomeEvaluation, SessionStatus } from '#contract/sessions.ts';
import type { Usage } from '#contract/usage.ts';
import type { Append, LogKey, SessionDetails, ThreadDetails } from '#core/ports/session-log.ts';

/** The end of a range of instants. */
export interface Bound {
  readonly at: Instant;
  readonly inclusive: boolean;
}

export interface Range {
  readonly from: Bound | null;
  readonly to: Bound | null;
}

/** Where a row stands in its list. */
export interface Place {
  readonly createdAt: Instant;
  readonly id: string;
}

export interface ListRequest {
  readonly workspace: WorkspaceId;
  readonly order: Order;
  readonly from: Bound | null;
  readonly to: Bound | null;
  readonly includeArchived: boolean;
  /** Rows strictly beyond this place, in the list's order or against it; null begins at the list's start. */
  readonly beyond: Place | null;
  readonly direction: 'next' | 'prev';
  readonly limit: number;
}

export interface Row<Item> {
  readonly item: Item;
  readonly place: Place;
}

/** Rows in the order in which they were walked: against the list's order when the direction is `prev`. */
export interface Rows<Item> {
  readonly rows: readonly Row<Item>[];
  /** More rows may lie beyond this place; null when there are none. A page may be short, even empty, before that. */
  readonly more: Place | null;
}

/** `conflict`: it is not what it was when it was read, or it is archived or gone. Read it again and decide anew. */
export type Saved = 'saved' | 'conflict';

/** Versions of one agent, newest first. */
interface AgentVersions {
  readonly agents: readonly Agent[];
  /** Older versions exist. A page may be short before that, never empty. */
  readonly more: boolean;
}

export interface AgentRecords {
  create(workspace: WorkspaceId, agent: Agent): Promise<void>;
  /** The latest version unless one is named. Each version tells whether the agent is archived. */
  find(workspace: WorkspaceId, id: AgentId, version?: number): Promise<Agent | null>;
  list(request: ListRequest): Promise<Rows<Agent>>;
  /** Those below `below`; null begins with the latest. Null when there is no such agent. */
  versions(
    workspace: WorkspaceId,
    id: AgentId,
    page: { readonly below: number | null; readonly limit: number },
  ): Promise<AgentVersions | null>;
  /** Adds the version that follows the latest and makes it the latest, both or neither. */
  saveNext(workspace: WorkspaceId, agent: Agent): Promise<Saved>;
  /** Marks the agent as archived, whatever its version; the first mark stays. Null when there is no such agent. */
  archive(workspace: WorkspaceId, id: AgentId, at: Instant): Promise<Agent | null>;
}

export interface RevisedEnvironment {
  readonly environment: Environment;
  /** Moves on with each `replace`. */
  readonly revision: number;
}

export interface EnvironmentRecords {
  create(workspace: WorkspaceId, environment: Environment): Promise<void>;
  find(workspace: WorkspaceId, id: EnvironmentId): Promise<Environment | null>;
  findRevised(workspace: WorkspaceId, id: EnvironmentId): Promise<RevisedEnvironment | null>;
  list(request: ListRequest): Promise<Rows<Environment>>;
  /** Puts the environment in place of the one that had this revision. */
  replace(workspace: WorkspaceId, revised: RevisedEnvironment): Promise<Saved>;
  /** Marks the environment as archived; the first mark stays. Null when there is no such environment. */
  archive(workspace: WorkspaceId, id: EnvironmentId, at: Instant): Promise<Environment | null>;
  /** Whether there was one. A repeat changes nothing. */
  remove(workspace: WorkspaceId, id: EnvironmentId): Promise<boolean>;
}

export interface SessionRecord {
  readonly details: SessionDetails;
  /** What its sandboxes find beside packages; null while they find nothing. */
  readonly contents: SessionContents | null;
  /** In the order in which they were defined. */
  readonly outcomes: readonly OutcomeEvaluation[];
  readonly workspace: WorkspaceId;
  readonly status: SessionStatus;
  readonly usage: Usage;
  readonly runningSince: Instant | null;
  /** The primary thread's own; null while the session has no other. */
  readonly primary: (Pick<ThreadRecord, 'status' | 'runningSince'> & { readonly usage: Usage }) | null;
  readonly updatedAt: Instant;
  readonly archivedAt: Instant | null;
}

export interface SessionListRequest extends ListRequest {
  readonly statuses: readonly SessionStatus[] | null;
  readonly agent: AgentId | null;
  readonly agentVersion: number | null;
  readonly memoryStore: MemoryStoreId | null;
}

interface FirstAppend extends Pick<Append, 'key' | 'entries' | 'state' | 'at'> {
  readonly packages: PackageList | null;
  readonly contents: SessionContents | null;
}

export interface SessionRecords {
  /** The row, the first append of the log, and what its sandboxes will find: all or nothing. */
  create(workspace: WorkspaceId, details: SessionDetails, first: FirstAppend): Promise<void>;
  find(workspace: WorkspaceId, id: SessionId): Promise<SessionRecord | null>;
  list(request: SessionListRequest): Promise<Rows<SessionRecord>>;
  /** Marks the row as archived; the first mark stays. Null when there is no such row. */
  archive(workspace: WorkspaceId, id: SessionId, at: Instant): Promise<SessionRecord | null>;
  /**
   * Removes the row and every other record of the session, but for the rows of its child threads, by which `LogRemover` finds
   * their logs. A repeat changes nothing.
   */
  remove(id: SessionId): Promise<void>;
}

/** For what starts sandboxes and knows of a session no more than its id. */
export interface SessionReader {
  find(id: SessionId): Promise<Pick<SessionRecord, 'workspace' | 'details' | 'contents'> | null>;
}

/** A child thread. The primary thread has no record: its session's says the same of it. */
export interface ThreadRecord {
  readonly key: LogKey;
  readonly details: ThreadDetails;
  readonly status: SessionStatus;
  /** 0 before its first. */
  readonly run: number;
  /** What it had used when it last rested; null until then. */
  readonly usage: Usage | null;
  readonly runningSince: Instant | null;
  readonly updatedAt: Instant;
  readonly archivedAt: Instant | null;
}

export interface ThreadListRequest extends ListRequest {
  readonly session: SessionId;
  readonly statuses: readonly SessionStatus[] | null;
}

/** `SessionLog` writes them, with the appends that they follow from. */
export interface ThreadRecords {
  find(workspace: WorkspaceId, key: LogKey): Promise<ThreadRecord | null>;
  /** The child threads of a session, by creation. */
  list(request: ThreadListRequest): Promise<Rows<ThreadRecord>>;
}

/** For what gives them to sandboxes. */
export interface ContentsReader {
  find(session: SessionId): Promise<SessionContents | null>;
}

export interface ApiKeys {
  /** What the key stands for, or null. A positive answer may be up to a minute old, a negative one never is. */
  find(secret: string): Promise<ApiKey | null>;
  /** Makes the key known. A repeat keeps what the first one stored and answers it. */
  issue(secret: string, apiKey: ApiKey): Promise<ApiKey>;
}
