import { describe, expect, it } from 'vitest';
import { EventId } from '#contract/ids.ts';
import { backoffSeconds, MAX_HISTORY_EVENTS, MAX_ROUNDS, next } from '#core/harness/next.ts';
import { MAX_FAILURES } from '#core/session/commands.ts';
import { AGENT, answerWith, claim, createdWith, given, send, sends, toolUse } from '#test/functions/core/given.ts';
import { asking, callId, calling, listed, SERVED } from '#test/functions/core/served.ts';

const started = () => given().when(send('hi'));

describe('the next step of a run', () => {
  it('is to rest when the session does not run', () => {
    expect(next(given().head.state)).toEqual({ do: 'rest' });
    expect(next(given().when({ do: 'archive' }).head.state)).toEqual({ do: 'rest' });
  });

  it('is to ask the model when a message waits for an answer', () => {
    expect(next(started().head.state)).toEqual({ do: 'ask' });
  });

  it('is to use hands while calls are open, and to ask the model when all have results', () => {
    const asked = started()
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')] }));
    const [call] = asked.head.state.calls;
    expect(next(asked.head.state)).toEqual({ do: 'use hands', calls: [call] });
    const done = asked.when({ do: 'result', call: call?.id ?? EventId.parse('sevt_0'), content: [], isError: false });
    expect(next(done.head.state)).toEqual({ do: 'ask' });
  });

  it('is to list the tools of MCP servers before the first request, when no call is open', () => {
    const begun = given([createdWith(SERVED)]).when(send('hi'));
    expect(next(begun.head.state)).toEqual({ do: 'list tools' });
    expect(next(begun.when(listed()).head.state)).toEqual({ do: 'ask' });
    const confirmed = asking()
      .when(calling(['drop']))
      .when(sends({ type: 'user.tool_confirmation', tool_use_id: callId(0), result: 'allow' }));
    expect(next(confirmed.head.state)).toMatchObject({ do: 'use hands' });
    const done = confirmed.when({ do: 'result', call: callId(0), content: [], isError: false });
    expect(next(done.head.state)).toEqual({ do: 'list tools' });
    expect(next(done.when(listed(2)).head.state)).toEqual({ do: 'ask' });
  });

  it('is to list the tools of the agent as it was last changed', () => {
    const changed = given().when({ do: 'update', changes: { agent: SERVED } });
    expect(next(changed.when(send('hi')).head.state)).toEqual({ do: 'list tools' });
    const back = changed.when({ do: 'update', changes: { agent: AGENT } });
    expect(next(back.when(send('hi')).head.state)).toEqual({ do: 'ask' });
  });

  it('is to give up when several attempts left the same request open', () => {
    let scenario = started();
    for (let attempt = 1; attempt < MAX_FAILURES; attempt += 1) {
      expect(next(scenario.head.state)).toEqual({ do: 'ask' });
      scenario = scenario.when(claim(EventId.parse(`sevt_attempt${attempt}`)));
    }
    expect(next(scenario.when(claim(EventId.parse('sevt_last'))).head.state)).toEqual({
      do: 'give up',
      cause: 'attempts',
    });
  });

  it('is to give up on a turn that calls tools without end, counted anew for each message', () => {
    const used = given()
      .when(send('hi'))
      .when(claim())
      .when(answerWith({ stopReason: 'pause_turn' })).head.state;
    expect(used.rounds).toBe(1);
    expect(next({ ...used, rounds: MAX_ROUNDS - 1 })).toEqual({ do: 'ask' });
    expect(next({ ...used, rounds: MAX_ROUNDS })).toEqual({ do: 'give up', cause: 'rounds' });
    const again = given().when(send('one')).when(claim()).when(send('two')).when(answerWith()).when(claim());
    expect(again.head.state.rounds).toBe(0);
    const ended = given()
      .when(send('hi'))
      .when(claim())
      .when(answerWith({ stopReason: 'pause_turn' }))
      .when({ do: 'give up', cause: 'rounds', taken: [] });
    expect(ended.then[0]).toMatchObject({ event: { error: { type: 'tool_use_limit_reached_error' } } });
    expect(ended.head.state.stopReason).toEqual({ type: 'retries_exhausted' });
  });

  it('is to go on in a new execution long before the execution’s history is full', () => {
    const state = { ...started().head.state, historyEvents: MAX_HISTORY_EVENTS };
    expect(next(state)).toEqual({ do: 'continue' });
    expect(MAX_HISTORY_EVENTS).toBeLessThan(25_000 / 2);
  });
});

describe('the wait before another attempt', () => {
  it('doubles up to a minute, or is as long as the provider asks', () => {
    expect([1, 2, 3, 4, 20].map((failures) => backoffSeconds(failures, null))).toEqual([1, 2, 4, 8, 60]);
    expect(backoffSeconds(1, 12.3)).toBe(13);
    expect(backoffSeconds(1, 9999)).toBe(300);
  });
});
