/** The rules of a session: from a head and a command to entries. Pure, with time and ids from the stamp. */
import type { Entry, SessionState } from '#contract/entries.ts';
import type { ThreadId } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import {
  decided,
  extended,
  NO_OTHERS,
  type Command,
  type CommandTo,
  type Decision,
  type OtherHeads,
} from '#core/session/commands.ts';
import {
  afterWaiting,
  completeTurn,
  errorEvent,
  event,
  goIdle,
  leaveOutcome,
  mcpTrouble,
  repositoryTrouble,
  requiresAction,
  resultOf,
  returnHand,
  threadTerminated,
} from '#core/session/entries.ts';
import { decideAnswer } from '#core/session/decide-answer.ts';
import { decideDecline, decideListed, decideResume, decideSuspend } from '#core/session/decide-mcp.ts';
import { decideGraded } from '#core/session/decide-outcome.ts';
import { decideClaim, decideCompacted, decideFail, decideGiveUp } from '#core/session/decide-request.ts';
import { childOf, decideSend } from '#core/session/decide-send.ts';
import { isNews } from '#core/session/evolve.ts';
import { decideHear, endChildren } from '#core/session/tell.ts';
import { blockedCalls, hasInput, isActive, isAtWork, readyCalls } from '#core/session/waiting.ts';

/** The threads, beside that of the state, that a command may change. */
export function threadsOf(state: SessionState, command: Command): readonly ThreadId[] {
  switch (command.do) {
    case 'archive':
      return (state.team?.busy ?? []).map(({ thread }) => thread);
    case 'send': {
      const isOfAll = command.events.some(
        (input) => input.type === 'user.interrupt' && input.session_thread_id == null,
      );
      const named = command.events.flatMap((input) => childOf(state, input) ?? []);
      return [...named, ...(isOfAll ? (state.team?.busy ?? []).map(({ thread }) => thread) : [])];
    }
    case 'answer':
      return [...(command.delegations ?? new Map()).values()].flatMap((delegation) =>
        delegation.do === 'follow up' ? [delegation.thread] : [],
      );
    default:
      return [];
  }
}

/** `others` are the heads of the threads that `threadsOf` names. */
export function decide(head: Head, command: Command, stamp: Stamp, others: OtherHeads = NO_OTHERS): Decision {
  switch (command.do) {
    case 'send':
      return decideSend(head, command, { stamp, others });
    case 'claim':
      return decideClaim(head, command, stamp);
    case 'answer':
      return decideAnswer(head, command, { stamp, others });
    case 'compacted':
      return decideCompacted(head, command, stamp);
    case 'graded':
      return decideGraded(head, command, stamp);
    case 'fail':
      return decideFail(head, command, stamp);
    case 'give up':
      return decideGiveUp(head, command, stamp);
    case 'result':
      return decideResult(head, command, stamp);
    case 'warn':
      return decideWarn(head, command, stamp);
    case 'harvested':
      return decideHarvested(head, command, stamp);
    case 'end turn':
      return decideEndTurn(head, command, stamp);
    case 'suspend':
      return decideSuspend(head, command, stamp);
    case 'resume':
      return decideResume(head, command, stamp);
    case 'decline':
      return decideDecline(head, command, stamp);
    case 'listed':
      return decideListed(head, command, stamp);
    case 'await action':
      return decideAwaitAction(head, stamp);
    case 'update':
      return decideUpdate(head, command, stamp);
    case 'continue':
      return decideContinue(head, command, stamp);
    case 'change contents':
      return decideChangeContents(head, stamp);
    case 'archive':
      return decideArchive(head, { stamp, others });
    case 'hear':
      return decideHear(head, command, stamp);
    default:
      return command satisfies never;
  }
}

function decideResult(head: Head, command: CommandTo<'result'>, stamp: Stamp): Decision {
  const { state } = head;
  // A call that is not open was answered by another attempt of this hand: the first result stands.
  const call = state.calls.find(({ id }) => id === command.call);
  if (call === undefined || state.status === 'terminated') return decided(head);
  const trouble = [
    ...(command.error === undefined ? [] : [mcpTrouble(stamp, command.error)]),
    ...(command.failedClones ?? []).map((failure) => repositoryTrouble(stamp, failure)),
  ];
  const isNews = command.programsLive === true && state.programsLive === undefined;
  const left: readonly Entry[] = isNews ? [{ record: { kind: 'programs.left', at: stamp.now() } }] : [];
  const answered = decided(head, [
    ...trouble,
    resultOf(call, command, stamp),
    ...left,
    ...leftHand(state, command, stamp),
  ]);
  // Another attempt of this hand may have suspended the call, and the run may have ended with that.
  return extended(answered, afterWaiting(state, answered.head.state, stamp));
}

