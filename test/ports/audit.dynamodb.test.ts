import { DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditRecord } from '#contract/audit.ts';
import { EventId, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { AuditExport } from '#core/ports/audit.ts';
import { chainOf } from '#core/audit/chain.ts';
import { checkNext, endCheck, startCheck } from '#core/audit/verify.ts';
import { createAudit } from '#aws/audit/audit.dynamodb.ts';
import { createAuditedCalls } from '#aws/audit/audited-calls.dynamodb.ts';
import { createAuditTrail } from '#aws/audit/audit-trail.dynamodb.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { intent, outcome, sha256 } from '#test/functions/core/audit/records.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

const workspace = () => WorkspaceId.parse(`wrkspc_${newToken()}`);
const now = createStamp().now;
const writer = (dynamodb = db.client, clock = now) =>
  createAudit({ dynamodb, table: db.auditTable, now: clock, newToken, pause });
const trail = () => createAuditTrail(db.client, db.auditTable);
const SESSION = SessionId.parse('sesn_1');

async function chainIn(ws: WorkspaceId, about: string): Promise<readonly AuditRecord[]> {
  return (await trail().chain(ws, chainOf(about, sha256), { after: 0, limit: 500 })).records;
}

function isIntact(records: readonly AuditRecord[]): boolean {
  return (
    endCheck(records.reduce((check, one) => checkNext(check, one, sha256), startCheck('x 00', null))).flaw === null
  );
}

const QUERY: Omit<AuditExport, 'workspace'> = {
  from: null,
  to: null,
  session: null,
  user: null,
  kind: null,
  beyond: null,
  limit: 500,
};

/** A client that runs `once` after the first PutItem was answered. */
async function clientThat(once: () => never): Promise<DynamoDBClient> {
  const { hostname, port, protocol } = (await db.client.config.endpoint?.()) ?? expect.fail('no endpoint');
  const client = new DynamoDBClient({
    endpoint: `${protocol}//${hostname}:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  let isFirst = true;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const answer = await next(args);
      if (context['commandName'] !== 'PutItemCommand' || !isFirst) return answer;
      isFirst = false;
      return once();
    },
    { step: 'deserialize', priority: 'high' },
  );
  return client;
}

describe('the audit trail in DynamoDB', () => {
  it('appends to the chain of the record’s subject', async () => {
    const ws = workspace();
    const audit = writer();
    for (const entry of [intent(), outcome(), intent('1', '2')]) await audit.record(ws, SESSION, entry);
    await audit.record(ws, 'sesn_2', intent('2'));
    const records = await chainIn(ws, SESSION);
    expect(records.map(({ position, entry }) => [position, entry.kind])).toEqual([
      [1, 'intent'],
      [2, 'outcome'],
      [3, 'intent'],
    ]);
    expect(records.every(({ workspace }) => workspace === ws)).toBe(true);
    expect(isIntact(records)).toBe(true);
    expect(await chainIn(ws, 'sesn_2')).toHaveLength(1);
  });

  it('keeps the fields of a record’s kind only', async () => {
    const ws = workspace();
    await writer().record(ws, SESSION, Object.assign(intent(), { do: 'call', input: 'said in confidence' }));
    const [record] = await chainIn(ws, SESSION);
    expect(record?.entry).toEqual(intent());
    expect(isIntact(await chainIn(ws, SESSION))).toBe(true);
  });

  it('continues its chains after a restart from the table', async () => {
    const ws = workspace();
    await writer().record(ws, SESSION, intent());
    await writer().record(ws, SESSION, outcome());
    expect(isIntact(await chainIn(ws, SESSION))).toBe(true);
  });

  it('keeps a chain without gaps and forks when many instances write to it', async () => {
    const ws = workspace();
    const instances = Array.from({ length: 12 }, () => writer());
    const calls = instances.flatMap((audit, instance) =>
      Array.from({ length: 5 }, (_, call) => audit.record(ws, SESSION, intent('1', `${instance}x${call}`))),
    );
    await Promise.all(calls);
    const records = await chainIn(ws, SESSION);
    expect(records.map(({ position }) => position)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    expect(isIntact(records)).toBe(true);
    expect(new Set(records.map(({ entry }) => 'call' in entry && entry.call)).size).toBe(60);
  });

  it('writes a record once although the answer to its first write was lost', async () => {
    const ws = workspace();
    const client = await clientThat(() => {
      throw Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' });
    });
    const audit = writer(client);
    await audit.record(ws, SESSION, intent());
    await audit.record(ws, SESSION, outcome());
    expect((await chainIn(ws, SESSION)).map(({ entry }) => entry.kind)).toEqual(['intent', 'outcome']);
    client.destroy();
  });

  it('scenario 42: throws when writing is denied, and records again afterwards', async () => {
    const ws = workspace();
    const client = await clientThat(() => {
      throw Object.assign(new Error('not authorized'), { name: 'AccessDeniedException', $fault: 'client' });
    });
    const audit = writer(client);
    await expect(audit.record(ws, SESSION, intent())).rejects.toMatchObject({ code: 'audit_unavailable' });
    await audit.record(ws, SESSION, outcome());
    expect(isIntact(await chainIn(ws, SESSION))).toBe(true);
    client.destroy();
  });

  it('throws when every write of a record loses its race', async () => {
    const ws = workspace();
    const rival = writer();
    await rival.record(ws, SESSION, intent());
    // Between each read of the head and the write after it, another record is appended.
    const client = await clientThat(() => expect.fail('not reached'));
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const answer = await next(args);
        if (context['commandName'] === 'QueryCommand') await rival.record(ws, SESSION, outcome());
        return answer;
      },
      { step: 'initialize' },
    );
    const audit = createAudit({
      dynamodb: client,
      table: db.auditTable,
      now,
      newToken,
      pause: async () => undefined,
    });
    await expect(audit.record(ws, SESSION, intent())).rejects.toMatchObject({ code: 'audit_unavailable' });
    client.destroy();
  });
});

describe('the last audit record of a call', () => {
  it('is found among those of other calls, and from before the last page', async () => {
    const ws = workspace();
    const audit = writer();
    const calls = createAuditedCalls(db.client, db.auditTable);
    const lastOf = (call: string) => calls.lastOf(ws, SESSION, EventId.parse(`sevt_${call}`));
    await audit.record(ws, SESSION, intent('1', 'a'));
    await audit.record(ws, SESSION, intent('1', 'b'));
    expect(await lastOf('a')).toBe('intent');
    await audit.record(ws, SESSION, outcome('1', 'a'));
    for (let other = 0; other < 120; other += 1) await audit.record(ws, SESSION, intent('1', `c${other}`));
    expect([await lastOf('a'), await lastOf('b'), await lastOf('d')]).toEqual(['outcome', 'intent', null]);
  });
});

describe('the export of the audit trail', () => {
  it('is limited by time, in pages, and keeps each chain’s order', async () => {
    const ws = workspace();
    const audit = writer();
    for (let call = 1; call <= 20; call += 1)
      await audit.record(ws, `sesn_${call % 3}`, intent(`${call % 3}`, `${call}`));
    const records: AuditRecord[] = [];
    let beyond: AuditExport['beyond'] = null;
    let pages = 0;
    do {
      const page: Awaited<ReturnType<ReturnType<typeof trail>['export']>> = await trail().export({
        ...QUERY,
        workspace: ws,
        beyond,
        limit: 7,
      });
      expect(page.records.length).toBeLessThanOrEqual(7);
      records.push(...page.records);
      beyond = page.next;
      pages += 1;
    } while (beyond !== null);
    expect(pages).toBeGreaterThan(2);
    expect(records).toHaveLength(20);
    expect(records.map(({ at }) => at)).toEqual(records.map(({ at }) => at).toSorted());
    for (const chain of new Set(records.map((record) => record.chain))) {
      expect(isIntact(records.filter((record) => record.chain === chain))).toBe(true);
    }
  });

  it('is filtered by time, session, user and kind', async () => {
    const ws = workspace();
    const middle = '2026-11-21T10:00:01.000Z';
    await writer(db.client, () => '2026-11-21T10:00:00.999Z').record(ws, SESSION, intent('1', '1'));
    const audit = writer(db.client, () => middle);
    await audit.record(ws, SESSION, outcome('1', '1'));
    await audit.record(ws, 'sesn_2', { ...intent('2', '2'), user: 'bob' });
    const found = async (filter: Partial<AuditExport>) =>
      (await trail().export({ ...QUERY, workspace: ws, ...filter })).records.map(
        ({ entry }) => `${entry.kind} ${entry.user}`,
      );
    expect(await found({ session: SESSION })).toEqual(['intent alice', 'outcome alice']);
    expect(await found({ user: 'bob' })).toEqual(['intent bob']);
    expect(await found({ kind: 'intent', user: 'alice' })).toEqual(['intent alice']);
    const later = await found({ from: { at: middle, inclusive: true } });
    expect(later.toSorted()).toEqual(['intent bob', 'outcome alice']);
    expect(await found({ to: { at: middle, inclusive: false } })).toEqual(['intent alice']);
    const nothing = { from: { at: middle, inclusive: false }, to: { at: '2020-01-01T00:00:00.000Z', inclusive: true } };
    expect(await found(nothing)).toEqual([]);
    expect(await found({ workspace: workspace() })).toEqual([]);
  });

  it('pages through a whole chain by position', async () => {
    const ws = workspace();
    const audit = writer();
    for (let call = 1; call <= 5; call += 1) await audit.record(ws, SESSION, intent('1', String(call)));
    const chain = chainOf(SESSION, sha256);
    const first = await trail().chain(ws, chain, { after: 0, limit: 3 });
    expect([first.records.length, first.next]).toEqual([3, 3]);
    const second = await trail().chain(ws, chain, { after: 3, limit: 3 });
    expect([second.records.length, second.next]).toEqual([2, null]);
    expect(isIntact([...first.records, ...second.records])).toBe(true);
  });

  it('returns a record that was changed in the table as it is there', async () => {
    const ws = workspace();
    await writer().record(ws, SESSION, intent());
    const pk = { S: `${ws}#${chainOf(SESSION, sha256)}` };
    const found = await db.client.send(
      new QueryCommand({
        TableName: db.auditTable,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
      }),
    );
    const [item = {}] = found.Items ?? [];
    const body = { S: (item['body']?.S ?? '').replace('alice', 'mallory').replace('{', '{"added":1,') };
    await db.client.send(new PutItemCommand({ TableName: db.auditTable, Item: { ...item, body } }));
    const [record] = await chainIn(ws, SESSION);
    expect(record).toMatchObject({ added: 1, entry: { user: 'mallory' } });
    expect(isIntact(await chainIn(ws, SESSION))).toBe(false);
  });
});
