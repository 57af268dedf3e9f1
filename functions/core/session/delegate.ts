/** Calls with which an agent delegates: they begin threads, or go on with them, in the append of the answer that made them. */
import { ADVISOR_NAME } from '#contract/multiagent.ts';
import type { BusyThread, Entry, RecordOf, SessionState } from '#contract/entries.ts';
import type { ThreadMessage } from '#contract/events.ts';
import type { EventId, ThreadId } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import {
  decided,
  extended,
  type Decided,
  type Delegation,
  type Loan,
  type OtherHeads,
  type Beside,
} from '#core/session/commands.ts';
import { afterWaiting, event } from '#core/session/entries.ts';
import { fold } from '#core/session/evolve.ts';
import { withChild } from '#core/session/tell.ts';
import { isActive } from '#core/session/waiting.ts';

/** Child threads of a session that are busy at once, without advisors. */
const MAX_BUSY_THREADS = 25;
/** Questions that wait for the advisor at once: an append tells of no more logs than of all these threads and the primary one. */
const MAX_QUESTIONS = 5;

/** Threads that a list tells of, the newest ones. */
export const LISTED_THREADS = 50;

export interface DelegatingCall {
  readonly id: EventId;
  readonly delegation: Delegation;
}

export interface Delegating {
  readonly others: OtherHeads;
  readonly stamp: Stamp;
}

export function delegate(said: Decided, { id, delegation }: DelegatingCall, to: Delegating): Decided {
  switch (delegation.do) {
    case 'begin': {
      const full = fullFor(delegation.name, said.head.state);
      return full === null ? begin(said, id, delegation, to) : answer(said, id, full, to);
    }
    case 'follow up':
      return followUp(said, id, delegation, to);
    case 'list':
      return answer(said, id, { text: listed(said, delegation), isError: false }, to);
    case 'wait':
      return answer(said, id, busyOf(said.head.state).length === 0 ? NONE_AT_WORK : WAITING, to);
    case 'tell':
      return answer(said, id, delegation, to);
    default:
      return delegation satisfies never;
  }
}

/** The result of a call, which the model reads. */
interface Answer {
  readonly text: string;
  readonly isError: boolean;
}

const TOO_MANY: Answer = {
  text: `${MAX_BUSY_THREADS} agents are at work, which is the most at once. Wait for a report, then try again.`,
  isError: true,
};
const TOO_MANY_QUESTIONS: Answer = {
  text: `${MAX_QUESTIONS} questions wait for the advisor, which is the most at once. Wait for an answer, then ask again.`,
  isError: true,
};
const NONE_AT_WORK: Answer = { text: 'No agent is at work, so no report will come.', isError: true };
const WAITING: Answer = { text: 'Reports come as messages.', isError: false };

function busyOf({ team }: SessionState): readonly BusyThread[] {
  return team?.busy ?? [];
}

/** The answer to the model when no more threads of this kind fit beside the busy ones. Advisors take no place of an agent. */
function fullFor(name: string, state: SessionState): Answer | null {
  const isOfAdvisor = name === ADVISOR_NAME;
  const alike = busyOf(state).filter(({ isAdvisor = false }) => isAdvisor === isOfAdvisor).length;
  if (isOfAdvisor) return alike < MAX_QUESTIONS ? null : TOO_MANY_QUESTIONS;
  return alike < MAX_BUSY_THREADS ? null : TOO_MANY;
}

/** With the threads that this answer begins, and the statuses that it leads to. */
function listed({ head, beside }: Decided, { agents, threads }: Extract<Delegation, { do: 'list' }>): string {
  const begun = beside.flatMap(({ thread, after, head: { state } }) =>
    after === null ? [{ thread, name: state.agentName, status: state.status }] : [],
  );
  const busy = new Map(busyOf(head.state).map(({ thread, status }) => [thread, status]));
  const lines = [...begun.toReversed(), ...threads]
    .slice(0, LISTED_THREADS)
    .map(({ thread, name, status }) => `- ${thread}: ${JSON.stringify(name)}, ${busy.get(thread) ?? status}`);
  const title = lines.length === 0 ? 'No thread has begun yet.' : 'Threads, the newest first:';
  return [agents, '', title, ...lines].join('\n');
}

function answer(said: Decided, call: EventId, { text, isError }: Answer, { stamp }: Delegating): Decided {
  return extended(said, [{ record: { kind: 'call.answered', call, at: stamp.now(), text, isError } }]);
}

