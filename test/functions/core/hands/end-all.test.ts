import { describe, expect, it } from 'vitest';
import { endAll, type EndAllWorld } from '#core/hands/end-all.ts';
import { NOW, steadyStamp } from '#test/functions/core/given.ts';

/** A cluster whose tasks stop some seconds after they were asked to; some appear late. */
function stage({ at, stopsMs }: { readonly at: readonly number[]; readonly stopsMs: number }) {
  const stamp = steadyStamp();
  const began = Date.parse(NOW);
  const tasks = at.map((startedMs, index) => ({ task: `task-${index}`, startedMs, askedMs: Number.POSITIVE_INFINITY }));
  const elapsed = () => Date.parse(stamp.now()) - began;
  const there = (stopping: boolean) =>
    tasks
      .filter(({ startedMs, askedMs }) => startedMs <= elapsed() && askedMs + stopsMs > elapsed())
      .filter(({ askedMs }) => askedMs < Number.POSITIVE_INFINITY === stopping)
      .map(({ task }) => ({ task, startedBy: 'sesn_1/1', createdAt: NOW }));
  const world: EndAllWorld = {
    stamp,
    pause: async (ms) => stamp.advance(ms),
    cluster: {
      async *running() {
        yield there(false);
      },
      async *stopping() {
        yield there(true);
      },
      async stop(name) {
        for (const task of tasks) if (task.task === name) task.askedMs = elapsed();
      },
    },
  };
  return { world, left: () => [...there(false), ...there(true)] };
}

describe('ending all tasks of the cluster', () => {
  it.each([
    ['none', [], 0],
    ['some', [0, 0, 0], 30_000],
    ['one that appears while others end', [0, 5000], 10_000],
  ])('leaves none of %s', async (_what, at, stopsMs) => {
    const { world, left } = stage({ at, stopsMs });
    await endAll(world);
    expect(left()).toEqual([]);
  });

  it('fails in time for CloudFormation when a task does not end', async () => {
    const { world } = stage({ at: [0], stopsMs: 3_600_000 });
    await expect(endAll(world)).rejects.toMatchObject({ code: 'sandbox_not_released' });
  });
});
