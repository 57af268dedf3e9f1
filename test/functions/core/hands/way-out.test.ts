/** How an egress proxy comes to be when programs need one: its start, and the call of a program that waits for it. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EnvironmentId, mainHand, SessionId, ThreadId, WorkspaceId, type Instant } from '#contract/ids.ts';
import type { Networking } from '#contract/environments.ts';
import { createProxyRecords, createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { hmac, sha256 } from '#aws/stamp.ts';
import { createTable } from '#aws/table.ts';
import { provision, provisionWayOut, type ProvisionWorld, type WayOutWorld } from '#core/hands/provision.ts';
import { judgeProxy } from '#core/hands/stray-tasks.ts';
import { WAY_OUT_AWAITED, wayOutOf, type AskedWayOut } from '#core/hands/way-out.ts';
import type { ExecuteRequest } from '#contract/hands.ts';
import type { ReservedSandbox, Starter } from '#core/ports/sandboxes.ts';
import { warehouse } from '#test/functions/core/hands/packages.fixture.ts';
import { AGENT, NOW, SANDBOX, SILENT, steadyStamp } from '#test/functions/core/given.ts';
import { aCredential, aVault } from '#test/ports/vaults.fixture.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const SLOT = { slot: 0 };
const OPEN: Networking = { type: 'unrestricted' };
const limited = (...hosts: readonly string[]): Networking => ({
  ...{ type: 'limited', allowed_hosts: [...hosts], allow_mcp_servers: false, allow_package_managers: false },
});

/** ECS: `run` is idempotent by its name, and a task runs at the second look. */
function ecs<Key>(nameOf: (key: Key) => string) {
  const looks = new Map<string, number>();
  const ended = new Set<string>();
  const calls: string[] = [];
  const tasks: Starter<Key> = {
    async run(key, generation) {
      const task = `${nameOf(key)}-${generation}`;
      calls.push(`run ${task}`);
      looks.set(task, looks.get(task) ?? 0);
      return { status: 'started', task };
    },
    async status(task) {
      calls.push(`status ${task}`);
      if (ended.has(task)) return { status: 'stopped', reason: 'gone' };
      looks.set(task, (looks.get(task) ?? 0) + 1);
      return (looks.get(task) ?? 0) < 2 ? { status: 'starting' } : { status: 'running', address: `${task}:1` };
    },
    stop: async (task) => void ended.add(task),
  };
  return { tasks, calls, started: () => [...looks.keys()], end: (task: string) => void ended.add(task) };
}