function decideWarn(head: Head, { errors }: CommandTo<'warn'>, stamp: Stamp): Decision {
  const { state } = head;
  if (state.status === 'terminated') return decided(head);
  const news = errors.filter((error) => isNews(state, error));
  return decided(
    head,
    news.map((error) => errorEvent(stamp, error)),
  );
}

/** The session that passed the hand is gone, so this log alone tells. */
function leftHand({ hands }: SessionState, { leaves }: CommandTo<'result'>, stamp: Stamp): readonly Entry[] {
  if (hands?.passed === undefined || leaves === undefined) return [];
  const { hand, holder } = hands.passed;
  if (hand.session !== leaves.session || hand.hand !== leaves.hand) return [];
  return [{ record: { kind: 'hand.left', at: stamp.now(), hand, holder, reason: 'gone' } }];
}

function decideHarvested(head: Head, { since, programsLive }: CommandTo<'harvested'>, stamp: Stamp): Decision {
  const { ending } = head.state;
  // Another attempt has harvested, or the turn has ended.
  if (ending?.position !== since || ending.isHarvested) return decided(head);
  return decided(head, [{ record: { kind: 'turn.harvested', at: stamp.now(), programsLive } }]);
}

function decideEndTurn(head: Head, { since }: CommandTo<'end turn'>, stamp: Stamp): Decision {
  const { ending, ...state } = head.state;
  if (ending?.position !== since || hasInput(state)) return decided(head);
  const { reason, details } = ending;
  return decided(head, completeTurn(state, { reason, details }, stamp));
}

function decideAwaitAction(head: Head, stamp: Stamp): Decision {
  const { state } = head;
  const blocked = blockedCalls(state);
  // A person or the client answered meanwhile, so there is something to do again.
  if (!isActive(state) || blocked.length === 0 || readyCalls(state).length > 0) return decided(head);
  return decided(head, goIdle(state, requiresAction(blocked), stamp));
}

function decideUpdate(head: Head, { changes }: CommandTo<'update'>, stamp: Stamp): Decision {
  const { state } = head;
  if (state.status === 'terminated') {
    return { status: 'refused', message: 'the session is terminated and cannot be changed any more' };
  }
  if (changes.agent !== undefined && isAtWork(state)) {
    return { status: 'refused', field: 'agent', message: 'the session is running: wait until it is idle' };
  }
  const { title, metadata, agent } = changes;
  if (title === undefined && metadata === undefined && agent === undefined) return decided(head);
  return decided(head, [
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

function decideChangeContents(head: Head, stamp: Stamp): Decision {
  if (head.state.status === 'terminated') {
    return { status: 'refused', message: 'the session is terminated and cannot be changed any more' };
  }
  return decided(head, [{ record: { kind: 'contents.changed', at: stamp.now() } }]);
}

function decideContinue(head: Head, command: CommandTo<'continue'>, stamp: Stamp): Decision {
  const { state } = head;
  // Of two processes that find a run at its end, the one that loses the append must not end the next run too.
  if (!isActive(state) || state.run !== command.run) return decided(head);
  return decided(head, [
    { record: { kind: 'run.continued', at: stamp.now(), run: state.run + 1, reason: command.reason } },
  ]);
}

/**
 * A child that waits for its client or a person ends without an answer, and its report says so. Such children of a session
 * end with it.
 */
function decideArchive(
  head: Head,
  { stamp, others }: { readonly stamp: Stamp; readonly others: OtherHeads },
): Decision {
  const { state } = head;
  const isChild = state.parent !== undefined;
  if (isAtWork(state)) {
    return { status: 'refused', message: `the ${isChild ? 'thread' : 'session'} is running: wait until it is idle` };
  }
  if (state.status === 'terminated') return decided(head);
  const alone = endChildren(
    decided(head),
    {
      headOf: (thread) => others.get(thread) ?? null,
      end: (child) => decideArchive(child, { stamp, others: NO_OTHERS }),
    },
    stamp,
  );
  return extended(alone, [
    ...leaveOutcome(state.outcome, 'end_turn', stamp),
    ...returnHand(state, stamp),
    threadTerminated(state, stamp),
    ...(isChild ? [] : [event({ id: stamp.eventId(), type: 'session.status_terminated', processed_at: stamp.now() })]),
  ]);
}
