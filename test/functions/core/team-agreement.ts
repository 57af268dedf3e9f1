/** What holds in the logs of a session’s threads after each step, also when an actor has died in it. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { eventIn, recordIn, type Entry, type SessionState } from '#contract/entries.ts';
import type { SessionEvent } from '#contract/events.ts';
import type { EventId, ThreadId } from '#contract/ids.ts';
import { ADVISOR_NAME } from '#contract/multiagent.ts';
import { fold } from '#core/session/evolve.ts';
import { sessionUsage } from '#core/session/usage.ts';
import { blockedCalls, isActive, sessionStatus } from '#core/session/waiting.ts';
import { KEY } from '#test/functions/core/given.ts';
import type { TeamStage } from '#test/functions/core/team-stage.ts';

export async function expectAgreement(stage: TeamStage): Promise<void> {
  const states = new Map<ThreadId, SessionState>();
  for (const thread of stage.threads) {
    const state = await stage.state(thread);
    states.set(thread, state);
    const folded = fold(null, stage.entries(thread)).state;
    if (!isDeepStrictEqual(folded, state)) expect(folded).toEqual(state);
    expectOnce(stage.events(thread));
    expectSpans(stage.events(thread), state);
    expectMessages(stage, thread, state);
  }
  const primary = states.get(KEY.thread);
  if (primary === undefined) throw new TypeError('a session has a primary thread');
  expectBusy(primary, states);
  expectCreated(stage, states);
  expectHands(primary, states);
  expectStatus(stage, primary, states);
  for (const thread of stage.children()) {
    expectCopies(stage, thread);
    expectReports(stage, thread);
  }
  expectUsage(stage, primary, states);
}

/** The primary thread knows of each child that was passed a hand, which of them, and since when; no child at rest has one. */
function expectHands({ lent = [] }: SessionState, states: ReadonlyMap<ThreadId, SessionState>): void {
  const held = [...states].flatMap(([thread, { hands }]) => (hands?.passed ? [[thread, hands.passed] as const] : []));
  expect(new Map(lent.map((one) => [one.holder.thread, one]))).toEqual(new Map(held));
  for (const [thread] of held) {
    const state = states.get(thread);
    const isAtRest = state?.status === 'terminated' || (state?.status === 'idle' && blockedCalls(state).length === 0);
    expect(isAtRest).toBe(false);
  }
}

/** Only an event that waits before it takes effect is told twice. */
function expectOnce(events: readonly SessionEvent[]): void {
  const ids = events.flatMap((event) =>
    event.type.startsWith('user.') && event.processed_at === null ? [] : [event.id],
  );
  expect(ids).toEqual([...new Set(ids)]);
}

/** Requests of a thread never overlap, and each has one end, except the open one. */
function expectSpans(events: readonly SessionEvent[], { request }: SessionState): void {
  const spans = events.flatMap((event) => {
    if (event.type === 'span.model_request_start') return [event.id];
    return event.type === 'span.model_request_end' ? [event.model_request_start_id] : [];
  });
  const starts = events.flatMap((event) => (event.type === 'span.model_request_start' ? [event.id] : []));
  expect(spans).toEqual(starts.flatMap((id) => (id === request?.id ? [id] : [id, id])));
}

/** Each message of another thread is taken once, or waits. */
function expectMessages(stage: TeamStage, thread: ThreadId, { queued }: SessionState): void {
  const received = stage.events(thread).filter(({ type }) => type === 'agent.thread_message_received');
  const taken = stage.entries(thread).flatMap((entry) => {
    const record = recordIn(entry);
    return record?.kind === 'message.taken' ? [record.message] : [];
  });
  const waiting = queued.filter(({ type }) => type === 'agent.thread_message_received').map(({ id }) => id);
  expect([...taken, ...waiting].toSorted()).toEqual(received.map(({ id }) => id).toSorted());
}

/** A child is busy until its work ends. */
function isBusy(state: SessionState): boolean {
  return isActive(state) || (state.status === 'idle' && state.stopReason?.type === 'requires_action');
}

function expectBusy(primary: SessionState, states: ReadonlyMap<ThreadId, SessionState>): void {
  const busy = [...states.values()].filter((state) => state.parent !== undefined && isBusy(state));
  const byThread = (one: { thread: string }, other: { thread: string }) => (one.thread < other.thread ? -1 : 1);
  const told = (primary.team?.busy ?? []).map(({ calls, ...child }) => ({ ...child, calls: calls.toSorted() }));
  const own = busy.map((state) => ({
    thread: state.thread,
    ...(state.agentName === ADVISOR_NAME && { isAdvisor: true }),
    status: state.status,
    calls: toldCalls(state).toSorted(),
  }));
  expect(told.toSorted(byThread)).toEqual(own.toSorted(byThread));
}

/** A call that its hand gave back counts when the thread rests. */
function toldCalls(state: SessionState): readonly EventId[] {
  return blockedCalls(state).flatMap(({ id, isSuspended }) => (isSuspended && isActive(state) ? [] : [id]));
}

/** The session's stream tells of each child that has a log, by the name that its own log has. */
function expectCreated(stage: TeamStage, states: ReadonlyMap<ThreadId, SessionState>): void {
  const created = stage.events().flatMap((event) => (event.type === 'session.thread_created' ? [event] : []));
  const named = created.map(({ session_thread_id, agent_name }) => [session_thread_id, agent_name]);
  const children = [...states.values()].filter((state) => state.parent !== undefined);
  expect(named.toSorted()).toEqual(children.map((state) => [state.thread, state.agentName]).toSorted());
}

