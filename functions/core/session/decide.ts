/** The rules of a session: what a command makes happen, given what has happened. Pure but for the stamp it is given. */
import type { SessionState } from '#contract/entries.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import { decided, NOTHING, type Command, type CommandTo, type Decision } from '#core/session/commands.ts';
import { conclude } from '#core/session/conclude.ts';
import { decideAnswer } from '#core/session/decide-answer.ts';
import { decideDecline, decideListed, decideResume, decideSuspend } from '#core/session/decide-mcp.ts';
import { decideClaim, decideCompacted, decideFail, decideGiveUp } from '#core/session/decide-request.ts';
import { decideSend } from '#core/session/decide-send.ts';
import { event, goIdle, mcpTrouble, requiresAction, resultOf, threadOf } from '#core/session/entries.ts';
import { fold } from '#core/session/evolve.ts';
import { blockedCalls, isActive, readyCalls } from '#core/session/waiting.ts';

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

function decideResult(state: SessionState, command: CommandTo<'result'>, stamp: Stamp): Decision {
  // A call that is not open was answered by a twin of this hand: the first result stands.
  const call = state.calls.find(({ id }) => id === command.call);
  if (call === undefined) return NOTHING;
  const trouble = command.error === undefined ? [] : [mcpTrouble(stamp, command.error)];
  const entries = [...trouble, resultOf(call, command, stamp)];
  // A twin of this hand may have let the call wait for people, and the run have ended with that.
  return decided([...entries, ...conclude(state, fold({ position: 0, state }, entries).state, stamp)]);
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
