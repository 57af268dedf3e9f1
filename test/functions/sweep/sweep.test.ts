import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { primaryThread, SessionId, ThreadId } from '#contract/ids.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { sweep } from '../../../functions/sweep/sweep.ts';

const BEFORE = '2026-11-21T10:00:00.000Z';
const KEYS = Array.from({ length: 45 }, (_, index) => {
  const session = SessionId.parse(`sesn_${index}`);
  return { session, thread: primaryThread(session), run: 1 };
});

/** Sessions that are idle when sweep reads them; `head` is how it reads. */
function worldOf(
  head: (key: LogKey) => Promise<null>,
  keys: () => AsyncGenerator<LogKey & { readonly run: number }>,
  running: readonly string[] = [],
) {
  const journal = createJournal();
  const failures = vi.spyOn(journal.logger, 'error').mockImplementation(() => undefined);
  const paused = { ms: 0 };
  const never = () => Promise.reject(new Error('not to be asked'));
  return {
    paused,
    failures,
    world: {
      log: { head, read: never, slice: never, append: never, entryAt: never },
      runs: { start: never },
      stamp: { now: () => BEFORE, eventId: () => never as never },
      runList: {
        async *running() {
          for (let from = 0; from < running.length; from += 10) yield running.slice(from, from + 10);
        },
      },
      runningSince: keys,
      pause: async (ms: number) => void (paused.ms += ms),
      journal,
    },
  };
}

async function* all(): AsyncGenerator<LogKey & { readonly run: number }> {
  yield* KEYS;
}

describe('sweep over sessions', () => {
  it('repairs all sessions, twenty at once', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const looked: string[] = [];
    const { world } = worldOf(async ({ session }) => {
      looked.push(session);
      await released;
      return null;
    }, all);
    const swept = sweep(world, BEFORE);
    for (let turn = 0; turn < 10; turn += 1) await tick();
    expect(looked).toHaveLength(20);
    release();
    await swept;
    expect(looked.toSorted()).toEqual(KEYS.map(({ session }) => session).toSorted());
  });

  it('goes on after a session that cannot be repaired, and logs which one', async () => {
    const looked: string[] = [];
    const { world, failures } = worldOf(async ({ session }) => {
      looked.push(session);
      if (session.endsWith('3')) throw new TypeError('broken');
      return null;
    }, all);
    await sweep(world, BEFORE);
    expect(looked).toHaveLength(KEYS.length);
    const told = failures.mock.calls.map(([, fields]) => fields);
    expect(told).toContainEqual({ session: 'sesn_3', error_class: 'TypeError' });
    expect(told).toHaveLength(5);
  });

  it('fails when the listing of sessions fails, after the repairs that had begun', async () => {
    const finished: string[] = [];
    const { world } = worldOf(
      async ({ session }) => {
        await tick();
        finished.push(session);
        return null;
      },
      async function* () {
        yield* KEYS.slice(0, 2);
        throw new Error('throttled');
      },
    );
    await expect(sweep(world, BEFORE)).rejects.toThrow('throttled');
    expect(finished).toEqual(['sesn_0', 'sesn_1']);
  });

  it('tells the runs of a session from those of its child threads', async () => {
    const [primary = expect.fail('none')] = KEYS;
    const [lost, alive] = ['sthr_lost', 'sthr_alive'].map((id) => ({ ...primary, thread: ThreadId.parse(id) }));
    const looked: string[] = [];
    const { world, failures } = worldOf(
      ({ thread }) => {
        looked.push(thread);
        return Promise.reject(new TypeError('broken'));
      },
      async function* () {
        for (const key of [primary, lost, alive]) if (key !== undefined) yield key;
      },
      ['sesn_0-1', 'sesn_0-sthr_alive-1', 'sesn_0-sthr_lost-2'],
    );
    await sweep(world, BEFORE);
    expect(looked).toEqual(['sthr_lost']);
    const told = { session: 'sesn_0', thread: 'sthr_lost', error_class: 'TypeError' };
    expect(failures.mock.calls).toEqual([['sweep', told]]);
  });

  it('leaves sessions alone whose run has an execution, and looks at the others no faster than starts are allowed', async () => {
    const looked: string[] = [];
    const running = KEYS.slice(0, 30).map(({ session }) => `${session}-1`);
    // An execution of an earlier run is not that of the present one.
    running.push('sesn_31-7');
    const { world, paused } = worldOf(
      async ({ session }) => {
        looked.push(session);
        return null;
      },
      all,
      running,
    );
    await sweep(world, BEFORE);
    expect(looked).toEqual(KEYS.slice(30).map(({ session }) => session));
    expect(looked.length / (paused.ms / 1000)).toBeLessThan(50);
  });
});