function begin(
  said: Decided,
  call: EventId,
  { thread, agent, shown, name, guide, text, own, loan }: Extract<Delegation, { do: 'begin' }>,
  to: Delegating,
): Decided {
  const { stamp } = to;
  const { workspace, thread: parent } = said.head.state;
  const at = stamp.now();
  const created: Entry = {
    record: {
      ...{ kind: 'session.created', at, workspace, thread, agent, parent },
      ...(own && { environment: own.environment.id }),
      ...(guide !== null && { guide }),
    },
  };
  const ofHands = [
    ...(own === undefined ? [] : [passed({ ...own, lender: null }, stamp)]),
    ...(loan === undefined ? [] : [passed(loan, stamp)]),
  ];
  const empty = fold(null, [created, ...ofHands]);
  const told = receive(empty, { from_session_thread_id: parent, content: [{ type: 'text', text }] }, stamp);
  const child = {
    thread,
    after: null,
    entries: [created, ...ofHands, ...told.entries],
    head: told.head,
    ...(own && { own }),
    details: { id: thread, agent: shown, parent_thread_id: parent, created_at: at },
  };
  const announced = extended(said, [
    event({
      id: stamp.eventId(),
      type: 'session.thread_created',
      processed_at: at,
      session_thread_id: thread,
      agent_name: name,
      workflow_run_id: null,
    }),
    ...(name === ADVISOR_NAME ? [] : [sent(thread, name, text, stamp)]),
  ]);
  const begun = withChild(announced, child, stamp);
  const result = {
    text: `${name} has begun to work in thread ${thread}${placeOf(parent, own, loan)}. Its report will come as a message.`,
    isError: false,
  };
  return answer(begun, call, result, to);
}

function followUp(
  said: Decided,
  call: EventId,
  { thread, text, loan }: Extract<Delegation, { do: 'follow up' }>,
  to: Delegating,
): Decided {
  const { stamp, others } = to;
  const after = others.get(thread) ?? null;
  const before = said.beside.find((child) => child.thread === thread)?.head ?? after;
  if (before?.state.parent === undefined) {
    return answer(said, call, { text: `There is no thread ${thread} in this session.`, isError: true }, to);
  }
  const refusal = refusalOf(before.state, said.head.state);
  if (refusal !== null) return answer(said, call, { text: refusal, isError: true }, to);
  const parent = said.head.state.thread;
  const name = before.state.agentName;
  const lent = decided(before, loan === undefined ? [] : [passed(loan, stamp)]);
  const received = receive(lent.head, { from_session_thread_id: parent, content: [{ type: 'text', text }] }, stamp);
  const isAtWork = isActive(before.state);
  const announced = extended(said, [sent(thread, name, text, stamp)]);
  const child = { thread, after: before, entries: [...lent.entries, ...received.entries], head: received.head };
  const told = withChild(announced, child, stamp);
  const result = isAtWork
    ? `${name} is at work and reads this next${placeOf(parent, undefined, loan)}. One report will answer all.`
    : `${name} goes on in thread ${thread}${placeOf(parent, undefined, loan)}. Its report will come as a message.`;
  return answer(told, call, { text: result, isError: false }, to);
}

function refusalOf({ thread, agentName, status }: SessionState, parent: SessionState): string | null {
  if (agentName === ADVISOR_NAME) return 'The advisor answers one question: ask the next with ask_advisor.';
  if (status === 'terminated') return `The thread ${thread} has ended: begin another one.`;
  if (busyOf(parent).some((child) => child.thread === thread)) {
    return status === 'idle' ? `The thread ${thread} waits for the user: its report comes after that.` : null;
  }
  return fullFor(agentName, parent)?.text ?? null;
}

/** Said only where it is not the sandbox that all threads of the session share. */
function placeOf(parent: ThreadId, own: Beside['own'], loan: Loan | undefined): string {
  if (loan !== undefined)
    return loan.lender.thread === parent ? ', in your sandbox' : `, in the sandbox of thread ${loan.lender.thread}`;
  return own === undefined ? '' : ', in a sandbox of its own';
}

function passed(
  { hand, holder, lender }: Omit<Loan, 'lender'> & Pick<RecordOf<'hand.held'>, 'lender'>,
  stamp: Stamp,
): Entry {
  return { record: { kind: 'hand.held', at: stamp.now(), hand, holder: { ...holder }, lender } };
}

function sent(thread: ThreadId, name: string, text: string, stamp: Stamp): Entry {
  return event({
    id: stamp.eventId(),
    type: 'agent.thread_message_sent',
    processed_at: stamp.now(),
    to_session_thread_id: thread,
    to_agent_name: name,
    content: [{ type: 'text', text }],
  });
}

/** Another thread's message waits like a client's. */
function receive(head: Head, message: Omit<ThreadMessage, 'id' | 'type' | 'processed_at'>, stamp: Stamp): Decided {
  const received = decided(head, [
    event({ id: stamp.eventId(), type: 'agent.thread_message_received', processed_at: stamp.now(), ...message }),
  ]);
  return extended(received, afterWaiting(head.state, received.head.state, stamp));
}
