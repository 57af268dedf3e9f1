import { LOG_START } from '#contract/ids.ts';
import { describe, expect, it } from 'vitest';
import type { EventInput } from '#contract/events.ts';
import { next } from '#core/harness/next.ts';
import type { Command } from '#core/session/commands.ts';
import { answerWith, outline, REQUEST, sends, summarised, toolUse, type Scenario } from '#test/functions/core/given.ts';
import { asking, callId, calling, listed, OFFERED, RULES, TROUBLE, verdict } from '#test/functions/core/served.ts';

const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];
const RUNNING = ['session.status_running', 'session.thread_status_running'];
const [FIRST, SECOND] = [callId(0), callId(1)];

const confirms = (index: number, result: 'allow' | 'deny'): EventInput => ({
  type: 'user.tool_confirmation',
  tool_use_id: callId(index),
  result,
});
const result = (call = FIRST, error?: typeof TROUBLE): Command => ({
  do: 'result',
  call,
  content: [{ type: 'text', text: 'found' }],
  isError: error !== undefined,
  ...(error === undefined ? {} : { error }),
});
const suspend =
  (call = FIRST) =>
  ({ head }: Scenario): Command => {
    const sincePosition = head.state.calls.find(({ id }) => id === call)?.sincePosition ?? LOG_START;
    return { do: 'suspend', call, sincePosition, error: TROUBLE };
  };
const resume = (call = FIRST): Command => ({ do: 'resume', call });
const decline = (call = FIRST): Command => ({ do: 'decline', call, reason: 'The user does not want it.' });
const usesIn = ({ entries }: Scenario) =>
  entries.flatMap((entry) => ('event' in entry && entry.event.type === 'agent.mcp_tool_use' ? [entry.event] : []));
const callsOf = ({ head }: Scenario) => head.state.calls.map(({ id, waitsFor }) => [id, waitsFor]);
/** A session with two suspended calls and no active run. */
const suspended = () =>
  asking()
    .when(calling(['find', 'find']))
    .when(suspend())
    .when(suspend(SECOND))
    .when({ do: 'await action' });

