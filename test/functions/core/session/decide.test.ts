import { describe, expect, it } from 'vitest';
import { EventId } from '#contract/ids.ts';
import type { Command } from '#core/session/commands.ts';
import { MAX_QUEUED } from '#core/session/decide-send.ts';
import {
  answerWith,
  claim,
  given,
  IDS,
  outline,
  queuedIn,
  REQUEST,
  send,
  steadyStamp,
  toolUse,
} from '#test/functions/core/given.ts';

const running = () => given().when(send('hi')).when(claim());
const withCalls = (...ids: string[]) =>
  running().when(answerWith({ stopReason: 'tool_use', blocks: ids.map((id) => toolUse(id)) }));
const callIds = (scenario: ReturnType<typeof withCalls>) => scenario.head.state.calls.map((call) => call.id);

describe('sending messages', () => {
  it('wakes an idle session and begins its next run', () => {
    const { then, head } = given().when(send('hi'));
    expect(outline(then)).toEqual(['user.message', 'session.status_running', 'session.thread_status_running']);
    expect(head.state).toMatchObject({ status: 'running', run: 1 });
    expect(head.state.queued).toHaveLength(1);
  });

  it('that comes during a turn is queued and changes no status', () => {
    const { then, head } = running().when(send('and another'));
    expect(outline(then)).toEqual(['user.message']);
    expect(head.state.run).toBe(1);
    expect(head.state.queued).toHaveLength(1);
  });

  it('is refused when the queue is full', () => {
    const crowd = Array.from({ length: MAX_QUEUED }).reduce<ReturnType<typeof running>>(
      (scenario) => scenario.when(send('x')),
      running(),
    );
    expect(crowd.head.state.queued).toHaveLength(MAX_QUEUED);
    expect(crowd.when(send('one more')).refusal).toContain(`at most ${MAX_QUEUED}`);
  });

  it('is refused by a terminated session', () => {
    const { refusal, then } = given().when({ do: 'archive' }).when(send('hi'));
    expect(refusal).toContain('terminated');
    expect(then).toEqual([]);
  });
});

describe('claiming a model request', () => {
  it('takes the queued messages, repeats each under its id with processed_at, and opens the span', () => {
    const sent = given().when(send('one')).when(send('two'));
    const { then, head } = sent.when(claim());
    expect(outline(then)).toEqual(['user.message', 'user.message', 'span.model_request_start', '[model.claimed]']);
    const echoed = then.flatMap((entry) =>
      'event' in entry && entry.event.type === 'user.message' ? [entry.event] : [],
    );
    expect(echoed.map((message) => message.id)).toEqual(queuedIn(sent).map(({ event }) => event.id));
    expect(echoed.every((message) => message.processed_at !== null)).toBe(true);
    expect(head.state.queued).toEqual([]);
    expect(head.state.request?.id).toBe(REQUEST);
  });

  it('closes the request that a dead attempt left open as an error, before it opens its own', () => {
    const { then, head } = running().when(claim(EventId.parse('sevt_second')));
    expect(outline(then)).toEqual(['span.model_request_end', 'span.model_request_start', '[model.claimed]']);
    expect(then[0]).toMatchObject({ event: { is_error: true, model_request_start_id: REQUEST } });
    expect(head.state).toMatchObject({ failures: 1, request: { id: 'sevt_second' } });
  });

  it('has no effect in an idle session or while calls are open', () => {
    expect(given().when(claim()).then).toEqual([]);
    expect(withCalls('toolu_1').when(claim()).then).toEqual([]);
  });
});

