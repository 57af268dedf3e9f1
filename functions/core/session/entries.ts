/** Groups of entries that always go together, in the API's order. */
import type { ToolContent } from '#contract/content.ts';
import {
  eventIn,
  type ActiveOutcome,
  type Entry,
  type OpenCall,
  type QueuedEntry,
  type SessionState,
} from '#contract/entries.ts';
import type {
  OutcomeResult,
  SessionErrorBody,
  SessionEvent,
  StopDetails,
  StopReason,
  TurnErrorType,
} from '#contract/events.ts';
import type { EventId } from '#contract/ids.ts';
import { ADVISOR_NAME } from '#contract/multiagent.ts';
import type { RepositoryFailure } from '#contract/repositories.ts';
import type { ModelUsage } from '#contract/usage.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { McpTrouble } from '#core/ports/call-marks.ts';
import { decided, extended, type Decided } from '#core/session/commands.ts';
import { NO_MODEL_USAGE, sessionUsage } from '#core/session/usage.ts';
import { awaitedCalls, blockedCalls, hasInput, isActive, isAtWork, sessionStatus } from '#core/session/waiting.ts';

export function event(body: SessionEvent): Entry {
  return { event: body };
}

/** `told` is the state in which the session's status was told last. */
export function beginRunning(state: SessionState, stamp: Stamp, told = state): readonly Entry[] {
  return [...sessionRunning(state, stamp, told), threadRunning(state, stamp)];
}

function threadRunning(state: SessionState, stamp: Stamp): Entry {
  const type = 'session.thread_status_running';
  return event({ id: stamp.eventId(), type, processed_at: stamp.now(), ...threadOf(state) });
}

/** A thread of the session begins to run: the session does, unless another thread runs. */
export function sessionRunning(state: SessionState, stamp: Stamp, told = state): readonly Entry[] {
  if (state.parent !== undefined || sessionStatus(state) === 'running' || sessionStatus(told) === 'running') return [];
  return [event({ id: stamp.eventId(), type: 'session.status_running', processed_at: stamp.now() })];
}

/** No thread of the session runs any more, and one of them tries again later. */
export function sessionRescheduled(before: SessionState, now: SessionState, stamp: Stamp): readonly Entry[] {
  const isNews = sessionStatus(before) === 'running' && sessionStatus(now) === 'rescheduling';
  if (now.parent !== undefined || !isNews) return [];
  return [event({ id: stamp.eventId(), type: 'session.status_rescheduled', processed_at: stamp.now() })];
}

/** Each queued message of a client appears a second time when the agent takes it. */
export function take(messages: readonly QueuedEntry[], stamp: Stamp): readonly Entry[] {
  return messages.map((entry): Entry => {
    const { event: message } = entry;
    return message.type === 'agent.thread_message_received'
      ? { record: { kind: 'message.taken', message: message.id, at: stamp.now() } }
      : { ...entry, event: { ...message, processed_at: stamp.now() } };
  });
}

/** Closes the request that an earlier attempt left open: that attempt died, or will lose its next append. */
export function closeRequest(state: SessionState, stamp: Stamp): readonly Entry[] {
  if (state.request === null) return [];
  return [endOfRequest(state.request.id, { isError: true, usage: NO_MODEL_USAGE }, stamp)];
}

export function endOfRequest(
  request: EventId,
  { isError, usage }: { readonly isError: boolean; readonly usage: ModelUsage },
  stamp: Stamp,
): Entry {
  return event({
    id: stamp.eventId(),
    type: 'span.model_request_end',
    processed_at: stamp.now(),
    model_request_start_id: request,
    is_error: isError,
    model_usage: usage,
  });
}

/**
 * The result of a call that this service made or ended. For a custom tool's call it is the event that its client would
 * have sent: the SDK's tool runner takes only that for an answer, and would make the call again.
 */
export function resultOf(
  call: Pick<OpenCall, 'id' | 'waitsFor' | 'server'>,
  { content, isError }: { readonly content: ToolContent; readonly isError: boolean },
  stamp: Stamp,
): Entry {
  const result = { id: stamp.eventId(), processed_at: stamp.now(), content, is_error: isError };
  if (call.waitsFor === 'client')
    return event({ ...result, type: 'user.custom_tool_result', custom_tool_use_id: call.id });
  return call.server === null
    ? event({ ...result, type: 'agent.tool_result', tool_use_id: call.id })
    : event({ ...result, type: 'agent.mcp_tool_result', mcp_tool_use_id: call.id });
}

