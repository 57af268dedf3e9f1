import { describe, expect, it } from 'vitest';
import type { RunState } from '#contract/run.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { createHistory } from '#core/harness/history.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import { Fault } from '#core/ports/errors.ts';
import { change } from '#core/session/change.ts';
import {
  HANDS,
  KEY,
  NO_MCP,
  SILENT,
  answer,
  answerWith,
  claim,
  given,
  outline,
  send,
  sends,
  steadyStamp,
  toolUse,
  type Scenario,
  NO_FILES,
  NO_OUTPUTS,
  NO_TEAM,
} from '#test/functions/core/given.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

function stage(scenario: Scenario, over: Partial<TurnWorld> = {}) {
  const log = memoryLog();
  log.create(KEY, scenario.head, scenario.entries);
  const world: TurnWorld = {
    log,
    history: createHistory(log),
    attachedFiles: NO_FILES,
    ...NO_OUTPUTS,
    ...NO_TEAM,
    hands: HANDS,
    model: { ask: async () => answer() },
    warming: { warm: async () => undefined },
    ...NO_MCP,
    previews: memoryPreviews(),
    stamp: steadyStamp(1000),
    // A harness that watches its request polls without end, so the other actors must run between two polls.
    pause: () => new Promise((resolve) => void setImmediate(resolve)),
    journal: SILENT,
    ...over,
  };
  const turn = (run: number, more: Partial<RunState> = {}) =>
    takeTurn(world, { ...KEY, run, ...more }, new AbortController().signal);
  return { log, turn };
}

const started = () => given().when(send('hi'));

