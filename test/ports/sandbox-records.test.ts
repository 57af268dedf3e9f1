/** The contract of the SandboxRecords port, on DynamoDB. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventId, SessionId, ThreadId, mainHand } from '#contract/ids.ts';
import { createSandboxRecords, plannedSandbox } from '#aws/hands/sandbox-records.dynamodb.ts';
import type { SandboxRecords } from '#core/ports/sandboxes.ts';
import { NOW } from '#test/functions/core/given.ts';
import { later } from '#core/ports/stamp.ts';
import { createTable } from '#aws/table.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const CALL = EventId.parse('sevt_1');
const WATCH = { watcher: 'one', watchedUntil: NOW };
const start = (token: string, archive: string | null = null) => ({
  ...{ token, archive, at: NOW, attempt: 1, since: NOW, notBefore: NOW },
  ...WATCH,
});
const PLACE = { task: 'task-1', address: '10.0.0.1:8080', at: NOW };

describe('the sandbox records in DynamoDB', () => {
  let dynamodb: TestDynamoDb;
  let records: SandboxRecords;
  let sessions = 0;
  async function newSession(): Promise<SessionId> {
    const session = SessionId.parse(`sesn_${process.pid}x${(sessions += 1)}`);
    await createTable(dynamodb.client, dynamodb.recordsTable).put({ pk: session, sk: 'session' });
    return session;
  }
  beforeAll(async () => {
    dynamodb = await startDynamoDb();
    records = createSandboxRecords(dynamodb.client, dynamodb.recordsTable);
  });
  afterAll(async () => dynamodb.close());

  it('give one generation to one of many callers, and return it to the others', async () => {
    const session = await newSession();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((token) => records.reserve(mainHand(session), 0, start(token))),
    );
    expect(new Set(all.map((record) => record !== null && 'token' in record && record.token)).size).toBe(1);
    expect(all.every((record) => record?.generation === 1 && record.status === 'starting')).toBe(true);
  });

  it('become ready once, and a late writer changes nothing', async () => {
    const session = await newSession();
    await records.reserve(mainHand(session), 0, start('token'));
    const ready = await records.ready(mainHand(session), 1, PLACE);
    expect(ready).toMatchObject({ status: 'ready', address: PLACE.address });
    expect(await records.ready(mainHand(session), 1, { ...PLACE, address: 'elsewhere:1' })).toEqual(ready);
  });

  it('count a new generation after a loss, and ignore reports about the old one', async () => {
    const session = await newSession();
    await records.reserve(mainHand(session), 0, start('old'));
    await records.lost(mainHand(session), 1);
    expect(await records.reserve(mainHand(session), 1, start('new'))).toMatchObject({
      generation: 2,
      status: 'starting',
      token: 'new',
    });
    await records.lost(mainHand(session), 1);
    expect(await records.ready(mainHand(session), 1, PLACE)).toMatchObject({ generation: 2, status: 'starting' });
  });

  it('remember the first generation that a call was sent to', async () => {
    const session = await newSession();
    await records.reserve(mainHand(session), 0, start('old'));
    expect(await records.send(mainHand(session), CALL, 1, NOW)).toMatchObject({
      sentTo: 1,
      again: false,
      record: { generation: 1 },
    });
    await records.lost(mainHand(session), 1);
    await records.reserve(mainHand(session), 1, start('new'));
    expect(await records.send(mainHand(session), CALL, 2, NOW)).toMatchObject({
      sentTo: 1,
      again: true,
      record: { generation: 2 },
    });
  });

  it('begin with the packages of the session, and keep them in every generation', async () => {
    const session = await newSession();
    const packages = { apt: [], cargo: [], gem: [], go: [], npm: ['left-pad'], pip: [] };
    await createTable(dynamodb.client, dynamodb.recordsTable).put(plannedSandbox(session, packages));
    expect(await records.find(mainHand(session))).toEqual({ status: 'planned', generation: 0, packages });
    const all = await Promise.all(
      ['a', 'b'].map((token) => records.reserve(mainHand(session), 0, start(token, 'f00'))),
    );
    for (const record of all) expect(record).toMatchObject({ generation: 1, packages, archive: 'f00' });
    await records.lost(mainHand(session), 1);
    expect(await records.reserve(mainHand(session), 1, start('c', null))).toMatchObject({ packages, archive: null });
  });

  it('fail once and only while the sandbox starts, and drop the reason in the next generation', async () => {
    const session = await newSession();
    const why = { reason: 'npm failed', retryAt: NOW };
    await records.reserve(mainHand(session), 0, start('token'));
    expect(await records.failed(mainHand(session), 1, why)).toMatchObject({
      status: 'failed',
      reason: why.reason,
      retryAt: NOW,
    });
    expect(await records.ready(mainHand(session), 1, PLACE)).toMatchObject({ status: 'failed' });
    const next = await records.reserve(mainHand(session), 1, start('token'));
    expect(next).toMatchObject({ status: 'starting', generation: 2 });
    expect(next).not.toHaveProperty('reason');
    await records.ready(mainHand(session), 2, PLACE);
    expect(await records.failed(mainHand(session), 2, why)).toMatchObject({ status: 'ready' });
  });

  it('give a start to one watcher at a time, and to another one when its time is over', async () => {
    const session = await newSession();
    await records.reserve(mainHand(session), 0, start('token'));
    const soon = later(NOW, 1000);
    const watch = (watcher: string, at: string) =>
      records.watch(mainHand(session), 1, { watcher, at, until: later(at, 1000) });
    expect(await watch('one', NOW)).toMatchObject({ watcher: 'one', watchedUntil: soon });
    expect(await watch('two', soon)).toMatchObject({ watcher: 'one' });
    const [a, b] = await Promise.all(['two', 'three'].map((watcher) => watch(watcher, later(soon, 1))));
    expect(a).toEqual(b);
    await records.ready(mainHand(session), 1, PLACE);
    expect(await watch('four', later(soon, 9000))).toMatchObject({ status: 'ready' });
  });

  it('know the task of a sandbox that is lost, until the next one is reserved', async () => {
    const session = await newSession();
    await records.reserve(mainHand(session), 0, start('token'));
    await records.ready(mainHand(session), 1, PLACE);
    await records.lost(mainHand(session), 1);
    expect(await records.find(mainHand(session))).toMatchObject({ status: 'lost', task: PLACE.task });
    await records.reserve(mainHand(session), 1, start('token'));
    await records.lost(mainHand(session), 2);
    expect(await records.find(mainHand(session))).toMatchObject({ status: 'lost', task: null });
  });

  it('know which threads were told of the last loss, through further attempts', async () => {
    const session = await newSession();
    const one = ThreadId.parse('sthr_one');
    const other = ThreadId.parse('sthr_other');
    await records.reserve(mainHand(session), 0, start('token'));
    expect(await records.ready(mainHand(session), 1, PLACE)).not.toHaveProperty('replaces');
    await records.lost(mainHand(session), 1);
    await records.reserve(mainHand(session), 1, start('token'));
    await records.reserve(mainHand(session), 2, start('token'));
    const told = async () => {
      const found = await records.find(mainHand(session));
      return found !== null && 'told' in found ? [...(found.told ?? [])].toSorted() : [];
    };
    expect(await records.ready(mainHand(session), 3, PLACE)).toMatchObject({ replaces: true });
    await records.told(mainHand(session), one, 2);
    expect(await told()).toEqual([]);
    await Promise.all([
      records.told(mainHand(session), one, 3),
      records.told(mainHand(session), other, 3),
      records.told(mainHand(session), one, 3),
    ]);
    expect(await told()).toEqual([one, other]);
    await records.lost(mainHand(session), 3);
    expect(await told()).toEqual([]);
    await records.reserve(mainHand(session), 3, start('token'));
    expect(await records.ready(mainHand(session), 4, PLACE)).toMatchObject({ replaces: true });
  });

  it('reserve nothing for a session that was deleted, whether or not its record is left', async () => {
    const session = await newSession();
    const table = createTable(dynamodb.client, dynamodb.recordsTable);
    await records.reserve(mainHand(session), 0, start('token'));
    await table.remove({ pk: session, sk: 'session' });
    expect(await records.reserve(mainHand(session), 1, start('token'))).toBeNull();
    await table.remove({ pk: session, sk: 'sandbox' });
    expect(await records.reserve(mainHand(session), 0, start('token'))).toBeNull();
    expect(await records.find(mainHand(session))).toBeNull();
  });

  it('are kept apart for each hand of a session, and list those of one session only', async () => {
    const [session, another] = [await newSession(), await newSession()];
    const side = { session, hand: 'sthr_side' };
    await records.reserve(mainHand(session), 0, start('main'));
    await records.reserve(mainHand(another), 0, start('another'));
    expect(await records.find(side)).toBeNull();
    expect(await records.reserve(side, 0, start('side'))).toMatchObject({ generation: 1, token: 'side' });
    await records.lost(side, 1);
    expect(await records.find(mainHand(session))).toMatchObject({ status: 'starting', token: 'main' });
    const all = await records.ofSession(session);
    expect(all.map(({ hand, record }) => [hand, record.status])).toEqual([
      [mainHand(session), 'starting'],
      [side, 'lost'],
    ]);
  });

  it('are empty for a session without a sandbox', async () => {
    const session = await newSession();
    expect(await records.find(mainHand(session))).toBeNull();
    expect(await records.send(mainHand(session), CALL, 1, NOW)).toMatchObject({ record: null });
  });
});
