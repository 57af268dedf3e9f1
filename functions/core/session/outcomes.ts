/**
 * Outcomes of a session: how the state follows the one that is active, and what its row tells of each. The session's
 * state holds no text of them.
 */
import { eventIn, type ActiveOutcome, type Entry, type RecordOf, type SessionState } from '#contract/entries.ts';
import type { EventOf, OutcomeDefinition } from '#contract/events.ts';
import { Position } from '#contract/ids.ts';
import type { OutcomeEvaluation } from '#contract/sessions.ts';
import { addModelUsage, NO_MODEL_USAGE } from '#core/session/usage.ts';
import { tokensOfText } from '#core/model/room.ts';

export function defined(
  state: SessionState,
  definition: EventOf<'user.define_outcome'>,
  position: Position,
): SessionState {
  const { outcome_id: id, description, rubric, max_iterations: maxIterations } = definition;
  const { count, bytes } = state.outcomes ?? { count: 0, bytes: 0 };
  const tokens = tokensOfText(description) + tokensOfText(rubric.content);
  const begun = { iteration: 0, result: 'pending', evaluation: null } as const;
  return {
    ...state,
    outcome: { id, position, tokens, maxIterations, ...begun },
    outcomes: { count: count + 1, bytes: bytes + bytesOf(description) },
  };
}

export function bytesOf(description: string): number {
  return Buffer.byteLength(description);
}

/** A model request reads the definition for the first time. */
export function reading(state: SessionState, outcome: ActiveOutcome): SessionState {
  return { ...saidToAgent(state, outcome.position, outcome.tokens), outcome: { ...outcome, result: 'running' } };
}

export function evaluating(state: SessionState, { id, iteration }: EventOf<'span.outcome_evaluation_start'>) {
  const { outcome } = state;
  if (outcome === undefined) return state;
  const evaluation = { start: id, usage: NO_MODEL_USAGE, readings: 0, malformed: 0 };
  return { ...state, outcome: { ...outcome, iteration, result: 'evaluating' as const, evaluation } };
}

export function graded(state: SessionState, { answer }: RecordOf<'outcome.graded'>): SessionState {
  return withEvaluation(state, (evaluation) => ({
    ...evaluation,
    readings: evaluation.readings + (answer === 'reading' ? 1 : 0),
    malformed: evaluation.malformed + (answer === 'malformed' ? 1 : 0),
  }));
}

export function spent(state: SessionState, { model_usage }: EventOf<'span.model_request_end'>): SessionState {
  return withEvaluation(state, (evaluation) => ({
    ...evaluation,
    usage: addModelUsage(evaluation.usage, model_usage),
  }));
}

/** The agent reads what the evaluation came to, and after `needs_revision` it works on. */
export function evaluated(
  { outcome, ...state }: SessionState,
  { result, iteration, explanation }: EventOf<'span.outcome_evaluation_end'>,
  position: Position,
): SessionState {
  const told = saidToAgent(state, position, tokensOfText(explanation));
  if (outcome === undefined || result !== 'needs_revision') return told;
  // What the grader asked for is a new message to the agent.
  return {
    ...told,
    rounds: 0,
    outcome: { ...outcome, iteration: iteration + 1, result: 'running', evaluation: null },
  };
}

function withEvaluation(
  state: SessionState,
  change: (evaluation: NonNullable<ActiveOutcome['evaluation']>) => ActiveOutcome['evaluation'],
): SessionState {
  const { outcome } = state;
  if (outcome === undefined || outcome.evaluation === null) return state;
  return { ...state, outcome: { ...outcome, evaluation: change(outcome.evaluation) } };
}

/** Until its next answer the agent has not read it, so a compaction leaves it as it is. */
function saidToAgent(state: SessionState, position: Position, tokens: number): SessionState {
  const { from, tokens: before } = state.taken ?? { from: position, tokens: 0 };
  return { ...state, taken: { from: Position.parse(Math.min(from, position)), tokens: before + tokens } };
}

/** What an append tells of one outcome; absent fields stay. */
export interface OutcomeChange {
  readonly description?: OutcomeDefinition['description'];
  readonly progress: Pick<OutcomeEvaluation, 'outcome_id' | 'iteration' | 'result' | 'completed_at'>;
  readonly explanation?: string;
}

/** Of the outcomes that these entries are about, by their numbers from 1. One outcome is active at a time. */
export function outcomeChanges(
  before: Pick<SessionState, 'outcome' | 'outcomes'>,
  entries: readonly Entry[],
): ReadonlyMap<number, OutcomeChange> {
  const changes = new Map<number, OutcomeChange>();
  let number = before.outcomes?.count ?? 0;
  let progress = progressOf(before.outcome);
  const note = (next: OutcomeChange['progress'], texts: Omit<OutcomeChange, 'progress'> = {}) => {
    progress = next;
    changes.set(number, { ...changes.get(number), ...texts, progress });
  };
  for (const event of entries.map(eventIn)) {
    switch (event?.type) {
      case 'user.define_outcome': {
        number += 1;
        const { outcome_id, description } = event;
        note({ outcome_id, iteration: 0, result: 'pending', completed_at: null }, { description });
        break;
      }
      case 'span.model_request_start':
        if (progress?.result === 'pending') note({ ...progress, result: 'running' });
        break;
      case 'span.outcome_evaluation_start':
        if (progress !== null) note({ ...progress, iteration: event.iteration, result: 'evaluating' });
        break;
      case 'span.outcome_evaluation_end': {
        const { outcome_id, iteration, result, explanation, processed_at } = event;
        note(
          result === 'needs_revision'
            ? { outcome_id, iteration: iteration + 1, result: 'running', completed_at: null }
            : { outcome_id, iteration, result, completed_at: processed_at },
          { explanation },
        );
        break;
      }
      default:
    }
  }
  return changes;
}

function progressOf(outcome: ActiveOutcome | undefined): OutcomeChange['progress'] | null {
  if (outcome === undefined) return null;
  const { id: outcome_id, iteration, result } = outcome;
  return { outcome_id, iteration, result, completed_at: null };
}

/** One outcome as a client sees it, from all that was told of it. */
export function viewOutcome({ progress, description = '', explanation }: OutcomeChange): OutcomeEvaluation {
  return { type: 'outcome_evaluation', description, explanation: explanation ?? null, ...progress };
}
