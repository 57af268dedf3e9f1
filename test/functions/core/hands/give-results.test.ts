import { setImmediate as settled } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ToolContent } from '#contract/content.ts';
import type { Entry } from '#contract/entries.ts';
import type { ExecuteRequest } from '#contract/hands.ts';
import { EventId, Position } from '#contract/ids.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import { change } from '#core/session/change.ts';
import { fold } from '#core/session/evolve.ts';
import type { SandboxReply } from '#core/ports/sandboxes.ts';
import { CREATED, KEY, NOW, SANDBOX, SILENT, given, send, sends, steadyStamp } from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const BASH = EventId.parse('sevt_bash');
const A = EventId.parse('sevt_a');
const B = EventId.parse('sevt_b');
const SMALL = EventId.parse('sevt_small');
const LARGE: ToolContent = [
  { type: 'text', text: 'a'.repeat(100_001) },
  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGk=' } },
  { type: 'text', text: 'the end' },
];
const WHOLE = `${'a'.repeat(100_001)}\nthe end`;

/** Results of earlier MCP calls, then a call of bash that is open. */
function entriesWith(results: readonly (readonly [EventId, ToolContent])[]): readonly Entry[] {
  const told = results.flatMap(([id, content]) => [
    { type: 'agent.mcp_tool_use', id, name: 'find', mcp_server_name: 'tracker', input: {} },
    { type: 'agent.mcp_tool_result', id: `sevt_of_${id}`, mcp_tool_use_id: id, content, is_error: false },
  ]);
  const bash = { type: 'agent.tool_use', id: BASH, name: 'bash', input: { command: 'ls' } };
  const events = [...told, bash].map((event) => ({ event: { ...event, processed_at: NOW } }) as Entry);
  return [...given([CREATED]).when(send('hi')).entries, ...events];
}

/** A sandbox that holds these results, and a record of the requests that it receives. */
function stage(entries: readonly Entry[], holds: readonly EventId[] = []) {
  const log = memoryLog();
  log.create(KEY, fold(null, entries), entries);
  const files = new Map<string, string>(holds.map((call) => [call, 'there']));
  const asked: ExecuteRequest[] = [];
  const given: string[] = [];
  const read: number[] = [];
  const stamp = steadyStamp();
  let isOld = false;
  let second = () => undefined as void;
  let whileGiving = async () => undefined as void;
  let outcome: 'kept' | 'refused' | 'interrupted' | 'killed' = 'kept';
  const world: ExecuteWorld = {
    log: {
      ...log,
      entryAt: (key, position) => {
        read.push(position);
        return log.entryAt(key, position);
      },
    },
    sandboxes: {
      find: async () => SANDBOX,
      reserve: async () => SANDBOX,
      watch: async () => SANDBOX,
      ready: async () => SANDBOX,
      lost: async () => undefined,
      told: async () => undefined,
      failed: async () => SANDBOX,
      sentTo: async () => null,
      send: async () => ({ record: SANDBOX, sentTo: 1, again: false }),
    },
    sandboxClient: {
      async execute(_place, request): Promise<SandboxReply> {
        asked.push(request);
        if (isOld && request.results !== undefined) return { status: 'refused', reason: 'HTTP 400' };
        const calls = (request.results ?? []).filter((call) => !files.has(call));
        if (calls.length > 0) return { status: 'awaits results', calls: [...calls, 'sevt_nobody_knows'] };
        return { status: 'answered', response: { output: 'ok', isError: false, served: 'ran', durationMs: 1 } };
      },
      async give(_place, call, text) {
        given.push(call);
        await whileGiving();
        if (outcome === 'killed') throw new Error('killed');
        const now = outcome;
        outcome = 'kept';
        if (now === 'kept') files.set(call, text);
        return now;
      },
      cancel: () => undefined,
    },
    delivery: { deliver: async () => ({ status: 'delivered' }) },
    stamp,
    pause: async (ms) => (ms < 1000 ? stamp.advance(ms) : new Promise((resolve) => void (second = resolve))),
    journal: SILENT,
  };
  const position = Position.parse(entries.length);
  return {
    files,
    asked,
    given,
    read,
    next: (now: typeof outcome) => (outcome = now),
    /** Makes the sandbox one of a version that has no route for results. */
    age: () => (isOld = true),
    /** Makes a client interrupt while a result is sent, and lets a second pass. */
    interrupt() {
      whileGiving = async () => {
        const head = (await log.head(KEY)) ?? expect.fail('no log');
        await change({ log, stamp }, KEY, head, sends({ type: 'user.interrupt' }));
        second();
        await settled();
      };
    },
    run: () =>
      execute(world, {
        ...KEY,
        call: { id: BASH, position, sincePosition: position },
        sandbox: { generation: 1 },
      }),
    result: () => log.entries(KEY).at(-1),
  };
}

