/** The contract of the SandboxRecords port, on DynamoDB. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventId, SessionId } from '#contract/ids.ts';
import { createSandboxRecords } from '#aws/sandbox-records.dynamodb.ts';
import type { SandboxRecords } from '#core/ports.ts';
import { NOW } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const CALL = EventId.parse('sevt_1');
const PLACE = { task: 'task-1', address: '10.0.0.1:8080', at: NOW };

describe('the sandbox records in DynamoDB', () => {
  let dynamodb: TestDynamoDb;
  let records: SandboxRecords;
  let sessions = 0;
  const newSession = () => SessionId.parse(`sesn_${process.pid}x${(sessions += 1)}`);
  beforeAll(async () => {
    dynamodb = await startDynamoDb();
    records = createSandboxRecords(dynamodb.client, dynamodb.recordsTable);
  });
  afterAll(async () => dynamodb.close());

  it('gives one generation to one of many who reserve it, and shows it to the others', async () => {
    const session = newSession();
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((token) => records.reserve(session, 0, token, NOW)));
    expect(new Set(all.map((record) => record.token)).size).toBe(1);
    expect(all.every((record) => record.generation === 1 && record.status === 'starting')).toBe(true);
  });

  it('becomes ready once, and stays what it is when a late writer comes', async () => {
    const session = newSession();
    await records.reserve(session, 0, 'token', NOW);
    const ready = await records.ready(session, 1, PLACE);
    expect(ready).toMatchObject({ status: 'ready', address: PLACE.address });
    expect(await records.ready(session, 1, { ...PLACE, address: 'elsewhere:1' })).toEqual(ready);
  });

  it('follows a lost generation with the next, and ignores news of the old one', async () => {
    const session = newSession();
    await records.reserve(session, 0, 'old', NOW);
    await records.lost(session, 1);
    expect(await records.reserve(session, 1, 'new', NOW)).toMatchObject({
      generation: 2,
      status: 'starting',
      token: 'new',
    });
    await records.lost(session, 1);
    expect(await records.ready(session, 1, PLACE)).toMatchObject({ generation: 2, status: 'starting' });
  });

  it('remembers the first generation that a call was sent to', async () => {
    const session = newSession();
    await records.reserve(session, 0, 'old', NOW);
    expect(await records.send(session, CALL, 1, NOW)).toMatchObject({
      sentTo: 1,
      again: false,
      record: { generation: 1 },
    });
    await records.lost(session, 1);
    await records.reserve(session, 1, 'new', NOW);
    expect(await records.send(session, CALL, 2, NOW)).toMatchObject({
      sentTo: 1,
      again: true,
      record: { generation: 2 },
    });
  });

  it('tells of no sandbox where there is none', async () => {
    const session = newSession();
    expect(await records.find(session)).toBeNull();
    expect(await records.send(session, CALL, 1, NOW)).toMatchObject({ record: null });
  });
});
