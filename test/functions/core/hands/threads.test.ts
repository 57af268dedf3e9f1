/** Threads of one session at work in its one sandbox: a real server, and one process for each call. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UPLOADS_DIR } from '#contract/hands.ts';
import { mainHand } from '#contract/ids.ts';
import { provision, type ProvisionWorld } from '#core/hands/provision.ts';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createStamp, newToken, pause, sha256 } from '#aws/stamp.ts';
import { NO_WAY_OUT } from '#test/functions/core/given.ts';
import { type Sandbox, startSandbox, TOKEN } from '#test/sandbox-task/running-sandbox.ts';
import { stageSandbox } from './sandbox-stage.fixture.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

let db: TestDynamoDb;
beforeAll(async () => void (db = await startDynamoDb()));
afterAll(() => db.close());

type Stage = Pick<Awaited<ReturnType<typeof stageSandbox>>, 'sandbox'>;

async function on(stage: Stage, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await stage.sandbox.close();
  }
}

const READ = 'cut -d " " -f 1 .brainstem/outputs/sevt_long*.txt | paste -s -d " "';

describe('threads in one sandbox', () => {
  it('have shells of their own', async () => {
    const commands = { cd: 'mkdir d; cd d; A=1', pwd: 'echo "${PWD##*/} ${A-unset}"', own: 'echo "${PWD##*/} $A"' };
    const stage = await stageSandbox(db, commands, { beside: { child: ['pwd'] } });
    await on(stage, async () => {
      for (const name of ['cd', 'pwd', 'own'] as const) await stage.run(name);
      expect(stage.results('child')).toEqual([expect.stringMatching(/^sevt_pwd: workspace-\w+ unset$/)]);
      expect(stage.results()).toContain('sevt_own: d 1');
    });
  });

  it('find their own long results, and none takes another’s away', async () => {
    const commands = { p1: READ, p2: READ, a1: READ, a2: READ, b1: READ };
    const beside = { a: ['a1', 'a2'], b: ['b1'] };
    const stage = await stageSandbox(db, commands, { beside, long: { primary: ['long1'], a: ['long2', 'long3'] } });
    await on(stage, async () => {
      for (const name of ['p1', 'a1', 'b1', 'p2', 'a2'] as const) await stage.run(name);
      expect(stage.results()).toEqual(['sevt_p1: long1', 'sevt_p2: long1 long2 long3']);
      expect(stage.results('a')).toEqual(['a1', 'a2'].map((name) => `sevt_${name}: long1 long2 long3`));
      expect(stage.results('b')).toEqual(['sevt_b1: long1 long2 long3']);
      expect(stage.brought.filter((path) => path.includes('long')).map((path) => path.slice(-9, -4))).toEqual([
        'long1',
        'long2',
        'long3',
      ]);
    });
  });

  it('find what the session was given after their own beginning', async () => {
    const list = `ls ${UPLOADS_DIR}`;
    const stage = await stageSandbox(db, { p1: list, a1: list, a2: list }, { beside: { a: ['a1', 'a2'] } });
    await on(stage, async () => {
      await stage.run('p1');
      await stage.run('a1');
      await stage.mount(`${UPLOADS_DIR}/later.csv`);
      await stage.run('a2');
      expect(stage.results('a')).toEqual(['sevt_a1: data.csv', 'sevt_a2: data.csv\nlater.csv']);
    });
  });

  it('bring what a new sandbox lacks once, however many of them begin at once', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `c${index}`);
    const commands = Object.fromEntries(names.map((name) => [name, `cat ${UPLOADS_DIR}/data.csv; ${READ}`]));
    const beside = Object.fromEntries(names.map((name) => [`t${name}`, [name]]));
    const long = Object.fromEntries(names.map((name) => [`t${name}`, [`long${name}`]]));
    const stage = await stageSandbox<string>(db, commands, { beside, long });
    await on(stage, async () => {
      await Promise.all(names.map((name) => stage.run(name)));
      for (const name of names) {
        const [result] = stage.results(`t${name}`);
        expect(result).toContain(`sevt_${name}: data`);
        expect(result).toContain(`long${name}`);
        expect(result).not.toContain('(');
      }
      expect(stage.brought.toSorted()).toEqual([...new Set(stage.brought)].toSorted());
      expect(await readdir(join(stage.sandbox.workdir, '.brainstem/outputs'))).toHaveLength(names.length);
    });
  });

  it('an interrupt of one ends its command only', async () => {
    const wait = (name: string) => `mkfifo ${name}; echo > began-${name}; read line < ${name}; echo "$line"`;
    const commands = { a1: wait('a'), b1: wait('b') };
    const stage = await stageSandbox(db, commands, { beside: { a: ['a1'], b: ['b1'] }, clock: 'real' });
    await on(stage, async () => {
      const running = [stage.run('a1'), stage.run('b1')];
      const began = async () => (await readdir(stage.sandbox.workdir)).filter((name) => name.startsWith('began'));
      await expect.poll(began).toHaveLength(2);
      await stage.interrupt('a');
      expect(await running[0]).toBe('ended');
      await stage.sandbox.run('bash', { command: 'echo went on > b' });
      expect(await running[1]).toBe('ended');
      expect(stage.results('a').join()).not.toContain('went on');
      expect(stage.results('b')).toEqual(['sevt_b1: went on']);
    });
  });

  it('that end at once have each of their files stored, and none twice', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `c${index}`);
    const commands = Object.fromEntries(
      names.map((name) => [
        name,
        `cd /mnt/session/outputs; echo ${name} > ${name}; echo ${name} > shared; echo x > same`,
      ]),
    );
    const beside = Object.fromEntries(names.map((name) => [`t${name}`, [name]]));
    const stage = await stageSandbox<string>(db, commands, { beside, takerSilenceMs: 15_000 });
    await on(stage, async () => {
      const before = stage.blobs.size;
      expect(await Promise.all(names.map((name) => stage.run(name)))).toEqual(names.map(() => 'ended'));
      const stored = (await stage.stored()).filter((name) => !name.includes(' '));
      expect(stored.filter((name) => name !== 'shared').toSorted()).toEqual([...names, 'same'].toSorted());
      expect(stage.blobs.size - before).toBe(stored.length);
      expect(await stage.waiting()).toMatchObject({ changes: [] });
      for (const name of names) expect(stage.results(`t${name}`)).toHaveLength(1);
    });
  });

  it('are each told of a lost sandbox, which is replaced once', async () => {
    const records = createSandboxRecords(db.client, db.recordsTable);
    const next = await startSandbox();
    const addressOf = ({ address }: Sandbox) =>
      'port' in address ? `127.0.0.1:${address.port}` : expect.fail('no port');
    const started: number[] = [];
    const commands = {
      ...{ p1: 'echo > began-p; sleep 60', a1: 'echo > began-a; sleep 60', b1: 'echo > began-b; sleep 60' },
      ...{ p2: 'echo p2', a2: 'echo a2', b2: 'echo b2', a3: 'echo a3', idle: 'echo idle', late: 'echo late' },
    };
    const beside = { a: ['a1', 'a2', 'a3'], b: ['b1', 'b2'], c: ['idle'], d: ['late'] };
    const stage = await stageSandbox(db, commands, {
      ...{ beside, clock: 'real', began: { d: '2100-01-01T00:00:00.000Z' } },
      async sandboxes(address, session) {
        const at = createStamp().now();
        const start = { attempt: 1, since: at, notBefore: at, watcher: 'w', watchedUntil: at };
        await records.reserve(mainHand(session), 0, { ...start, token: TOKEN, archive: null, at });
        await records.ready(mainHand(session), 1, { task: 'task 1', address, at });
        return records;
      },
    });
    const { session } = stage;
    const world: ProvisionWorld = {
      ...{ ...({} as ProvisionWorld), sandboxes: records, stamp: createStamp(), pause, newToken, sha256 },
      tasks: {
        async run(_hand, generation) {
          started.push(generation);
          return { status: 'started', task: `task ${generation}` };
        },
        status: async () => ({ status: 'running', address: addressOf(next) }),
        stop: async () => undefined,
      },
      wayOut: NO_WAY_OUT,
    };
    try {
      const running = (['p1', 'a1', 'b1'] as const).map((name) => stage.run(name));
      const began = async () => (await readdir(stage.sandbox.workdir)).filter((name) => name.startsWith('began'));
      await expect.poll(began).toHaveLength(3);
      await stage.sandbox.close();
      expect(await Promise.all(running)).toEqual(['sandbox lost', 'sandbox lost', 'sandbox lost']);
      for (const thread of ['primary', 'a', 'b']) {
        expect(stage.results(thread)).toEqual([
          expect.stringContaining('The sandbox stopped before this call had a result'),
        ]);
      }
      const provisioned = await Promise.all(
        ['primary', 'a', 'b'].map((thread) => {
          // The first one names the process, and the next is the token of the sandbox that is there.
          const tokens = [newToken()];
          return provision(
            { ...world, newToken: () => tokens.pop() ?? TOKEN },
            { ...stage.threadOf(thread), call: {} },
          );
        }),
      );
      expect([provisioned, started]).toEqual([[2, 2, 2].map((generation) => ({ generation })), [2]]);
      for (const name of ['p2', 'a2', 'b2', 'a3', 'idle', 'late'] as const)
        expect(await stage.run(name, 2)).toBe('ended');
      const isTold = (thread: string) => stage.results(thread).map((text) => text.includes('(This is a new sandbox.'));
      expect(['primary', 'a', 'b'].map(isTold)).toEqual([
        [false, true],
        [false, true, false],
        [false, true],
      ]);
      // One had no call in the lost sandbox, and one began in the new one.
      expect(['c', 'd'].map(isTold)).toEqual([[true], [false]]);
      expect(await records.find(mainHand(session))).toMatchObject({ generation: 2, status: 'ready' });
    } finally {
      await next.close();
    }
  });
});
