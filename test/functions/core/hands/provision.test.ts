import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionId, ThreadId, mainHand } from '#contract/ids.ts';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createTable } from '#aws/table.ts';
import { provision, type ProvisionWorld } from '#core/hands/provision.ts';
import { release, stopLost } from '#core/hands/release.ts';
import type { Tasks, TaskRun } from '#core/ports/sandboxes.ts';
import { warehouse } from '#test/functions/core/hands/packages.fixture.ts';
import { NO_WAY_OUT, SILENT, steadyStamp } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const THREAD = ThreadId.parse('sthr_1');

/** ECS as the port sees it: `run` is idempotent by its name, and a task runs at the second look. */
function ecs() {
  const looks = new Map<string, number>();
  const stopped = new Set<string>();
  const tasks: Tasks = {
    async run({ session }, generation) {
      const task = `${session}-${generation}`;
      looks.set(task, looks.get(task) ?? 0);
      return { status: 'started', task };
    },
    async status(task) {
      if (stopped.has(task)) return { status: 'stopped', reason: 'gone' };
      const seen = (looks.get(task) ?? 0) + 1;
      looks.set(task, seen);
      return seen < 2 ? { status: 'starting' } : { status: 'running', address: `${task}:8080` };
    },
    stop: async (task) => void stopped.add(task),
  };
  return {
    tasks,
    started: () => [...looks.keys()],
    stop: (task: string) => void stopped.add(task),
    /** The tasks that were started and not stopped. */
    alive: () => [...looks.keys()].filter((task) => !stopped.has(task)),
  };
}

