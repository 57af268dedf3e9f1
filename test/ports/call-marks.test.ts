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

  const instance = () => createCallMarks({ dynamodb: db.client, table: db.vaultTable, now: () => NOW });
  const newName = () => EventId.parse(`sevt_${randomUUID().replaceAll('-', '')}`);
  const newCall = newName;

  it('let one of many concurrent attempts start, and tell the others when it started', async () => {
    const call = newCall();
    const marks = await Promise.all(Array.from({ length: 20 }, () => instance().start(call, newName(), NOW)));
    expect(marks.filter(({ status }) => status === 'started')).toHaveLength(1);
    expect(marks.filter(({ status }) => status === 'found started')).toHaveLength(19);
    expect(await instance().start(call, newName(), LATER)).toEqual({ status: 'found started', at: NOW });
  });

  it('are found by every instance in their latest state', async () => {
    const call = newCall();
    const marks = instance();
    const found = [await marks.find(call)];
    const attempt = newName();
    await marks.start(call, attempt, NOW);
    found.push(await instance().find(call));
    await marks.suspend(call, attempt, NOTHING);
    found.push(await instance().find(call));
    await marks.done(call);
    found.push(await instance().find(call));
    const suspended = { status: 'suspended', ...NOTHING };
    expect(found).toEqual([null, { status: 'started' }, suspended, { status: 'done' }]);
  });

  it('give the stored suspension to one attempt that resumes', async () => {
    const call = newCall();
    const suspension = { ...NOTHING, requests: ['pay'], state: 'st4te/+= "ü"\u2028', causes: ['input_required'] };
    const attempt = newName();
    await instance().start(call, attempt, NOW);
    await instance().suspend(call, attempt, suspension);
    const marks = await Promise.all(Array.from({ length: 10 }, () => instance().start(call, newName(), LATER)));
    expect(marks.filter(({ status }) => status === 'resumed')).toEqual([{ status: 'resumed', ...suspension }]);
    expect(marks).toContainEqual({ status: 'found started', at: LATER });
  });

  it('are suspended by an attempt that has sent nothing, once since the call was given to its hand', async () => {
    const call = newCall();
    const [first, other] = [newName(), newName()];
    const later = { ...NOTHING, sincePosition: Position.parse(9), state: 'later' };
    expect(await instance().suspend(call, first, NOTHING)).toBe(true);
    // Its answer was lost.
    expect(await instance().suspend(call, first, NOTHING)).toBe(true);
    expect(await instance().suspend(call, other, { ...NOTHING, state: 'other' })).toBe(false);
    expect(await instance().find(call)).toEqual({ status: 'suspended', ...NOTHING });
    expect(await instance().suspend(call, other, later)).toBe(true);
    expect(await instance().start(call, newName(), NOW)).toEqual({ status: 'resumed', ...later });
  });

  it('are not suspended by an attempt while another one is under way, has ended or has done the call', async () => {
    const call = newCall();
    const [attempt, other] = [newName(), newName()];
    await instance().start(call, attempt, NOW);
    expect(await instance().suspend(call, other, NOTHING)).toBe(false);
    expect(await instance().find(call)).toEqual({ status: 'started' });
    await instance().end(call, attempt);
    expect(await instance().suspend(call, other, NOTHING)).toBe(false);
    await instance().done(call);
    expect(await instance().suspend(call, other, NOTHING)).toBe(false);
    expect(await instance().find(call)).toEqual({ status: 'done' });
  });

  it('stay done: no attempt starts the call again', async () => {
    const call = newCall();
    await instance().start(call, newName(), NOW);
    await instance().done(call);
    expect(await instance().start(call, newName(), LATER)).toEqual({ status: 'done' });
    const suspended = newCall();
    await instance().suspend(suspended, newName(), NOTHING);
    await instance().done(suspended);
    expect(await instance().start(suspended, newName(), LATER)).toEqual({ status: 'done' });
  });

  it('recognise the own write of an attempt after a lost answer', async () => {
    const call = newCall();
    const attempt = newName();
    expect(await instance().start(call, attempt, NOW)).toEqual({ status: 'started' });
    expect(await instance().start(call, attempt, NOW)).toEqual({ status: 'started' });
    expect(await instance().start(call, newName(), NOW)).toMatchObject({ status: 'found started' });
  });

  it('say that the attempt which started the call has ended, and no attempt starts it again', async () => {
    const call = newCall();
    const attempt = newName();
    await instance().start(call, attempt, NOW);
    await instance().end(call, newName());
    expect(await instance().find(call)).toEqual({ status: 'started' });
    await instance().end(call, attempt);
    expect(await instance().find(call)).toEqual({ status: 'ended' });
    expect(await instance().start(call, newName(), LATER)).toEqual({ status: 'found ended' });
    await instance().done(call);
    expect(await instance().find(call)).toEqual({ status: 'done' });
  });

  it('are not ended by an attempt that has suspended the call, has done it, or never started it', async () => {
    const attempt = newName();
    const [suspended, done, unknown] = [newCall(), newCall(), newCall()];
    await instance().start(suspended, attempt, NOW);
    await instance().suspend(suspended, attempt, NOTHING);
    await instance().start(done, attempt, NOW);
    await instance().done(done);
    for (const call of [suspended, done, unknown]) await instance().end(call, attempt);
    expect(await instance().find(suspended)).toMatchObject({ status: 'suspended' });
    expect(await instance().find(done)).toEqual({ status: 'done' });
    expect(await instance().find(unknown)).toBeNull();
    // Another attempt goes on from the suspension: it alone ends now.
    await instance().start(suspended, newName(), LATER);
    await instance().end(suspended, attempt);
    expect(await instance().find(suspended)).toEqual({ status: 'started' });
  });

  it('expire after 30 days, the longest time that a user has to act', async () => {
    const call = newCall();
    await instance().start(call, newName(), NOW);
    const Key = { pk: { S: `CALL#${call}` }, sk: { S: 'CALL' } };
    const { Item } = await db.client.send(new GetItemCommand({ TableName: db.vaultTable, Key }));
    const days = (Number(Item?.['expiresAt']?.N) - Date.parse(NOW) / 1000) / 86_400;
    expect(days).toBe(30);
  });
});