describe('a call of an MCP server', () => {
  it('is appended under the server’s own names, and ends in a result of its kind', () => {
    const called = asking().when(calling(['find']));
    expect(usesIn(called)).toEqual([
      {
        id: FIRST,
        type: 'agent.mcp_tool_use',
        processed_at: expect.any(String),
        name: 'find',
        mcp_server_name: 'tracker',
        input: { id: '1' },
        evaluated_permission: 'allow',
        evaluation: { type: 'always_allow' },
      },
    ]);
    expect(called.head.state.calls).toMatchObject([{ id: FIRST, server: 'tracker', waitsFor: 'hand' }]);
    const { then, head } = called.when(result());
    expect(then).toMatchObject([
      {
        event: { type: 'agent.mcp_tool_result', mcp_tool_use_id: FIRST, is_error: false, content: [{ text: 'found' }] },
      },
    ]);
    expect(head.state.calls).toEqual([]);
  });

  it.each([
    ['find', 'allow', 'allow', { type: 'always_allow' }],
    ['drop', 'allow', 'ask', { type: 'always_ask' }],
    ['guess', 'allow', 'ask', { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } }],
    ['find', 'ask', 'ask', { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } }],
    ['drop', 'ask', 'ask', { type: 'always_ask' }],
    ['find', 'deny', 'deny', undefined],
    ['drop', 'deny', 'deny', undefined],
  ] as const)('to %s that the proxy judges as "%s" is appended as "%s"', (name, decision, permission, evaluation) => {
    const [use] = usesIn(asking().when(calling([name], new Map([verdict(decision)]))));
    expect([use?.evaluated_permission, use?.evaluation]).toEqual([permission, evaluation]);
  });

  it('that is denied has the reason as its result, and the model continues', () => {
    const { then, head } = asking().when(calling(['find'], new Map([verdict('deny')])));
    expect(then.at(-1)).toMatchObject({
      event: {
        type: 'agent.mcp_tool_result',
        mcp_tool_use_id: FIRST,
        is_error: true,
        content: [{ text: 'A policy forbids it.' }],
      },
    });
    expect(head.state).toMatchObject({ calls: [], status: 'running' });
  });

  it('without a verdict is denied', () => {
    const { then, head } = asking().when(calling(['find'], new Map()));
    expect(then.find((entry) => 'event' in entry && entry.event.type === 'agent.mcp_tool_use')).toMatchObject({
      event: { evaluated_permission: 'deny' },
    });
    expect(JSON.stringify(then.at(-1))).toContain('could not be found out');
    expect(head.state.calls).toEqual([]);
  });

  it('that was cut short is not made, whatever its verdict', () => {
    const blocks = [toolUse('toolu_0', 'mcp__tracker__find', { id: '1' })];
    const cut = { ...answerWith({ stopReason: 'max_tokens', blocks }), rules: RULES } as Command;
    const { then, head } = asking().when(cut);
    expect(JSON.stringify(then)).toContain('before this call was complete');
    expect(outline(then)).toContain('agent.mcp_tool_result');
    expect(head.state.calls).toEqual([]);
  });

  it('of a tool that the agent’s toolset disables counts as unknown', () => {
    const { then } = asking().when(calling(['hidden']));
    expect(JSON.stringify(then)).toContain('There is no tool named mcp__tracker__hidden');
  });

  it('waits for a confirmation, which its hand can see', () => {
    const asked = asking().when(calling(['drop']));
    expect(outline(asked.then).slice(-3)).toEqual(IDLE);
    expect(asked.head.state.stopReason).toEqual({ type: 'requires_action', event_ids: [FIRST] });
    const allowed = asked.when(sends(confirms(0, 'allow')));
    expect(outline(allowed.then).slice(-2)).toEqual(RUNNING);
    expect(allowed.head.state).toMatchObject({ run: 2, calls: [{ waitsFor: 'hand', isConfirmed: true }] });
    const denied = asked.when(sends(confirms(0, 'deny')));
    expect(outline(denied.then)).toContain('agent.mcp_tool_result');
    expect(denied.head.state.calls).toEqual([]);
  });

  it('that is interrupted ends with a result of its kind', () => {
    const { then, head } = asking()
      .when(calling(['find', 'drop']))
      .when(sends({ type: 'user.interrupt' }));
    const results = then.flatMap((entry) =>
      'event' in entry && entry.event.type === 'agent.mcp_tool_result' ? [entry.event.mcp_tool_use_id] : [],
    );
    expect(results).toEqual([FIRST, SECOND]);
    expect(head.state).toMatchObject({ status: 'idle', calls: [] });
  });

  it('may fail with a message for the client that the model does not see', () => {
    const { then, head } = asking()
      .when(calling(['find']))
      .when(result(FIRST, TROUBLE));
    expect(then).toMatchObject([
      {
        event: {
          type: 'session.error',
          error: {
            type: TROUBLE.type,
            mcp_server_name: 'tracker',
            message: TROUBLE.message,
            retry_status: { type: 'retrying' },
          },
        },
      },
      { event: { type: 'agent.mcp_tool_result', is_error: true } },
    ]);
    expect(head.state.status).toBe('running');
  });
});