type RetryStatus = SessionErrorBody['retry_status']['type'];

export function failure(
  stamp: Stamp,
  error: { readonly type: TurnErrorType; readonly message: string },
  retryStatus: RetryStatus,
): Entry {
  return errorEvent(stamp, { ...error, retry_status: { type: retryStatus } });
}

/**
 * The retry status is `retrying`, because the session goes on, and the next run, or a new consent, tries the server again.
 * For the SDK `exhausted` means that the turn ends and drops the queue, and `terminal` that the session ends.
 */
export function mcpTrouble(stamp: Stamp, { type, server, message }: McpTrouble): Entry {
  return errorEvent(stamp, { type, mcp_server_name: server, message, retry_status: { type: 'retrying' } });
}

/** The retry status is `retrying`, because the session goes on, and the sandbox tries again. */
export function repositoryTrouble(stamp: Stamp, { type, url, message }: RepositoryFailure): Entry {
  return errorEvent(stamp, { type, repository_url: url, message, retry_status: { type: 'retrying' } });
}

export function errorEvent(stamp: Stamp, error: SessionErrorBody): Entry {
  return event({ id: stamp.eventId(), type: 'session.error', processed_at: stamp.now(), error });
}

/**
 * Thread idle, and where no other thread is at work usage and session idle: the end of a turn. `state` is the state before
 * them, the turn's usage folded in. An outcome that is active ends too, except while a client or a person has to act, or
 * another thread is busy, whose report begins the next turn: no turn would work on it any more.
 */
export function goIdle(
  state: SessionState,
  reason: StopReason,
  stamp: Stamp,
  details: StopDetails = null,
): readonly Entry[] {
  const stop = { stop_reason: reason, stop_details: details };
  const isAwaited = reason.type === 'end_turn' && (state.team?.busy ?? []).length > 0;
  const now: SessionState = { ...state, status: 'idle', stopReason: reason };
  return [
    ...(isAwaited ? [] : leaveOutcome(state.outcome, reason.type, stamp)),
    ...(reason.type === 'requires_action' ? [] : returnHand(state, stamp)),
    event({
      id: stamp.eventId(),
      type: 'session.thread_status_idle',
      processed_at: stamp.now(),
      ...threadOf(state),
      ...stop,
    }),
    // An advisor is asked once.
    ...(state.parent !== undefined && state.agentName === ADVISOR_NAME ? [threadTerminated(state, stamp)] : []),
    ...sessionRescheduled(state, now, stamp),
    ...sessionIdle(now, stamp, details),
  ];
}

/** A child was passed a hand for one stretch of work. */
export function returnHand({ parent, hands }: SessionState, stamp: Stamp): readonly Entry[] {
  if (hands?.passed === undefined || parent === undefined) return [];
  const { hand, holder } = hands.passed;
  return [{ record: { kind: 'hand.left', at: stamp.now(), hand, holder, reason: 'reported' } }];
}

export function threadTerminated(state: SessionState, stamp: Stamp): Entry {
  const type = 'session.thread_status_terminated';
  return event({ id: stamp.eventId(), type, processed_at: stamp.now(), ...threadOf(state) });
}

/**
 * Usage and session idle, after the statuses of threads; nothing while a thread is at work. What the session waits for are
 * the calls of all threads; without any, its stop reason is that of the primary thread.
 */
export function sessionIdle(state: SessionState, stamp: Stamp, details: StopDetails = null): readonly Entry[] {
  if (state.parent !== undefined || isAtWork(state)) return [];
  const now = stamp.now();
  const awaited = [...awaitedCalls(state)];
  const reason: StopReason =
    awaited.length > 0 ? { type: 'requires_action', event_ids: awaited } : (state.stopReason ?? { type: 'end_turn' });
  return [
    event({
      id: stamp.eventId(),
      type: 'session.usage',
      processed_at: now,
      usage: sessionUsage(state, now),
      budget: null,
    }),
    event({
      id: stamp.eventId(),
      type: 'session.status_idle',
      processed_at: now,
      stop_reason: reason,
      stop_details: reason.type === 'refusal' ? details : null,
    }),
  ];
}

interface TurnEnd {
  readonly reason: StopReason;
  readonly details: StopDetails;
}

/** The agent has ended its turn. While programs live, the run takes over what they wrote first. */
export function endTurn(state: SessionState, end: TurnEnd, stamp: Stamp): readonly Entry[] {
  if (state.programsLive) return [{ record: { kind: 'turn.ending', at: stamp.now(), ...end } }];
  return completeTurn(state, end, stamp);
}

