import { describe, expect, it } from 'vitest';
import { EventId } from '#contract/ids.ts';
import { MAX_COMPACTIONS } from '#core/model/room.ts';
import { next } from '#core/harness/next.ts';
import type { Command } from '#core/session/commands.ts';
import {
  answer,
  answerWith,
  AGENT,
  claim,
  createdWith,
  FULL,
  given,
  outline,
  queuedIn,
  REQUEST,
  says,
  send,
  sends,
  summarised,
  toolUse,
  type Scenario,
} from '#test/functions/core/given.ts';

const SECOND = EventId.parse('sevt_second');

/** The summary's request takes nothing from the queue. */
const claimSummary = (request = REQUEST): Command => ({ do: 'claim', request, taken: [] });

const full = () =>
  given()
    .when(send('hi'))
    .when(claim())
    .when(answerWith({ usage: FULL }));

/** In the middle of a turn, all calls answered. */
function fullInMidTurn(): Scenario {
  const asked = given()
    .when(send('look'))
    .when(claim())
    .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')], usage: FULL }));
  return done(asked, 'ok');
}

function done(asked: Scenario, text: string): Scenario {
  return asked.head.state.calls.reduce(
    (scenario, { id }) => scenario.when({ do: 'result', call: id, content: [{ type: 'text', text }], isError: false }),
    asked,
  );
}

describe('a context that is nearly as large as the model’s window', () => {
  it('is compacted before the model is asked again', () => {
    expect(next(full().when(send('more')).head.state)).toEqual({ do: 'compact' });
    expect(next(fullInMidTurn().head.state)).toEqual({ do: 'compact' });
  });

  it('is compacted only after the calls of the answer that filled it are made', () => {
    const asked = given()
      .when(send('look'))
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')], usage: FULL }));
    expect(next(asked.head.state)).toMatchObject({ do: 'use hands' });
  });

  it('may be full because of results as well as of answers', () => {
    const asked = given()
      .when(send('look'))
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')] }));
    expect(next(done(asked, 'ok').head.state)).toEqual({ do: 'ask' });
    expect(next(done(asked, 'x'.repeat(4 * FULL.input_tokens)).head.state)).toEqual({ do: 'compact' });
  });

  it('does not count as full for one large message, which no summary would make smaller', () => {
    const large = 'x'.repeat(4 * FULL.input_tokens);
    expect(next(given().when(send(large)).head.state)).toEqual({ do: 'ask' });
    const talked = given().when(send('hi')).when(claim()).when(answerWith());
    expect(next(talked.when(send(large)).head.state)).toEqual({ do: 'ask' });
    expect(next(talked.when(send(large)).when(claim()).when(claim(SECOND)).head.state)).toEqual({ do: 'ask' });
  });

  it('is measured with images as the provider counts them, not by their bytes', () => {
    const source = { type: 'base64', media_type: 'image/png', data: 'A'.repeat(1_000_000) } as const;
    const shown = halfFull().when(sends({ type: 'user.message', content: [{ type: 'image', source }] }));
    expect(next(shown.head.state)).toEqual({ do: 'ask' });
  });
});

/** Half full. */
const halfFull = () =>
  given()
    .when(send('hi'))
    .when(claim())
    .when(answerWith({ usage: { ...FULL, input_tokens: FULL.input_tokens / 2 } }));