describe('a suspended call', () => {
  it('waits for people while the others are made, and the run ends when nothing else is left to do', () => {
    const called = asking()
      .when(calling(['find', 'find']))
      .when(suspend());
    expect(outline(called.then)).toEqual(['session.error', '[call.suspended]']);
    expect(callsOf(called)).toEqual([
      [FIRST, 'confirmation'],
      [SECOND, 'hand'],
    ]);
    expect(called.head.state.status).toBe('running');
    const rests = called.when(result(SECOND)).when({ do: 'await action' });
    expect(outline(rests.then)).toEqual(IDLE);
    expect(rests.head.state.stopReason).toEqual({ type: 'requires_action', event_ids: [FIRST] });
  });

  it('is suspended once by one of two hands, and only while a hand has it', () => {
    const called = asking().when(calling(['find', 'drop']));
    expect(called.when(suspend(SECOND)).then, 'waits for a confirmation').toEqual([]);
    expect(called.when(suspend()).when(suspend()).then, 'a twin was faster').toEqual([]);
    const late = called.when(suspend()).when(resume()).when(suspend()(called));
    expect(late.then, 'a twin was faster, and a person since').toEqual([]);
    expect(called.when(result()).when(suspend()).then, 'has its result').toEqual([]);
    expect(called.when(sends({ type: 'user.interrupt' })).when(suspend()).then, 'interrupted').toEqual([]);
  });

  it('is resumed like a confirmed one: the last one begins a run', () => {
    const rests = suspended();
    expect(rests.head.state.stopReason).toMatchObject({ event_ids: [FIRST, SECOND] });
    const one = rests.when(resume());
    expect(outline(one.then)).toEqual(['[call.resumed]', ...IDLE]);
    expect(one.head.state.stopReason).toEqual({ type: 'requires_action', event_ids: [SECOND] });
    const both = one.when(resume(SECOND));
    expect(outline(both.then)).toEqual(['[call.resumed]', ...RUNNING]);
    expect(both.head.state).toMatchObject({ status: 'running', run: 2 });
    expect(next(both.head.state)).toMatchObject({ do: 'use hands', calls: [{ id: FIRST }, { id: SECOND }] });
  });

  it('goes back to its hand at once while the run is active', () => {
    const { then, head } = asking()
      .when(calling(['find', 'find']))
      .when(suspend())
      .when(resume());
    expect(outline(then)).toEqual(['[call.resumed]']);
    expect(head.state).toMatchObject({ run: 1, calls: [{ waitsFor: 'hand', isSuspended: false }, {}] });
  });

  it('is resumed once, and no other call is', () => {
    const rests = suspended();
    expect(rests.when(resume()).when(resume()).then).toEqual([]);
    expect(
      asking()
        .when(calling(['drop']))
        .when(resume()).then,
      'waits for a confirmation',
    ).toEqual([]);
    expect(
      asking()
        .when(calling(['find']))
        .when(resume()).then,
      'is at a hand',
    ).toEqual([]);
    expect(rests.when(sends({ type: 'user.interrupt' })).when(resume()).then, 'was ended').toEqual([]);
    expect(rests.when({ do: 'archive' }).when(resume()).then, 'of a session that was archived').toEqual([]);
  });

  it('that is declined ends with the reason, and the session goes on after the last one', () => {
    const rests = suspended();
    const one = rests.when(decline());
    expect(outline(one.then)).toEqual(['agent.mcp_tool_result', ...IDLE]);
    expect(one.then[0]).toMatchObject({
      event: { mcp_tool_use_id: FIRST, is_error: true, content: [{ text: 'declined: The user does not want it.' }] },
    });
    expect(one.head.state.stopReason).toEqual({ type: 'requires_action', event_ids: [SECOND] });
    const both = one.when(decline(SECOND));
    expect(outline(both.then)).toEqual(['agent.mcp_tool_result', ...RUNNING]);
    expect(both.head.state).toMatchObject({ status: 'running', run: 2, calls: [] });
  });

  it('is declined once, and no other call is', () => {
    const rests = suspended();
    expect(rests.when(decline()).when(decline()).then).toEqual([]);
    expect(rests.when(resume()).when(decline()).then, 'is at a hand').toEqual([]);
    const asks = asking().when(calling(['drop']));
    expect(asks.when(decline()).then, 'waits for a confirmation').toEqual([]);
    expect(rests.when({ do: 'archive' }).when(decline()).then, 'of a session that was archived').toEqual([]);
  });

  it('that waits for another reason is not resumed or declined by the link of the first reason', () => {
    const first = asking().when(calling(['find']));
    const sincePosition = first.head.state.calls[0]?.sincePosition ?? LOG_START;
    const again = first.when(suspend()).when(resume()).when(suspend());
    expect(again.when({ ...resume(), sincePosition } as Command).then).toEqual([]);
    expect(again.when({ ...decline(), sincePosition } as Command).then).toEqual([]);
    const next = first.when(suspend()).when(resume()).head.state.calls[0]?.sincePosition ?? LOG_START;
    expect(outline(again.when({ ...resume(), sincePosition: next } as Command).then)).toEqual(['[call.resumed]']);
    expect(outline(again.when({ ...decline(), sincePosition: next } as Command).then)).toEqual([
      'agent.mcp_tool_result',
    ]);
  });

  it('is made when a client allows it, and ends when a client denies it', () => {
    const allowed = suspended().when(sends(confirms(0, 'allow'), confirms(1, 'deny')));
    expect(callsOf(allowed)).toEqual([[FIRST, 'hand']]);
    expect(allowed.head.state).toMatchObject({ run: 2, calls: [{ isSuspended: false }] });
    expect(outline(allowed.then)).toContain('agent.mcp_tool_result');
  });

  it('may be suspended again, and keeps its confirmation', () => {
    const confirmed = asking()
      .when(calling(['drop']))
      .when(sends(confirms(0, 'allow')));
    const again = confirmed.when(suspend()).when({ do: 'await action' }).when(resume());
    expect(again.head.state).toMatchObject({ run: 3, calls: [{ waitsFor: 'hand', isConfirmed: true }] });
    expect(again.when(suspend()).head.state.calls).toMatchObject([{ waitsFor: 'confirmation', isSuspended: true }]);
  });
});

