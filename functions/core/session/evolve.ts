/** The fold: one entry and the state before it make the state after it. */
import type { Entry, HeldFiles, LogRecord, RecordOf, SessionState } from '#contract/entries.ts';
import { FIRST_POSITION, LOG_START, Position, positionAfter, type ThreadId } from '#contract/ids.ts';
import type {
  EventOf,
  QueuedMessage,
  SessionErrorBody,
  SessionEvent,
  SystemMessage,
  UserMessage,
} from '#contract/events.ts';
import { exceededTokens, estimateTokens } from '#core/model/room.ts';
import { shownToModel } from '#core/model/shorten.ts';
import { withFiles } from '#core/model/slice.ts';
import type { ContentBlock } from '#core/ports/model.ts';
import type { Head } from '#core/ports/session-log.ts';
import { defined, evaluated, evaluating, graded, reading, spent } from '#core/session/outcomes.ts';
import { answered, compacted, listed, addUsage, countWebUse, NO_USAGE, plusSeconds } from '#core/session/usage.ts';
import { withLargeResult } from '#core/session/large-results.ts';
import { close, open, release, suspend } from '#core/session/open-calls.ts';
import {
  answeredChild,
  asked,
  childStatus,
  created,
  held,
  left,
  sessionRests,
  sessionRuns,
  used,
} from '#core/session/team.ts';

/** Events that one turn adds to an execution's history: measured on the state machine, rounded up. */
const TURN_HISTORY_EVENTS = 12;

/** Folds entries onto a head; `null` is the head of an empty log, whose first entry must be `session.created`. */
export function fold(head: Head | null, entries: readonly Entry[]): Head {
  const start = head?.position ?? LOG_START;
  const state = entries.reduce<SessionState | null>(
    (current, entry, index) => evolve(current, entry, positionAfter(start, index + 1)),
    head?.state ?? null,
  );
  if (state === null) throw new TypeError('a log begins with session.created');
  return { position: positionAfter(start, entries.length), state };
}

type EventEntry = Extract<Entry, { event: unknown }>;

function evolve(state: SessionState | null, entry: Entry, position: Position): SessionState {
  if ('record' in entry && entry.record.kind === 'session.created') return begin(entry.record);
  if (state === null) throw new TypeError('a log begins with session.created');
  return 'event' in entry ? evolveEvent(state, entry, position) : evolveRecord(state, entry.record, position);
}

function begin(record: RecordOf<'session.created'>): SessionState {
  return {
    status: 'idle',
    workspace: record.workspace,
    thread: record.thread,
    ...(record.parent === undefined ? {} : { parent: record.parent }),
    agentName: record.agent.name,
    model: record.agent.model.id,
    agentPosition: FIRST_POSITION,
    mcpServers: record.agent.mcp_servers.length,
    mcp: null,
    stopReason: null,
    run: 0,
    request: null,
    failures: 0,
    turns: 0,
    rounds: 0,
    historyEvents: 0,
    calls: [],
    queued: [],
    contextTokens: 0,
    taken: null,
    compactions: 0,
    largeResults: [],
    sliceFrom: FIRST_POSITION,
    usage: NO_USAGE,
    runningSince: null,
  };
}

function evolveRecord(state: SessionState, record: LogRecord, position: Position): SessionState {
  switch (record.kind) {
    case 'run.continued':
      return {
        ...state,
        run: record.run,
        historyEvents: 0,
        // A defect that ends each execution before its claim must end the run, too, as one after the claim does.
        failures: record.reason === 'lost' ? state.failures + 1 : state.failures,
      };
    case 'model.answered':
      return answered(state, record);
    case 'context.exceeded':
      return { ...state, contextTokens: exceededTokens(state) };
    case 'context.compacted':
      return compacted(state, record, position);
    case 'mcp.listed':
      return listed(state, record, position);
    case 'mcp.outdated':
      // The tools of the listing stay those that the model was offered last; run 0 makes the next step list again.
      return { ...state, mcp: state.mcp === null ? null : { ...state.mcp, run: 0 } };
    case 'call.suspended':
      return suspend(state, record.call, position);
    case 'call.resumed':
      return release(state, record.call, { sincePosition: position, isConfirmed: false });
    case 'contents.changed':
      return { ...state, contents: (state.contents ?? 0) + 1 };
    case 'outcome.graded':
      return graded(state, record);
    case 'programs.left':
      return { ...state, programsLive: true };
    case 'turn.ending': {
      const { reason, details } = record;
      const historyEvents = state.historyEvents + TURN_HISTORY_EVENTS;
      return { ...state, ending: { position, reason, details, isHarvested: false }, historyEvents };
    }
    case 'turn.harvested':
      return harvested(state, record);
    case 'hand.held':
      return held(state, record);
    case 'hand.left':
      return left(state, record);
    case 'message.taken':
      return takeThreadMessage(state, record);
    case 'thread.used':
      return used(state, record);
    case 'session.created':
    case 'call.answered':
    case 'model.claimed':
    case 'model.refused':
      return state;
    default:
      return record satisfies never;
  }
}

