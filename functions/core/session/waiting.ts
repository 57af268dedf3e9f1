/** Questions about a state that several rules ask. */
import { eventIn, type Entry, type OpenCall, type SessionState } from '#contract/entries.ts';
import { READING_TOOLS } from '#contract/hands.ts';
import { mainHand, primaryThread, type EventId, type HandKey, type Position } from '#contract/ids.ts';
import type { Hands } from '#contract/run.ts';
import type { SessionStatus } from '#contract/sessions.ts';

/** Whether the thread's agent is at work: the states in which only the harness, or an interrupt, may end a run. */
export function isActive({ status }: Pick<SessionState, 'status'>): boolean {
  return status === 'running' || status === 'rescheduling';
}

/** The status of the session, from the state of its primary thread. */
export function sessionStatus({ status, team }: Pick<SessionState, 'status' | 'team'>): SessionStatus {
  if (status === 'terminated') return status;
  const statuses = [status, ...(team?.busy ?? []).map((child) => child.status)];
  if (statuses.includes('running')) return 'running';
  return statuses.includes('rescheduling') ? 'rescheduling' : 'idle';
}

/** Whether any agent of the session is at work. */
export function isAtWork(state: Pick<SessionState, 'status' | 'team'>): boolean {
  return isActive({ status: sessionStatus(state) });
}

/** The calls of all threads that a person has to confirm or the client has to answer, when no agent is at work. */
export function awaitedCalls(state: SessionState): readonly EventId[] {
  return [...blockedCalls(state).map(({ id }) => id), ...(state.team?.busy ?? []).flatMap(({ calls }) => calls)];
}

/** Calls that a person has to confirm or the client has to answer. */
export function blockedCalls(state: SessionState): readonly OpenCall[] {
  return state.calls.filter((call) => call.waitsFor !== 'hand');
}

/**
 * Whether a suspended call waits because of the hand that was given it at `sincePosition`. A call may wait for one thing
 * after another, and what a person did or declined for the first says nothing of the next. Null stands for any wait.
 */
export function isWaitSince({ handSincePosition }: OpenCall, sincePosition: Position | null): boolean {
  return sincePosition === null || handSincePosition === sincePosition;
}

/** Calls that hands can be given now. A sandbox call is held back while a person has to confirm one before it. */
export function readyCalls(state: SessionState): readonly OpenCall[] {
  return state.calls.filter(
    (call) => call.waitsFor === 'hand' && callsBefore(state, call).every(({ waitsFor }) => waitsFor === 'hand'),
  );
}

/**
 * Open sandbox calls that have to end before this one begins: the model wrote them earlier, and their effects are to
 * happen earlier. Calls that only read may run beside each other. Calls of other hands have no order.
 */
export function callsBefore({ calls }: SessionState, call: OpenCall): readonly OpenCall[] {
  if (!isOfSandbox(call)) return [];
  const isReading = READING_TOOLS.has(call.name);
  return calls.filter(
    (other) => other.position < call.position && isOfSandbox(other) && !(isReading && READING_TOOLS.has(other.name)),
  );
}

/** A call that waits for the client is of a custom tool, which may have the name of a sandbox tool. */
function isOfSandbox(call: OpenCall): boolean {
  return call.waitsFor !== 'client' && handOf(call) === 'sandbox';
}

/** Where the thread's sandbox calls go; null for the main hand of its session. */
export function heldHand({ hands }: Pick<SessionState, 'hands'>): HandKey | null {
  return hands?.passed?.hand ?? hands?.own ?? null;
}

/** Whether a hand, null for the main one, is that of the thread. */
export function isHandOf(state: SessionState, hand: HandKey | null): boolean {
  const nameOf = (key: HandKey | null) =>
    key === null || isMainOf(state, key) ? 'main' : `${key.session}/${key.hand}`;
  return nameOf(hand) === nameOf(heldHand(state));
}

function isMainOf({ parent, thread }: SessionState, hand: HandKey): boolean {
  return hand.hand === mainHand(hand.session).hand && primaryThread(hand.session) === (parent ?? thread);
}

export function handOf({ server, name }: OpenCall): keyof Hands {
  if (server !== null) return 'mcp';
  return name === 'web_fetch' ? 'web' : 'sandbox';
}

/** Open calls of MCP tools that a person refuses with these entries. */
export function refusedMcpCalls({ calls }: SessionState, entries: readonly Entry[]): readonly OpenCall[] {
  const ids = entries.map((entry) => {
    const event = eventIn(entry);
    return event?.type === 'user.tool_confirmation' && event.result === 'deny' ? event.tool_use_id : null;
  });
  return calls.filter(({ id, server }) => server !== null && ids.includes(id));
}

/**
 * Whether a message or the definition of an outcome waits for the agent. A system message alone asks for nothing: it waits
 * for the message that does.
 */
export function hasInput({ queued, outcome }: Pick<SessionState, 'queued' | 'outcome'>): boolean {
  const begins = ({ type, isQuiet }: SessionState['queued'][number]) => type !== 'system.message' && isQuiet !== true;
  return outcome?.result === 'pending' || queued.some(begins);
}
