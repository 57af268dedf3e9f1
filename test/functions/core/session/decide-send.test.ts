import { describe, expect, it } from 'vitest';
import type { EventInput } from '#contract/events.ts';
import { EventId } from '#contract/ids.ts';
import type { Command } from '#core/session/commands.ts';
import type { ToolRules } from '#core/tools/tool-definitions.ts';
import {
  answerWith,
  claim,
  given,
  outline,
  RULES,
  says,
  send,
  sends,
  steadyStamp,
  toolUse,
  type Scenario,
} from '#test/functions/core/given.ts';

const ASKING: ToolRules = new Map([
  ...RULES,
  ['bash', { kind: 'built-in', policy: 'always_ask' }],
  ['weather', { kind: 'custom' }],
]);

const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];
const RUNNING = ['session.status_running', 'session.thread_status_running'];
const interrupt: EventInput = { type: 'user.interrupt' };

/** Of each call: the tool's name. */
function asked(...names: readonly string[]): Scenario {
  const blocks = names.map((name, index) => toolUse(`toolu_${index}`, name));
  const answered: Command = { ...answerWith({ stopReason: 'tool_use', blocks }), rules: ASKING } as Command;
  return given().when(send('hi')).when(claim()).when(answered);
}

const callOf = (scenario: Scenario, index: number) => {
  const id = callsOf(scenario)[index];
  if (id === undefined) throw new TypeError(`no call ${index}`);
  return id;
};

/** Every call that was ever made, in order. */
function callsOf({ entries }: Scenario): readonly EventId[] {
  return entries.flatMap((entry) =>
    'event' in entry && (entry.event.type === 'agent.tool_use' || entry.event.type === 'agent.custom_tool_use')
      ? [entry.event.id]
      : [],
  );
}

const confirms = (scenario: Scenario, index: number, deny?: string): EventInput => ({
  type: 'user.tool_confirmation',
  tool_use_id: callOf(scenario, index),
  result: deny === undefined ? 'allow' : 'deny',
  ...(deny === undefined ? {} : { deny_message: deny }),
});
const answers = (scenario: Scenario, index: number): EventInput => ({
  type: 'user.custom_tool_result',
  custom_tool_use_id: callOf(scenario, index),
  content: [{ type: 'text', text: 'sunny' }],
});
const stopOf = (scenario: Scenario) => scenario.head.state.stopReason;

describe('an interrupt in the request that answers the last open call', () => {
  it.each([
    ['a denial', 'bash', (scenario: Scenario) => confirms(scenario, 0, 'no')],
    ['a result', 'weather', (scenario: Scenario) => answers(scenario, 0)],
  ])('ends the turn: %s', (_name, tool, reply) => {
    const scenario = asked(tool);
    const { then, head } = scenario.when(sends(reply(scenario), interrupt));
    expect(outline(then).slice(-4)).toEqual(['user.interrupt', ...IDLE]);
    expect(head.state).toMatchObject({ status: 'idle', stopReason: { type: 'end_turn' } });
  });
});

