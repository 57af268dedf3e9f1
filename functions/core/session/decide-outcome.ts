/** Decisions about outcomes: a definition, and what the grader answers. */
import type { EventInput, OutcomeResult } from '#contract/events.ts';
import { OutcomeId } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import {
  decided,
  extended,
  type CommandTo,
  type Decided,
  type Decision,
  type Refusal,
} from '#core/session/commands.ts';
import { endOfOutcome, endOfRequest, endTurn, event } from '#core/session/entries.ts';
import { bytesOf } from '#core/session/outcomes.ts';
import { awaitedCalls, hasInput, isAtWork } from '#core/session/waiting.ts';

/** One item holds the descriptions and explanations of a session, and one query reads it with all else: at most 1 MB. */
export const MAX_OUTCOMES = 20;
const MAX_DESCRIPTIONS_BYTES = 120_000;
export const MAX_EXPLANATION_CHARS = 3000;

/** The grader is asked once more after an answer that is neither a verdict nor asks to read. */
const MAX_MALFORMED = 2;

interface Defining {
  readonly before: Decided;
  readonly field: string;
  readonly stamp: Stamp;
}

export function acceptDefinition(
  { before, field, stamp }: Defining,
  { description, rubric, max_iterations }: Extract<EventInput, { type: 'user.define_outcome' }>,
): Decision {
  const { state } = before.head;
  const refused = (message: string, at = field): Refusal => ({ status: 'refused', field: at, message });
  if (rubric.type === 'file') throw new TypeError('the text of a rubric is read before its definition is sent');
  if (state.outcome !== undefined) {
    return refused(`the outcome ${state.outcome.id} is not evaluated yet: wait for its end, or send user.interrupt`);
  }
  const awaited = isAtWork(state) ? [] : awaitedCalls(state);
  if (awaited.length > 0) {
    const ids = awaited.join(', ');
    return refused(`the session requires action on ${ids}: answer these, or send user.interrupt first`);
  }
  const { count, bytes } = state.outcomes ?? { count: 0, bytes: 0 };
  if (count >= MAX_OUTCOMES) return refused(`a session is given at most ${MAX_OUTCOMES} outcomes`);
  if (bytes + bytesOf(description) > MAX_DESCRIPTIONS_BYTES) {
    const rule = `the descriptions of a session's outcomes have at most ${MAX_DESCRIPTIONS_BYTES} bytes together`;
    return refused(rule, `${field}.description`);
  }
  return extended(before, [
    event({
      id: stamp.eventId(),
      type: 'user.define_outcome',
      processed_at: stamp.now(),
      outcome_id: OutcomeId.parse(stamp.eventId().replace(/^sevt_/, 'outc_')),
      description,
      rubric,
      max_iterations,
    }),
  ]);
}

export function decideGraded(head: Head, command: CommandTo<'graded'>, stamp: Stamp): Decision {
  const { request, reply, usage, prompt, blocks, results } = command;
  // Another attempt closed this request and owns the turn, or the evaluation is over.
  if (head.state.request?.id !== request || head.state.outcome?.evaluation == null) return decided(head);
  const answer = reply.type;
  const at = stamp.now();
  const heard = decided(head, [
    endOfRequest(request, { isError: false, usage }, stamp),
    { record: { kind: 'outcome.graded', request, at, prompt, answer, blocks: [...blocks], results: [...results] } },
  ]);
  switch (reply.type) {
    case 'verdict':
      return judged(heard, reply, stamp);
    case 'malformed': {
      if ((heard.head.state.outcome?.evaluation?.malformed ?? 0) < MAX_MALFORMED) return heard;
      const explanation = `The grader gave no verdict that could be read: ${reply.reason}.`;
      return judged(heard, { result: 'failed', explanation }, stamp);
    }
    case 'reading':
      return heard;
    default:
      return reply satisfies never;
  }
}

export interface Verdict {
  readonly result: Extract<OutcomeResult, 'satisfied' | 'needs_revision' | 'failed'>;
  readonly explanation: string;
}

function judged(heard: Decided, { result, explanation }: Verdict, stamp: Stamp): Decision {
  const { outcome } = heard.head.state;
  if (outcome === undefined) return heard;
  const isLast = result === 'needs_revision' && outcome.iteration + 1 >= outcome.maxIterations;
  const told = explanation.slice(0, MAX_EXPLANATION_CHARS).toWellFormed();
  const ended = extended(heard, [endOfOutcome(outcome, isLast ? 'max_iterations_reached' : result, told, stamp)]);
  // The agent revises its work, or tells its user in a last turn what is missing; or a message waits.
  if (result === 'needs_revision' || hasInput(ended.head.state)) return ended;
  return extended(ended, endTurn(ended.head.state, { reason: { type: 'end_turn' }, details: null }, stamp));
}
