import { describe, expect, it } from 'vitest';
import { ThreadId } from '#contract/ids.ts';
import { change } from '#core/session/change.ts';
import { repair } from '#core/session/repair.ts';
import { runName, type Runs } from '#core/ports/session-log.ts';
import { MAX_FAILURES } from '#core/session/commands.ts';
import { given, KEY, outline, send, steadyStamp } from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

function stage(taken: (run: number) => boolean, key = KEY) {
  const log = memoryLog();
  const scenario = given().when(send('hi'));
  log.create(key, scenario.head, scenario.entries);
  const started: number[] = [];
  const names: string[] = [];
  const runs: Runs = {
    start: async (of, run) => {
      if (taken(run)) return 'taken';
      started.push(run);
      names.push(runName(of, run));
      return 'started';
    },
  };
  return { log, started, names, sweep: () => repair({ log, runs, stamp: steadyStamp(1000) }, key) };
}

describe('the repair of a session that the log calls active', () => {
  it('starts a run that has no execution yet', async () => {
    const { sweep, started } = stage(() => false);
    expect(await sweep()).toBe('alive');
    expect(started).toEqual([1]);
  });

  it('continues under the next free number when the execution has ended', async () => {
    const { sweep, started, log } = stage((run) => run < 3);
    expect(await sweep()).toBe('restarted');
    expect(started).toEqual([3]);
    expect((await log.head(KEY))?.state.run).toBe(3);
  });

  it.each([
    { of: 'the primary thread', key: KEY, names: ['sesn_1-3'] },
    { of: 'a child thread', key: { ...KEY, thread: ThreadId.parse('sthr_2') }, names: ['sesn_1-sthr_2-3'] },
  ])('gives $of executions under names of its own', async ({ key, names: expected }) => {
    const { sweep, names, log } = stage((run) => run < 3, key);
    expect(await sweep()).toBe('restarted');
    expect(names).toEqual(expected);
    expect((await log.head(key))?.state.run).toBe(3);
  });

  it('continues under one number, however many repairs run at once', async () => {
    const { sweep, log } = stage((run) => run < 2);
    await Promise.all([sweep(), sweep(), sweep()]);
    expect((await log.head(KEY))?.state).toMatchObject({ run: 2, failures: 1 });
  });

  it('gives up a session when each execution dies before its first claim', async () => {
    const dead = new Set<number>();
    const { sweep, log, started } = stage((run) => dead.has(run));
    for (let minute = 0; minute < MAX_FAILURES + 2; minute += 1) {
      await sweep();
      for (const run of started) dead.add(run);
    }
    expect((await log.head(KEY))?.state).toMatchObject({
      status: 'idle',
      stopReason: { type: 'retries_exhausted' },
      queued: [],
    });
    expect(outline(log.entries(KEY)).slice(-4)).toEqual([
      'session.error',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(started.length).toBeLessThanOrEqual(MAX_FAILURES + 1);
  });

  it('does not give up a session to which an entry is appended at that moment', async () => {
    const { log } = stage(() => true);
    for (let run = 1; run <= MAX_FAILURES; run += 1) {
      const head = await log.head(KEY);
      if (head === null) throw new Error('the log was created');
      await change({ log, stamp: steadyStamp(1000 * run) }, KEY, head, { do: 'continue', run, reason: 'lost' });
    }
    let interfered = false;
    const raced: typeof log = {
      ...log,
      async append(append) {
        const head = await log.head(KEY);
        if (interfered || head === null) return log.append(append);
        interfered = true;
        await change({ log, stamp: steadyStamp(90_000) }, KEY, head, send('meanwhile'));
        return log.append(append);
      },
    };
    const runs: Runs = { start: async () => 'taken' };
    expect(await repair({ log: raced, runs, stamp: steadyStamp(50_000) }, KEY)).toBe('alive');
    const state = (await log.head(KEY))?.state;
    expect(state).toMatchObject({ status: 'running' });
    expect(state?.queued).toHaveLength(2);
  });
});