const DONE = { event: { type: 'agent.tool_result', tool_use_id: BASH, content: [{ text: 'ok' }] } };

describe('a call in the sandbox of a session with large results', () => {
  it('finds the full text of every result that the model is shown in part', async () => {
    const { run, files, asked, result } = stage(
      entriesWith([
        [A, LARGE],
        [SMALL, [{ type: 'text', text: 'few' }]],
        [B, LARGE],
      ]),
    );
    await run();
    expect([...files]).toEqual([
      [A, WHOLE],
      [B, WHOLE],
    ]);
    expect(asked.map(({ results }) => results)).toEqual([[A, B], undefined]);
    expect(result()).toMatchObject(DONE);
  });

  it('sends the sandbox only the results that it lacks', async () => {
    const { run, given, asked } = stage(
      entriesWith([
        [A, LARGE],
        [B, LARGE],
      ]),
      [A],
    );
    await run();
    expect(given).toEqual([B]);
    expect(asked).toHaveLength(2);
    const other = stage(entriesWith([[A, LARGE]]), [A]);
    await other.run();
    expect({ asked: other.asked.length, given: other.given, read: other.read.length }).toEqual({
      asked: 1,
      given: [],
      read: 1,
    });
  });

  it('sends no list of results when none is large', async () => {
    const { run, asked, read } = stage(entriesWith([[SMALL, [{ type: 'text', text: 'few' }]]]));
    await run();
    expect(asked).toHaveLength(1);
    expect(asked[0]).not.toHaveProperty('results');
    expect(read).toHaveLength(1);
  });

  it('is made without a result that the sandbox cannot store', async () => {
    const { run, next, files, result } = stage(
      entriesWith([
        [A, LARGE],
        [B, LARGE],
      ]),
    );
    next('refused');
    await run();
    expect([...files.keys()]).toEqual([B]);
    expect(result()).toMatchObject(DONE);
  });

  it('is made without results in a sandbox that has no route for them', async () => {
    const { run, age, given, result } = stage(entriesWith([[A, LARGE]]));
    age();
    await run();
    expect(given).toEqual([]);
    expect(result()).toMatchObject(DONE);
  });

  it('is retried when the connection breaks while a result is sent', async () => {
    const { run, next, given, asked, result } = stage(entriesWith([[A, LARGE]]));
    next('interrupted');
    await run();
    expect(given).toEqual([A, A]);
    expect(asked.map(({ results }) => results)).toEqual([[A], [A], undefined]);
    expect(result()).toMatchObject(DONE);
  });

  it('is not made when it is interrupted while a result is sent', async () => {
    const { run, interrupt, given, asked } = stage(entriesWith([[A, LARGE]]));
    interrupt();
    await run();
    expect(given).toEqual([A]);
    expect(asked).toHaveLength(1);
  });

  it('is made by the next attempt when a process dies between the file and the call', async () => {
    const { run, next, asked, given, result } = stage(
      entriesWith([
        [A, LARGE],
        [B, LARGE],
      ]),
      [A],
    );
    next('killed');
    await expect(run()).rejects.toThrow('killed');
    expect(result()).not.toMatchObject(DONE);
    next('kept');
    await run();
    expect(given).toEqual([B, B]);
    expect(asked).toHaveLength(3);
    expect(result()).toMatchObject(DONE);
  });
});