describe('a compaction', () => {
  it('closes its request, keeps the summary, and appends the event that reports it', () => {
    const compacted = fullInMidTurn().when(claimSummary()).when(summarised());
    expect(outline(compacted.then)).toEqual([
      'span.model_request_end',
      '[context.compacted]',
      'agent.thread_context_compacted',
    ]);
    const [end, record, told] = compacted.then;
    expect(end).toMatchObject({ event: { is_error: false, model_request_start_id: REQUEST } });
    expect(record).toMatchObject({ record: { summary: 'They greeted.', request: REQUEST } });
    expect(told).toEqual({
      event: { id: expect.any(String), type: 'agent.thread_context_compacted', processed_at: expect.any(String) },
    });
    expect(next(compacted.head.state)).toEqual({ do: 'ask' });
  });

  it('has its usage counted like any other model request', () => {
    const before = fullInMidTurn();
    const { usage, turns } = before.when(claimSummary()).when(summarised()).head.state;
    expect(usage.input_tokens).toBe(before.head.state.usage.input_tokens + answer().usage.input_tokens);
    expect(turns).toBe(2);
  });

  it('leaves queued messages in the queue, and the slice begins no later than those', () => {
    const waiting = full().when(send('one')).when(send('two'));
    const compacted = waiting.when(claimSummary()).when(summarised());
    expect(queuedIn(compacted)).toEqual(queuedIn(waiting));
    expect(compacted.head.state.sliceFrom).toBe(compacted.head.state.queued[0]?.position);
    const quiet = fullInMidTurn().when(claimSummary()).when(summarised());
    expect(quiet.head.state.sliceFrom).toBe(quiet.head.position - 1);
  });

  it('keeps messages that were taken and not answered, too', () => {
    const taken = halfFull().when(send('never answered')).when(claim());
    const crowded = taken.when({
      do: 'fail',
      request: REQUEST,
      error: 'model_request_failed_error',
      message: 'too large',
      verdict: 'too large',
    });
    expect(outline(crowded.then)).toEqual(['span.model_request_end', '[context.exceeded]']);
    expect(next(crowded.head.state)).toEqual({ do: 'compact' });
    const { sliceFrom } = crowded.when(claimSummary(SECOND)).when(summarised('…', SECOND)).head.state;
    expect(taken.entries[sliceFrom - 1]).toMatchObject({ event: { type: 'user.message' } });
  });

  it('is made again when its process died before the append, and the span is closed', () => {
    const again = fullInMidTurn().when(claimSummary());
    expect(next(again.head.state)).toEqual({ do: 'compact' });
    const { then } = again.when(claimSummary(SECOND));
    expect(outline(then)).toEqual(['span.model_request_end', 'span.model_request_start', '[model.claimed]']);
    expect(then[0]).toMatchObject({ event: { is_error: true } });
  });

  it('writes nothing when another attempt has closed its request', () => {
    const lost = fullInMidTurn().when(claimSummary()).when(claimSummary(SECOND));
    expect(lost.when(summarised()).then).toEqual([]);
  });

  it('can be interrupted', () => {
    const interrupted = fullInMidTurn()
      .when(claimSummary())
      .when(sends({ type: 'user.interrupt' }));
    expect(outline(interrupted.then)).toEqual([
      'user.interrupt',
      'span.model_request_end',
      'user.interrupt',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(interrupted.when(summarised()).then).toEqual([]);
    expect(next(interrupted.when(send('go on')).head.state)).toEqual({ do: 'compact' });
  });

  it('has its usage counted also when its summary cannot be used', () => {
    const failed: Command = {
      do: 'fail',
      request: REQUEST,
      error: 'model_request_failed_error',
      message: 'no summary',
      verdict: 'exhausted',
      usage: { ...answer().usage, output_tokens: 7000 },
    };
    const { then, head } = fullInMidTurn().when(claimSummary()).when(failed);
    expect(then[0]).toMatchObject({ event: { is_error: true, model_usage: { output_tokens: 7000 } } });
    expect(head.state).toMatchObject({ status: 'idle', usage: { output_tokens: 7005 } });
  });
});

describe('successive compactions', () => {
  /** A summary, and an answer that is as full as the one before. */
  const round = (scenario: Scenario) =>
    done(
      scenario
        .when(claimSummary())
        .when(summarised())
        .when(claim())
        .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_2')], usage: FULL })),
      'ok',
    );
  const rounds = (count: number) =>
    Array.from({ length: count }).reduce<Scenario>((scenario) => round(scenario), fullInMidTurn());

  it('end the turn when they make no room', () => {
    expect(next(rounds(MAX_COMPACTIONS - 1).head.state)).toEqual({ do: 'compact' });
    const stuck = rounds(MAX_COMPACTIONS);
    const step = next(stuck.head.state);
    expect(step).toEqual({ do: 'give up', cause: 'compactions' });
    const { then, head } = stuck.when({ do: 'give up', cause: 'compactions', taken: [] });
    expect(then[0]).toMatchObject({
      event: { error: { type: 'compaction_limit_reached_error', retry_status: { type: 'exhausted' } } },
    });
    expect(head.state).toMatchObject({ status: 'idle', stopReason: { type: 'retries_exhausted' } });
  });

  it('count nothing of the definitions of listed agents, which the model does not read', () => {
    const { multiagent: _none, ...listed } = { ...AGENT, system: 'x'.repeat(100_000) };
    const multiagent = { type: 'coordinator' as const, agents: [listed, listed, listed] };
    const lead = { ...AGENT, multiagent };
    const summed = given([createdWith(lead)])
      .when(send('hi'))
      .when(claim())
      .when(answerWith({ usage: FULL }))
      .when(send('more'))
      .when(claimSummary(SECOND))
      .when({ ...summarised('They greeted.', SECOND), agent: lead } as Command);
    expect(summed.head.state.compactions).toBe(1);
    expect(summed.head.state.contextTokens).toBeLessThan(1000);
  });

  it('are counted from zero after an answer that leaves room, and in each run', () => {
    const answered = rounds(2).when(claimSummary()).when(summarised()).when(claim()).when(answerWith());
    expect(answered.head.state.compactions).toBe(0);
    const ended = rounds(MAX_COMPACTIONS).when({ do: 'give up', cause: 'compactions', taken: [] });
    expect(next(ended.when(send('try again')).head.state)).toEqual({ do: 'compact' });
  });
});

describe('an answer that the provider cut off because the window was full', () => {
  const crowded = { stopReason: 'model_context_window_exceeded' } as const;

  it('is continued after a compaction', () => {
    const { then, head } = given().when(send('hi')).when(claim()).when(answerWith(crowded));
    expect(outline(then)).not.toContain('session.status_idle');
    expect(next(head.state)).toEqual({ do: 'compact' });
  });

  it('has none of its calls made, because the last one may be incomplete', () => {
    const { then, head } = given()
      .when(send('hi'))
      .when(claim())
      .when(answerWith({ ...crowded, blocks: [toolUse('toolu_1')] }));
    expect(outline(then)).toContain('agent.tool_result');
    expect(next(head.state)).toEqual({ do: 'compact' });
  });

  it('is continued only a limited number of times', () => {
    let scenario = given()
      .when(sends(says('hi')))
      .when(claim())
      .when(answerWith(crowded));
    for (let count = 0; count < MAX_COMPACTIONS; count += 1) {
      scenario = scenario.when(claimSummary()).when(summarised()).when(claim()).when(answerWith(crowded));
    }
    expect(next(scenario.head.state)).toEqual({ do: 'give up', cause: 'compactions' });
  });
});