/** The grader looks at what the agent did for an outcome; without one the session is idle. */
export function completeTurn(state: SessionState, { reason, details }: TurnEnd, stamp: Stamp): readonly Entry[] {
  const { outcome, team } = state;
  // What other agents are still at work on is judged when they have reported.
  const isAwaited = (team?.busy ?? []).length > 0;
  if (outcome === undefined || isAwaited || reason.type !== 'end_turn') return goIdle(state, reason, stamp, details);
  const { id, iteration } = outcome;
  const start = { id: stamp.eventId(), type: 'span.outcome_evaluation_start', processed_at: stamp.now() } as const;
  return [event({ ...start, outcome_id: id, iteration })];
}

const INTERRUPTED = {
  result: 'interrupted',
  explanation: 'The work was interrupted before it was evaluated.',
} as const;

/** What becomes of the outcome when a turn ends without the grader's last word. */
const LEFT: Readonly<
  Record<StopReason['type'], { readonly result: OutcomeResult; readonly explanation: string } | null>
> = {
  end_turn: INTERRUPTED,
  requires_action: null,
  retries_exhausted: {
    result: 'failed',
    explanation: 'The turn could not be finished: the last session.error tells why.',
  },
  refusal: { result: 'failed', explanation: 'The model refused to go on.' },
};

export function leaveOutcome(
  outcome: ActiveOutcome | undefined,
  reason: StopReason['type'],
  stamp: Stamp,
): readonly Entry[] {
  const left = LEFT[reason];
  return outcome === undefined || left === null ? [] : [endOfOutcome(outcome, left.result, left.explanation, stamp)];
}

export function endOfOutcome(
  { id, iteration, evaluation }: ActiveOutcome,
  result: OutcomeResult,
  explanation: string,
  stamp: Stamp,
): Entry {
  return event({
    id: stamp.eventId(),
    type: 'span.outcome_evaluation_end',
    processed_at: stamp.now(),
    outcome_evaluation_start_id: evaluation?.start ?? '',
    outcome_id: id,
    iteration,
    result,
    explanation,
    usage: evaluation?.usage ?? NO_MODEL_USAGE,
  });
}

export function requiresAction(calls: readonly { readonly id: EventId }[]): StopReason {
  return { type: 'requires_action', event_ids: calls.map((call) => call.id) };
}

export function threadOf(state: SessionState) {
  return { session_thread_id: state.thread, agent_name: state.agentName };
}

/**
 * What follows when calls stop waiting, or a message has come: the thread begins to run, or goes on waiting for less. Its
 * status, and the session's, were told last at `before`.
 */
export function afterWaiting(before: SessionState, now: SessionState, stamp: Stamp): readonly Entry[] {
  if (isActive(now) || now.status === 'terminated') return [];
  const blocked = blockedCalls(now);
  if (blocked.length > 0) {
    return blocked.length < blockedCalls(before).length ? goIdle(now, requiresAction(blocked), stamp) : [];
  }
  const isUnblocked =
    !isActive(before) && blockedCalls(before).length > 0 && now.stopReason?.type === 'requires_action';
  return isUnblocked || hasInput(now) ? beginRunning(now, stamp, before) : [];
}

/**
 * What follows for the primary thread and the session from all that the decision holds: a report or an answer lets the
 * thread go on, and otherwise the session may rest, or wait for less. No status is told that does not outlast the append.
 */
export function settled(done: Decided, stamp: Stamp): Decided {
  const own = extended(done, afterWaiting(stateTold(done), done.head.state, stamp));
  return extended(own, sessionRest(stateTold(own), own.head.state, stamp));
}

/** The state in which the session's status was told last: an interrupt ends turns at once, also when others begin after it. */
export function stateTold({ from, entries }: Decided): SessionState {
  const last = entries.findLastIndex((entry) => {
    const type = eventIn(entry)?.type;
    return type === 'session.status_idle' || type === 'session.status_rescheduled';
  });
  return decided(from, entries.slice(0, last + 1)).head.state;
}

function sessionRest(told: SessionState, now: SessionState, stamp: Stamp): readonly Entry[] {
  const waitsForLess = awaitedCalls(now).length < awaitedCalls(told).length;
  const rests = sessionStatus(now) === 'idle' && (sessionStatus(told) !== 'idle' || waitsForLess);
  return rests ? sessionIdle(now, stamp) : sessionRescheduled(told, now, stamp);
}