function evolveEvent(state: SessionState, { event, files }: EventEntry, position: Position): SessionState {
  const child = copiedFrom(event);
  if (child !== null) return evolveCopy(state, child, event);
  switch (event.type) {
    case 'user.message':
    case 'system.message':
      return queueOrTake(state, { event, files }, position);
    case 'agent.thread_message_received':
      return queue(state, { event, files }, position);
    case 'user.tool_confirmation':
      return event.processed_at === null || event.result === 'deny'
        ? state
        : release(state, event.tool_use_id, { sincePosition: position, isConfirmed: true });
    case 'user.custom_tool_result':
      return close(state, event.custom_tool_use_id, withFiles(event.content ?? [], files));
    case 'agent.custom_tool_use':
      return open(state, event, { position, waitsFor: 'client' });
    case 'agent.tool_use':
    case 'agent.mcp_tool_use': {
      const waitsFor = event.evaluated_permission === 'ask' ? 'confirmation' : 'hand';
      return open(state, event, { position, waitsFor });
    }
    case 'agent.mcp_tool_result':
      return close(withLargeResult(state, event, position), event.mcp_tool_use_id, shownToModel(event.content));
    case 'agent.tool_result':
      return close(event.is_error ? state : countWebUse(state, event.tool_use_id), event.tool_use_id, event.content);
    case 'span.model_request_start': {
      const { outcome } = state;
      return {
        ...withoutEnding(outcome?.result === 'pending' ? reading(state, outcome) : state),
        request: { id: event.id, position },
        historyEvents: state.historyEvents + TURN_HISTORY_EVENTS,
      };
    }
    case 'span.model_request_end':
      return endRequest(state, event);
    case 'user.define_outcome':
      return defined(state, event, position);
    case 'span.outcome_evaluation_start':
      return evaluating(withoutEnding(state), event);
    case 'span.outcome_evaluation_end':
      return evaluated(state, event, position);
    case 'session.thread_created':
      return created(state);
    case 'session.thread_status_running':
      return isOwn(state, event) ? run(state, event) : childStatus(state, event);
    case 'session.thread_status_idle':
      return isOwn(state, event) ? rest(state, event) : childStatus(state, event);
    case 'session.thread_status_rescheduled':
      return isOwn(state, event) ? { ...state, status: 'rescheduling' } : childStatus(state, event);
    case 'session.thread_status_terminated':
      return isOwn(state, event) ? { ...state, status: 'terminated', runningSince: null } : childStatus(state, event);
    case 'session.status_running':
      return state.team === undefined ? state : sessionRuns(state, event.processed_at);
    case 'session.status_idle':
    case 'session.status_terminated':
      return state.team === undefined ? state : sessionRests(state, event.processed_at);
    case 'session.updated':
      return event.agent === undefined
        ? state
        : { ...state, agentPosition: position, mcpServers: event.agent.mcp_servers.length };
    case 'agent.message':
      return state.parent === undefined ? state : { ...state, said: position };
    case 'user.interrupt':
      return event.processed_at === null || event.session_thread_id !== undefined ? state : silence(state);
    case 'session.error':
      return warn(state, event.error);
    case 'session.usage':
    case 'session.status_rescheduled':
    case 'agent.thread_message_sent':
    case 'span.outcome_evaluation_ongoing':
    case 'agent.thinking':
    case 'agent.thread_context_compacted':
    case 'session.deleted':
      return state;
    default:
      return event satisfies never;
  }
}

function endRequest(before: SessionState, event: EventOf<'span.model_request_end'>): SessionState {
  const state = before.outcome === undefined ? before : spent(before, event);
  const usage = addUsage(state.usage, event.model_usage);
  return event.is_error
    ? { ...state, request: null, failures: state.failures + 1, usage }
    : { ...state, request: null, failures: 0, turns: state.turns + 1, rounds: state.rounds + 1, usage };
}

/** Names a lack of the sandbox, so that it is told once in a session; null for any other error. */
function warningOf(error: SessionErrorBody): string | null {
  return error.type === 'credential_host_unreachable_error' ? error.credential_id : null;
}

export function isNews({ warned = [] }: SessionState, error: SessionErrorBody): boolean {
  const warning = warningOf(error);
  return warning === null || !warned.includes(warning);
}

function warn(state: SessionState, error: SessionErrorBody): SessionState {
  const warning = warningOf(error);
  return warning === null ? state : { ...state, warned: [...(state.warned ?? []), warning] };
}

/** The log of the primary thread tells the statuses of children, too. */
function isOwn({ thread }: SessionState, event: { readonly session_thread_id: ThreadId }): boolean {
  return event.session_thread_id === thread;
}

