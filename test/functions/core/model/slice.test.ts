/**
 * Random sessions with compactions: a model request depends on the slice only, and differs from the one before at its
 * end.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusalOf } from '#test/model/check-request.ts';
import { EventId } from '#contract/ids.ts';
import { buildRequest } from '#core/harness/context.ts';
import { queuedMessages } from '#core/harness/history.ts';
import { next } from '#core/harness/next.ts';
import { fullTokens } from '#core/model/room.ts';
import { buildSummaryRequest } from '#core/harness/summary.ts';
import type { ContentBlock, ModelRequest } from '#core/ports/model.ts';
import type { Command } from '#core/session/commands.ts';
import {
  AGENT,
  answer,
  answerWith,
  given,
  queuedIn,
  says,
  send,
  sends,
  summarised,
  toolUse,
  type Scenario,
} from '#test/functions/core/given.ts';
import { ALWAYS_THE_SAME, propertyRuns } from '#test/property-runs.ts';

/** The next step: a client's message, or the harness's next step with this outcome. */
type Event =
  | { readonly do: 'say'; readonly text: string }
  | { readonly do: 'interrupt' }
  | { readonly do: 'step'; readonly outcome: Outcome };

/** `crash`: the attempt dies after its claim. */
interface Outcome {
  readonly end: 'answer' | 'crash' | 'too large' | 'refused';
  readonly calls: number;
  readonly share: number;
  readonly chars: number;
}

const outcome: fc.Arbitrary<Outcome> = fc.record({
  end: fc.oneof(
    { weight: 12, arbitrary: fc.constant('answer' as const) },
    { weight: 1, arbitrary: fc.constantFrom('crash' as const, 'too large' as const, 'refused' as const) },
  ),
  calls: fc.integer({ min: 0, max: 3 }),
  /** How full the answer leaves the window. */
  share: fc.double({ min: 0, max: 1.2, noNaN: true }),
  chars: fc.integer({ min: 0, max: 12_000 }),
});
const happening: fc.Arbitrary<Event> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('say' as const), text: fc.constantFrom('hi', 'go on', '🙂') }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('step' as const), outcome }) },
  { weight: 1, arbitrary: fc.constant({ do: 'interrupt' as const }) },
);

let requests = 0;

function after(scenario: Scenario, event: Event): Scenario {
  if (event.do === 'say') return scenario.when(send(event.text));
  if (event.do === 'interrupt') return scenario.when(sends({ type: 'user.interrupt' }, says('instead')));
  const step = next(scenario.head.state);
  switch (step.do) {
    case 'use hands':
      return step.calls.reduce((current, call) => current.when(resultOf(call.id, event.outcome.chars)), scenario);
    case 'ask':
    case 'compact':
      return asked(scenario, step.do, event.outcome);
    case 'give up':
      return scenario.when({ ...step, taken: queuedIn(scenario) });
    default:
      return scenario;
  }
}

function resultOf(call: EventId, chars: number): Command {
  return { do: 'result', call, content: [{ type: 'text', text: 'r'.repeat(chars) }], isError: false };
}

function asked(scenario: Scenario, step: 'ask' | 'compact', { end, calls, share }: Outcome): Scenario {
  requests += 1;
  const request = EventId.parse(`sevt_request${requests}`);
  const claimed = scenario.when({ do: 'claim', request, taken: step === 'ask' ? queuedIn(scenario) : [] });
  if (end === 'crash') return claimed;
  if (end !== 'answer') {
    const error = { error: 'model_request_failed_error', message: end } as const;
    return claimed.when({ do: 'fail', request, ...error, verdict: step === 'compact' ? 'too large' : end });
  }
  if (step === 'compact') return claimed.when(summarised(`Summary ${requests}.`, request));
  const blocks = Array.from({ length: calls }, (_, index) => toolUse(`toolu_${requests}_${index}`));
  const usage = { ...answer().usage, input_tokens: Math.floor(share * fullTokens(AGENT.model.id)) };
  return claimed.when(answerWith({ usage, ...(calls > 0 ? { stopReason: 'tool_use', blocks } : {}) }, request));
}

const sliceOf = ({ entries, head }: Scenario) => entries.slice(head.state.sliceFrom - 1);

/** The blocks in their order, as the provider's cache compares them. */
function blocksOf({ messages }: ModelRequest): readonly string[] {
  return messages.flatMap(({ role, content }) =>
    content.map(({ cache_control: _breakpoint, ...block }: ContentBlock) => JSON.stringify([role, block])),
  );
}

describe('the slice of a session', () => {
  it('yields the same requests as the whole log, and the provider accepts them', () => {
    let compactions = 0;
    const property = fc.property(fc.array(happening, { minLength: 1, maxLength: 80, size: 'max' }), (events) => {
      const last = events.reduce<Scenario>((scenario, event) => {
        const now = after(scenario, event);
        const slice = sliceOf(now);
        const first = now.head.state.sliceFrom;
        expect(queuedMessages({ first, entries: slice, head: now.head })).toEqual(queuedIn(now));
        expect(first).toBeGreaterThanOrEqual(scenario.head.state.sliceFrom);
        if (now.head.state.calls.length > 0) return now;
        expect(buildRequest(slice)).toEqual(buildRequest(now.entries));
        if (now.head.state.contextTokens === 0) return now;
        const asking = buildSummaryRequest(slice, now.head.state);
        expect(asking).toEqual(buildSummaryRequest(now.entries, now.head.state));
        expect(refusalOf(asking)).toBeNull();
        return now;
      }, given());
      compactions += last.head.state.sliceFrom > 1 ? 1 : 0;
    });
    fc.assert(property, { ...ALWAYS_THE_SAME, numRuns: 25 });
    expect(compactions).toBeGreaterThan(10);
    fc.assert(property, { numRuns: propertyRuns(200) });
  });
});

describe('successive model requests', () => {
  /** The number of calls in each answer of one long turn, and the length of their results. */
  const turn = fc.array(
    fc.record({ calls: fc.integer({ min: 1, max: 5 }), chars: fc.integer({ max: 20_000, min: 0 }) }),
    {
      minLength: 30,
      maxLength: 50,
    },
  );

  it('differ only at their end, except where old results are shortened, which is rare', () => {
    fc.assert(
      fc.property(turn, (answers) => {
        let scenario = given().when(send('work'));
        let before: { readonly blocks: readonly string[]; readonly made: number } = { blocks: [], made: 0 };
        const rewritten: number[] = [];
        for (const { calls, chars } of answers) {
          const worked = { end: 'answer', calls, share: 0.1, chars } as const;
          scenario = after(after(scenario, { do: 'step', outcome: worked }), { do: 'step', outcome: worked });
          const blocks = blocksOf(buildRequest(scenario.entries));
          const made = before.made + calls;
          const isExtension = before.blocks.every((block, index) => block === blocks[index]);
          if (!isExtension) rewritten.push(made);
          before = { blocks, made };
        }
        // Old results are shortened at most every twenty calls, and only when the newest forty stay whole.
        expect(rewritten.every((made) => made >= 60)).toBe(true);
        expect(new Set(rewritten.map((made) => Math.floor(made / 20))).size).toBe(rewritten.length);
      }),
      { numRuns: propertyRuns(50) },
    );
  });
});