describe('the way out of a session', () => {
  let dynamodb: TestDynamoDb;
  let sessions = 0;
  beforeAll(async () => {
    dynamodb = await startDynamoDb();
  });
  afterAll(async () => dynamodb.close());
  afterEach(async () => {
    await createTable(dynamodb.client, dynamodb.recordsTable).remove({ pk: 'egress', sk: 'proxy#0' });
  });

  /** `hosts`: the session has a vault with a variable for them. */
  async function stage(
    networking: Networking | null,
    max: WayOutWorld['max'] = 'unrestricted',
    hosts: readonly string[] = [],
  ) {
    const session = SessionId.parse(`sesn_${process.pid}w${(sessions += 1)}`);
    await createTable(dynamodb.client, dynamodb.recordsTable).put({ pk: session, sk: 'session' });
    const stamp = steadyStamp();
    const [cloud, proxies] = [
      ecs<{ session: string }>(({ session: id }) => id),
      ecs<typeof SLOT>(({ slot }) => `proxy${slot}`),
    ];
    let current = networking;
    const vault = aVault();
    const variable = aCredential(vault.id, {
      ...{ type: 'environment_variable', secret_name: 'KEY', injection_location: { header: true, body: true } },
      networking: { type: 'limited', allowed_hosts: [...hosts] },
    });
    const details = {
      agent: AGENT,
      environment_id: EnvironmentId.parse('env_1'),
      vault_ids: hosts.length === 0 ? [] : [vault.id],
    };
    const wayOut: WayOutWorld = {
      ...{
        max,
        warm: 0,
        proxies: createProxyRecords(dynamodb.client, dynamodb.recordsTable),
        proxyTasks: max === 'none' ? null : proxies.tasks,
      },
      sessionReader: {
        find: async () => ({ workspace: WorkspaceId.parse('wrkspc_1'), details, contents: null }) as never,
      },
      environments: { find: async () => current && { config: { type: 'cloud', networking: current } } } as never,
      vaults: { find: async () => vault } as unknown as WayOutWorld['vaults'],
      credentials: { active: async () => [variable] } as unknown as WayOutWorld['credentials'],
    };
    const { archives, builds } = warehouse(stamp);
    const world: ProvisionWorld = {
      ...{
        sandboxes: createSandboxRecords(dynamodb.client, dynamodb.recordsTable),
        tasks: cloud.tasks,
        wayOut,
        sha256,
      },
      ...{ stamp, pause: async (ms) => stamp.advance(ms), newToken: randomUUID, journal: SILENT },
      ...{ archives, builds, sources: {}, system: 'bookworm' },
    };
    const found = async () => (await world.sandboxes.find(mainHand(session))) as ReservedSandbox;
    return {
      ...{ session, world, wayOut, proxies, stamp, cloud },
      sandbox: () => provision(world, { session, thread: ThreadId.parse('sthr_1'), call: {} }),
      proxy: () => provisionWayOut(world, session),
      lose: async () => world.sandboxes.lost(mainHand(session), (await found()).generation),
      change: (to: Networking | null) => void (current = to),
      network: async () => (await found()).network ?? null,
      record: () => wayOut.proxies.find(SLOT),
    };
  }

  it('starts beside the sandbox, which does not wait for it', { timeout: 60_000 }, async () => {
    const { world, wayOut, cloud, session, proxies } = await stage(limited('a.com'));
    const begun = Promise.withResolvers<void>();
    const tasks: ProvisionWorld['tasks'] = {
      ...cloud.tasks,
      run(...task) {
        begun.resolve();
        return cloud.tasks.run(...task);
      },
    };
    const records: WayOutWorld['proxies'] = {
      ...wayOut.proxies,
      find: (slot) => begun.promise.then(() => wayOut.proxies.find(slot)),
    };
    const slow = { ...world, tasks, wayOut: { ...wayOut, proxies: records } };
    await provision(slow, { session, thread: ThreadId.parse('sthr_1'), call: {} });
    expect(proxies.started()).toEqual(['proxy0-1']);
  });

  it('costs a session nothing that reaches nothing', async () => {
    for (const [networking, max] of [
      [limited(), 'unrestricted'],
      [OPEN, 'limited'],
      [OPEN, 'none'],
    ] as const) {
      const { sandbox, network, proxies, record } = await stage(networking, max);
      await sandbox();
      expect([await network(), proxies.calls, await record()]).toEqual([null, [], null]);
    }
  });

  it('of an unrestricted session starts no proxy before a program needs it', async () => {
    const { sandbox, network, proxies, proxy, record } = await stage(OPEN);
    await sandbox();
    expect(await network()).toMatchObject({ reach: OPEN, variables: [] });
    expect(proxies.calls).toEqual([]);
    expect(await proxy()).toEqual({ generation: 1 });
    expect(await record()).toMatchObject({ status: 'ready', address: 'proxy0-1:1', packages: null });
  });

  it('of a session that names hosts starts a proxy beside the sandbox, and the first use goes on with it', async () => {
    const { sandbox, proxies, proxy, record, stamp } = await stage(limited('a.com'));
    await sandbox();
    expect([proxies.calls, (await record())?.status]).toEqual([['run proxy0-1'], 'starting']);
    stamp.advance(300_000);
    expect(await proxy()).toEqual({ generation: 1 });
    expect(proxies.started()).toEqual(['proxy0-1']);
  });

  it('of a session with a variable starts a proxy ahead, unless no host may get the secret', async () => {
    for (const [networking, max] of [
      [limited(), 'unrestricted'],
      [OPEN, 'limited'],
      [OPEN, 'none'],
    ] as const) {
      const { sandbox, network, proxies } = await stage(networking, max, ['a.com']);
      await sandbox();
      expect(await network()).toMatchObject({ variables: [{ name: 'KEY', unreachable: true }] });
      expect(proxies.calls).toEqual([]);
    }
    const opened = await stage(OPEN, 'unrestricted', ['a.com']);
    await opened.sandbox();
    expect(opened.proxies.started()).toEqual(['proxy0-1']);
  });

  it('is taken from the environment when a sandbox starts, and from the last sandbox when that was deleted', async () => {
    const { sandbox, network, change, lose } = await stage(limited('a.com'));
    await sandbox();
    change(limited('b.com'));
    expect(await network()).toMatchObject({ reach: { hosts: ['a.com'] } });
    await lose();
    await sandbox();
    expect(await network()).toMatchObject({ reach: { hosts: ['b.com'] } });
    change(null);
    await lose();
    await sandbox();
    expect(await network()).toMatchObject({ reach: { hosts: ['b.com'] } });
  });

  it('has one proxy, however many ask and whatever died', async () => {
    const { proxy, proxies, world } = await stage(OPEN);
    const dying = {
      ...world,
      wayOut: {
        ...world.wayOut,
        proxyTasks: { ...proxies.tasks, status: () => Promise.reject(new Error('killed')) },
      },
    };
    await expect(provisionWayOut(dying, SessionId.parse('sesn_other'))).rejects.toThrow('killed');
    expect(await Promise.all([proxy(), proxy(), proxy()])).toEqual(
      Array.from({ length: 3 }, () => ({ generation: 1 })),
    );
    expect(proxies.started()).toEqual(['proxy0-1']);
  });

  it('has another proxy after the last one has ended by itself', async () => {
    const { proxy, proxies } = await stage(OPEN);
    await proxy();
    proxies.end('proxy0-1');
    expect(await proxy()).toEqual({ generation: 2 });
  });

  it('replaces a proxy that runs and that two calls could not reach', async () => {
    const { proxy, wayOut, record } = await stage(OPEN);
    await proxy();
    await wayOut.proxies.unreachable(SLOT, 1);
    expect(await proxy()).toEqual({ generation: 1 });
    await wayOut.proxies.unreachable(SLOT, 1);
    expect(await proxy()).toEqual({ generation: 2 });
    expect(await record()).not.toHaveProperty('unreachable');
  });

  it('is swept: tasks that are not the present generation', async () => {
    const { proxy, record } = await stage(OPEN);
    await proxy();
    const judge = async (startedBy: string, task: string, now: Instant = NOW) =>
      judgeProxy({ task, startedBy, createdAt: NOW }, await record(), now).status;
    expect(await judge('egress/0/1', 'proxy0-1')).toBe('needed');
    expect(await judge('egress/0/1', 'another')).toBe('stray');
    expect(await judge('egress/0/2', 'proxy0-2')).toBe('stray');
  });
});

