/** Outcomes in tests: definitions, what a grader answers, and what the events tell of each outcome. */
import type { EventInput, SessionEvent } from '#contract/events.ts';
import type { OutcomeEvaluation } from '#contract/sessions.ts';
import type { ContentBlock, ModelAnswer } from '#core/ports/model.ts';
import { answer, toolUse } from '#test/functions/core/given.ts';

export function outcome(description = 'A report', rubric = 'It is good.', max_iterations = 3): EventInput {
  return { type: 'user.define_outcome', description, rubric: { type: 'text', content: rubric }, max_iterations };
}

export function reading(...blocks: readonly ContentBlock[]): ModelAnswer {
  return answer({ stopReason: 'tool_use', blocks });
}

export function verdict(result: string, explanation: string): ModelAnswer {
  return reading(toolUse('toolu_verdict', 'verdict', { result, explanation }));
}

interface Followed {
  readonly evaluation: OutcomeEvaluation;
}

/** What a client that reads the stream knows of each outcome. */
export function follow(events: readonly SessionEvent[]): readonly Followed[] {
  const known = new Map<string, OutcomeEvaluation>();
  const change = (id: string, fields: Partial<OutcomeEvaluation>) => {
    const before = known.get(id);
    if (before === undefined) throw new TypeError(`the outcome ${id} was never defined`);
    known.set(id, { ...before, ...fields });
  };
  for (const event of events) {
    switch (event.type) {
      case 'user.define_outcome': {
        const { outcome_id, description } = event;
        const fresh = { iteration: 0, result: 'pending', explanation: null, completed_at: null } as const;
        known.set(outcome_id, { type: 'outcome_evaluation', outcome_id, description, ...fresh });
        break;
      }
      case 'span.model_request_start':
        for (const [id, { result }] of known) if (result === 'pending') change(id, { result: 'running' });
        break;
      case 'span.outcome_evaluation_start':
        change(event.outcome_id, { result: 'evaluating', iteration: event.iteration });
        break;
      case 'span.outcome_evaluation_end': {
        const { outcome_id, result, explanation, iteration, processed_at } = event;
        if (result === 'needs_revision')
          change(outcome_id, { result: 'running', explanation, iteration: iteration + 1 });
        else change(outcome_id, { result, explanation, iteration, completed_at: processed_at });
        break;
      }
      default:
    }
  }
  return [...known.values()].map((evaluation) => ({ evaluation }));
}