describe('provisioning a sandbox', () => {
  let dynamodb: TestDynamoDb;
  let sessions = 0;
  beforeAll(async () => {
    dynamodb = await startDynamoDb();
  });
  afterAll(async () => dynamodb.close());

  async function stage() {
    const session = SessionId.parse(`sesn_${process.pid}p${(sessions += 1)}`);
    const table = createTable(dynamodb.client, dynamodb.recordsTable);
    await table.put({ pk: session, sk: 'session' });
    const stamp = steadyStamp();
    const cloud = ecs();
    const store = warehouse(stamp);
    const world: ProvisionWorld = {
      sandboxes: createSandboxRecords(dynamodb.client, dynamodb.recordsTable),
      tasks: cloud.tasks,
      stamp,
      pause: async (ms) => stamp.advance(ms),
      newToken: randomUUID,
      journal: SILENT,
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
      archives: store.archives,
      builds: store.builds,
      sources: {},
      system: 'bookworm',
      wayOut: NO_WAY_OUT,
    };
    const run = (over: Partial<ProvisionWorld> = {}) =>
      provision({ ...world, ...over }, { session, thread: THREAD, call: {} });
    /** Runs, and tells how long that took and what became of the record. */
    async function outcome(over: Partial<ProvisionWorld> = {}) {
      const began = Date.parse(stamp.now());
      await run(over);
      return {
        seconds: (Date.parse(stamp.now()) - began) / 1000,
        record: await world.sandboxes.find(mainHand(session)),
      };
    }
    return { session, table, stamp, cloud, store, world, run, outcome };
  }

  it('starts one task when many attempts run at once', async () => {
    const { cloud, run } = await stage();
    const all = await Promise.all([run(), run(), run(), run()]);
    expect(all).toEqual(Array.from({ length: 4 }, () => ({ generation: 1 })));
    expect(cloud.started()).toHaveLength(1);
  });

  it('looks up no packages for a session that has none', async () => {
    const { store, run } = await stage();
    await run();
    expect({ asked: store.asked, built: store.built() }).toEqual({ asked: [], built: [] });
  });

  it('goes on with the same task after an attempt died behind its reservation', async () => {
    const { cloud, session, world, run } = await stage();
    const dying = { ...world, tasks: { ...cloud.tasks, status: () => Promise.reject(new Error('killed')) } };
    await expect(run({ tasks: dying.tasks })).rejects.toThrow('killed');
    expect(await run()).toEqual({ generation: 1 });
    expect(cloud.started()).toEqual([`${session}-1`]);
  });

  it('checks the task of a sandbox only when it was not used recently', async () => {
    const { cloud, session, stamp, run } = await stage();
    await run();
    cloud.stop(`${session}-1`);
    expect(await run()).toEqual({ generation: 1 });
    stamp.advance(61_000);
    expect(await run()).toEqual({ generation: 2 });
  });

  it('waits until ECS knows a task that it has just started', async () => {
    const { cloud, session, run } = await stage();
    let looks = 0;
    const status: Tasks['status'] = async (task) =>
      (looks += 1) < 4 ? { status: 'unknown' } : cloud.tasks.status(task);
    expect(await run({ tasks: { ...cloud.tasks, status } })).toEqual({ generation: 1 });
    expect(cloud.started()).toEqual([`${session}-1`]);
  });

  it('has one poller for a cold start, and the others wait for its record', async () => {
    const { cloud, run } = await stage();
    const looked = new Set<string>();
    const slow = (name: string): Partial<ProvisionWorld> => ({
      tasks: {
        ...cloud.tasks,
        async status(task) {
          looked.add(name);
          return cloud.tasks.status(task);
        },
      },
    });
    await Promise.all(['a', 'b', 'c'].map((name) => run(slow(name))));
    expect(looked.size).toBe(1);
  });

  it('is taken over from a poller that died, after some seconds and with the same task', async () => {
    const { cloud, session, run, outcome } = await stage();
    const killed: Tasks = { ...cloud.tasks, status: () => Promise.reject(new Error('killed')) };
    await expect(run({ tasks: killed })).rejects.toThrow('killed');
    const { seconds, record } = await outcome();
    expect({ seconds, record }).toMatchObject({ record: { status: 'ready', generation: 1 } });
    expect(seconds).toBeLessThan(10);
    expect(cloud.started()).toEqual([`${session}-1`]);
  });

  describe('that does not start', () => {
    const NO_CAPACITY: TaskRun = { status: 'refused', reason: 'Capacity is unavailable at this time.' };
    const refusing = (tasks: Tasks, run: () => TaskRun): Tasks => ({ ...tasks, run: async () => run() });
    const ending = (tasks: Tasks): Tasks => ({
      ...tasks,
      status: async () => ({ status: 'stopped', reason: 'TaskFailedToStart, exit code 134' }),
    });

    it('is told after a few attempts with growing pauses, within 90 seconds', async () => {
      const { cloud, stamp, outcome } = await stage();
      const at: number[] = [];
      const tasks = refusing(cloud.tasks, () => {
        at.push(Date.parse(stamp.now()));
        return NO_CAPACITY;
      });
      const { seconds, record } = await outcome({ tasks });
      expect(record).toMatchObject({ status: 'failed', reason: expect.stringContaining('5 attempts in 45 seconds') });
      expect(JSON.stringify(record)).not.toContain('Capacity');
      expect(seconds).toBeLessThan(90);
      expect(at.map((ms) => (ms - (at[0] ?? 0)) / 1000)).toEqual([0, 2, 8, 20, 45]);
    });

    it.each(['refused', 'ending'] as const)('starts when a later attempt succeeds (%s)', async (how) => {
      const { cloud, session, stamp, outcome } = await stage();
      const began = Date.parse(stamp.now());
      const isBad = () => Date.parse(stamp.now()) - began < 10_000;
      const bad = how === 'refused' ? refusing(cloud.tasks, () => NO_CAPACITY) : ending(cloud.tasks);
      const tasks: Tasks = {
        run: (...asked) => (isBad() ? bad : cloud.tasks).run(...asked),
        status: (task) => (isBad() ? bad : cloud.tasks).status(task),
        stop: cloud.tasks.stop,
      };
      expect((await outcome({ tasks })).record).toMatchObject({ status: 'ready', generation: 4 });
      expect(cloud.alive()).toEqual([`${session}-4`]);
    });

    it('has a task of its own in each attempt, and leaves none', async () => {
      const { cloud, session, outcome } = await stage();
      const { record, seconds } = await outcome({ tasks: ending(cloud.tasks) });
      expect(record).toMatchObject({ status: 'failed' });
      expect(seconds).toBeLessThan(91);
      expect(cloud.started()).toEqual([1, 2, 3, 4, 5].map((generation) => `${session}-${generation}`));
      expect(cloud.alive()).toEqual([]);
    });

    it('counts its attempts in the record, so that deaths in between add none', async () => {
      const { cloud, run, outcome } = await stage();
      let asked = 0;
      const dying: Tasks = {
        ...ending(cloud.tasks),
        async run(...args) {
          asked += 1;
          if (asked % 2 === 0) throw new Error('killed');
          return cloud.tasks.run(...args);
        },
      };
      for (let death = 0; death < 4; death += 1) await expect(run({ tasks: dying })).rejects.toThrow('killed');
      expect((await outcome({ tasks: dying })).record).toMatchObject({ status: 'failed', generation: 5 });
      expect(cloud.started()).toHaveLength(5);
    });

    it('is told to all that waited, and tried again for a call that comes later', async () => {
      const { cloud, session, stamp, world, run } = await stage();
      let asked = 0;
      const tasks = refusing(cloud.tasks, () => {
        asked += 1;
        return NO_CAPACITY;
      });
      const all = await Promise.all([run({ tasks }), run({ tasks }), run({ tasks })]);
      expect(all).toEqual([{ generation: 5 }, { generation: 5 }, { generation: 5 }]);
      expect(asked).toBe(5);
      stamp.advance(1);
      expect(await run()).toEqual({ generation: 6 });
      expect(await world.sandboxes.find(mainHand(session))).toMatchObject({ status: 'ready' });
    });

    it('is given up after three minutes when ECS goes on starting it, and its task is stopped', async () => {
      const { cloud, outcome } = await stage();
      const never: Tasks = { ...cloud.tasks, status: async () => ({ status: 'starting' }) };
      const { record, seconds } = await outcome({ tasks: never });
      expect(record).toMatchObject({ status: 'failed', reason: expect.stringContaining('One attempt') });
      expect(seconds).toBeLessThan(185);
      expect(cloud.alive()).toEqual([]);
    });

    it('is started anew by a call that comes long after its provisioner died', async () => {
      const { cloud, session, stamp, run } = await stage();
      const killed: Tasks = { ...cloud.tasks, status: () => Promise.reject(new Error('killed')) };
      await expect(run({ tasks: killed })).rejects.toThrow('killed');
      stamp.advance(600_000);
      cloud.stop(`${session}-1`);
      expect(await run()).toEqual({ generation: 2 });
    });
  });

  it('stops a sandbox that was lost before it starts the next one', async () => {
    const { cloud, session, world, run } = await stage();
    await run();
    await world.sandboxes.lost(mainHand(session), 1);
    expect(await run()).toEqual({ generation: 2 });
    expect(cloud.alive()).toEqual([`${session}-2`]);
  });

  it('stops what is left of a sandbox that a call found lost, and no other', async () => {
    const { cloud, session, world, run } = await stage();
    await run();
    await stopLost(world, mainHand(session));
    expect(cloud.alive()).toEqual([`${session}-1`]);
    await world.sandboxes.lost(mainHand(session), 1);
    await stopLost(world, mainHand(session));
    expect(cloud.alive()).toEqual([]);
  });

  it('is undone once: the task stops, and a repeat finds no task to stop', async () => {
    const { cloud, session, world, run } = await stage();
    await run();
    await release(world, session);
    expect(await cloud.tasks.status(`${session}-1`)).toMatchObject({ status: 'stopped' });
    await release(world, session);
    expect(cloud.alive()).toEqual([]);
  });

  it('is undone also while the task is starting, and leaves none', async () => {
    const { cloud, session, world, run } = await stage();
    let looks = 0;
    const status: Tasks['status'] = async () => {
      if ((looks += 1) === 2) await release(world, session);
      return looks < 4 ? { status: 'starting' } : { status: 'running', address: 'late:8080' };
    };
    await Promise.allSettled([run({ tasks: { ...cloud.tasks, status }, pause: async () => undefined })]);
    expect(cloud.alive().filter((task) => task === `${session}-1`)).toEqual([]);
  });

  it('does not happen for a session that was deleted', async () => {
    const { cloud, session, table, world, run } = await stage();
    await run();
    await release(world, session);
    await table.remove({ pk: session, sk: 'session' });
    await expect(run()).rejects.toMatchObject({ code: 'session_gone' });
    await table.remove({ pk: session, sk: 'sandbox' });
    await expect(run()).rejects.toMatchObject({ code: 'session_gone' });
    expect(await world.sandboxes.find(mainHand(session))).toBeNull();
    expect(cloud.alive()).toEqual([]);
  });
});
