/** The rules of a session: what a command makes happen, given what has happened. Pure but for the stamp it is given. */
import type { Entry, SessionState } from '#contract/entries.ts';
import type { SessionEvent } from '#contract/events.ts';
import type { Stamp } from '#core/ports.ts';
import type { Command, Decided, Decision } from '#core/session/commands.ts';
import { decideAnswer } from '#core/session/decide-answer.ts';
import { beginRunning, closeRequest, event, goIdle, take } from '#core/session/entries.ts';

const NOTHING: Decided = { status: 'decided', entries: [] };

/** The queue is part of the folded state, which each append carries, and one model request takes all of it. */
export const MAX_QUEUED = 200;
const MAX_QUEUED_CHARS = 20_000_000;

export function decide(state: SessionState, command: Command, stamp: Stamp): Decision {
  switch (command.do) {
    case 'send':
      return decideSend(state, command.messages, stamp);
    case 'claim':
      return decideClaim(state, command, stamp);
    case 'answer':
      return decideAnswer(state, command, stamp);
    case 'fail':
      return decideFail(state, command, stamp);
    case 'give up':
      return decideGiveUp(state, command, stamp);
    case 'result':
      return decideResult(state, command, stamp);
    case 'continue':
      return decideContinue(state, command, stamp);
    case 'archive':
      return decideArchive(state, stamp);
    default:
      return command satisfies never;
  }
}

/** Whether an agent is at work: the states in which only the harness may end a run. */
export function isActive(state: SessionState): boolean {
  return state.status === 'running' || state.status === 'rescheduling';
}

function decided(entries: readonly Entry[]): Decided {
  return { status: 'decided', entries };
}

function decideSend(
  state: SessionState,
  messages: Extract<Command, { do: 'send' }>['messages'],
  stamp: Stamp,
): Decision {
  if (state.status === 'terminated') {
    return { status: 'refused', message: 'the session is terminated and accepts no further events' };
  }
  const waiting = state.queued.reduce((chars, queued) => chars + queued.chars, 0);
  if (state.queued.length + messages.length > MAX_QUEUED || waiting > MAX_QUEUED_CHARS) {
    return { status: 'refused', message: `too much waits for the agent: at most ${MAX_QUEUED} messages can` };
  }
  const accepted = messages.map((message) =>
    event({ id: stamp.eventId(), type: 'user.message', processed_at: null, content: message.content }),
  );
  return decided(isActive(state) ? accepted : [...accepted, ...beginRunning(state, stamp)]);
}

function decideClaim(state: SessionState, command: Extract<Command, { do: 'claim' }>, stamp: Stamp): Decision {
  if (!isActive(state) || state.calls.length > 0) return NOTHING;
  const now = stamp.now();
  const resumed = state.status === 'rescheduling' ? beginRunning(state, stamp) : [];
  return decided([
    ...closeRequest(state, stamp),
    ...resumed,
    ...take(command.taken, stamp),
    event({ id: command.request, type: 'span.model_request_start', processed_at: now }),
    {
      record: { kind: 'model.claimed', request: command.request, at: now, run: state.run, attempt: state.failures + 1 },
    },
  ]);
}

function decideFail(state: SessionState, command: Extract<Command, { do: 'fail' }>, stamp: Stamp): Decision {
  if (state.request?.id !== command.request) return NOTHING;
  // A message that still waits is asked about next: going idle now would leave it unanswered for ever.
  const goesOn = command.verdict === 'retrying' || state.queued.length > 0;
  const retryStatus = goesOn ? ('retrying' as const) : ('exhausted' as const);
  const now = stamp.now();
  const refused: readonly Entry[] =
    command.verdict === 'refused' ? [{ record: { kind: 'model.refused', request: command.request, at: now } }] : [];
  const failed = [
    ...closeRequest(state, stamp),
    ...refused,
    event({
      id: stamp.eventId(),
      type: 'session.error',
      processed_at: now,
      error: { type: command.error, message: command.message, retry_status: { type: retryStatus } },
    }),
  ];
  if (command.verdict === 'retrying') return decided([...failed, ...reschedule(state, stamp)]);
  if (goesOn) return decided(failed);
  return decided([...failed, ...goIdle(state, { type: 'retries_exhausted' }, stamp)]);
}

function decideGiveUp(state: SessionState, command: Extract<Command, { do: 'give up' }>, stamp: Stamp): Decision {
  if (!isActive(state)) return NOTHING;
  const error: SessionEvent = {
    id: stamp.eventId(),
    type: 'session.error',
    processed_at: stamp.now(),
    error: {
      type: 'model_request_failed_error',
      message: 'the model request did not complete in any of its attempts',
      retry_status: { type: 'exhausted' },
    },
  };
  return decided([
    ...closeRequest(state, stamp),
    event(error),
    ...take(command.taken, stamp),
    ...goIdle(state, { type: 'retries_exhausted' }, stamp),
  ]);
}

function decideResult(state: SessionState, command: Extract<Command, { do: 'result' }>, stamp: Stamp): Decision {
  // A call that is not open was answered by a twin of this hand: the first result stands.
  if (!state.calls.some((call) => call.id === command.call)) return NOTHING;
  return decided([
    event({
      id: stamp.eventId(),
      type: 'agent.tool_result',
      processed_at: stamp.now(),
      tool_use_id: command.call,
      content: command.content,
      is_error: command.isError,
    }),
  ]);
}

function decideContinue(state: SessionState, command: Extract<Command, { do: 'continue' }>, stamp: Stamp): Decision {
  // Of two that find a run at its end, the one that loses the append must not end the next run too.
  if (!isActive(state) || state.run !== command.run) return NOTHING;
  return decided([{ record: { kind: 'run.continued', at: stamp.now(), run: state.run + 1, reason: command.reason } }]);
}

function decideArchive(state: SessionState, stamp: Stamp): Decision {
  if (isActive(state)) return { status: 'refused', message: 'the session is running: wait until it is idle' };
  if (state.status === 'terminated') return NOTHING;
  const now = stamp.now();
  const thread = { session_thread_id: state.thread, agent_name: state.agentName };
  return decided([
    event({ id: stamp.eventId(), type: 'session.thread_status_terminated', processed_at: now, ...thread }),
    event({ id: stamp.eventId(), type: 'session.status_terminated', processed_at: now }),
  ]);
}

function reschedule(state: SessionState, stamp: Stamp): readonly Entry[] {
  if (state.status === 'rescheduling') return [];
  const now = stamp.now();
  const thread = { session_thread_id: state.thread, agent_name: state.agentName };
  return [
    event({ id: stamp.eventId(), type: 'session.thread_status_rescheduled', processed_at: now, ...thread }),
    event({ id: stamp.eventId(), type: 'session.status_rescheduled', processed_at: now }),
  ];
}