describe('a call that has to be confirmed', () => {
  it('ends the run, and the session requires an action for it', () => {
    const scenario = asked('bash');
    expect(outline(scenario.then).slice(-3)).toEqual(IDLE);
    expect(scenario.head.state.status).toBe('idle');
    expect(stopOf(scenario)).toEqual({ type: 'requires_action', event_ids: [callOf(scenario, 0)] });
    expect(scenario.then).toContainEqual(
      expect.objectContaining({
        event: expect.objectContaining({ evaluated_permission: 'ask', evaluation: { type: 'always_ask' } }),
      }),
    );
  });

  it('does not keep the calls before it from being made first', () => {
    const scenario = asked('read', 'bash');
    expect(scenario.head.state.status).toBe('running');
    const done = scenario
      .when({ do: 'result', call: callOf(scenario, 0), content: [], isError: false })
      .when({ do: 'await action' });
    expect(outline(done.then)).toEqual(IDLE);
    expect(stopOf(done)).toEqual({ type: 'requires_action', event_ids: [callOf(scenario, 1)] });
  });

  it('is made in the same run when it is confirmed before the run ends', () => {
    const scenario = asked('read', 'bash');
    const confirmed = scenario.when(sends(confirms(scenario, 1)));
    expect(outline(confirmed.then)).toEqual(['user.tool_confirmation', 'user.tool_confirmation']);
    const done = confirmed.when({ do: 'result', call: callOf(scenario, 0), content: [], isError: false });
    expect(done.when({ do: 'await action' }).then).toEqual([]);
    expect(done.head.state.calls).toEqual([expect.objectContaining({ name: 'bash', waitsFor: 'hand' })]);
  });

  it('begins the next run when a client allows it', () => {
    const scenario = asked('bash');
    const allowed = scenario.when(sends(confirms(scenario, 0)));
    expect(outline(allowed.then)).toEqual(['user.tool_confirmation', 'user.tool_confirmation', ...RUNNING]);
    expect(allowed.head.state).toMatchObject({ status: 'running', run: 2, stopReason: null });
    expect(allowed.head.state.calls).toEqual([expect.objectContaining({ waitsFor: 'hand' })]);
  });

  it('has the rejection and its reason as the result when a client denies it', () => {
    const scenario = asked('bash');
    const denied = scenario.when(sends(confirms(scenario, 0, 'too risky')));
    expect(outline(denied.then)).toEqual([
      'user.tool_confirmation',
      'user.tool_confirmation',
      'agent.tool_result',
      ...RUNNING,
    ]);
    expect(denied.then[2]).toMatchObject({
      event: { is_error: true, content: [{ text: expect.stringContaining('too risky') }] },
    });
    expect(denied.head.state.calls).toEqual([]);
  });

  it('is confirmed alone, and the session states which calls still wait', () => {
    const scenario = asked('bash', 'weather');
    const first = scenario.when(sends(answers(scenario, 1)));
    expect(outline(first.then)).toEqual(['user.custom_tool_result', ...IDLE]);
    expect(stopOf(first)).toEqual({ type: 'requires_action', event_ids: [callOf(scenario, 0)] });
    const second = first.when(sends(confirms(scenario, 0)));
    expect(outline(second.then).slice(-2)).toEqual(RUNNING);
  });

  it('is confirmed once', () => {
    const scenario = asked('bash', 'bash');
    const once = scenario.when(sends(confirms(scenario, 0)));
    expect(once.when(sends(confirms(scenario, 0, 'no'))).refusal).toContain('waits for a confirmation');
  });

  it('takes no result from a client, and a custom call takes no confirmation', () => {
    const scenario = asked('bash', 'weather');
    expect(scenario.when(sends(answers(scenario, 0))).refusal).toContain('waits for a result');
    expect(scenario.when(sends(confirms(scenario, 1))).refusal).toContain('waits for a confirmation');
  });
});

describe('a request of several events', () => {
  it('changes nothing when one event is refused', () => {
    const scenario = asked('bash', 'weather');
    const { refusal, then } = scenario.when(sends(confirms(scenario, 0), says('and now?')));
    expect(refusal).toContain(callOf(scenario, 1));
    expect(then).toEqual([]);
  });

  it('may answer the last open call and send a message', () => {
    const scenario = asked('weather');
    const both = scenario.when(sends(answers(scenario, 0), says('and now?')));
    expect(outline(both.then)).toEqual(['user.custom_tool_result', 'user.message', ...RUNNING]);
  });

  it('may interrupt and send a message, which begins the next run', () => {
    const scenario = asked('bash');
    const both = scenario.when(sends(interrupt, says('something else')));
    expect(outline(both.then)).toEqual([
      'user.interrupt',
      'agent.tool_result',
      'user.interrupt',
      ...IDLE,
      'user.message',
      ...RUNNING,
    ]);
    expect(both.head.state).toMatchObject({ status: 'running', run: 2, calls: [] });
  });
});

describe('a user message', () => {
  it('is refused while the session requires an action', () => {
    expect(asked('bash').when(send('hello?')).refusal).toContain('requires action');
  });

  it('that was queued earlier stays queued while the session requires an action', () => {
    const scenario = given().when(send('one')).when(claim()).when(send('two'));
    const blocked = scenario.when({
      ...answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1', 'weather')] }),
      rules: ASKING,
    } as Command);
    expect(blocked.head.state).toMatchObject({ status: 'idle', queued: [{ type: 'user.message' }] });
    const resumed = blocked.when(sends(answers(blocked, 0)));
    expect(outline(resumed.when(claim()).then)).toContain('user.message');
  });
});

