/**
 * How the log of the primary thread follows the session's other threads. A child is in its state only while it is busy: at
 * work, or waiting for a person or for the client. So the cost of a turn does not grow with the children that are at rest.
 */
import type { BusyThread, Holder, RecordOf, SessionState, Team } from '#contract/entries.ts';
import type { EventOf } from '#contract/events.ts';
import type { EventId, Instant, ThreadId } from '#contract/ids.ts';
import { ADVISOR_NAME } from '#contract/multiagent.ts';
import { NO_USAGE, plusSeconds, sumOf } from '#core/session/usage.ts';

type ThreadStatus = EventOf<
  | 'session.thread_status_running'
  | 'session.thread_status_idle'
  | 'session.thread_status_rescheduled'
  | 'session.thread_status_terminated'
>;

/** Until its first child is created, the session is as busy as its only thread. */
export function created(state: SessionState): SessionState {
  const { usage, runningSince } = state;
  const begun: Team = { busy: [], usage: { ...NO_USAGE, active_seconds: usage.active_seconds }, runningSince };
  return { ...state, team: state.team ?? begun };
}

/** The status of a child; in a child's own log there is none. One that begins to run, or to wait for its model, has no open call. */
export function childStatus(state: SessionState, event: ThreadStatus): SessionState {
  const { session_thread_id: thread, agent_name: name } = event;
  const kind = name === ADVISOR_NAME ? { isAdvisor: true as const } : {};
  const atRest = withTeam(state, (team) => ({ ...team, busy: team.busy.filter((child) => child.thread !== thread) }));
  const withBusy = (child: Pick<BusyThread, 'status' | 'calls'>) =>
    withTeam(atRest, (team) => ({ ...team, busy: [...team.busy, { thread, ...kind, ...child }] }));
  switch (event.type) {
    case 'session.thread_status_running':
      return withBusy({ status: 'running', calls: [] });
    case 'session.thread_status_rescheduled':
      return withBusy({ status: 'rescheduling', calls: [] });
    case 'session.thread_status_idle':
      if (event.stop_reason.type !== 'requires_action') return atRest;
      return withBusy({ status: 'idle', calls: event.stop_reason.event_ids });
    case 'session.thread_status_terminated':
      return atRest;
    default:
      return event satisfies never;
  }
}

/** A child asks the client, or a person. */
export function asked(state: SessionState, thread: ThreadId, call: EventId): SessionState {
  return withCalls(state, thread, (calls) => [...calls, call]);
}

/** The client answers a child. */
export function answeredChild(state: SessionState, thread: ThreadId, call: EventId): SessionState {
  return withCalls(state, thread, (calls) => calls.filter((id) => id !== call));
}

/** Its seconds are in those of the session, in which other threads may have run at the same time. */
export function used(state: SessionState, { usage }: RecordOf<'thread.used'>): SessionState {
  return withTeam(state, (team) => ({ ...team, usage: sumOf(team.usage, { ...usage, active_seconds: 0 }) }));
}

export function sessionRuns(state: SessionState, at: Instant): SessionState {
  return withTeam(state, (team) => ({ ...team, runningSince: team.runningSince ?? at }));
}

export function sessionRests(state: SessionState, at: Instant): SessionState {
  return withTeam(state, (team) => ({
    ...team,
    usage: plusSeconds(team.usage, team.runningSince, at),
    runningSince: null,
  }));
}

/** Programs that the thread left go on in a hand that it holds no more; the end of that hand's sandbox harvests them. */
export function held(
  { programsLive, ...state }: SessionState,
  { at: since, hand, holder, lender }: RecordOf<'hand.held'>,
): SessionState {
  if (holder.thread === state.thread) {
    return { ...state, hands: lender === null ? { own: hand } : { ...state.hands, passed: { hand, holder, since } } };
  }
  const kept = programsLive && { programsLive };
  return { ...state, ...kept, lent: [...withoutHolder(state, holder), { hand, holder, since }] };
}

export function left(state: SessionState, { holder }: RecordOf<'hand.left'>): SessionState {
  if (holder.thread === state.thread) {
    const { programsLive: _there, hands: { passed: _passed, ...hands } = {}, ...others } = state;
    return hands.own === undefined ? others : { ...others, hands };
  }
  const { lent: _before, ...others } = state;
  const lent = withoutHolder(state, holder);
  return lent.length === 0 ? others : { ...others, lent };
}

function withoutHolder({ lent = [] }: SessionState, { thread }: Holder): NonNullable<SessionState['lent']> {
  return lent.filter((one) => one.holder.thread !== thread);
}

function withCalls(
  state: SessionState,
  thread: ThreadId,
  change: (calls: readonly EventId[]) => readonly EventId[],
): SessionState {
  return withTeam(state, (team) => ({
    ...team,
    busy: team.busy.map((child) => (child.thread === thread ? { ...child, calls: [...change(child.calls)] } : child)),
  }));
}

function withTeam(state: SessionState, change: (team: Team) => Team): SessionState {
  return state.team === undefined ? state : { ...state, team: change(state.team) };
}
