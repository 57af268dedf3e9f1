/** What the agent is told of the outcome that it works toward. */
import type { EventOf, OutcomeDefinition, OutcomeResult } from '#contract/events.ts';
import { OUTPUTS_DIR } from '#contract/hands.ts';

export function definitionText({ description, rubric, max_iterations }: OutcomeDefinition): string {
  return `Work toward this outcome until it is reached:

<outcome>
${description}
</outcome>

When you end your turn, a grader judges the result by this rubric, up to ${max_iterations} times:

<rubric>
${rubric.content}
</rubric>

The grader sees the files below ${OUTPUTS_DIR} and nothing else: neither this conversation nor other files. Save there all that is to be \
judged.`;
}

const NEXT: Readonly<Record<OutcomeResult, string>> = {
  satisfied: 'The outcome is reached.',
  needs_revision: 'The outcome is not reached yet. Revise your work, and end your turn when it can be judged again.',
  max_iterations_reached:
    'The outcome is not reached, and it will not be judged again. Do no further work on it: tell the user in short what is done and what is missing.',
  failed: 'The outcome will not be judged again.',
  interrupted: 'The outcome will not be judged: the user may ask for something else.',
};

export function evaluationText({ result, iteration, explanation }: EventOf<'span.outcome_evaluation_end'>): string {
  return `[The grader, evaluation ${iteration + 1}: ${result}] ${NEXT[result]}

<explanation>
${explanation}
</explanation>`;
}
