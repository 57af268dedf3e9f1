/** The model request for a summary, which makes room in the model's window. */
import type { EventId } from '#contract/ids.ts';
import { queuedMessages, type Slice } from '#core/harness/history.ts';
import { requestModel, type RequestOutcome, type Purpose } from '#core/harness/model-request.ts';
import { buildSummaryRequest, summaryIn } from '#core/harness/summary.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { WINDOW_EXCEEDED } from '#core/model/room.ts';
import type { OutcomeDefinition } from '#contract/events.ts';
import { agentOf, definitionOf, guidesOf } from '#core/model/slice.ts';
import type { ModelAnswer, ModelListener } from '#core/ports/model.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { MAX_FAILURES, type Command } from '#core/session/commands.ts';

/** No client sees a summary, or a grader's verdict, being written. */
export const UNHEARD: ModelListener = {
  onFirstToken: () => undefined,
  onToolStart: () => undefined,
  onThinking: () => undefined,
  onText: () => undefined,
};

export function compact(world: TurnWorld, key: LogKey, slice: Slice, signal: AbortSignal): Promise<RequestOutcome> {
  return requestModel(world, key, { slice, purpose: summarising(world.stamp.eventId()), signal });
}

function summarising(request: EventId): Purpose {
  return {
    request,
    // Queued messages stay in the queue, because the summary is of what was answered.
    taken: [],
    listener: UNHEARD,
    build: ({ entries, head }) => buildSummaryRequest(entries, head.state),
    accept: (slice, answer) => accepting(slice, request, answer),
    // Every part of the conversation was accepted before: only its size, or an attachment in it, can be refused.
    fail: (slice, failure) => {
      const verdict = failure.verdict === 'refused' ? 'too large' : failure.verdict;
      return { ...failure, verdict, taken: queuedMessages(slice) };
    },
    end: () => Promise.resolve(),
  };
}

function accepting(slice: Slice, request: EventId, answer: ModelAnswer): Command {
  const { usage, stopReason } = answer;
  const summary = summaryIn(answer);
  // A summary that was cut off for want of room may lack what matters most: the next attempt shortens its input.
  if (summary !== null && stopReason !== WINDOW_EXCEEDED) {
    const { entries } = slice;
    const [agent, guides, outcome] = [agentOf(entries), guidesOf(entries), answeredOutcome(slice)];
    return { do: 'compacted', request, summary, usage, agent, guides, outcome };
  }
  const isLast = slice.head.state.failures + 1 >= MAX_FAILURES;
  return {
    do: 'fail',
    request,
    error: 'model_request_failed_error',
    message: 'The model gave no summary of the conversation.',
    verdict: stopReason === WINDOW_EXCEEDED ? 'too large' : isLast ? 'exhausted' : 'retrying',
    usage,
    taken: queuedMessages(slice),
  };
}

/** The definition that the agent has answered, which the summary would stand for. One that it has not stays in the slice. */
function answeredOutcome({ entries, head: { state } }: Slice): OutcomeDefinition | null {
  const { outcome, taken } = state;
  if (outcome === undefined || outcome.result === 'pending') return null;
  return taken !== null && taken.from <= outcome.position ? null : definitionOf(entries);
}
