import { describe, expect, it } from 'vitest';
import { EventId, LOG_START } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Append, Head, SessionLog, Runs } from '#core/ports/session-log.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { fold } from '#core/session/evolve.ts';
import { endWait, send } from '#core/session/send.ts';
import { AGENT, answerWith, CREATED, KEY, outline, steadyStamp, toolUse } from '#test/functions/core/given.ts';
import { asking, callId, calling, listed, TROUBLE } from '#test/functions/core/served.ts';
import { memoryLog, type MemoryLog } from '#test/ports/session-log.memory.ts';

const MESSAGES = [{ type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] }];

/** Runs with the answer to each start, by number. */
function runsThat(answer: (run: number) => 'started' | 'taken' | Error): Runs & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    async start(_key, run) {
      asked.push(run);
      const given = answer(run);
      if (given instanceof Error) throw given;
      return given;
    },
  };
}

function given() {
  const log = memoryLog();
  const head = fold(null, [CREATED]);
  log.create(KEY, head, [CREATED]);
  return { log, head, stamp: steadyStamp() };
}

/** A log in which `interrupt` happens between the reading of the head and the append. */
function interrupted(log: MemoryLog, interrupt: () => Promise<unknown>): SessionLog {
  let first = true;
  return {
    ...log,
    async append(append: Append) {
      if (first) {
        first = false;
        await interrupt();
      }
      return log.append(append);
    },
  };
}

const suspend = (head: Head | null): Command => {
  const sincePosition = head?.state.calls[0]?.sincePosition ?? LOG_START;
  return { do: 'suspend', call: callId(0), sincePosition, error: TROUBLE };
};

async function act(log: MemoryLog, command: Parameters<typeof change>[3]) {
  const head = await log.head(KEY);
  if (head === null) throw new Error(`${AGENT.name} has no log`);
  return change({ log, stamp: steadyStamp(500) }, KEY, head, command);
}

/** The harness takes the queued messages and ends the run. */
async function finish(log: MemoryLog) {
  const taken = log
    .entries(KEY)
    .flatMap((entry) => ('event' in entry && entry.event.type === 'user.message' ? [{ event: entry.event }] : []));
  return act(log, { do: 'give up', cause: 'attempts', taken });
}

