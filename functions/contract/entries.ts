/**
 * The session log at rest: entries are public events or internal records, and each append carries the
 * folded state after it. Stored bytes are parsed on the way in like any other input, tolerant of extra fields.
 */
import * as z from 'zod';
import { SessionAgent } from './agents.ts';
import { OutcomeDefinition, type QueuedMessage, SessionEvent, StopDetails, StopReason } from './events.ts';
import { BlobKey } from './files.ts';
import {
  AgentId,
  EnvironmentId,
  EventId,
  FileId,
  HandKey,
  Instant,
  OutcomeId,
  Position,
  SessionId,
  ThreadId,
  WorkspaceId,
} from './ids.ts';
import { OfferedTool } from './mcp.ts';
import { PackageList } from './packages.ts';
import { SessionStatus } from './sessions.ts';
import { ModelUsage, Usage } from './usage.ts';

/** An environment that a listed agent brings for sandboxes of its own, with the packages that it had when the session began. */
export const OwnEnvironment = z.object({ id: EnvironmentId, packages: PackageList.nullable() });
export type OwnEnvironment = z.infer<typeof OwnEnvironment>;

/** What the threads of a session are given when they begin. */
const Guides = z.object({
  /** What the service tells the model of the session's memory and skills, after the agent's own system prompt. */
  guide: z.string().optional(),
  /** The same for threads of listed agents, by the agents' ids; absent where there is nothing to tell. */
  guides: z.record(AgentId, z.string()).optional(),
  /** By the ids of listed agents; absent where none brings one. */
  environments: z.record(AgentId, OwnEnvironment).optional(),
});
export type Guides = z.infer<typeof Guides>;

/** A thread as the holder of a hand: its sandbox calls go there. */
const Holder = z.object({ session: SessionId, thread: ThreadId });
export type Holder = Readonly<z.infer<typeof Holder>>;

