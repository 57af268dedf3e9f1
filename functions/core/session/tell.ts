/**
 * What one thread's change tells another (docs/design.md#threads). The statuses, questions and reports of a child are told
 * on the primary thread's log in the append that makes them true, so that neither log is ever ahead of the other.
 */
import { wholeTextOf } from '#contract/content.ts';
import { eventIn, recordIn, type Entry, type OpenCall, type SessionState } from '#contract/entries.ts';
import type { EventOf, StopReason } from '#contract/events.ts';
import type { Usage } from '#contract/usage.ts';
import type { Position, ThreadId } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import {
  decided,
  extended,
  type Beside,
  type CommandTo,
  type Decided,
  type Decision,
  type Told,
} from '#core/session/commands.ts';
import { afterWaiting, event, sessionRunning, settled, stateTold } from '#core/session/entries.ts';
import { NO_USAGE, sinceUsage } from '#core/session/usage.ts';
import { heldHand, isHandOf } from '#core/session/waiting.ts';

/** Of a report; the whole text is in the child's log. */
const MAX_REPORT_CHARS = 50_000;

/** What earlier appends of the child hold, and this one tells. */
export interface Earlier {
  /** The child's last message, of which the report is made. */
  readonly said: string | null;
  /** Uses of the calls that `suspendedAt` finds. */
  readonly uses: readonly EventOf<'agent.tool_use' | 'agent.mcp_tool_use'>[];
}

const NOTHING_EARLIER: Earlier = { said: null, uses: [] };

/**
 * Where the uses are of calls that begin to wait for a person outside the session, and that the primary thread was not told
 * of. A call that was given to a hand a second time has been told of before it: it was confirmed or resumed.
 */
export function suspendedAt(before: SessionState, entries: readonly Entry[]): readonly Position[] {
  const suspended = entries.flatMap((entry) => {
    const record = recordIn(entry);
    return record?.kind === 'call.suspended' ? [record.call] : [];
  });
  const isUntold = ({ id, position, sincePosition }: OpenCall) => suspended.includes(id) && sincePosition === position;
  return before.calls.filter(isUntold).map(({ position }) => position);
}

/** Null when the change is nothing to the primary thread. */
export function toldBy(
  before: SessionState | null,
  { entries, state }: { readonly entries: readonly Entry[]; readonly state: SessionState },
  { said, uses }: Earlier = NOTHING_EARLIER,
): Told | null {
  const { thread, agentName: name } = state;
  const copies = [
    ...uses.map((use) => event({ ...use, session_thread_id: thread })),
    ...entries.flatMap((entry) => copyOf(entry, state)),
  ];
  if (copies.length === 0) return null;
  const usage = sinceUsage(before?.toldUsage ?? NO_USAGE, state.toldUsage ?? NO_USAGE);
  const report = isReported(before, entries, state) ? textOf(entries, state, said) : null;
  const at = before ?? state;
  const programs = { programsLive: at.programsLive === true, hand: heldHand(at) };
  return { thread, name, copies, report, usage: isNone(usage) ? null : usage, ...programs };
}

function isNone(usage: Usage): boolean {
  return JSON.stringify(usage) === JSON.stringify(NO_USAGE);
}

function copyOf(entry: Entry, { thread }: SessionState): readonly Entry[] {
  const record = recordIn(entry);
  const isOfPassing = record?.kind === 'hand.left' || (record?.kind === 'hand.held' && record.lender !== null);
  if (isOfPassing) return [entry];
  const told = eventIn(entry);
  switch (told?.type) {
    case 'session.thread_status_running':
    case 'session.thread_status_idle':
    case 'session.thread_status_rescheduled':
    case 'session.thread_status_terminated':
      return [event(told)];
    // For clients, an exhausted error in the session's stream ends the turn of the session. The child's report says it.
    case 'session.error':
      return told.error.retry_status.type === 'exhausted' ? [] : [event(told)];
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
      return told.evaluated_permission === 'ask' ? [event({ ...told, session_thread_id: thread })] : [];
    case 'agent.custom_tool_use':
    case 'user.tool_confirmation':
    case 'user.custom_tool_result':
      return [event({ ...told, session_thread_id: thread })];
    // An interrupt of the whole session is in the primary thread's log already.
    case 'user.interrupt':
      return told.session_thread_id === undefined ? [] : [event(told)];
    default:
      return [];
  }
}

/** Whether the child's work ends here: each stretch of work has one report. */
function isReported(before: SessionState | null, entries: readonly Entry[], { status }: SessionState): boolean {
  return (
    endsInReport(entries) ||
    (status === 'terminated' && before?.status === 'idle' && before.stopReason?.type === 'requires_action')
  );
}

export function endsInReport(entries: readonly Entry[]): boolean {
  return entries.some((entry) => {
    const told = eventIn(entry);
    return told?.type === 'session.thread_status_idle' && told.stop_reason.type !== 'requires_action';
  });
}

