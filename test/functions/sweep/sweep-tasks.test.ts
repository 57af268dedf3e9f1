import { describe, expect, it, vi } from 'vitest';
import type { HandKey } from '#contract/ids.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import type { ClusterTask, ProxySlot, SandboxRecord } from '#core/ports/sandboxes.ts';
import { later } from '#core/ports/stamp.ts';
import { NOW } from '#test/functions/core/given.ts';
import { sweepTasks } from '../../../functions/sweep/sweep-tasks.ts';

const MAX_AGE_MS = 3_600_000;
const IDLE_MS = 300_000;

interface Given {
  readonly pages: readonly (readonly ClusterTask[])[];
  readonly records?: Readonly<Record<string, SandboxRecord>>;
  /** Of egress proxies, by slot. */
  readonly proxies?: readonly SandboxRecord[];
  /** How many of them are to be up; none in a closed deployment. */
  readonly warm?: number | undefined;
  readonly broken?: readonly string[];
}

function stage({ pages, records = {}, proxies = [], warm, broken = [] }: Given) {
  const journal = createJournal();
  vi.spyOn(journal.logger, 'warn').mockImplementation(() => undefined);
  vi.spyOn(journal.logger, 'error').mockImplementation(() => undefined);
  const acts: string[] = [];
  let waitedMs = 0;
  const fail = (what: string) => {
    if (broken.includes(what)) throw new Error('broken');
  };
  const world = {
    cluster: {
      async *running() {
        yield* pages;
      },
      stopping: () => {
        throw new Error('not to be asked');
      },
      stop: async (task: string) => {
        fail(task);
        acts.push(`stop ${task}`);
      },
    },
    sandboxes: {
      find: async (hand: HandKey) => {
        fail(nameOf(hand));
        return records[nameOf(hand)] ?? null;
      },
      lost: async (hand: HandKey, generation: number) => void acts.push(`lost ${nameOf(hand)} ${generation}`),
    },
    harvesting: {
      harvest: async (hand: HandKey, generation: number) => {
        fail(`harvest ${nameOf(hand)}`);
        acts.push(`harvest ${nameOf(hand)} ${generation}`);
      },
    },
    wayOut:
      warm === undefined
        ? null
        : {
            warm,
            proxies: { find: async ({ slot }: ProxySlot) => proxies[slot] ?? null },
            keeping: {
              keepUp: async ({ slot }: ProxySlot) => {
                fail(`keep up ${slot}`);
                acts.push(`keep up ${slot}`);
              },
            },
          },
    sandboxAges: { maxAgeMs: MAX_AGE_MS, idleMs: IDLE_MS },
    pause: async (ms: number) => void (waitedMs += ms),
    journal,
  };
  return { acts, waited: () => waitedMs, sweep: () => sweepTasks(world, NOW) };
}

const nameOf = ({ session, hand }: HandKey) => (hand === 'main' ? session : `${session}/${hand}`);
const taskOf = (startedBy: string, createdAt = NOW): ClusterTask => ({
  task: `task-${startedBy}`,
  startedBy,
  createdAt,
});
const readyOf = (startedBy: string, generation: number): SandboxRecord => ({
  ...{ status: 'ready', generation, token: 't', lastUsedAt: NOW, packages: null, archive: null },
  ...{ task: `task-${startedBy}`, address: '10.0.0.1:8080', readyAt: NOW },
});

describe('sweep over tasks', () => {
  it('stops those that nothing needs, on every page, and no others', async () => {
    const { acts, sweep } = stage({
      pages: [[taskOf('sesn_1/1'), taskOf('sesn_1/2')], [taskOf('sesn_2/1')], [taskOf('packages/0a')]],
      records: { sesn_1: readyOf('sesn_1/2', 2) },
    });
    await sweep();
    expect(acts).toEqual(['stop task-sesn_1/1', 'stop task-sesn_2/1']);
  });

  it('marks a sandbox that is too old as lost before it stops it, so that no call is sent to it', async () => {
    const old = taskOf('sesn_1/2', later(NOW, -MAX_AGE_MS - 1));
    const { acts, sweep } = stage({ pages: [[old]], records: { sesn_1: readyOf('sesn_1/2', 2) } });
    await sweep();
    expect(acts).toEqual(['lost sesn_1 2', 'stop task-sesn_1/2']);
  });

  it('has what idle sandboxes hold taken over, each without the others, and stops none of them', async () => {
    const idle = { lastUsedAt: later(NOW, -IDLE_MS - 1) };
    const { acts, sweep } = stage({
      pages: [[taskOf('sesn_1/2'), taskOf('sesn_2/1'), taskOf('sesn_3/7')]],
      records: {
        sesn_1: { ...readyOf('sesn_1/2', 2), ...idle },
        sesn_2: readyOf('sesn_2/1', 1),
        sesn_3: { ...readyOf('sesn_3/7', 7), ...idle },
      },
      broken: ['harvest sesn_1'],
    });
    await sweep();
    expect(acts).toEqual(['harvest sesn_3 7']);
  });

  it('stops no task that it cannot judge, and goes on after one that ECS does not stop', async () => {
    const { acts, sweep } = stage({
      pages: [[taskOf('sesn_1/1'), taskOf('sesn_2/1'), taskOf('sesn_3/1')]],
      records: {},
      broken: ['sesn_1', 'task-sesn_2/1'],
    });
    await sweep();
    expect(acts).toEqual(['stop task-sesn_3/1']);
  });

  it('stays below the rates of ECS', async () => {
    const strays = Array.from({ length: 20 }, (_, page) => [taskOf(`sesn_${page}/1`), taskOf(`sesn_${page}/2`)]);
    const { waited, acts, sweep } = stage({ pages: strays, records: {} });
    await sweep();
    const seconds = waited() / 1000;
    expect(acts.length / seconds).toBeLessThan(20);
    expect((2 * strays.length) / seconds).toBeLessThan(10);
  });

  it('stops egress proxies that are not the present generation, and asks for those that are missing', async () => {
    const tasks = ['egress/0/2', 'egress/0/1', 'egress/7/1', 'egress/x/1'].map((name) => taskOf(name));
    const { acts, sweep } = stage({
      pages: [tasks],
      proxies: [readyOf('egress/0/2', 2)],
      warm: 3,
      broken: ['keep up 1'],
    });
    await sweep();
    expect(acts).toEqual(['stop task-egress/0/1', 'stop task-egress/7/1', 'stop task-egress/x/1', 'keep up 2']);
  });

  it('keeps no proxy up where none is to be, and none in a closed deployment', async () => {
    for (const warm of [0, undefined]) {
      const { acts, sweep } = stage({ pages: [[taskOf('egress/0/1')]], warm });
      await sweep();
      expect(acts).toEqual(['stop task-egress/0/1']);
    }
  });
});