describe('sending messages', () => {
  it('to an idle session appends them and starts the next run', async () => {
    const { log, head, stamp } = given();
    const runs = runsThat(() => 'started');
    const sent = await send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES);
    expect(sent).toMatchObject({ status: 'accepted', events: [{ processed_at: null }], start: { run: 'started' } });
    expect(runs.asked).toEqual([1]);
  });

  it('starts the run at the same time as the append', async () => {
    const { log, head, stamp } = given();
    const order: string[] = [];
    const slow: SessionLog = {
      ...log,
      append: async (append) => (
        order.push('append'),
        await Promise.resolve(),
        order.push('appended'),
        log.append(append)
      ),
    };
    const runs = runsThat(() => (order.push('start'), 'started'));
    await send({ log: slow, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES);
    expect(order).toEqual(['append', 'start', 'appended']);
  });

  it('to a running session queues them and starts no run', async () => {
    const { log, head, stamp } = given();
    const runs = runsThat(() => 'started');
    await send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES);
    const running = (await log.head(KEY)) ?? head;
    expect(await send({ log, runs, stamp }, { key: KEY, head: running, cause: 'req_1' }, MESSAGES)).toMatchObject({
      start: { run: 'none' },
    });
    expect(runs.asked).toEqual([1]);
    expect((await log.head(KEY))?.state.queued).toHaveLength(2);
  });

  it('returns each event of a request under its own id, also two of one kind', async () => {
    const { log, head, stamp } = given();
    const interrupts = [{ type: 'user.interrupt' as const }, { type: 'user.interrupt' as const }];
    const ports = { log, runs: runsThat(() => 'started'), stamp };
    const sent = await send(ports, { key: KEY, head, cause: 'req_1' }, interrupts);
    const told = log.entries(KEY).flatMap((entry) => ('event' in entry ? [entry.event] : []));
    const first = told.filter(({ processed_at: at }) => at === null);
    expect(first).toHaveLength(2);
    expect(sent).toMatchObject({ events: first });
  });

  it('joins the run that another message began when it loses the race to it', async () => {
    const { log, head, stamp } = given();
    const runs = runsThat(() => 'started');
    const raced = interrupted(log, () => act(log, { do: 'send', events: MESSAGES }));
    expect(await send({ log: raced, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES)).toMatchObject({
      start: { run: 'none' },
    });
    const after = await log.head(KEY);
    expect(after?.state).toMatchObject({ run: 1, status: 'running' });
    expect(after?.state.queued).toHaveLength(2);
  });

  it('begins the next run when it loses the race to the end of the run', async () => {
    const { log, head, stamp } = given();
    const runs = runsThat(() => 'started');
    await send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES);
    const running = (await log.head(KEY)) ?? head;
    const raced = interrupted(log, () => finish(log));
    const sent = await send({ log: raced, runs, stamp }, { key: KEY, head: running, cause: 'req_1' }, MESSAGES);
    expect(sent).toMatchObject({ start: { run: 'started' } });
    expect(runs.asked).toEqual([1, 2]);
    expect((await log.head(KEY))?.state).toMatchObject({ run: 2, status: 'running' });
  });

  it('is refused and writes nothing when it loses the race to an archive', async () => {
    const { log, head, stamp } = given();
    const raced = interrupted(log, () => act(log, { do: 'archive' }));
    expect(
      await send({ log: raced, runs: runsThat(() => 'started'), stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES),
    ).toMatchObject({
      status: 'refused',
    });
    expect((await log.head(KEY))?.state.queued).toEqual([]);
  });

  it('continues under the next number when its execution ended before the append', async () => {
    const { log, head, stamp } = given();
    const runs = runsThat((run) => (run === 1 ? 'taken' : 'started'));
    expect(await send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES)).toMatchObject({
      start: { run: 'repaired' },
    });
    expect(runs.asked).toEqual([1, 2]);
    expect((await log.head(KEY))?.state).toMatchObject({ run: 2, status: 'running' });
  });

  it('repairs nothing when its run was taken and has ended meanwhile', async () => {
    const { log, head, stamp } = given();
    const runs: Runs = {
      async start() {
        // The harness has ended the turn before the append returns.
        await Promise.resolve();
        await finish(log);
        return 'taken';
      },
    };
    expect(await send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES)).toMatchObject({
      start: { run: 'started' },
    });
    expect((await log.head(KEY))?.state).toMatchObject({ run: 1, status: 'idle' });
  });

  it('starts the run again when the append took longer than a harness waits', async () => {
    const { log, head, stamp } = given();
    const slow: SessionLog = { ...log, append: async (append) => (stamp.advance(3000), log.append(append)) };
    let starts = 0;
    const runs = runsThat((run) => (run === 1 && ++starts === 2 ? 'taken' : 'started'));
    expect(await send({ log: slow, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES)).toMatchObject({
      start: { run: 'repaired' },
    });
    expect(runs.asked).toEqual([1, 1, 2]);
  });

  it('succeeds although no execution could be started, and logs why', async () => {
    const { log, head, stamp } = given();
    const runs = runsThat(() => new Fault('run_not_started', 'throttled'));
    expect(await send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES)).toMatchObject({
      status: 'accepted',
      start: { run: 'failed', errorClass: 'run_not_started' },
    });
  });

  it('returns the sent events in their order and no other events', async () => {
    const { log, head, stamp } = given();
    const runs = runsThat(() => 'started');
    await send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES);
    const rules = new Map([['weather', { kind: 'custom' as const }]]);
    const request = EventId.parse('sevt_request');
    await act(log, { do: 'claim', request, taken: [] });
    const blocks = [toolUse('toolu_1', 'weather')];
    await act(log, { ...answerWith({ stopReason: 'tool_use', blocks }), rules } as Command);
    const blocked = (await log.head(KEY)) ?? head;
    expect(blocked.state.calls).toHaveLength(1);
    const sent = await send({ log, runs, stamp }, { key: KEY, head: blocked, cause: 'req_1' }, [
      { type: 'user.interrupt' },
      ...MESSAGES,
    ]);
    expect(sent).toMatchObject({
      events: [
        { type: 'user.interrupt', processed_at: null },
        { type: 'user.message', processed_at: null },
      ],
    });
  });

  it('fails when the append fails, after it waited for the start', async () => {
    const { log, head, stamp } = given();
    let settled = false;
    const runs: Runs = {
      async start() {
        await new Promise((resolve) => setImmediate(resolve));
        settled = true;
        return 'started';
      },
    };
    const broken: SessionLog = { ...log, append: () => Promise.reject(new Fault('log_unavailable', 'no answer')) };
    await expect(
      send({ log: broken, runs, stamp }, { key: KEY, head, cause: 'req_1' }, MESSAGES),
    ).rejects.toMatchObject({
      code: 'log_unavailable',
    });
    expect(settled).toBe(true);
  });
});