/** Facts that replay needs and clients never see. */
export const LogRecord = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('session.created'),
    at: Instant,
    workspace: WorkspaceId,
    thread: ThreadId,
    agent: SessionAgent,
    /** Absent for a child thread, unless its agent brings one: the environment is the session's. */
    environment: EnvironmentId.optional(),
    ...Guides.shape,
    /** The thread that began this one; absent in the log of the primary thread. */
    parent: ThreadId.optional(),
  }),
  /** The attempt that asks the model. It is appended with each `span.model_request_start`. */
  z.object({ kind: z.literal('model.claimed'), request: EventId, at: Instant, run: z.int(), attempt: z.int() }),
  /** The provider's raw content blocks, thinking signatures included; `calls` maps its tool-use ids to ours. */
  z.object({
    kind: z.literal('model.answered'),
    request: EventId,
    at: Instant,
    model: z.string(),
    stopReason: z.string(),
    blocks: z.array(z.looseObject({ type: z.string() })),
    calls: z.array(z.object({ id: EventId, providerId: z.string() })),
    /** How large the context is with this answer, tokens. */
    contextTokens: z.int().min(0).optional(),
  }),
  /**
   * The provider refuses this request's input for good. Later requests leave out the part that it `named`, if it did, and
   * those of this turn also the parts that are `tried`. Parts have the names that `core/harness/context.ts` gives them.
   */
  z.object({
    kind: z.literal('model.refused'),
    request: EventId,
    at: Instant,
    named: z.string().nullable(),
    tried: z.array(z.string()),
  }),
  /** The provider says that this request is larger than the model's window, or than it takes. */
  z.object({ kind: z.literal('context.exceeded'), request: EventId, at: Instant }),
  /**
   * From here on `summary` stands for what was answered before. Thread, agent, guides, and the outcome that the agent works
   * toward, are repeated, so that replay needs nothing from before the slice that begins here.
   */
  z.object({
    kind: z.literal('context.compacted'),
    request: EventId,
    at: Instant,
    thread: ThreadId,
    summary: z.string(),
    agent: SessionAgent,
    ...Guides.shape,
    outcome: OutcomeDefinition.optional(),
  }),
  /** The grader's answer to this request, as the provider gave it, and what it asked to read of the outputs. */
  z.object({
    kind: z.literal('outcome.graded'),
    request: EventId,
    at: Instant,
    /** The version of the grader's prompt (`core/harness/grader.ts`). */
    prompt: z.int().min(1),
    answer: z.enum(['verdict', 'reading', 'malformed']),
    blocks: z.array(z.looseObject({ type: z.string() })),
    results: z.array(z.looseObject({ type: z.literal('tool_result') })),
  }),
  /** What the agent's MCP servers offer in this run. Null tools: the same as in the last such record of the slice. */
  z.object({
    kind: z.literal('mcp.listed'),
    at: Instant,
    run: z.int(),
    /** Hash of the tools. */
    sha256: z.string(),
    tools: z.array(OfferedTool).nullable(),
  }),
  /** The user has connected a server since the listing: the run lists again before its next model request. */
  z.object({ kind: z.literal('mcp.outdated'), at: Instant }),
  /** A hand gave the call back, because a person has to do something outside the session first. */
  z.object({ kind: z.literal('call.suspended'), call: EventId, at: Instant }),
  /** The person has done it, so the call waits for a hand again. */
  z.object({ kind: z.literal('call.resumed'), call: EventId, at: Instant }),
  /** A call has left programs that go on in the sandbox. */
  z.object({ kind: z.literal('programs.left'), at: Instant }),
  /** The agent has ended its turn. What its programs wrote since the last call is taken over before that takes effect. */
  z.object({ kind: z.literal('turn.ending'), at: Instant, reason: StopReason, details: StopDetails }),
  /** It is taken over, or cannot be. */
  z.object({ kind: z.literal('turn.harvested'), at: Instant, programsLive: z.boolean() }),
  /**
   * From here on the holder's sandbox calls go to this hand. It is the holder's own, of the environment that its agent brings,
   * or a lender passed it. The record is in the holder's log, and in those of the primary threads that it concerns.
   */
  z.object({
    kind: z.literal('hand.held'),
    at: Instant,
    hand: HandKey,
    holder: Holder,
    lender: Holder.nullable(),
  }),
  /** The holder's calls go to its own hand again. It is in the same logs. */
  z.object({
    kind: z.literal('hand.left'),
    at: Instant,
    hand: HandKey,
    holder: Holder,
    /** Its work has ended, the lender took it back, or the session of the hand has ended. */
    reason: z.enum(['reported', 'withdrawn', 'gone']),
  }),
  /** What the session's sandboxes find has changed; the item beside the session's details holds it (docs/design.md). */
  z.object({ kind: z.literal('contents.changed'), at: Instant }),
  /** The result of a call with which the agent delegates: it is the model's, and clients are told of threads instead. */
  z.object({ kind: z.literal('call.answered'), call: EventId, at: Instant, text: z.string(), isError: z.boolean() }),
  /** The agent takes a message of another thread; the event that tells it came before. */
  z.object({ kind: z.literal('message.taken'), message: EventId, at: Instant }),
  /** What a child thread has used since its last such record in the log of the primary thread. */
  z.object({ kind: z.literal('thread.used'), thread: ThreadId, at: Instant, usage: Usage }),
  /** The run goes on under the next number, because it was long or its execution died. */
  z.object({ kind: z.literal('run.continued'), at: Instant, run: z.int(), reason: z.enum(['long', 'lost']) }),
]);
export type LogRecord = z.infer<typeof LogRecord>;
export type RecordOf<Kind extends LogRecord['kind']> = Extract<LogRecord, { kind: Kind }>;

/** What a file held when an event with it was accepted: the file may be deleted or expire since. */
export const HeldFile = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), media_type: z.literal('text/plain'), data: z.string() }),
  /** An image or a PDF. Its bytes stay where they are: the session has a copy of the file, by reference. */
  z.object({
    type: z.literal('blob'),
    media_type: z.string(),
    blob: BlobKey,
    /** Characters of base64. */
    chars: z.int().min(1),
    /** The longer side of an image, pixels. */
    side: z.int().min(1).optional(),
  }),
]);
export type HeldFile = z.infer<typeof HeldFile>;

