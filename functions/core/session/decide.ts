/** The rules of a session: what a command makes happen, given what has happened. Pure but for the stamp it is given. */
import type { Entry, SessionState } from '#contract/entries.ts';
import type { QueuedMessage, TurnErrorType } from '#contract/events.ts';
import type { Stamp } from '#core/ports.ts';
import type { Command, Decided, Decision, GivingUp } from '#core/session/commands.ts';
import { decideAnswer } from '#core/session/decide-answer.ts';
import { decideDecline, decideListed, decideResume, decideSuspend } from '#core/session/decide-mcp.ts';
import { decideSend } from '#core/session/decide-send.ts';
import {
  beginRunning,
  closeRequest,
  endOfRequest,
  event,
  failure,
  goIdle,
  mcpTrouble,
  NO_MODEL_USAGE,
  requiresAction,
  resultOf,
  take,
  threadOf,
} from '#core/session/entries.ts';
import { fold } from '#core/session/evolve.ts';
import { blockedCalls, hasUserMessage, isActive, readyCalls } from '#core/session/waiting.ts';

const NOTHING: Decided = { status: 'decided', entries: [] };

type CommandTo<Do extends Command['do']> = Extract<Command, { do: Do }>;

export function decide(state: SessionState, command: Command, stamp: Stamp): Decision {
  switch (command.do) {
    case 'send':
      return decideSend(state, command.events, stamp);
    case 'claim':
      return decideClaim(state, command, stamp);
    case 'answer':
      return decideAnswer(state, command, stamp);
    case 'compacted':
      return decideCompacted(state, command, stamp);
    case 'fail':
      return decideFail(state, command, stamp);
    case 'give up':
      return decideGiveUp(state, command, stamp);
    case 'result':
      return decideResult(state, command, stamp);
    case 'suspend':
      return decideSuspend(state, command, stamp);
    case 'resume':
      return decideResume(state, command, stamp);
    case 'decline':
      return decideDecline(state, command, stamp);
    case 'listed':
      return decideListed(state, command, stamp);
    case 'await action':
      return decideAwaitAction(state, stamp);
    case 'update':
      return decideUpdate(state, command, stamp);
    case 'continue':
      return decideContinue(state, command, stamp);
    case 'archive':
      return decideArchive(state, stamp);
    default:
      return command satisfies never;
  }
}

function decided(entries: readonly Entry[]): Decided {
  return { status: 'decided', entries };
}

