/**
 * The rules of a session in their shortest form: which inputs are accepted in which status, and which status follows.
 * Tests compare the real core with this model after every step.
 */
import type { StopReason } from '#contract/events.ts';
import type { EventId } from '#contract/ids.ts';
import type { SessionStatus } from '#contract/sessions.ts';
import { MAX_FAILURES } from '#core/session/commands.ts';
import { MAX_OUTCOMES } from '#core/session/decide-outcome.ts';

export interface ReferenceCall {
  readonly id: EventId;
  /** `page`: a person has to act elsewhere before the call can be made; a confirmation has the same effect. */
  readonly waitsFor: 'hand' | 'confirmation' | 'client' | 'page';
  /** How often it was given to its hand. */
  readonly given: number;
  /** What it does in the sandbox; null for a call of another hand. */
  readonly effect: 'reads' | 'writes' | null;
}

export interface ReferenceOutcome {
  readonly stage: 'pending' | 'running' | 'evaluating';
  readonly iteration: number;
  readonly malformed: number;
  /** Messages that waited when the grader was asked last. */
  readonly waiting: number;
}

/** Evaluations of each outcome. */
export const ITERATIONS = 2;

export interface Reference {
  readonly status: SessionStatus;
  readonly stop: StopReason['type'] | null;
  readonly run: number;
  /** The run for which the tools of MCP servers were listed last. */
  readonly listed: number;
  readonly failures: number;
  /** The turn that has an open model request. */
  readonly asking: number | null;
  readonly open: readonly ReferenceCall[];
  /** Messages that were accepted and not taken. */
  readonly queue: readonly string[];
  /** The texts that the model has to read, in this order. */
  readonly said: readonly string[];
  /** How many of these texts came after the model's last answer. */
  readonly unanswered: number;
  /** Whether the context has calls that the provider may refuse as such. */
  readonly hasCalls: boolean;
  /** How often the provider refused the input since the model's last answer or the turn's beginning. */
  readonly refusals: number;
  /** Of the texts, those that the next request leaves out: so many from this one on. */
  readonly hidden: { readonly from: number; readonly count: number };
  /** The outcome that the agent works toward; null for none. */
  readonly outcome: ReferenceOutcome | null;
  /** How many outcomes the session was given. */
  readonly outcomes: number;
  /** Messages that an exhausted turn took and did not answer. */
  readonly dropped: readonly string[];
  /** Whether programs may go on in the sandbox. */
  readonly programs: boolean;
  /** How the turn ends after a harvest; null while it does not end. `number` counts such ends. */
  readonly ending: { readonly stop: StopReason['type']; readonly number: number; readonly isHarvested: boolean } | null;
  readonly endings: number;
}

export type ClientEvent =
  | { readonly type: 'message'; readonly text: string }
  | { readonly type: 'interrupt' }
  | { readonly type: 'outcome' }
  | { readonly type: 'confirmation'; readonly call: EventId; readonly allow: boolean }
  | { readonly type: 'result'; readonly call: EventId };

/** How a model request ends. */
export type Heard =
  | { readonly type: 'text' | 'refusal' }
  /** `open` are those of its calls that can be made or answered. */
  | { readonly type: 'calls'; readonly open: readonly ReferenceCall[] }
  | { readonly type: 'overloaded' | 'refused request' | 'refused input' }
  /** What the grader says. */
  | { readonly type: 'satisfied' | 'needs revision' | 'reading' };

export const NEW: Reference = {
  status: 'idle',
  stop: null,
  run: 0,
  listed: 0,
  failures: 0,
  asking: null,
  open: [],
  queue: [],
  said: [],
  unanswered: 0,
  hasCalls: false,
  refusals: 0,
  hidden: { from: 0, count: 0 },
  outcome: null,
  outcomes: 0,
  dropped: [],
  programs: false,
  ending: null,
  endings: 0,
};

export const isActive = ({ status }: Reference) => status === 'running' || status === 'rescheduling';
export const blocked = ({ open }: Reference) => open.filter((call) => call.waitsFor !== 'hand');

/** A sandbox call does not overtake one that a person has to confirm, unless both only read. */
function isReady({ open }: Reference, call: ReferenceCall): boolean {
  const held = open
    .slice(0, open.indexOf(call))
    .filter(({ effect, waitsFor }) => effect !== null && waitsFor !== 'hand');
  if (call.waitsFor !== 'hand') return false;
  return call.effect === null || held.every(({ effect }) => effect === 'reads' && call.effect === 'reads');
}

export function sent(before: Reference, events: readonly ClientEvent[]): Reference | 'refused' {
  if (before.status === 'terminated') return 'refused';
  let now = before;
  for (const event of events) {
    const next = accepted(now, event);
    if (next === 'refused') return 'refused';
    now = next;
  }
  return concluded(before, now);
}

/** A person did what the call waited for. This has no effect on any other call. */
export function resumed(before: Reference, call: EventId): Reference {
  if (before.status === 'terminated' || !waits(before, call, 'page')) return before;
  return concluded(before, released(before, call));
}

