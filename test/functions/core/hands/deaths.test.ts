/**
 * A call in a real sandbox, on its way in and on its way out, with a process that dies before each of its effects: contents
 * are put, outputs and memories are stored once, and the model reads every sentence about them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import { hmac } from '#aws/stamp.ts';
import type { ExecuteInput } from '#contract/run.ts';
import type { AskedWayOut } from '#core/hands/way-out.ts';
import { freePort } from '#test/free-port.ts';
import { SANDBOX } from '#test/functions/core/given.ts';
import { callOf } from '#test/sandbox-task/running-sandbox.ts';
import { playProxy } from '#test/sandbox-task/played-proxy.ts';
import { OUTPUTS_DIR, UPLOADS_DIR } from '#contract/hands.ts';
import { NOTES, stageSandbox } from '#test/functions/core/hands/sandbox-stage.fixture.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { sample } from '#test/property-runs.ts';

const hasCurl = spawnSync('curl', ['--version']).status === 0;

const CALLS = {
  read: `cat ${UPLOADS_DIR}/data.csv ${NOTES}/b.md`,
  write:
    `cd ${OUTPUTS_DIR} && printf one > a.txt && ln -s /etc/passwd link; ` +
    `cd ${NOTES} && printf mine > b.md && printf new > c.md && printf '\\303(' > d.md; rm gone.md`,
  last: 'echo done',
} as const;
const NAMES = ['read', 'write', 'last'] as const;

describe('a call whose process dies', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  const STORED = ['a.txt', 'created /c.md', 'deleted /gone.md', 'modified /b.md'];

  async function live(deadly: number) {
    const staged = await stageSandbox(db, CALLS);
    const { run, dieBefore, revive, effects, change, results, waiting, stored, sandbox } = staged;
    try {
      dieBefore(deadly);
      for (const name of NAMES) {
        if (name === 'write') await change('/b.md', 'theirs');
        await run(name).catch(async () => {
          revive();
          await run(name);
        });
      }
      const [first, second = '', third, ...more] = results();
      // A death after the result and before the sandbox knows tells its sentences a second time.
      expect([first, third?.split('\n')[0], more]).toEqual(['sevt_read: datafirst', 'sevt_last: done', []]);
      if (deadly === 0) {
        expect(third).toBe('sevt_last: done');
        expect(await waiting()).toEqual({ changes: [], notes: [] });
      }
      expect(second).toContain('another session changed it meanwhile. Your text is kept as its newest version.');
      expect(second).toContain('it is no text in UTF-8');
      expect(second).toContain(`it is no ordinary file: "${OUTPUTS_DIR}/link".`);
      expect(readFileSync(join(sandbox.mnt, 'memory/notes/b.md.other-version'), 'utf8')).toBe('theirs');
      expect(await stored()).toEqual(STORED);
      return effects();
    } finally {
      await sandbox.close();
    }
  }

  it('has one result that says everything, whatever it died before', async () => {
    const all = await live(0);
    expect(all).toBeGreaterThan(50);
    const points = Array.from({ length: all }, (_, index) => index + 1);
    for (const deadly of sample(6, points)) {
      await live(deadly).catch((cause: unknown) => {
        throw new Error(`killed before effect ${deadly} of ${all}`, { cause });
      });
    }
  });

  it('tells what it did not find, whatever it died before', async () => {
    const look = async (deadly: number) => {
      const { sandbox, run, dieBefore, revive, effects, results } = await stageSandbox(db, { look: 'echo looked' });
      try {
        mkdirSync(join(sandbox.mnt, 'session/uploads/data.csv/in-the-way'), { recursive: true });
        dieBefore(deadly);
        await run('look').catch(async () => {
          revive();
          await run('look');
        });
        const why = `(The user's file "${UPLOADS_DIR}/data.csv" is not in the sandbox: a folder is in its place.)`;
        expect(results()).toEqual([`sevt_look: looked\n${why}`]);
        return effects();
      } finally {
        await sandbox.close();
      }
    };
    const all = await look(0);
    const points = Array.from({ length: all }, (_, index) => index + 1);
    for (const deadly of sample(4, points)) {
      await look(deadly).catch((cause: unknown) => {
        throw new Error(`killed before effect ${deadly} of ${all}`, { cause });
      });
    }
  });

  it('ends its turn when what its programs wrote is stored, whatever the harvest died before', async () => {
    const live = async (deadly: number) => {
      const staged = await stageSandbox(db, { start: 'sleep 600 >/dev/null 2>&1 &' });
      const { run, dieBefore, revive, effects, change, results, stored, waiting, sandbox } = staged;
      const write = (path: string, text: string) => writeFileSync(join(sandbox.mnt, path), text);
      try {
        await run('start');
        write('session/outputs/late.txt', 'late');
        write('memory/notes/c.md', 'late');
        write('memory/notes/b.md', 'mine');
        await change('/b.md', 'theirs');
        await staged.endTurn();
        expect((await staged.state()).status).toBe('running');
        dieBefore(deadly);
        await staged.harvestTurn().catch(async () => {
          revive();
          await staged.harvestTurn();
        });
        const all = effects();
        expect(await staged.state()).toMatchObject({ status: 'idle', programsLive: true });
        expect(await stored()).toEqual(['late.txt', 'created /c.md', 'modified /b.md']);
        expect((await waiting())?.changes.map(({ path }) => path)).toEqual([`${NOTES}/b.md`]);
        // No result could tell of the conflict, so the next one does.
        await staged.nextTurn('echo next');
        expect(results().at(-1)).toContain('another session changed it meanwhile.');
        expect(await stored()).toEqual(['late.txt', 'created /c.md', 'modified /b.md']);
        expect(await waiting()).toMatchObject({ changes: [], notes: [] });
        return all;
      } finally {
        await sandbox.close();
      }
    };
    const all = await live(0);
    const points = Array.from({ length: all }, (_, index) => index + 1);
    for (const deadly of sample(4, points)) {
      await live(deadly).catch((cause: unknown) => {
        throw new Error(`killed before effect ${deadly} of ${all}`, { cause });
      });
    }
  });

  it('that an interrupt closed before its sentences were told leaves them to the next one', async () => {
    const { run, change, results, stored, waiting, interruptAtHarvest, sandbox } = await stageSandbox(db, CALLS);
    try {
      await run('read');
      await change('/b.md', 'theirs');
      interruptAtHarvest();
      await run('write');
      expect(results().join('\n')).not.toContain('another session');
      expect(await stored()).toEqual(STORED);
      const paths = (await waiting())?.changes.map(({ path }) => path.slice(NOTES.length)) ?? [];
      expect(paths).toEqual(expect.arrayContaining(['/b.md', '/c.md', '/d.md', '/gone.md']));
      expect((await waiting())?.notes).toHaveLength(1);
    } finally {
      await sandbox.close();
    }
  });

  it.skipIf(!hasCurl)('has one result while its program waits for a proxy, whatever it died before', async () => {
    const played = await playProxy((request) => `got ${request.trim()}`);
    const place = { workspace: WorkspaceId.parse('wrkspc_1'), reach: { type: 'unrestricted' as const }, variables: [] };
    async function liveWith(deadly: number, provided: boolean) {
      let isReady = false;
      const proxy = { ...SANDBOX, address: played.address };
      const proxies = { find: async () => (isReady ? proxy : null), unreachable: async () => undefined };
      const asked = { proxies: proxies as unknown as AskedWayOut['proxies'], hmac, warm: 0, isClosed: false };
      const wayOut = { port: await freePort(), network: place, asked };
      const staged = await stageSandbox(db, { fetch: 'echo once >> ran; curl -s http://a.com/; cat ran' }, { wayOut });
      const { run, dieBefore, revive, effects, results, sandbox } = staged;
      const mortally = async (input: Pick<ExecuteInput, 'wayOut'>) =>
        run('fetch', 1, input).catch(() => {
          revive();
          return run('fetch', 1, input);
        });
      try {
        dieBefore(deadly);
        let ended = await mortally({});
        if (ended === 'way out not ready') {
          isReady = provided;
          ended = await mortally({ wayOut: {} });
        }
        expect(ended).toBe('ended');
        const got = provided
          ? 'got GET http://a.com/ HTTP/1.1'
          : 'no way to the network could be opened; try again later\n';
        expect(results()).toEqual([expect.stringContaining(`sevt_fetch: ${got}once`)]);
        return effects();
      } finally {
        await sandbox.close();
      }
    }
    try {
      for (const provided of [true, false]) {
        const all = await liveWith(0, provided);
        const points = Array.from({ length: all }, (_, index) => index + 1);
        for (const deadly of sample(3, points)) await liveWith(deadly, provided);
      }
    } finally {
      await played.close();
    }
  });

  it.skipIf(!hasCurl)(
    'is ended in its sandbox when an interrupt closed it while its program waited for a proxy',
    async () => {
      const proxies = { find: async () => null } as unknown as AskedWayOut['proxies'];
      const asked = { proxies, hmac, warm: 0, isClosed: false };
      const network = {
        workspace: WorkspaceId.parse('wrkspc_1'),
        reach: { type: 'unrestricted' as const },
        variables: [],
      };
      const staged = await stageSandbox(
        db,
        { fetch: 'curl -s http://a.com/' },
        { wayOut: { port: await freePort(), network, asked } },
      );
      const { run, interrupt, sandbox } = staged;
      try {
        expect(await run('fetch')).toBe('way out not ready');
        await interrupt('primary');
        expect(await run('fetch', 1, { wayOut: {} })).toBe('ended');
        const input = { command: 'curl -s http://a.com/' };
        const { body } = await sandbox.post(callOf('bash', input, { call: 'sevt_fetch' }));
        expect(body).toMatchObject({ isError: true, output: expect.stringContaining('interrupted') });
      } finally {
        await sandbox.close();
      }
    },
  );
});