describe('an interrupt', () => {
  const running = () => given().when(send('hi')).when(claim());

  it('ends the model request and the turn in the append that accepts it', () => {
    const { then, head } = running().when(sends(interrupt));
    expect(outline(then)).toEqual(['user.interrupt', 'span.model_request_end', 'user.interrupt', ...IDLE]);
    expect(head.state).toMatchObject({ status: 'idle', request: null, stopReason: { type: 'end_turn' } });
  });

  it('makes a later answer to the interrupted request have no effect', () => {
    expect(running().when(sends(interrupt)).when(answerWith()).then).toEqual([]);
  });

  it('closes the open calls with the text that the contract defines', () => {
    const scenario = running().when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')] }));
    const { then, head } = scenario.when(sends(interrupt));
    expect(then[1]).toMatchObject({
      event: {
        type: 'agent.tool_result',
        is_error: true,
        content: [{ text: 'Tool execution was interrupted before completion. Please retry.' }],
      },
    });
    expect(head.state.calls).toEqual([]);
  });

  it('gives a custom tool’s call a result, so that its client does not run it later', () => {
    const scenario = asked('weather');
    const { then, head } = scenario.when(sends(interrupt));
    expect(then[1]).toMatchObject({
      event: { type: 'user.custom_tool_result', custom_tool_use_id: callOf(scenario, 0), is_error: true },
    });
    expect(head.state.calls).toEqual([]);
  });

  it('starts the next run with the queued messages', () => {
    const { then, head } = running().when(send('and this?')).when(sends(interrupt));
    expect(outline(then)).toEqual(['user.interrupt', 'span.model_request_end', 'user.interrupt', ...IDLE, ...RUNNING]);
    expect(head.state).toMatchObject({ status: 'running', run: 2, queued: [{ type: 'user.message' }] });
  });

  it('of an idle session is echoed and changes nothing else', () => {
    const { then, head } = given().when(sends(interrupt));
    expect(outline(then)).toEqual(['user.interrupt', 'user.interrupt']);
    expect(head.state).toMatchObject({ status: 'idle', run: 0 });
  });

  it('of a session that waits before a retry ends the turn', () => {
    const failed = running().when({
      do: 'fail',
      request: EventId.parse('sevt_request'),
      error: 'model_overloaded_error',
      message: 'busy',
      verdict: 'retrying',
    });
    expect(failed.head.state.status).toBe('rescheduling');
    expect(failed.when(sends(interrupt)).head.state.status).toBe('idle');
  });
});

describe('a system message', () => {
  const system: EventInput = { type: 'system.message', content: [{ type: 'text', text: 'be brief' }] };

  it('behind a user message is taken together with it', () => {
    const sent = given().when(sends(says('hi'), system));
    expect(outline(sent.then)).toEqual(['user.message', 'system.message', ...RUNNING]);
    expect(outline(sent.when(claim()).then).slice(0, 2)).toEqual(['user.message', 'system.message']);
  });

  it('alone waits in an idle session for the next user message', () => {
    const alone = given().when(sends(system));
    expect(alone.head.state).toMatchObject({ status: 'idle', queued: [{ type: 'system.message' }] });
    expect(alone.when(send('hi')).head.state.status).toBe('running');
  });

  it('alone is refused while the session runs or requires an action', () => {
    expect(given().when(send('hi')).when(sends(system)).refusal).toContain('must directly follow');
    expect(asked('bash').when(sends(system)).refusal).toContain('must directly follow');
  });

  it('may follow a custom tool’s result', () => {
    const scenario = asked('weather');
    expect(scenario.when(sends(answers(scenario, 0), system)).refusal).toBeNull();
  });

  it('is refused when the model accepts none', () => {
    const [created] = given().entries;
    if (created === undefined || !('record' in created) || created.record.kind !== 'session.created')
      throw new TypeError();
    const { agent } = created.record;
    const old = {
      record: { ...created.record, agent: { ...agent, model: { ...agent.model, id: 'claude-haiku-4-5' } } },
    };
    expect(given([old], steadyStamp()).when(sends(says('hi'), system)).refusal).toContain('takes no system messages');
  });
});