describe('an answer', () => {
  it('makes the session idle in the same append when nothing is left to do, with the usage directly before', () => {
    const { then, head } = running().when(answerWith());
    expect(outline(then)).toEqual([
      '[model.answered]',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(head.state).toMatchObject({ status: 'idle', stopReason: { type: 'end_turn' }, turns: 1 });
    expect(head.state.usage).toMatchObject({ input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 2 });
  });

  it('does not make the session idle when a message was queued meanwhile', () => {
    const { then, head } = running().when(send('wait!')).when(answerWith());
    expect(outline(then)).toEqual(['[model.answered]', 'agent.message', 'span.model_request_end']);
    expect(head.state.status).toBe('running');
  });

  it('has its thinking before the message, and its tool uses after it', () => {
    const blocks = [
      { type: 'thinking', thinking: 'hm', signature: 's' },
      { type: 'text', text: 'I look.' },
      toolUse('toolu_1'),
    ];
    const { then, head } = running().when(answerWith({ stopReason: 'tool_use', blocks }));
    expect(outline(then)).toEqual([
      '[model.answered]',
      'agent.thinking',
      'agent.message',
      'agent.tool_use',
      'span.model_request_end',
    ]);
    expect(head.state.calls).toHaveLength(1);
  });

  it('gives message and thinking the ids of their previews', () => {
    const blocks = [
      { type: 'thinking', thinking: 'hm', signature: 's' },
      { type: 'text', text: 'Yes.' },
    ];
    const { then } = running().when(answerWith({ blocks }));
    const ids = then.flatMap((entry) => ('event' in entry ? [entry.event.id] : []));
    expect(ids.slice(0, 2)).toEqual([IDS.thinking, IDS.message]);
  });

  it('has a call of a tool that the agent lacks denied with a result that the model sees', () => {
    const { then, head } = running().when(
      answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1', 'launch')] }),
    );
    expect(outline(then).at(-1)).toBe('agent.tool_result');
    expect(then.at(-1)).toMatchObject({ event: { is_error: true } });
    expect(head.state).toMatchObject({ calls: [], status: 'running' });
  });

  it.each(['max_tokens', 'model_context_window_exceeded'])(
    'has a call that %s cut short, which is not executed',
    (stopReason) => {
      const { then, head } = running().when(answerWith({ stopReason, blocks: [toolUse('toolu_1')] }));
      expect(then.at(-1)).toMatchObject({ event: { type: 'agent.tool_result', is_error: true } });
      expect(head.state.calls).toEqual([]);
    },
  );

  it('ends a turn that was refused in the middle of a call, which is not executed', () => {
    const { then, head } = running().when(answerWith({ stopReason: 'refusal', blocks: [toolUse('toolu_1')] }));
    expect(outline(then)).toEqual([
      '[model.answered]',
      'agent.tool_use',
      'span.model_request_end',
      'agent.tool_result',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(head.state).toMatchObject({ calls: [], status: 'idle', stopReason: { type: 'refusal' } });
  });

  it('with a custom call that the token limit cut short does not ask the client for it', () => {
    const cutShort = answerWith({ stopReason: 'max_tokens', blocks: [toolUse('toolu_1', 'weather', {})] });
    const { then, head } = running().when({
      ...cutShort,
      rules: new Map([['weather', { kind: 'custom' }]]),
    } as Command);
    expect(outline(then)).not.toContain('agent.custom_tool_use');
    expect(then).toContainEqual({
      event: expect.objectContaining({ type: 'agent.tool_use', name: 'weather', evaluated_permission: 'deny' }),
    });
    expect(then.at(-1)).toMatchObject({ event: { type: 'agent.tool_result', is_error: true } });
    expect(head.state).toMatchObject({ calls: [], status: 'running' });
  });

  it('is dropped when another attempt has claimed the turn', () => {
    const { then } = running()
      .when(claim(EventId.parse('sevt_second')))
      .when(answerWith({}, REQUEST));
    expect(then).toEqual([]);
  });

  it('that is refused ends the turn with the reason and its details', () => {
    const { then } = running().when(
      answerWith({ stopReason: 'refusal', blocks: [], stopDetails: { category: 'cyber', explanation: null } }),
    );
    expect(then.at(-1)).toMatchObject({
      event: {
        stop_reason: { type: 'refusal' },
        stop_details: { type: 'refusal', category: 'cyber', explanation: null },
      },
    });
  });

  it('adds the seconds that the session was active', () => {
    const stamp = steadyStamp();
    const begun = given(undefined, stamp).when(send('hi')).when(claim());
    stamp.advance(2500);
    expect(begun.when(answerWith()).head.state.usage.active_seconds).toBe(2.5);
  });
});

describe('a result', () => {
  it('closes its call once: a second result of the same call is dropped', () => {
    const asked = withCalls('toolu_1', 'toolu_2');
    const call = callIds(asked)[0] ?? EventId.parse('sevt_none');
    const result: Command = { do: 'result', call, content: [{ type: 'text', text: 'ok' }], isError: false };
    const once = asked.when(result);
    expect(outline(once.then)).toEqual(['agent.tool_result']);
    expect(once.head.state.calls).toHaveLength(1);
    expect(once.when(result).then).toEqual([]);
  });
});

describe('a failed model request', () => {
  const fail = (verdict: 'retrying' | 'exhausted' | 'refused') =>
    ({
      do: 'fail',
      request: REQUEST,
      error: 'model_overloaded_error',
      message: 'The model is overloaded.',
      verdict,
    }) as const;

  it('that will be retried reschedules the session', () => {
    const { then, head } = running().when(fail('retrying'));
    expect(outline(then)).toEqual([
      'span.model_request_end',
      'session.error',
      'session.thread_status_rescheduled',
      'session.status_rescheduled',
    ]);
    expect(head.state).toMatchObject({ status: 'rescheduling', failures: 1 });
  });

  it('is followed by session.status_running with the next claim', () => {
    const { then, head } = running()
      .when(fail('retrying'))
      .when(claim(EventId.parse('sevt_second')));
    expect(outline(then)).toContain('session.status_running');
    expect(head.state).toMatchObject({ status: 'running', run: 1 });
  });

  it('that will not be retried ends the turn with retries_exhausted', () => {
    const { then, head } = running().when(fail('exhausted'));
    expect(outline(then)).toEqual([
      'span.model_request_end',
      'session.error',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(head.state).toMatchObject({ status: 'idle', stopReason: { type: 'retries_exhausted' }, failures: 0 });
  });

  it('leaves a waiting message to the next request and does not make the session idle', () => {
    const { then, head } = running().when(send('still there?')).when(fail('exhausted'));
    expect(outline(then)).toEqual(['span.model_request_end', 'session.error']);
    expect(then.at(-1)).toMatchObject({ event: { error: { retry_status: { type: 'retrying' } } } });
    expect(head.state.status).toBe('running');
  });

  it('because of the input is stored in the log as such', () => {
    expect(outline(running().when(fail('refused')).then)).toContain('[model.refused]');
  });
});

describe('archiving', () => {
  it('is refused while the session runs', () => {
    expect(running().when({ do: 'archive' }).refusal).toContain('running');
  });

  it('terminates an idle session, and a repeat changes nothing', () => {
    const archived = given().when({ do: 'archive' });
    expect(outline(archived.then)).toEqual(['session.thread_status_terminated', 'session.status_terminated']);
    expect(archived.when({ do: 'archive' }).then).toEqual([]);
  });
});

describe('continuing a run', () => {
  it('counts one more execution and resets the length of the execution’s history', () => {
    const { then, head } = running().when({ do: 'continue', run: 1, reason: 'lost' });
    expect(outline(then)).toEqual(['[run.continued]']);
    expect(head.state).toMatchObject({ run: 2, historyEvents: 0, status: 'running' });
  });

  it('counts a lost execution as a failure, so that a session is given up when all its executions die', () => {
    const lost = running()
      .when({ do: 'continue', run: 1, reason: 'lost' })
      .when({ do: 'continue', run: 2, reason: 'lost' });
    expect(lost.head.state.failures).toBe(2);
    expect(running().when({ do: 'continue', run: 1, reason: 'long' }).head.state.failures).toBe(0);
  });

  it('happens once, also when two find the run at its end', () => {
    const lost = { do: 'continue', run: 1, reason: 'lost' } as const;
    expect(running().when(lost).when(lost).head.state.run).toBe(2);
  });

  it('does nothing in an idle session', () => {
    expect(given().when({ do: 'continue', run: 1, reason: 'lost' }).then).toEqual([]);
  });
});