/** The person declined what the call waited for. */
export function declined(before: Reference, call: EventId): Reference {
  if (before.status === 'terminated' || !waits(before, call, 'page')) return before;
  return concluded(before, closed(before, call));
}

function concluded(before: Reference, now: Reference): Reference {
  if (isActive(now)) return now;
  if (blocked(now).length > 0) return now;
  const unblocked = blocked(before).length > 0 && now.stop === 'requires_action';
  return unblocked || hasInput(now) ? running(now) : now;
}

function accepted(now: Reference, event: ClientEvent): Reference | 'refused' {
  switch (event.type) {
    case 'message':
      if (!isActive(now) && blocked(now).length > 0) return 'refused';
      return { ...now, queue: [...now.queue, event.text] };
    case 'interrupt':
      // A session whose last call is answered in this request does not become idle before the interrupt.
      if (!isActive(now) && now.stop !== 'requires_action') return { ...now, outcome: null };
      return idle({ ...now, open: [] }, 'end_turn');
    case 'outcome':
      if (now.outcome !== null || now.outcomes === MAX_OUTCOMES) return 'refused';
      if (!isActive(now) && blocked(now).length > 0) return 'refused';
      return {
        ...now,
        outcomes: now.outcomes + 1,
        outcome: { stage: 'pending', iteration: 0, malformed: 0, waiting: 0 },
      };
    case 'confirmation':
      if (!waits(now, event.call, 'confirmation') && !waits(now, event.call, 'page')) return 'refused';
      return event.allow ? released(now, event.call) : closed(now, event.call);
    case 'result':
      return waits(now, event.call, 'client') ? closed(now, event.call) : 'refused';
    default:
      return event satisfies never;
  }
}

export function archived(now: Reference): Reference | 'refused' {
  if (isActive(now)) return 'refused';
  return { ...now, status: 'terminated', outcome: null };
}

interface Turned {
  readonly turn: number;
  readonly run: number;
  /** Calls whose hands have ended. */
  readonly unfinished: readonly EventId[];
  /** The harvest before it failed. */
  readonly isUnharvested: boolean;
}

/** A turn of a run begins. */
export function turned(before: Reference, { turn, run, unfinished, isUnharvested }: Turned): Reference {
  if (run !== before.run || !isActive(before)) return before;
  const now = isUnharvested ? harvested(before, false) : unfinished.reduce(closed, before);
  if (!isActive(now)) return now;
  if (now.open.some((call) => isReady(now, call))) return now;
  if (now.open.length > 0) return idle(now, 'requires_action');
  const failures = now.failures + (now.asking === null ? 0 : 1);
  if (failures >= MAX_FAILURES) return idle(taken(now), 'retries_exhausted');
  if (now.ending !== null && !hasInput(now)) {
    if (!now.ending.isHarvested) return now;
    const done = ended(now);
    return isActive(done) ? turned(done, { turn, run, unfinished: [], isUnharvested: false }) : done;
  }
  const asked = { ending: null, status: 'running', asking: turn, failures } as const;
  const { outcome } = now;
  if (outcome?.stage === 'evaluating') return { ...now, ...asked, outcome: { ...outcome, waiting: now.queue.length } };
  return { ...begun(taken(now)), ...asked, listed: run };
}

/** The model's answer to a turn. It has no effect when its request has ended meanwhile. */
export function heard(before: Reference, turn: number, what: Heard): Reference {
  if (before.asking !== turn) return before;
  const now = { ...before, asking: null };
  if (now.outcome?.stage === 'evaluating') return graded(now, now.outcome, what);
  switch (what.type) {
    case 'text':
      return rested(answered(now), 'end_turn');
    case 'satisfied':
    case 'needs revision':
    case 'reading':
      throw new TypeError('only a grader answers so');
    case 'refusal':
      return rested(answered(now), 'refusal');
    case 'calls':
      return called({ ...answered(now), hasCalls: true, open: what.open });
    case 'overloaded': {
      const failed = { ...now, failures: now.failures + 1 };
      if (failed.failures < MAX_FAILURES) return { ...failed, status: 'rescheduling' };
      return rested(failed, 'retries_exhausted');
    }
    case 'refused request':
      return rested({ ...now, failures: now.failures + 1 }, 'retries_exhausted');
    case 'refused input':
      return refused({ ...now, failures: now.failures + 1, refusals: now.refusals + 1 });
    default:
      return what satisfies never;
  }
}

/** The grader's answer leaves the agent's context as it is. */
function graded(now: Reference, outcome: ReferenceOutcome, what: Heard): Reference {
  const heard = { ...now, failures: 0 };
  switch (what.type) {
    case 'satisfied':
      return rested({ ...heard, outcome: null }, 'end_turn');
    case 'reading':
      return heard;
    case 'needs revision': {
      const iteration = outcome.iteration + 1;
      const next = { stage: 'running', iteration, malformed: 0, waiting: 0 } as const;
      return { ...heard, outcome: iteration === ITERATIONS ? null : next };
    }
    case 'text':
    case 'refusal':
    case 'calls':
      if (outcome.malformed > 0) return rested({ ...heard, outcome: null }, 'end_turn');
      return { ...heard, outcome: { ...outcome, malformed: outcome.malformed + 1 } };
    case 'overloaded':
    case 'refused request':
    case 'refused input': {
      const failed = { ...now, failures: now.failures + 1 };
      if (what.type === 'overloaded' && failed.failures < MAX_FAILURES) return { ...failed, status: 'rescheduling' };
      // The turn ends, and takes the messages that it knew; one that came since is answered, after another evaluation.
      return now.queue.length > outcome.waiting ? failed : idle(taken(failed), 'retries_exhausted');
    }
    default:
      return what satisfies never;
  }
}