const STATUS = {
  'session.status_running': 'running',
  'session.status_idle': 'idle',
  'session.status_rescheduled': 'rescheduling',
  'session.status_terminated': 'terminated',
} as const;

function statusesIn(events: readonly SessionEvent[]) {
  return events.flatMap((event) => (event.type in STATUS ? [STATUS[event.type as keyof typeof STATUS]] : []));
}

function isInPlace(event: SessionEvent, before: SessionEvent | undefined, after: SessionEvent | undefined): boolean {
  if (event.type === 'session.status_idle') return before?.type === 'session.usage';
  return event.type !== 'session.status_running' || after?.type === 'session.thread_status_running';
}

function expectStatus(stage: TeamStage, primary: SessionState, states: ReadonlyMap<ThreadId, SessionState>): void {
  const events = stage.events();
  const statuses = statusesIn(events);
  expect(statuses.at(-1) ?? 'idle').toBe(sessionStatus(primary));
  // The session is told to be idle again when it waits for less.
  expect(statuses.filter((status, index) => status !== 'idle' && statuses[index - 1] === status)).toEqual([]);
  expect(events.filter((event, index) => !isInPlace(event, events[index - 1], events[index + 1]))).toEqual([]);
  if (sessionStatus(primary) !== 'idle') return;
  const idle = events.findLast((event) => event.type === 'session.status_idle');
  const blocked = [...states.values()].flatMap((state) => (isBusy(state) ? blockedCalls(state) : []));
  const reason = idle?.stop_reason ?? primary.stopReason;
  if (blocked.length === 0) expect(reason).toEqual(primary.stopReason);
  else if (reason?.type !== 'requires_action') expect.fail('the session does not say what it waits for');
  else expect(reason.event_ids.toSorted()).toEqual(blocked.map(({ id }) => id).toSorted());
}

/** What the session’s stream has to tell of a child’s event; null for nothing. */
function copyOf(event: SessionEvent, thread: ThreadId): SessionEvent | null {
  switch (event.type) {
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
      return event.evaluated_permission === 'ask' ? { ...event, session_thread_id: thread } : null;
    case 'agent.custom_tool_use':
    case 'user.custom_tool_result':
    case 'user.tool_confirmation':
      return { ...event, session_thread_id: thread };
    case 'user.interrupt':
      return event.session_thread_id === undefined ? null : event;
    case 'session.error':
      return event.error.retry_status.type === 'exhausted' ? null : event;
    default:
      return event.type.startsWith('session.thread_status_') ? event : null;
  }
}

/** The session’s stream has these copies in the child’s order, and nothing else of the child. */
function expectCopies(stage: TeamStage, thread: ThreadId): void {
  const ids = new Set<string>(stage.events(thread).map(({ id }) => id));
  const [copied, others] = [true, false].map((isCopy) => stage.events().filter(({ id }) => ids.has(id) === isCopy));
  expect(copied).toEqual(copiesOf(stage.entries(thread), thread));
  const about = (others ?? []).filter((event) => 'session_thread_id' in event && event.session_thread_id === thread);
  expect(about.map(({ type }) => type)).toEqual(['session.thread_created']);
}

/** A call that its hand gives back waits for an answer from then on: its use comes before the error that says why. */
function copiesOf(entries: readonly Entry[], thread: ThreadId): readonly SessionEvent[] {
  const copies: SessionEvent[] = [];
  for (const [at, entry] of entries.entries()) {
    const suspended = recordIn(entries[at + 1]);
    const call = suspended?.kind === 'call.suspended' ? suspended.call : null;
    const use = entries.map(eventIn).find((event) => event?.id === call);
    if (use != null && copies.every(({ id }) => id !== call))
      copies.push({ ...use, session_thread_id: thread } as SessionEvent);
    const event = eventIn(entry);
    const copy = event === null ? null : copyOf(event, thread);
    if (copy !== null) copies.push(copy);
  }
  return copies;
}

/** Each stretch of work ends in one report, and each message that was sent has arrived. */
function expectReports(stage: TeamStage, thread: ThreadId): void {
  let isAtWork = false;
  let ends = 0;
  for (const event of stage.events(thread)) {
    if (event.type === 'session.thread_status_running') isAtWork = true;
    const isEnd =
      event.type === 'session.thread_status_terminated' ||
      (event.type === 'session.thread_status_idle' && event.stop_reason.type !== 'requires_action');
    if (isEnd && isAtWork) ends += 1;
    if (isEnd) isAtWork = false;
  }
  const reports = stage
    .events()
    .filter((event) => event.type === 'agent.thread_message_received' && event.from_session_thread_id === thread);
  expect(reports).toHaveLength(ends);
  const sent = stage
    .events()
    .flatMap((event) =>
      event.type === 'agent.thread_message_sent' && event.to_session_thread_id === thread ? [event.content] : [],
    );
  const received = stage
    .events(thread)
    .flatMap((event) => (event.type === 'agent.thread_message_received' ? [event.content] : []));
  // A question to an advisor is not told on the session’s stream.
  if (sent.length > 0) expect(received).toEqual(sent);
}

function expectUsage(stage: TeamStage, primary: SessionState, states: ReadonlyMap<ThreadId, SessionState>): void {
  const children = [...states.values()].filter(({ parent }) => parent !== undefined);
  const sum = children.reduce((tokens, { toldUsage }) => tokens + (toldUsage?.input_tokens ?? 0), 0);
  expect(sessionUsage(primary, stage.stamp.now()).input_tokens).toBe(primary.usage.input_tokens + sum);
  for (const state of children) if (state.status === 'idle') expect(state.toldUsage).toEqual(state.usage);
}