function decideClaim(state: SessionState, command: CommandTo<'claim'>, stamp: Stamp): Decision {
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

function decideCompacted(state: SessionState, command: CommandTo<'compacted'>, stamp: Stamp): Decision {
  // Another attempt closed this request and owns the turn now.
  if (state.request?.id !== command.request) return NOTHING;
  const { request, summary, agent, usage } = command;
  const now = stamp.now();
  return decided([
    endOfRequest(request, { isError: false, usage }, stamp),
    { record: { kind: 'context.compacted', request, at: now, summary, agent } },
    event({ id: stamp.eventId(), type: 'agent.thread_context_compacted', processed_at: now }),
  ]);
}

function decideFail(state: SessionState, command: CommandTo<'fail'>, stamp: Stamp): Decision {
  if (state.request?.id !== command.request) return NOTHING;
  const ended = endOfRequest(command.request, { isError: true, usage: command.usage ?? NO_MODEL_USAGE }, stamp);
  if (command.verdict === 'too large') {
    return decided([ended, { record: { kind: 'context.exceeded', request: command.request, at: stamp.now() } }]);
  }
  // A message that still waits is asked about next: going idle now would leave it unanswered for ever.
  const goesOn = command.verdict === 'retrying' || hasUserMessage({ queued: untaken(state, command.taken ?? []) });
  const retryStatus = goesOn ? ('retrying' as const) : ('exhausted' as const);
  const now = stamp.now();
  const refused: readonly Entry[] =
    command.verdict === 'refused' ? [{ record: { kind: 'model.refused', request: command.request, at: now } }] : [];
  const failed = [ended, ...refused, failure(stamp, { type: command.error, message: command.message }, retryStatus)];
  if (command.verdict === 'retrying') return decided([...failed, ...reschedule(state, stamp)]);
  if (goesOn) return decided(failed);
  const { state: after } = fold({ position: 0, state }, failed);
  const taken = take(command.taken ?? [], stamp);
  return decided([...failed, ...taken, ...goIdle(after, { type: 'retries_exhausted' }, stamp)]);
}

/** What waits beside what a command takes: it may have come after the command was made. */
function untaken({ queued }: SessionState, taken: readonly QueuedMessage[]): SessionState['queued'] {
  return queued.filter(({ id }) => !taken.some((message) => message.id === id));
}

const GIVING_UP: Readonly<Record<GivingUp, { readonly type: TurnErrorType; readonly message: string }>> = {
  attempts: {
    type: 'model_request_failed_error',
    message: 'the model request did not complete in any of its attempts',
  },
  rounds: {
    type: 'tool_use_limit_reached_error',
    message: 'the agent used tools too many times in one turn',
  },
  compactions: {
    type: 'compaction_limit_reached_error',
    message: 'the context was summarised several times in a row and is full again',
  },
};

function decideGiveUp(state: SessionState, command: CommandTo<'give up'>, stamp: Stamp): Decision {
  if (!isActive(state)) return NOTHING;
  return decided([
    ...closeRequest(state, stamp),
    failure(stamp, GIVING_UP[command.cause], 'exhausted'),
    ...take(command.taken, stamp),
    ...goIdle(state, { type: 'retries_exhausted' }, stamp),
  ]);
}

function decideResult(state: SessionState, command: CommandTo<'result'>, stamp: Stamp): Decision {
  // A call that is not open was answered by a twin of this hand: the first result stands.
  const call = state.calls.find(({ id }) => id === command.call);
  if (call === undefined) return NOTHING;
  const trouble = command.error === undefined ? [] : [mcpTrouble(stamp, command.error)];
  return decided([...trouble, resultOf(call, command, stamp)]);
}

function decideAwaitAction(state: SessionState, stamp: Stamp): Decision {
  const blocked = blockedCalls(state);
  // Somebody answered meanwhile, so that there is something to do again.
  if (!isActive(state) || blocked.length === 0 || readyCalls(state).length > 0) return NOTHING;
  return decided(goIdle(state, requiresAction(blocked), stamp));
}

function decideUpdate(state: SessionState, { changes }: CommandTo<'update'>, stamp: Stamp): Decision {
  if (state.status === 'terminated') {
    return { status: 'refused', message: 'the session is terminated and cannot be changed any more' };
  }
  if (changes.agent !== undefined && isActive(state)) {
    return { status: 'refused', field: 'agent', message: 'the session is running: wait until it is idle' };
  }
  const { title, metadata, agent } = changes;
  if (title === undefined && metadata === undefined && agent === undefined) return NOTHING;
  return decided([
    event({
      id: stamp.eventId(),
      type: 'session.updated',
      processed_at: stamp.now(),
      ...(title === undefined ? {} : { title }),
      ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
      ...(agent === undefined ? {} : { agent }),
    }),
  ]);
}

function decideContinue(state: SessionState, command: CommandTo<'continue'>, stamp: Stamp): Decision {
  // Of two that find a run at its end, the one that loses the append must not end the next run too.
  if (!isActive(state) || state.run !== command.run) return NOTHING;
  return decided([{ record: { kind: 'run.continued', at: stamp.now(), run: state.run + 1, reason: command.reason } }]);
}

function decideArchive(state: SessionState, stamp: Stamp): Decision {
  if (isActive(state)) return { status: 'refused', message: 'the session is running: wait until it is idle' };
  if (state.status === 'terminated') return NOTHING;
  const now = stamp.now();
  return decided([
    event({ id: stamp.eventId(), type: 'session.thread_status_terminated', processed_at: now, ...threadOf(state) }),
    event({ id: stamp.eventId(), type: 'session.status_terminated', processed_at: now }),
  ]);
}

function reschedule(state: SessionState, stamp: Stamp): readonly Entry[] {
  if (state.status === 'rescheduling') return [];
  const now = stamp.now();
  return [
    event({ id: stamp.eventId(), type: 'session.thread_status_rescheduled', processed_at: now, ...threadOf(state) }),
    event({ id: stamp.eventId(), type: 'session.status_rescheduled', processed_at: now }),
  ];
}