const ENDS: Readonly<Record<Exclude<StopReason['type'], 'end_turn'>, string>> = {
  requires_action: 'This agent was archived before it had finished.',
  retries_exhausted: 'This agent could not finish its work.',
  refusal: 'The model of this agent refused to go on.',
};

function textOf(entries: readonly Entry[], { stopReason }: SessionState, said: string | null): string {
  const events = entries.map(eventIn);
  if (events.some((told) => told?.type === 'user.interrupt'))
    return 'The user interrupted this agent before it had finished.';
  const reason = stopReason?.type ?? 'end_turn';
  const errors = events.flatMap((told) => (told?.type === 'session.error' ? [told.error.message] : []));
  if (reason !== 'end_turn') return [ENDS[reason], ...errors].join(' ');
  const messages = events.flatMap((told) => (told?.type === 'agent.message' ? [wholeTextOf(told.content)] : []));
  const text = messages.at(-1) ?? said;
  if (text === null || text.trim() === '') return 'This agent ended its work without a message.';
  return text.length <= MAX_REPORT_CHARS
    ? text
    : `${text.slice(0, MAX_REPORT_CHARS).toWellFormed()}\n[The report was cut here.]`;
}

export function decideHear(head: Head, { told }: CommandTo<'hear'>, stamp: Stamp): Decided {
  const { state } = head;
  if (state.status === 'terminated') return decided(head);
  const heard = decided(head);
  return settled(extended(heard, hearing(heard, told, stamp)), stamp);
}

/** A child that has ended its work harvests no more, so its parent does. */
function leavesPrograms(state: SessionState, { report, programsLive, hand }: Told): boolean {
  return report !== null && programsLive && state.programsLive === undefined && isHandOf(state, hand);
}

/** The entries that tell it, without what follows for the primary thread and the session. */
function hearing(parent: Decided, told: Told, stamp: Stamp): readonly Entry[] {
  const { state } = parent.head;
  const { thread, name, copies, report, usage } = told;
  const now = stamp.now();
  const isRunning = (entry: Entry) => eventIn(entry)?.type === 'session.thread_status_running';
  return [
    ...(usage === null ? [] : [{ record: { kind: 'thread.used' as const, thread, at: now, usage } }]),
    ...copies.flatMap((entry) =>
      isRunning(entry) ? [...sessionRunning(state, stamp, stateTold(parent)), entry] : [entry],
    ),
    ...(leavesPrograms(state, told) ? [{ record: { kind: 'programs.left' as const, at: now } }] : []),
    ...(report === null
      ? []
      : [
          event({
            id: stamp.eventId(),
            type: 'agent.thread_message_received',
            processed_at: now,
            from_session_thread_id: thread,
            from_agent_name: name,
            content: [{ type: 'text', text: report }],
          }),
        ]),
  ];
}

/** What follows for a child from all that the decision holds, with what the primary thread hears of that. */
export function childSettled(done: Decided, { thread, after, head: now }: Beside, stamp: Stamp): Decided {
  const { entries, head } = decided(now, after === null ? [] : afterWaiting(after.state, now.state, stamp));
  return withChild(done, { thread, after: now, entries, head }, stamp);
}

/** Both decisions as one: `more` is what the primary thread's log tells of the child's. */
function joined(parent: Decided, child: Beside, more: readonly Entry[]): Decided {
  const known = parent.beside.find(({ thread }) => thread === child.thread);
  const whole =
    known === undefined ? child : { ...known, entries: [...known.entries, ...child.entries], head: child.head };
  const others = parent.beside.filter(({ thread }) => thread !== child.thread);
  return { ...extended(parent, more), beside: [...others, whole] };
}

interface Ending {
  /** The child's, as the decision leaves it so far; null when it is not known. */
  readonly headOf: (thread: ThreadId, done: Decided) => Head | null;
  readonly end: (child: Head) => Decision;
}

/** Ends the work of all busy children. Nothing follows from that yet for the primary thread. */
export function endChildren(before: Decided, { headOf, end }: Ending, stamp: Stamp): Decided {
  const { busy = [] } = before.head.state.team ?? {};
  return busy.reduce((done, { thread }) => {
    const after = headOf(thread, done);
    const ended = after === null ? null : end(after);
    if (ended?.status !== 'decided') return done;
    const { entries, head } = ended;
    return withChild(done, { thread, after, entries, head }, stamp);
  }, before);
}

/** The child's decision, with what the primary thread hears of it. Nothing follows from that yet. */
export function withChild(parent: Decided, child: Beside, stamp: Stamp): Decided {
  const told = toldBy(child.after?.state ?? null, { entries: child.entries, state: child.head.state });
  return joined(parent, child, told === null ? [] : hearing(parent, told, stamp));
}
