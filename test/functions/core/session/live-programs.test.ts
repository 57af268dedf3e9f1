/** The end of a turn whose programs go on in the sandbox. */
import { describe, expect, it } from 'vitest';
import { ThreadId, type Position } from '#contract/ids.ts';
import { MAX_ROUNDS, next } from '#core/harness/next.ts';
import { MAX_FAILURES, type Command } from '#core/session/commands.ts';
import { NO_MODEL_USAGE } from '#core/session/usage.ts';
import { outcome } from '#test/functions/core/outcomes.ts';
import {
  answerWith,
  claim,
  given,
  outline,
  says,
  send,
  sends,
  toolUse,
  type Scenario,
} from '#test/functions/core/given.ts';

const result =
  (programsLive?: true) =>
  ({ head }: Scenario): Command => {
    const [call] = head.state.calls;
    if (call === undefined) throw new TypeError('no call is open');
    return { do: 'result', call: call.id, content: [], isError: false, programsLive };
  };
const called = (from: Scenario, programsLive?: true) =>
  from
    .when(claim())
    .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')] }))
    .when(result(programsLive));
const running = () => called(given().when(send('hi')), true);
const ended = (from = running()) => from.when(claim()).when(answerWith());
const sinceOf = ({ head }: Scenario): Position => head.state.ending?.position ?? expect.fail('the turn does not end');
const harvested =
  (programsLive = false) =>
  (scenario: Scenario): Command => ({ do: 'harvested', since: sinceOf(scenario), programsLive });

const end = (scenario: Scenario): Command => ({ do: 'end turn', since: sinceOf(scenario) });

const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];

describe('a call that leaves programs', () => {
  it('is noted once, and nothing is where none was left', () => {
    expect(outline(running().then)).toEqual(['agent.tool_result', '[programs.left]']);
    expect(outline(called(running(), true).then)).toEqual(['agent.tool_result']);
    const none = called(given().when(send('hi')));
    expect(outline(none.then)).toEqual(['agent.tool_result']);
    expect(none.head.state).not.toHaveProperty('programsLive');
  });

  it('is not forgotten when the result of an earlier call comes later', () => {
    expect(called(running()).head.state.programsLive).toBe(true);
  });
});