/** By the ids of the files that an event names. */
const HeldFiles = z.record(FileId, HeldFile);
export type HeldFiles = z.infer<typeof HeldFiles>;

/** An event is stored as its client sees it; `files` are those that its content names. */
export const Entry = z.union([
  z.object({ event: SessionEvent, files: HeldFiles.optional() }),
  z.object({ record: LogRecord }),
]);
export type Entry = z.infer<typeof Entry>;

/** The entry of a message that waits until the agent takes it. */
export type QueuedEntry = Extract<Entry, { event: unknown }> & { readonly event: QueuedMessage };

export function eventIn(entry: Entry | null | undefined): SessionEvent | null {
  return entry != null && 'event' in entry ? entry.event : null;
}

export function recordIn(entry: Entry | null | undefined): LogRecord | null {
  return entry != null && 'record' in entry ? entry.record : null;
}

/**
 * A tool call without a result; `position` is that of its tool use. It waits for a hand to make it, for a person to
 * confirm it, or for the client to answer it.
 */
export const OpenCall = z.object({
  id: EventId,
  name: z.string(),
  position: Position,
  waitsFor: z.enum(['hand', 'confirmation', 'client']),
  /** The server's name in the agent for an MCP call; null for any other. */
  server: z.string().nullable(),
  /** Where its present wait began: at its tool use, or later. A call may wait for its hand more than once. */
  sincePosition: Position,
  /** A person has allowed this call. */
  isConfirmed: z.boolean(),
  /** Its hand gave it back, because a person has to do something outside the session first. */
  isSuspended: z.boolean(),
  /** Of a suspended call: its `sincePosition` while it waited for the hand that gave it back. Null for any other. */
  handSincePosition: Position.nullable(),
});
export type OpenCall = z.infer<typeof OpenCall>;

/** The outcome that the agent works toward. What its evaluations came to is in the session's row. */
export const ActiveOutcome = z.object({
  id: OutcomeId,
  /** Of its definition. */
  position: Position,
  /** Estimated share of the model's window. */
  tokens: z.int().min(0),
  maxIterations: z.int().min(1),
  iteration: z.int().min(0),
  /** `pending`: no model request has read the definition yet. */
  result: z.enum(['pending', 'running', 'evaluating']),
  /** The evaluation under way; null while the agent works. */
  evaluation: z
    .object({
      start: EventId,
      usage: ModelUsage,
      /** How often the grader asked to read. */
      readings: z.int().min(0),
      /** Answers of the grader that were no verdict and asked for nothing. */
      malformed: z.int().min(0),
    })
    .nullable(),
});
export type ActiveOutcome = z.infer<typeof ActiveOutcome>;

/** A child thread that is at work, or waits for a person or for the client. */
const BusyThread = z.object({
  thread: ThreadId,
  /** Absent for every other agent. */
  isAdvisor: z.literal(true).optional(),
  status: z.enum(['running', 'rescheduling', 'idle']),
  /** Its tool uses that wait for the client, and those that will. */
  calls: z.array(EventId),
});
export type BusyThread = z.infer<typeof BusyThread>;

/** What the log of the primary thread tells of the session's other threads. A child that is at rest costs nothing. */
const Team = z.object({
  busy: z.array(BusyThread),
  /** Of all of them; its seconds are those in which the session ran. */
  usage: Usage,
  /** When the session, in any of its threads, last began to run; null while it does not. */
  runningSince: Instant.nullable(),
});
export type Team = z.infer<typeof Team>;

const PassedHand = z.object({ hand: HandKey, holder: Holder, since: Instant });

