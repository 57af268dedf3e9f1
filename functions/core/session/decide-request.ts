/** Decisions about a model request: its claim, a summary, and failures. Answers are in `decide-answer.ts`. */
import type { ActiveOutcome, Entry, QueuedEntry, SessionState } from '#contract/entries.ts';
import type { TurnErrorType } from '#contract/events.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import { decided, extended, type CommandTo, type Decision, type GivingUp } from '#core/session/commands.ts';
import {
  beginRunning,
  closeRequest,
  endOfRequest,
  event,
  failure,
  goIdle,
  sessionRescheduled,
  take,
  threadOf,
  threadTerminated,
} from '#core/session/entries.ts';
import { NO_MODEL_USAGE } from '#core/session/usage.ts';
import { hasInput, isActive } from '#core/session/waiting.ts';

export function decideClaim(head: Head, command: CommandTo<'claim'>, stamp: Stamp): Decision {
  const { state } = head;
  if (!isActive(state) || state.calls.length > 0) return decided(head);
  const now = stamp.now();
  const resumed = state.status === 'rescheduling' ? beginRunning(state, stamp) : [];
  return decided(head, [
    ...closeRequest(state, stamp),
    ...resumed,
    ...take(command.taken, stamp),
    event({ id: command.request, type: 'span.model_request_start', processed_at: now }),
    {
      record: { kind: 'model.claimed', request: command.request, at: now, run: state.run, attempt: state.failures + 1 },
    },
    ...(state.outcome?.result === 'evaluating' ? [goingOn(state.outcome, stamp)] : []),
  ]);
}

/** A sign of life with each request to the grader. */
function goingOn({ id, iteration }: ActiveOutcome, stamp: Stamp): Entry {
  const type = 'span.outcome_evaluation_ongoing';
  return event({ id: stamp.eventId(), type, processed_at: stamp.now(), outcome_id: id, iteration });
}

export function decideCompacted(head: Head, command: CommandTo<'compacted'>, stamp: Stamp): Decision {
  const { state } = head;
  // Another attempt closed this request and owns the turn now.
  if (state.request?.id !== command.request) return decided(head);
  const { request, summary, agent, guides, usage } = command;
  const outcome = command.outcome === null ? {} : { outcome: command.outcome };
  const now = stamp.now();
  return decided(head, [
    endOfRequest(request, { isError: false, usage }, stamp),
    {
      record: {
        kind: 'context.compacted',
        request,
        at: now,
        thread: state.thread,
        summary,
        agent,
        ...guides,
        ...outcome,
      },
    },
    event({ id: stamp.eventId(), type: 'agent.thread_context_compacted', processed_at: now }),
  ]);
}

export function decideFail(head: Head, command: CommandTo<'fail'>, stamp: Stamp): Decision {
  const { state } = head;
  if (state.request?.id !== command.request) return decided(head);
  const ended = endOfRequest(command.request, { isError: true, usage: command.usage ?? NO_MODEL_USAGE }, stamp);
  if (command.verdict === 'too large') {
    return decided(head, [ended, { record: { kind: 'context.exceeded', request: command.request, at: stamp.now() } }]);
  }
  // The next request asks about a message that still waits: idle now, the session would never answer it.
  const isRepeated = command.verdict === 'retrying' || command.verdict === 'refused';
  const goesOn = isRepeated || hasInput({ ...state, queued: untaken(state, command.taken ?? []) });
  const retryStatus = goesOn ? ('retrying' as const) : ('exhausted' as const);
  const now = stamp.now();
  const { named, tried } = command.leftOut ?? { named: null, tried: [] };
  const refused: readonly Entry[] =
    command.verdict === 'refused' || command.leftOut !== undefined
      ? [{ record: { kind: 'model.refused', request: command.request, at: now, named, tried: [...tried] } }]
      : [];
  const failed = [ended, ...refused, failure(stamp, { type: command.error, message: command.message }, retryStatus)];
  if (command.verdict === 'retrying') return decided(head, [...failed, ...reschedule(state, stamp)]);
  const ending = decided(head, failed);
  if (goesOn) return ending;
  const taken = take(command.taken ?? [], stamp);
  return extended(ending, [...taken, ...goIdle(ending.head.state, { type: 'retries_exhausted' }, stamp)]);
}

/** Queued messages that the command does not take: they may have come after the command was made. */
function untaken({ queued }: SessionState, taken: readonly QueuedEntry[]): SessionState['queued'] {
  return queued.filter(({ id }) => !taken.some(({ event: message }) => message.id === id));
}

/** `endsThread`: a child thread ends with the turn. */
const GIVING_UP: Readonly<
  Record<GivingUp, { readonly type: TurnErrorType; readonly message: string; readonly endsThread: boolean }>
> = {
  attempts: {
    type: 'model_request_failed_error',
    message: 'the model request did not complete in any of its attempts',
    endsThread: false,
  },
  rounds: {
    type: 'tool_use_limit_reached_error',
    message: 'the agent used tools too many times in one turn',
    endsThread: true,
  },
  compactions: {
    type: 'compaction_limit_reached_error',
    message: 'the context was summarised several times in a row and is full again',
    endsThread: true,
  },
};

export function decideGiveUp(head: Head, command: CommandTo<'give up'>, stamp: Stamp): Decision {
  const { state } = head;
  if (!isActive(state)) return decided(head);
  const { endsThread, ...error } = GIVING_UP[command.cause];
  const given = decided(head, [
    ...closeRequest(state, stamp),
    failure(stamp, error, 'exhausted'),
    ...take(command.taken, stamp),
    ...goIdle(state, { type: 'retries_exhausted' }, stamp),
  ]);
  const ends = endsThread && state.parent !== undefined && given.head.state.status !== 'terminated';
  return ends ? extended(given, [threadTerminated(given.head.state, stamp)]) : given;
}

function reschedule(state: SessionState, stamp: Stamp): readonly Entry[] {
  if (state.status === 'rescheduling') return [];
  return [
    event({
      id: stamp.eventId(),
      type: 'session.thread_status_rescheduled',
      processed_at: stamp.now(),
      ...threadOf(state),
    }),
    ...sessionRescheduled(state, { ...state, status: 'rescheduling' }, stamp),
  ];
}