/** What the attempts after a refusal leave out, in this order. */
const attempts = ({ hasCalls }: Reference) => ['nothing', ...(hasCalls ? ['calls'] : []), 'words'] as const;

function refused(now: Reference): Reference {
  const attempt = attempts(now)[now.refusals - 1];
  const none = { from: 0, count: 0 };
  if (attempt === undefined || now.failures >= MAX_FAILURES)
    return rested({ ...now, hidden: none }, 'retries_exhausted');
  const words = { from: now.said.length - now.unanswered, count: now.unanswered };
  return { ...now, hidden: attempt === 'words' ? words : none };
}

/** The texts that a request shows to the model. */
export function shown({ said, hidden }: Reference): readonly string[] {
  return said.toSpliced(hidden.from, hidden.count);
}

/** What the answered request left out stays out. */
function answered(now: Reference): Reference {
  const left = attempts(now)[now.refusals - 1];
  const hasCalls = now.hasCalls && (left === undefined || left === 'nothing');
  return { ...unhidden(now), hasCalls, failures: 0, unanswered: 0, said: shown(now) };
}

function unhidden(now: Reference): Reference {
  return { ...now, refusals: 0, hidden: { from: 0, count: 0 } };
}

function called(now: Reference): Reference {
  if (now.open.length === 0 || now.open.some((call) => isReady(now, call))) return now;
  return idle(now, 'requires_action');
}

/** The execution of the present run has ended, and the run has not. */
export function lost(now: Reference): Reference {
  if (!isActive(now)) return now;
  if (now.failures < MAX_FAILURES) return { ...now, run: now.run + 1, failures: now.failures + 1 };
  return idle({ ...now, queue: [], dropped: [...now.dropped, ...now.queue] }, 'retries_exhausted');
}

export function closed(now: Reference, id: EventId): Reference {
  return { ...now, open: now.open.filter((call) => call.id !== id) };
}

function released(now: Reference, id: EventId): Reference {
  const given = (call: ReferenceCall) => ({ ...call, waitsFor: 'hand' as const, given: call.given + 1 });
  return { ...now, open: now.open.map((call) => (call.id === id ? given(call) : call)) };
}

/** The hand suspended the call. */
export function suspended(now: Reference, id: EventId): Reference {
  return { ...now, open: now.open.map((call) => (call.id === id ? { ...call, waitsFor: 'page' } : call)) };
}

export function waits(now: Reference, id: EventId, waitsFor: ReferenceCall['waitsFor']): boolean {
  return now.open.some((call) => call.id === id && call.waitsFor === waitsFor);
}

function running(now: Reference): Reference {
  return { ...now, status: 'running', stop: null, run: now.run + 1 };
}

function taken(now: Reference): Reference {
  const { said, queue, unanswered } = now;
  return { ...now, said: [...said, ...queue], queue: [], unanswered: unanswered + queue.length };
}

function hasInput({ queue, outcome }: Reference): boolean {
  return queue.length > 0 || outcome?.stage === 'pending';
}

/** A model request reads the definition. */
function begun(now: Reference): Reference {
  return now.outcome?.stage === 'pending' ? { ...now, outcome: { ...now.outcome, stage: 'running' } } : now;
}

/** The session becomes idle unless a message waits, programs go on, or an outcome is to be evaluated. */
function rested(now: Reference, stop: StopReason['type']): Reference {
  if (hasInput(now)) return now;
  if (!now.programs || stop === 'retries_exhausted') return completed(now, stop);
  const number = now.endings + 1;
  return { ...now, ending: { stop, number, isHarvested: false }, endings: number };
}

/** What programs wrote is taken over. */
export function harvested(before: Reference, programs: boolean): Reference {
  return { ...before, programs, ending: before.ending && { ...before.ending, isHarvested: true } };
}

/** Whether the next append of the run ends the turn. */
export function isEnding(now: Reference): boolean {
  return now.ending?.isHarvested === true && !hasInput(now) && now.failures < MAX_FAILURES;
}

export function ended(now: Reference): Reference {
  return now.ending === null ? now : completed({ ...now, ending: null }, now.ending.stop);
}

function completed(now: Reference, stop: StopReason['type']): Reference {
  if (now.outcome === null || stop !== 'end_turn') return idle(now, stop);
  return { ...now, outcome: { ...now.outcome, stage: 'evaluating', malformed: 0 } };
}

function idle(now: Reference, stop: StopReason['type']): Reference {
  const outcome = stop === 'requires_action' ? now.outcome : null;
  return { ...unhidden(now), status: 'idle', stop, asking: null, failures: 0, outcome, ending: null };
}