describe('a turn that ends while programs go on', () => {
  it('ends after a harvest', () => {
    const scenario = ended();
    expect(outline(scenario.then).slice(-2)).toEqual(['span.model_request_end', '[turn.ending]']);
    expect(scenario.head.state.status).toBe('running');
    expect(next(scenario.head.state)).toEqual({ do: 'harvest', since: sinceOf(scenario) });
    const taken = scenario.when(harvested());
    expect(outline(taken.then)).toEqual(['[turn.harvested]']);
    expect(next(taken.head.state)).toEqual({ do: 'end turn', since: sinceOf(scenario) });
    const { then, head } = taken.when(end);
    expect(outline(then)).toEqual(IDLE);
    expect(then.at(-1)).toMatchObject({ event: { stop_reason: { type: 'end_turn' } } });
    expect([head.state.programsLive, head.state.ending]).toEqual([undefined, undefined]);
    expect(next(head.state)).toEqual({ do: 'rest' });
  });

  it('ends when they go on all the same, and so does the next turn, without a call', () => {
    const idle = ended().when(harvested(true)).when(end);
    expect(idle.head.state).toMatchObject({ status: 'idle', programsLive: true });
    const again = ended(idle.when(send('and now?')));
    expect(next(again.head.state)).toMatchObject({ do: 'harvest' });
    const last = ended(again.when(harvested()).when(end).when(send('and now?')));
    expect(outline(last.then).slice(-3)).toEqual(IDLE);
  });

  it('ends once: a second harvest, or one of an earlier end, changes nothing', () => {
    const scenario = ended();
    const late = { do: 'harvested', since: sinceOf(scenario), programsLive: false } as const;
    expect(scenario.when(harvested()).when(late).then).toEqual([]);
    const over = { do: 'end turn', since: late.since } as const;
    expect(scenario.when(harvested()).when(over).when(over).then).toEqual([]);
    const again = scenario.when(sends({ type: 'user.interrupt' }, says('again')));
    expect(ended(again).when(late).then).toEqual([]);
    expect(ended(again).when(over).then).toEqual([]);
  });

  it('keeps its reason', () => {
    const refused = running()
      .when(claim())
      .when(answerWith({ stopReason: 'refusal', stopDetails: { category: 'cyber', explanation: 'no' } }));
    expect(next(refused.head.state)).toMatchObject({ do: 'harvest' });
    expect(refused.when(harvested()).when(end).then.at(-1)).toMatchObject({
      event: { stop_reason: { type: 'refusal' }, stop_details: { category: 'cyber', explanation: 'no' } },
    });
  });

  it('goes on when a message came meanwhile', () => {
    for (const scenario of [ended().when(send('one more')), ended().when(harvested()).when(send('one more'))]) {
      expect(next(scenario.head.state)).toEqual({ do: 'ask' });
      expect(scenario.when(end).then).toEqual([]);
      const asked = scenario.when(claim());
      expect(asked.head.state.ending).toBeUndefined();
      // It ends as its next answer says.
      expect(next(asked.when(answerWith()).head.state).do).toBe(asked.head.state.programsLive ? 'harvest' : 'rest');
    }
  });

  it('is ended by an interrupt without a harvest', () => {
    const { then, head } = ended().when(sends({ type: 'user.interrupt' }));
    expect(outline(then).slice(-3)).toEqual(IDLE);
    expect(head.state).toMatchObject({ status: 'idle', programsLive: true });
    expect(head.state.ending).toBeUndefined();
  });

  it('and requires action, or cannot be finished, is idle at once', () => {
    const blocked = running()
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_2')] }));
    expect(next(blocked.head.state)).toMatchObject({ do: 'use hands' });
    const lost = Array.from({ length: MAX_FAILURES }).reduce<Scenario>(
      (scenario) => scenario.when({ do: 'continue', run: scenario.head.state.run, reason: 'lost' }),
      ended(),
    );
    expect(next(lost.head.state)).toEqual({ do: 'give up', cause: 'attempts' });
    const given_up = lost.when({ do: 'give up', cause: 'attempts', taken: [] });
    expect(given_up.head.state).toMatchObject({ status: 'idle', stopReason: { type: 'retries_exhausted' } });
    expect(given_up.head.state.ending).toBeUndefined();
  });

  it('in its last round ends as any other', () => {
    expect(next({ ...ended().head.state, rounds: MAX_ROUNDS })).toMatchObject({ do: 'harvest' });
  });

  it('is harvested before the grader looks, and again before the session is idle', () => {
    const from = called(given().when(sends(outcome())), true);
    const worked = ended(from);
    expect(next(worked.head.state)).toMatchObject({ do: 'harvest' });
    const grading = worked.when(harvested(true)).when(end);
    expect(outline(grading.then)).toEqual(['span.outcome_evaluation_start']);
    expect(next(grading.head.state)).toEqual({ do: 'evaluate' });
    const asked = grading.when(claim());
    const judged = asked.when({
      ...{ do: 'graded', request: asked.head.state.request?.id ?? expect.fail('not asked'), prompt: 1 },
      ...{ reply: { type: 'verdict', result: 'satisfied', explanation: 'Good.' }, blocks: [], results: [] },
      usage: NO_MODEL_USAGE,
    });
    expect(outline(judged.then).slice(-2)).toEqual(['span.outcome_evaluation_end', '[turn.ending]']);
    expect(outline(judged.when(harvested()).when(end).then)).toEqual(IDLE);
  });

  it('is told to the parent of a child by its report, and by nothing before', () => {
    const thread = ThreadId.parse('sthr_child');
    const told = { thread, name: 'Bo', copies: [], usage: null, hand: null, programsLive: true };
    const hear = (report: string | null): Command => ({ do: 'hear', told: { ...told, report } });
    expect(given().when(hear(null)).head.state).not.toHaveProperty('programsLive');
    const heard = given().when(hear('Done.'));
    expect(heard.head.state.programsLive).toBe(true);
    expect(outline(heard.then)).toContain('[programs.left]');
    expect(outline(heard.when(hear('Done.')).then)).not.toContain('[programs.left]');
    const quiet = given().when({ do: 'hear', told: { ...told, programsLive: false, report: 'Done.' } });
    expect(quiet.head.state).not.toHaveProperty('programsLive');
  });
});