/** Of one thread. Small by construction: ids, counts and names; content stays in the entries. */
export const SessionState = z.object({
  /** Of the thread: the session's follows from it and from `team` (`core/session/waiting.ts`). */
  status: SessionStatus,
  workspace: WorkspaceId,
  thread: ThreadId,
  /** The thread that began this one; absent for the primary thread. */
  parent: ThreadId.optional(),
  /** Absent until the primary thread begins another one. */
  team: Team.optional(),
  agentName: z.string(),
  model: z.string(),
  /** Position of the entry that holds the agent as it is now. */
  agentPosition: Position,
  /** How many MCP servers that agent has. */
  mcpServers: z.int().min(0),
  /** The last listing in the slice: its run, the tools' hash, and the position of the record that holds the tools. */
  mcp: z.object({ run: z.int(), sha256: z.string(), position: Position }).nullable(),
  /** The last stop reason; null before the first turn ends and while one runs. */
  stopReason: StopReason.nullable(),
  /** Number of the current or last run; 0 before the first. */
  run: z.int().min(0),
  /** The open model request, claimed by the log but not answered. */
  request: z.object({ id: EventId, position: Position }).nullable(),
  /** Failed model requests and lost executions since the last answer. */
  failures: z.int().min(0),
  /** Model requests answered since the session's first. */
  turns: z.int().min(0),
  /** Model requests answered since the agent last took a message or a run began. */
  rounds: z.int().min(0),
  /** Estimated events in the history of this run's execution, which Step Functions caps at 25,000. */
  historyEvents: z.int().min(0),
  calls: z.array(OpenCall),
  /** Accepted and not yet taken by the agent, oldest first. */
  queued: z.array(
    z.object({
      id: EventId,
      type: z.enum(['user.message', 'system.message', 'agent.thread_message_received']),
      position: Position,
      chars: z.int().min(0),
      /** Estimated share of the model's window. */
      tokens: z.int().min(0),
      /** A thread's message from before an interrupt: it begins no run, and waits for the next message that does. */
      isQuiet: z.literal(true).optional(),
    }),
  ),
  /** Size of the context that was answered last, and of the tool results since, tokens; 0 before the first answer. */
  contextTokens: z.int().min(0),
  /** Messages that the agent took since that answer: the position of the first, and their estimated size. */
  taken: z.object({ from: Position, tokens: z.int().min(0) }).nullable(),
  /** Compactions of this run without an answer since that left room in the model's window. */
  compactions: z.int().min(0),
  /** MCP calls with results too long for the model, oldest first, and the results' positions: sandboxes get these. */
  largeResults: z.array(z.object({ call: EventId, position: Position })),
  /** The beginning of the slice that a model request is made of; the slice's summary stands for what came before. */
  sliceFrom: Position,
  usage: Usage,
  /** Of a child: the position of its last message in this run. */
  said: Position.optional(),
  /** Of a child: the usage that the primary thread has been told. */
  toldUsage: Usage.optional(),
  /** Counts the changes of what its sandboxes find beside packages; absent while they find nothing. */
  contents: z.int().min(1).optional(),
  /** What people were told that the session's sandbox lacks (`warningOf`); absent before the first. */
  warned: z.array(z.string()).optional(),
  /** Programs may go on in the sandbox; absent when none is known to. */
  programsLive: z.literal(true).optional(),
  /** How the turn ends after the harvest, and the position of `turn.ending`; absent while the turn does not end. */
  ending: z
    .object({ position: Position, reason: StopReason, details: StopDetails, isHarvested: z.boolean() })
    .optional(),
  /** The hands that the thread holds, where it has not the main hand of its session only. */
  hands: z.object({ own: HandKey.optional(), passed: PassedHand.optional() }).optional(),
  /** Of the primary thread: the hands that were passed to other threads of the session, or to other sessions. */
  lent: z.array(PassedHand).optional(),
  /** Absent while there is none. */
  outcome: ActiveOutcome.optional(),
  /** How many outcomes the session was given, and the bytes of their descriptions; absent before the first. */
  outcomes: z.object({ count: z.int().min(1), bytes: z.int().min(1) }).optional(),
  /** When the thread last began to run; null while it does not. */
  runningSince: Instant.nullable(),
});
export type SessionState = z.infer<typeof SessionState>;
