import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionId, ThreadId } from '#contract/ids.ts';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { provision, type ProvisionWorld } from '#core/hands/provision.ts';
import { release } from '#core/hands/release.ts';
import type { Tasks } from '#core/ports/sandboxes.ts';
import { warehouse } from '#test/functions/core/hands/packages.fixture.ts';
import { steadyStamp } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const THREAD = ThreadId.parse('sthr_1');

/** ECS as the port sees it: `run` is idempotent by its name, and a task runs at the second look. */
function ecs() {
  const looks = new Map<string, number>();
  const stopped = new Set<string>();
  const tasks: Tasks = {
    async run(session, generation) {
      const task = `${session}-${generation}`;
      looks.set(task, looks.get(task) ?? 0);
      return task;
    },
    async status(task) {
      if (stopped.has(task)) return { status: 'stopped', reason: 'gone' };
      const seen = (looks.get(task) ?? 0) + 1;
      looks.set(task, seen);
      return seen < 2 ? { status: 'starting' } : { status: 'running', address: `${task}:8080` };
    },
    stop: async (task) => void stopped.add(task),
  };
  return { tasks, started: () => [...looks.keys()], stop: (task: string) => void stopped.add(task) };
}

describe('provisioning a sandbox', () => {
  let dynamodb: TestDynamoDb;
  let sessions = 0;
  beforeAll(async () => {
    dynamodb = await startDynamoDb();
  });
  afterAll(async () => dynamodb.close());

  function stage() {
    const session = SessionId.parse(`sesn_${process.pid}p${(sessions += 1)}`);
    const stamp = steadyStamp();
    const cloud = ecs();
    const store = warehouse(stamp);
    let tokens = 0;
    const world: ProvisionWorld = {
      sandboxes: createSandboxRecords(dynamodb.client, dynamodb.recordsTable),
      tasks: cloud.tasks,
      stamp,
      pause: async (ms) => stamp.advance(ms),
      newToken: () => `token-${(tokens += 1)}`,
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
      archives: store.archives,
      builds: store.builds,
      sources: {},
      system: 'bookworm',
    };
    return { session, stamp, cloud, store, world, run: (over = world) => provision(over, { session, thread: THREAD }) };
  }

  it('starts one task when many attempts run at once', async () => {
    const { cloud, run } = stage();
    const all = await Promise.all([run(), run(), run(), run()]);
    expect(all).toEqual(Array.from({ length: 4 }, () => ({ generation: 1 })));
    expect(cloud.started()).toHaveLength(1);
  });

  it('looks up no packages for a session that has none', async () => {
    const { store, run } = stage();
    await run();
    expect({ asked: store.asked, built: store.built() }).toEqual({ asked: [], built: [] });
  });

  it('goes on with the same task after an attempt died behind its reservation', async () => {
    const { cloud, session, world, run } = stage();
    const dying = { ...world, tasks: { ...cloud.tasks, status: () => Promise.reject(new Error('killed')) } };
    await expect(run(dying)).rejects.toThrow('killed');
    expect(await run()).toEqual({ generation: 1 });
    expect(cloud.started()).toEqual([`${session}-1`]);
  });

  it('checks the task of a sandbox only when it was not used recently', async () => {
    const { cloud, session, stamp, run } = stage();
    await run();
    cloud.stop(`${session}-1`);
    expect(await run()).toEqual({ generation: 1 });
    stamp.advance(61_000);
    expect(await run()).toEqual({ generation: 2 });
  });

  it('starts another task when one stops before it runs', async () => {
    const { cloud, session, run } = stage();
    cloud.stop(`${session}-1`);
    expect(await run()).toEqual({ generation: 2 });
  });

  it('waits until ECS knows a task that it has just started', async () => {
    const { cloud, session, world, run } = stage();
    let looks = 0;
    const status: Tasks['status'] = async (task) =>
      (looks += 1) < 4 ? { status: 'unknown' } : cloud.tasks.status(task);
    expect(await run({ ...world, tasks: { ...cloud.tasks, status } })).toEqual({ generation: 1 });
    expect(cloud.started()).toEqual([`${session}-1`]);
  });

  it('is undone once: the task stops, and a repeat finds no task to stop', async () => {
    const { cloud, session, world, run } = stage();
    await run();
    await release(world, session);
    expect(await cloud.tasks.status(`${session}-1`)).toMatchObject({ status: 'stopped' });
    await release(world, session);
    expect(await run()).toEqual({ generation: 2 });
  });

  it('is undone also while the task is starting', async () => {
    const { cloud, session, world } = stage();
    await world.sandboxes.reserve(session, 0, { token: 'token', archive: null, at: world.stamp.now() });
    await release(world, session);
    expect(await cloud.tasks.status(`${session}-1`)).toMatchObject({ status: 'stopped' });
  });

  it('ends with a fault when no task is ready in time', async () => {
    const { cloud, world, run } = stage();
    const never: Tasks = { ...cloud.tasks, status: async () => ({ status: 'starting' }) };
    await expect(run({ ...world, tasks: never })).rejects.toMatchObject({ code: 'sandbox_not_ready' });
  });
});