describe('a turn', () => {
  it('of a run that never began ends as idle', async () => {
    expect((await stage(given()).turn(1)).turn?.do).toBe('idle');
  });

  it('is taken when its run begins while the harness waits, however late that is', async () => {
    let waits = 0;
    await stage(given(), { pause: async () => void (waits += 1) }).turn(1);
    expect(waits).toBeGreaterThan(0);
    for (let late = 1; late <= waits; late += 1) {
      const begun = started();
      let pauses = 0;
      const { log, turn } = stage(given(), {
        pause: async () => {
          pauses += 1;
          if (pauses === late) log.create(KEY, begun.head, begun.entries);
        },
      });
      await turn(1);
      expect(outline(log.entries(KEY)), `in pause ${late} of ${waits}`).toContain('agent.message');
    }
  });

  it('of a run that was replaced by the next number ends as idle', async () => {
    const lost = started().when({ do: 'continue', run: 1, reason: 'lost' });
    expect((await stage(lost).turn(1)).turn?.do).toBe('idle');
  });

  it('that is repeated after it handed the run on still starts the next execution', async () => {
    const long = started().when({ do: 'continue', run: 1, reason: 'long' });
    expect(await stage(long).turn(1)).toMatchObject({ run: 2, turn: { do: 'long', execution: `${KEY.session}-2` } });
  });

  it('cancels its model request when its claim cannot be written', async () => {
    const scenario = started();
    const log = memoryLog();
    log.create(KEY, scenario.head, scenario.entries);
    let cutOff = false;
    const failing = stage(scenario, {
      log: { ...log, append: async () => Promise.reject(new Error('no log')) },
      model: {
        ask: (_request, _listener, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              cutOff = true;
              reject(signal.reason);
            });
          }),
      },
    });
    await expect(failing.turn(1)).rejects.toThrow('no log');
    expect(cutOff).toBe(true);
  });

  it('previews its answer under the ids of the events that it will append', async () => {
    const previews = memoryPreviews();
    await previews.subscribe(KEY, '2026-11-21T11:00:00.000Z');
    const { log, turn } = stage(started(), {
      previews,
      model: {
        ask: async (_request, listener) => {
          listener.onThinking();
          listener.onText(0, 'Hello.');
          await new Promise((resolve) => setImmediate(resolve));
          return answer({
            blocks: [
              { type: 'thinking', thinking: 'hm' },
              { type: 'text', text: 'Hello.' },
            ],
          });
        },
      },
    });
    await turn(1);
    const ids = Object.fromEntries(
      log.entries(KEY).flatMap((entry) => ('event' in entry ? [[entry.event.type, entry.event.id]] : [])),
    );
    expect(previews.chunks[0]?.request).toBe(ids['span.model_request_start']);
    expect(previews.chunks.flatMap((chunk) => chunk.frames)).toMatchObject([
      { type: 'event_start', event: { type: 'agent.thinking', id: ids['agent.thinking'] } },
      { type: 'event_start', event: { type: 'agent.message', id: ids['agent.message'] } },
      { type: 'event_delta', event_id: ids['agent.message'] },
    ]);
  });

  it('appends the provider’s web search beside a call when that call has its result', async () => {
    const search = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'weather' } };
    const found = { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] };
    const called = started()
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [search, toolUse('toolu_1')] }));
    const [call] = called.head.state.calls;
    if (call === undefined) throw new TypeError('no call');
    const scenario = called.when({ do: 'result', call: call.id, content: [], isError: false });
    const { log, turn } = stage(scenario, { model: { ask: async () => answer({ blocks: [found] }) } });
    await turn(1);
    expect(log.entries(KEY)).toContainEqual({
      event: expect.objectContaining({ type: 'agent.tool_use', name: 'web_search', input: search.input }),
    });
    expect((await log.head(KEY))?.state.usage.server_tool_use?.web_search_requests).toBe(1);
  });

  it('waits for previews neither before its model request nor before its append', async () => {
    const scenario = started();
    const log = memoryLog();
    log.create(KEY, scenario.head, scenario.entries);
    let asked = () => {};
    const asking = new Promise<void>((resolve) => {
      asked = resolve;
    });
    let answered = () => {};
    const answering = new Promise<void>((resolve) => {
      answered = resolve;
    });
    const steps: string[] = [];
    const { turn } = stage(scenario, {
      log: {
        ...log,
        append: async (append) => {
          if (append.entries.some((entry) => 'event' in entry && entry.event.type === 'agent.message')) answered();
          return log.append(append);
        },
      },
      history: createHistory(log),
      attachedFiles: NO_FILES,
      hands: HANDS,
      previews: {
        ...memoryPreviews(),
        isSubscribed: async () => {
          await asking;
          return true;
        },
        write: async () => {
          steps.push('write');
          await answering;
          steps.push('written');
        },
      },
      model: {
        ask: async (_request, listener) => {
          asked();
          listener.onText(0, 'Hello.');
          await new Promise((resolve) => setImmediate(resolve));
          return answer();
        },
      },
    });
    await turn(1);
    expect(steps).toEqual(['write', 'written']);
  });

  it('that is interrupted cancels its model request, which counts as no model error', async () => {
    const metrics: string[] = [];
    const interrupted = stage(started(), {
      pause: async () => {
        const head = await interrupted.log.head(KEY);
        const command = sends({ type: 'user.interrupt' });
        if (head?.state.request) await change({ log: interrupted.log, stamp: steadyStamp(500) }, KEY, head, command);
      },
      model: {
        ask: (_request, _listener, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Fault('model_unreachable', 'cut off')));
          }),
      },
      journal: { line: () => undefined, metric: (name) => void metrics.push(name) },
    });
    expect((await interrupted.turn(1)).turn?.do).toBe('idle');
    expect(outline(interrupted.log.entries(KEY)).at(-1)).toBe('session.status_idle');
    expect(metrics).toContain('TurnDuration');
    expect(metrics).not.toContain('ModelErrors');
  });

  it.each([
    ['bash', 'sandbox'],
    ['web_fetch', 'web'],
    ['arn:mcp', 'sandbox'],
  ] as const)('assigns a call of %s to the function that the settings name for its kind', async (name, kind) => {
    const input = { hand: 'mcp', function: 'arn:other', timeoutSeconds: 1 };
    const asked = started()
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1', 'bash', input)] }));
    const { calls } = asked.head.state;
    const state = { ...asked.head.state, calls: calls.map((call) => ({ ...call, ...input, name })) };
    const { turn } = stage({ ...asked, head: { ...asked.head, state } });
    expect((await turn(1)).turn?.calls).toEqual([
      { ...HANDS[kind], id: calls[0]?.id, position: calls[0]?.position, sincePosition: calls[0]?.sincePosition },
    ]);
  });

  it.each([
    ['SandboxUnavailable', 'It had no effect.'],
    ['Lambda.Unknown', 'It may or may not have had an effect.'],
  ])('gives the model a result for a call that a hand left with %s', async (error, told) => {
    const asked = started()
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')] }));
    const { id, sincePosition } = asked.head.state.calls[0] ?? expect.fail('no call');
    const { log, turn } = stage(asked);
    await turn(1, { hands: [{ id, sincePosition, error }] });
    const result = log.entries(KEY).find((entry) => 'event' in entry && entry.event.type === 'agent.tool_result');
    expect(JSON.stringify(result)).toContain(told);
  });
});
