import { randomUUID } from 'node:crypto';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCallMarks } from '#aws/mcp/call-marks.dynamodb.ts';
import { EventId, Position } from '#contract/ids.ts';
import type { MarkedSuspension } from '#core/ports/call-marks.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const NOW = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T10:00:05.000Z';

const NOTHING: MarkedSuspension = {
  requests: [],
  state: null,
  causes: [],
  error: { type: 'mcp_authentication_failed_error', server: 'fx', message: 'Open https://pay.example.com/' },
  sincePosition: Position.parse(7),
};

describe('the marks of MCP calls', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  const instance = (newName: () => string = randomUUID) =>
    createCallMarks({ dynamodb: db.client, table: db.vaultTable, now: () => NOW, newName });
  const newCall = () => EventId.parse(`sevt_${randomUUID().replaceAll('-', '')}`);

  it('let one of many concurrent attempts start, and tell the others when it started', async () => {
    const call = newCall();
    const marks = await Promise.all(Array.from({ length: 20 }, () => instance().start(call, NOW)));
    expect(marks.filter(({ status }) => status === 'started')).toHaveLength(1);
    expect(marks.filter(({ status }) => status === 'found started')).toHaveLength(19);
    expect(await instance().start(call, LATER)).toEqual({ status: 'found started', at: NOW });
  });

  it('are found by every instance in their latest state', async () => {
    const call = newCall();
    const marks = instance();
    const found = [await marks.find(call)];
    await marks.start(call, NOW);
    found.push(await instance().find(call));
    await marks.suspend(call, NOTHING);
    found.push(await instance().find(call));
    await marks.done(call);
    found.push(await instance().find(call));
    const suspended = { status: 'suspended', ...NOTHING };
    expect(found).toEqual([null, { status: 'started' }, suspended, { status: 'done' }]);
  });

  it('give the stored suspension to one attempt that resumes', async () => {
    const call = newCall();
    const suspension = { ...NOTHING, requests: ['pay'], state: 'st4te/+= "ü"\u2028', causes: ['input_required'] };
    await instance().start(call, NOW);
    await instance().suspend(call, suspension);
    const marks = await Promise.all(Array.from({ length: 10 }, () => instance().start(call, LATER)));
    expect(marks.filter(({ status }) => status === 'resumed')).toEqual([{ status: 'resumed', ...suspension }]);
    expect(marks).toContainEqual({ status: 'found started', at: LATER });
  });

  it('stay done: no attempt starts the call again', async () => {
    const call = newCall();
    await instance().start(call, NOW);
    await instance().done(call);
    expect(await instance().start(call, LATER)).toEqual({ status: 'done' });
    const suspended = newCall();
    await instance().suspend(suspended, NOTHING);
    await instance().done(suspended);
    expect(await instance().start(suspended, LATER)).toEqual({ status: 'done' });
  });

  it('recognise the own write of an attempt after a lost answer', async () => {
    const call = newCall();
    const same = instance(() => 'attempt-1');
    expect(await same.start(call, NOW)).toEqual({ status: 'started' });
    expect(await same.start(call, NOW)).toEqual({ status: 'started' });
    expect(await instance().start(call, NOW)).toMatchObject({ status: 'found started' });
  });

  it('expire after 30 days, the longest time that a user has to act', async () => {
    const call = newCall();
    await instance().start(call, NOW);
    const Key = { pk: { S: `CALL#${call}` }, sk: { S: 'CALL' } };
    const { Item } = await db.client.send(new GetItemCommand({ TableName: db.vaultTable, Key }));
    const days = (Number(Item?.['expiresAt']?.N) - Date.parse(NOW) / 1000) / 86_400;
    expect(days).toBe(30);
  });
});
