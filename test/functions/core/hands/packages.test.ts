/** Provisioning of a session with packages, on real records. Archives, builds and ECS are in memory. */
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionId, ThreadId, mainHand } from '#contract/ids.ts';
import type { PackageList, PackageSources } from '#contract/packages.ts';
import { createSandboxRecords, plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import { archiveOf, packageList } from '#core/hands/packages.ts';
import { provision, type ProvisionWorld } from '#core/hands/provision.ts';
import type { TaskStatus } from '#core/ports/sandboxes.ts';
import { warehouse } from '#test/functions/core/hands/packages.fixture.ts';
import { NO_WAY_OUT, SILENT, steadyStamp } from '#test/functions/core/given.ts';
import { createTable } from '#aws/table.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const NONE: PackageList = { apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] };
const PACKAGES: PackageList = { ...NONE, npm: ['left-pad'] };
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const NPM_FAILED = { manager: 'npm', message: 'E404' } as const;

describe('the package list of an environment', () => {
  it('holds each name once and in one order, so that equal environments share an archive', () => {
    const list = packageList({ ...NONE, npm: ['b', 'a', 'b'], pip: ['c'] });
    expect(list).toEqual({ ...NONE, npm: ['a', 'b'], pip: ['c'] });
    expect(packageList({ ...NONE })).toBeNull();
  });

  it('gets another archive name for other packages, other sources or another system', () => {
    const at = (sources: PackageSources, list: PackageList, system = 'bookworm') =>
      archiveOf({ sha256, sources, system } as ProvisionWorld, list);
    const names = [
      at({}, PACKAGES),
      at({}, { ...NONE, pip: ['left-pad'] }),
      at({ npmRegistry: 'https://npm.example' }, PACKAGES),
      at({}, PACKAGES, 'trixie'),
    ];
    expect(new Set(names).size).toBe(4);
    expect(at({}, { ...PACKAGES })).toBe(names[0]);
  });
});

describe('provisioning with packages', () => {
  let dynamodb: TestDynamoDb;
  let sessions = 0;
  beforeAll(async () => {
    dynamodb = await startDynamoDb();
  });
  afterAll(async () => dynamodb.close());

  async function stage() {
    const stamp = steadyStamp();
    const store = warehouse(stamp);
    const running = new Map<string, TaskStatus>();
    const started: (string | null)[] = [];
    const records = createSandboxRecords(dynamodb.client, dynamodb.recordsTable);
    const world: ProvisionWorld = {
      sandboxes: records,
      tasks: {
        async run({ session, hand }, generation, { archive }) {
          const task = `${session}-${hand}-${generation}`;
          if (!running.has(task)) started.push(archive);
          running.set(task, running.get(task) ?? { status: 'running', address: 'sandbox:8080' });
          return { status: 'started', task };
        },
        status: async (task) => running.get(task) ?? { status: 'unknown' },
        stop: async (task) => void running.set(task, { status: 'stopped', reason: 'asked' }),
      },
      archives: store.archives,
      builds: store.builds,
      sources: {},
      system: 'bookworm',
      wayOut: NO_WAY_OUT,
      stamp,
      pause: async (ms) => stamp.advance(ms),
      newToken: randomUUID,
      sha256,
      journal: SILENT,
    };
    const archive = archiveOf(world, PACKAGES) ?? '';
    /** A new session of the environment, as the API creates it. */
    async function newSession(): Promise<SessionId> {
      const session = SessionId.parse(`sesn_${process.pid}y${(sessions += 1)}`);
      const table = createTable(dynamodb.client, dynamodb.recordsTable);
      await table.put({ pk: session, sk: 'session' });
      await table.put(plannedSandbox(session, PACKAGES));
      return session;
    }
    const run = (session: SessionId, over: Partial<ProvisionWorld> = {}) =>
      provision({ ...world, ...over }, { session, thread: ThreadId.parse('sthr_1'), call: {} });
    return { world, stamp, store, records, started, archive, newSession, run };
  }

  it('starts one build when many sessions ask at once, and gives each sandbox the archive’s name', async () => {
    const { store, started, archive, newSession, run } = await stage();
    const all = await Promise.all([newSession(), newSession(), newSession()]);
    expect(await Promise.all(all.map((session) => run(session)))).toEqual(all.map(() => ({ generation: 1 })));
    expect(store.built()).toEqual([`${archive}-1`]);
    expect(started).toEqual([archive, archive, archive]);
  });

  it('starts the sandbox of a thread with the packages and the environment that its agent brings', async () => {
    const { world, records, started, archive } = await stage();
    const session = SessionId.parse(`sesn_${process.pid}own`);
    const hand = { session, hand: 'sthr_own' };
    const table = createTable(dynamodb.client, dynamodb.recordsTable);
    await table.put({ pk: session, sk: 'session' });
    const plan = { environment: 'env_lab', packages: JSON.stringify(PACKAGES) };
    await table.put({ pk: session, sk: 'thread#sthr_own#details', ...plan });
    await provision(world, { session, thread: ThreadId.parse('sthr_own'), call: { hand } });
    expect(started).toEqual([archive]);
    await records.lost(hand, 1);
    await provision(world, { session, thread: ThreadId.parse('sthr_1'), call: { hand } });
    expect(started).toEqual([archive, archive]);
    expect(await records.find(hand)).toMatchObject({ status: 'ready', generation: 2, environment: 'env_lab' });
    expect(await records.find(mainHand(session))).toBeNull();
  });

  it('starts no build when the archive exists, which one lookup tells', async () => {
    const { store, archive, newSession, run } = await stage();
    await run(await newSession());
    store.asked.length = 0;
    await run(await newSession());
    expect(store.built()).toHaveLength(1);
    expect(store.asked).toEqual([`find ${archive}`]);
  });

  it('is not ready before the packages are, and after a crash goes on with the same build and sandbox', async () => {
    const { store, records, started, newSession, run } = await stage();
    const session = await newSession();
    const builds = { ...store.builds, status: () => Promise.reject(new Error('killed')) };
    await expect(run(session, { builds })).rejects.toThrow('killed');
    expect(await records.find(mainHand(session))).toMatchObject({ status: 'starting', generation: 1 });
    expect(await run(session)).toEqual({ generation: 1 });
    expect(store.built()).toHaveLength(1);
    expect(started).toHaveLength(1);
  });

  it('starts the sandbox when the packages are there, however long their build takes', async () => {
    const { store, stamp, started, newSession, run } = await stage();
    const beforeTheEnd: number[] = [];
    const status: typeof store.builds.status = async (task) => {
      stamp.advance(120_000);
      beforeTheEnd.push(started.length);
      return store.builds.status(task);
    };
    expect(await run(await newSession(), { builds: { ...store.builds, status } })).toEqual({ generation: 1 });
    expect({ beforeTheEnd, started: started.length }).toEqual({ beforeTheEnd: [0, 0, 0], started: 1 });
  });

  it('tries again when ECS starts no build, and tells it after some attempts', async () => {
    const { records, started, newSession, run } = await stage();
    const session = await newSession();
    let asked = 0;
    const builds = { run: async () => ({ status: 'refused', reason: `no capacity ${(asked += 1)}` }) as const };
    await run(session, { builds: { ...builds, status: async () => ({ status: 'unknown' }) } });
    expect(await records.find(mainHand(session))).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('5 attempts'),
    });
    expect({ asked, started }).toEqual({ asked: 5, started: [] });
  });

  it('goes on after a crash between the build’s record and its start', async () => {
    const { store, newSession, run } = await stage();
    const session = await newSession();
    const builds = { ...store.builds, run: () => Promise.reject(new Error('killed')) };
    await expect(run(session, { builds })).rejects.toThrow('killed');
    expect(await run(session)).toEqual({ generation: 1 });
    expect(store.built()).toHaveLength(1);
  });

  it('starts no sandbox after a failed build, and keeps the reason for the model', async () => {
    const { store, records, started, newSession, run } = await stage();
    store.endWith(NPM_FAILED);
    const session = await newSession();
    expect(await run(session)).toEqual({ generation: 1 });
    const record = await records.find(mainHand(session));
    expect(record).toMatchObject({ status: 'failed', reason: expect.stringMatching(/npm failed[^]*E404/) });
    expect(started).toEqual([]);
  });

  it('reports a recent build failure to other sessions without a sandbox or a build, and builds again later', async () => {
    const { stamp, store, records, started, archive, newSession, run } = await stage();
    store.endWith(NPM_FAILED);
    await run(await newSession());
    const second = await newSession();
    await run(second);
    expect(await records.find(mainHand(second))).toMatchObject({ status: 'failed' });
    expect({ built: store.built(), sandboxes: started.length }).toEqual({ built: [`${archive}-1`], sandboxes: 0 });

    stamp.advance(300_000);
    store.endWith('archive');
    expect(await run(second)).toEqual({ generation: 2 });
    expect(store.built()).toEqual([`${archive}-1`, `${archive}-2`]);
    expect(await records.find(mainHand(second))).toMatchObject({ status: 'ready', archive });
  });

  it('looks up nothing for a repeated call while the failure of its own build is recent', async () => {
    const { store, newSession, run } = await stage();
    store.endWith(NPM_FAILED);
    const session = await newSession();
    await run(session);
    store.asked.length = 0;
    expect(await run(session)).toEqual({ generation: 1 });
    expect(store.asked).toEqual([]);
  });

  it('counts a build that ended without a report as failed, and names the next one differently', async () => {
    const { stamp, store, records, archive, newSession, run } = await stage();
    store.endWith('silence');
    const session = await newSession();
    await run(session);
    expect(await records.find(mainHand(session))).toMatchObject({ reason: expect.stringContaining('exit code 137') });
    stamp.advance(300_000);
    store.endWith('archive');
    await run(session);
    expect(store.built()).toEqual([`${archive}-1`, `${archive}-2`]);
  });

  it('builds again for the next sandbox when the archive is gone', async () => {
    const { store, records, newSession, run } = await stage();
    const session = await newSession();
    await run(session);
    store.forget();
    await records.lost(mainHand(session), 1);
    expect(await run(session)).toEqual({ generation: 2 });
    expect(store.asked.filter((asked) => asked.startsWith('order'))).toHaveLength(2);
  });
});