describe('a suspended call that a second attempt has made', () => {
  it('is closed, and the session goes on after the last one', () => {
    const one = suspended().when(result());
    expect(outline(one.then)).toEqual(['agent.mcp_tool_result', ...IDLE]);
    expect(one.head.state.stopReason).toEqual({ type: 'requires_action', event_ids: [SECOND] });
    const both = one.when(result(SECOND));
    expect(outline(both.then)).toEqual(['agent.mcp_tool_result', ...RUNNING]);
    expect(both.head.state).toMatchObject({ status: 'running', run: 2, calls: [] });
  });
});

describe('a listing of MCP tools', () => {
  const begun = () => asking().when(answerWith());

  it('is appended once for each run, with the servers that failed', () => {
    const rested = begun().when(sends({ type: 'user.message', content: [{ type: 'text', text: 'more' }] }));
    const failed = rested.when(listed(2, OFFERED.slice(0, 1), [TROUBLE]));
    expect(outline(failed.then)).toEqual(['session.error', '[mcp.listed]']);
    expect(failed.then[1]).toMatchObject({ record: { run: 2, tools: OFFERED.slice(0, 1) } });
    expect(failed.head.state.mcp).toMatchObject({ run: 2, position: failed.entries.length });
    expect(failed.when(listed(2)).then, 'a twin was faster').toEqual([]);
    expect(rested.when(listed(1)).then, 'of a run that is over').toEqual([]);
    expect(begun().when(listed(2)).then, 'the session is idle').toEqual([]);
  });

  it('that equals the one before is appended in short form', () => {
    const rested = begun().when(sends({ type: 'user.message', content: [{ type: 'text', text: 'more' }] }));
    const again = rested.when(listed(2));
    expect(again.then).toMatchObject([{ record: { kind: 'mcp.listed', tools: null } }]);
    expect(again.head.state.mcp).toMatchObject({ run: 2, position: rested.head.state.mcp?.position });
  });

  it('is out of date when a server was connected since, and is made again in the same run', () => {
    const connected: Command = { do: 'resume', call: null };
    const outdated = asking().when(connected);
    expect(outline(outdated.then)).toEqual(['[mcp.outdated]']);
    expect(outdated.when(connected).then, 'a repeat').toEqual([]);
    expect(next(outdated.head.state)).toEqual({ do: 'list tools' });
    const more = outdated.when(listed(1, OFFERED.slice(0, 1)));
    expect(more.then).toMatchObject([{ record: { kind: 'mcp.listed', tools: OFFERED.slice(0, 1) } }]);
    expect(next(more.head.state)).toEqual({ do: 'ask' });
    const same = outdated.when(listed());
    expect(same.then).toMatchObject([{ record: { kind: 'mcp.listed', tools: null } }]);
    expect(same.head.state.mcp).toEqual(asking().head.state.mcp);
    expect(begun().when(connected).then, 'the next run asks anyway').toEqual([]);
  });

  it('is dropped by a compaction, and later counts as part of the context', () => {
    const compacted = asking().when(summarised('They greeted.', REQUEST));
    expect(compacted.head.state.mcp).toBeNull();
    expect(next(compacted.head.state)).toEqual({ do: 'list tools' });
    const again = compacted.when(listed());
    expect(again.then).toMatchObject([{ record: { kind: 'mcp.listed', tools: OFFERED } }]);
    expect(again.head.state.contextTokens).toBeGreaterThan(compacted.head.state.contextTokens);
    expect(next(again.head.state)).toEqual({ do: 'ask' });
  });
});