describe('a call whose program waits for a proxy', () => {
  const SESSION = SessionId.parse('sesn_1');
  const REQUEST: ExecuteRequest = { call: 'c', name: 'bash', input: {}, timeoutMs: 1 };
  const network = { workspace: WorkspaceId.parse('wrkspc_1'), reach: OPEN, variables: [] };
  const ready = (address: string) => ({ ...SANDBOX, status: 'ready', address }) as ReservedSandbox;
  const failed = { ...SANDBOX, status: 'failed', reason: 'no capacity', retryAt: NOW } as never;

  function stage(record: ReservedSandbox | null, isSecondTime = false, isClosed = false) {
    const acts: string[] = [];
    const proxies = {
      find: async () => (acts.push('read'), record),
      unreachable: async () => void acts.push('unreachable'),
    } as unknown as AskedWayOut['proxies'];
    const world = { wayOut: { proxies, hmac, warm: 0, isClosed }, sha256 };
    const call = wayOutOf(
      world,
      { hand: mainHand(SESSION), sandbox: { generation: 1, token: 't', network } },
      { isSecondTime },
    );
    const asked = async (unreachable: string | null = null) => {
      const told = await call.next(REQUEST, unreachable);
      return told === WAY_OUT_AWAITED ? told : (told.wayOut?.reason ?? told.wayOut?.proxy);
    };
    return { acts, call, asked };
  }

  it('reads nothing before a program waits', () => {
    const { acts, call } = stage(ready('p:1'));
    const told = { proxy: null, caller: 'sesn_1/main/1', token: hmac('t', 'egress'), variables: {} };
    expect(call.first(REQUEST)).toEqual({ ...REQUEST, wayOut: told });
    expect(acts).toEqual([]);
  });

  it('is told the variables and why there is no network where the deployment is closed, without a read', async () => {
    const { acts, call, asked } = stage(null, false, true);
    expect(await asked()).toMatch(/network\.max/);
    expect(call.first(REQUEST).wayOut).toMatchObject({ variables: {}, reason: expect.stringMatching(/network\.max/) });
    expect(acts).toEqual([]);
  });

  it('tells a sandbox that reaches nothing nothing', () => {
    const sandbox = { generation: 1, token: 't', network: null };
    const world = { wayOut: { proxies: {} as never, hmac, warm: 0, isClosed: false }, sha256 };
    const call = wayOutOf(world, { hand: mainHand(SESSION), sandbox }, { isSecondTime: false });
    expect(call.first(REQUEST)).toEqual(REQUEST);
  });

  it('is told of the proxy that is ready, at the cost of one read', async () => {
    const { acts, asked } = stage(ready('p:1'));
    expect([await asked(), acts]).toEqual(['p:1', ['read']]);
  });

  it.each([
    ['there is none', null],
    ['it could not be started', failed],
  ])('has one provided when %s', async (_what, record) => {
    expect(await stage(record).asked()).toBe(WAY_OUT_AWAITED);
  });

  it('marks a proxy that it cannot reach, and has it looked at', async () => {
    const { acts, asked } = stage(ready('p:1'));
    expect(await asked('p:1')).toBe(WAY_OUT_AWAITED);
    expect(acts).toEqual(['read', 'unreachable']);
  });

  it('after one round tries the same proxy once more, and then tells its programs why not', async () => {
    const { acts, asked } = stage(ready('p:1'), true);
    expect(await asked('p:1')).toBe('p:1');
    expect(await asked('p:1')).toBe('no way to the network could be opened; try again later');
    expect(acts).toEqual(['read', 'read', 'unreachable']);
  });

  it('after one round without a proxy tells its programs why', async () => {
    expect(await stage(failed, true).asked()).toBe('no capacity');
    expect(await stage(null, true).asked()).toBe('no way to the network could be opened; try again later');
  });

  it('asks no proxy for ever that is of no use', async () => {
    const { asked } = stage(ready('p:1'));
    const told = [await asked(), await asked(), await asked(), await asked()];
    expect(told.slice(2)).toEqual(
      Array.from({ length: 2 }, () => 'no way to the network could be opened; try again later'),
    );
  });
});