/** The child whose event this is a copy of; null for an event of the log's own. */
function copiedFrom(event: SessionEvent): ThreadId | null {
  switch (event.type) {
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
    case 'agent.custom_tool_use':
    case 'user.tool_confirmation':
    case 'user.custom_tool_result':
      return event.session_thread_id ?? null;
    default:
      return null;
  }
}

/** A copy of a child's event: what the child asks, and what it is answered. */
function evolveCopy(state: SessionState, child: ThreadId, event: SessionEvent): SessionState {
  switch (event.type) {
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
      // Any other is told because its hand gave it back: it counts from the child's next rest on.
      return event.evaluated_permission === 'ask' ? asked(state, child, event.id) : state;
    case 'agent.custom_tool_use':
      return asked(state, child, event.id);
    case 'user.tool_confirmation':
      return event.processed_at === null ? state : answeredChild(state, child, event.tool_use_id);
    case 'user.custom_tool_result':
      return answeredChild(state, child, event.custom_tool_use_id);
    default:
      return state;
  }
}

/** An idle thread begins its next run; otherwise the same run goes on after a pause. */
function run(state: SessionState, event: EventOf<'session.thread_status_running'>): SessionState {
  const since = state.runningSince ?? event.processed_at;
  const running: SessionState = { ...state, status: 'running', stopReason: null, runningSince: since };
  if (state.status !== 'idle') return running;
  const { said: _said, ...begun } = running;
  return { ...begun, run: state.run + 1, rounds: 0, compactions: 0, historyEvents: 0 };
}

function harvested(
  { programsLive: _before, ...others }: SessionState,
  { programsLive }: RecordOf<'turn.harvested'>,
): SessionState {
  const state = programsLive ? { ...others, programsLive } : others;
  return state.ending === undefined ? state : { ...state, ending: { ...state.ending, isHarvested: true } };
}

/** The turn goes on, or has ended. */
function withoutEnding({ ending: _ended, ...state }: SessionState): SessionState {
  return state;
}

function rest(ending: SessionState, event: EventOf<'session.thread_status_idle'>): SessionState {
  const before = withoutEnding(ending);
  const { stop_reason: stopReason } = event;
  // An exhausted turn drops what its client sent; after any other the messages wait for the calls before them.
  const state =
    stopReason.type === 'retries_exhausted' ? silence({ ...before, queued: before.queued.filter(isOfThread) }) : before;
  const usage = plusSeconds(state.usage, state.runningSince, event.processed_at);
  const told = state.parent === undefined ? {} : { toldUsage: usage };
  return { ...state, status: 'idle', stopReason, failures: 0, usage, ...told, runningSince: null };
}

/** The messages of other threads that wait begin no run any more: what they report on has been ended. */
function silence(state: SessionState): SessionState {
  if (!state.queued.some(isOfThread)) return state;
  const queued = state.queued.map((message) =>
    isOfThread(message) ? { ...message, isQuiet: true as const } : message,
  );
  return { ...state, queued };
}

function isOfThread({ type }: SessionState['queued'][number]): boolean {
  return type === 'agent.thread_message_received';
}

function queueOrTake(
  state: SessionState,
  { event: message, files }: { readonly event: UserMessage | SystemMessage; readonly files: HeldFiles | undefined },
  position: Position,
): SessionState {
  const others = state.queued.filter(({ id }) => id !== message.id);
  const content = withFiles(message.content, files);
  const tokens = estimateTokens(content);
  if (message.processed_at !== null) {
    const { from, tokens: before } = state.taken ?? { from: position, tokens: 0 };
    return { ...state, queued: others, rounds: 0, taken: { from, tokens: before + tokens } };
  }
  return queue(state, { event: message, files }, position);
}

/** Its text stays where it is told, so the slice begins no later than that. */
function takeThreadMessage(state: SessionState, { message: id }: RecordOf<'message.taken'>): SessionState {
  const message = state.queued.find((queued) => queued.id === id);
  if (message === undefined) return state;
  const { from, tokens } = state.taken ?? { from: message.position, tokens: 0 };
  return {
    ...state,
    queued: state.queued.filter((queued) => queued.id !== id),
    rounds: 0,
    taken: { from: Position.parse(Math.min(from, message.position)), tokens: tokens + message.tokens },
  };
}

function queue(
  state: SessionState,
  { event: message, files }: { readonly event: QueuedMessage; readonly files: HeldFiles | undefined },
  position: Position,
): SessionState {
  const content = withFiles(message.content, files);
  const tokens = estimateTokens(content);
  const chars = content.reduce((sum, block) => sum + heldChars(block), JSON.stringify(content).length);
  return { ...state, queued: [...state.queued, { id: message.id, type: message.type, position, chars, tokens }] };
}

/** What a request holds of a file beside what its entry does. */
function heldChars({ source }: ContentBlock): number {
  return Object(source).chars ?? 0;
}