describe('resuming a suspended call', () => {
  const to = { key: KEY, cause: 'connect_1' };

  function waiting() {
    const scenario = asking()
      .when(calling(['find']))
      .when(({ head }) => suspend(head))
      .when({ do: 'await action' });
    const log = memoryLog();
    log.create(KEY, scenario.head, scenario.entries);
    return { log, stamp: steadyStamp(500) };
  }

  it('begins the next run, and a repeat changes nothing', async () => {
    const { log, stamp } = waiting();
    const runs = runsThat(() => 'started');
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) })).toEqual({ run: 'started' });
    const { length } = log.entries(KEY);
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) })).toEqual({ run: 'early' });
    expect([runs.asked, log.entries(KEY).length]).toEqual([[2], length]);
  });

  it('is decided again when the user confirmed the call in between', async () => {
    const { log, stamp } = waiting();
    const runs = runsThat(() => 'started');
    const racing = interrupted(log, () =>
      act(log, {
        do: 'send',
        events: [{ type: 'user.tool_confirmation', tool_use_id: callId(0), result: 'allow' }],
      }),
    );
    expect(await endWait({ log: racing, runs, stamp }, to, { do: 'resume', call: callId(0) })).toEqual({
      run: 'early',
    });
    expect((await log.head(KEY))?.state).toMatchObject({ run: 2, calls: [{ waitsFor: 'hand' }] });
  });

  it('reports that it came before the call was suspended, and reports nothing when the call is closed', async () => {
    const { log, stamp } = waiting();
    const runs = runsThat(() => 'started');
    await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) });
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) })).toEqual({ run: 'early' });
    await act(log, suspend(await log.head(KEY)));
    await act(log, { do: 'await action' });
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) })).toEqual({ run: 'started' });
    await act(log, { do: 'result', call: callId(0), content: [], isError: false });
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) })).toEqual({ run: 'none' });
  });

  it('reports nothing when the wait is over, because the hand has the call for another attempt', async () => {
    const { log, stamp } = waiting();
    const runs = runsThat(() => 'started');
    const sincePosition = (await log.head(KEY))?.state.calls[0]?.handSincePosition ?? LOG_START;
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0), sincePosition })).toEqual({
      run: 'started',
    });
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0), sincePosition })).toEqual({
      run: 'none',
    });
    const now = (await log.head(KEY))?.state.calls[0]?.sincePosition ?? LOG_START;
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0), sincePosition: now })).toEqual({
      run: 'early',
    });
  });

  it('with only a changed listing begins no run, whether the session runs or not', async () => {
    const { log, stamp } = waiting();
    const runs = runsThat(() => 'started');
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: null })).toEqual({ run: 'none' });
    await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) });
    await act(log, listed(2));
    expect(await endWait({ log, runs, stamp }, to, { do: 'resume', call: null })).toEqual({ run: 'none' });
    expect(outline(log.entries(KEY)).at(-1)).toBe('[mcp.outdated]');
    expect(runs.asked).toEqual([2]);
  });

  it('has no effect after a decline, which reports when it came too early, and a repeat changes nothing', async () => {
    const { log, stamp } = waiting();
    const runs = runsThat(() => 'started');
    const decline = () => endWait({ log, runs, stamp }, to, { do: 'decline', call: callId(0), reason: 'No.' });
    await endWait({ log, runs, stamp }, to, { do: 'resume', call: callId(0) });
    expect(await decline()).toEqual({ run: 'early' });
    await act(log, suspend(await log.head(KEY)));
    await act(log, { do: 'await action' });
    expect(await decline()).toEqual({ run: 'started' });
    const { length } = log.entries(KEY);
    expect(await decline()).toEqual({ run: 'none' });
    expect(log.entries(KEY)).toHaveLength(length);
    expect((await log.head(KEY))?.state).toMatchObject({ status: 'running', run: 3, calls: [] });
  });

  it('leaves a failed start to sweep, and ignores a session that is deleted', async () => {
    const { log, stamp } = waiting();
    const failing = runsThat(() => new Fault('run_not_started', 'no'));
    expect(await endWait({ log, runs: failing, stamp }, to, { do: 'resume', call: callId(0) })).toMatchObject({
      run: 'failed',
    });
    const runs = runsThat(() => 'started');
    expect(await endWait({ log: memoryLog(), runs, stamp }, to, { do: 'resume', call: callId(0) })).toEqual({
      run: 'none',
    });
    expect(runs.asked).toEqual([]);
  });
});
