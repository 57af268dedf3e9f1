import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectId, EventId, SessionId, ThreadId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { WaitingCall } from '#core/ports/connect-links.ts';
import type { ConnectAttempt, ConnectFacts, ConnectRecords } from '#core/ports/connect-records.ts';
import { createConnectRecords } from '#aws/connect/connect-records.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { startDynamoDb, type TestDynamoDb } from './dynamodb.ts';

const AT = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-22T10:00:00.000Z';
const SESSION = SessionId.parse('sesn_1');

describe('the records of consents', () => {
  let db: TestDynamoDb;
  let connects: ConnectRecords;
  beforeAll(async () => {
    db = await startDynamoDb();
    connects = createConnectRecords(db.client, db.vaultTable);
  });
  afterAll(() => db.close());

  const factsOf = (changes: Partial<ConnectFacts> = {}): ConnectFacts => ({
    ...{ id: ConnectId.parse(`conn_${newToken()}`), workspace: WorkspaceId.parse('wrkspc_1'), user: 'alice' },
    ...{ vault: VaultId.parse('vlt_1'), server: { url: `https://${newToken()}`, name: null, resourceMetadata: null } },
    ...{ agent: null, scopes: [], returnUrl: null, createdAt: AT, expiresAt: LATER, ...changes },
  });
  const call = (name: string, session = SESSION): WaitingCall => {
    return { session, thread: ThreadId.parse('sthr_1'), call: EventId.parse(`sevt_${name}`), since: 7 };
  };
  const attemptOf = (nonce: string): ConnectAttempt => ({
    ...{ nonce, until: LATER, issuer: 'https://as', namesItself: true, tokenEndpoint: 'https://as/token' },
    ...{ resource: 'https://x', scopes: [], client: { id: 'c', auth: 'none', secret: null } },
  });

  async function created(changes: Partial<ConnectFacts> = {}) {
    const facts = factsOf(changes);
    await connects.create(facts);
    return facts;
  }

  it('begin pending and keep what was offered', async () => {
    const facts = await created({ scopes: ['a', 'b'], returnUrl: 'https://app' });
    expect(await connects.find(facts.id)).toEqual({
      ...facts,
      ...{ status: 'pending', endedAt: null, error: null, attempt: null, storing: null, waiting: [], isSettled: true },
      isForCall: false,
    });
    expect(await connects.find(ConnectId.parse('conn_unknown'))).toBeNull();
  });

  it('end an attempt for one taker alone, and an older attempt with the next', async () => {
    const { id } = await created();
    await connects.begin(id, attemptOf('one'));
    await connects.begin(id, attemptOf('two'));
    expect(await connects.take(id, 'one')).toBe('conflict');
    const taken = await Promise.all([1, 2, 3].map(() => connects.take(id, 'two')));
    expect(taken.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    expect(await connects.find(id)).toMatchObject({ attempt: null });
  });

  it('have their client registered anew once, while they are pending', async () => {
    const { id } = await created();
    const all = await Promise.all([1, 2, 3].map(() => connects.registerAnew(id)));
    expect(all.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    const { id: over } = await created();
    await connects.fail(over, 'cancelled', AT);
    expect(await connects.registerAnew(over)).toBe('conflict');
  });

  it('end once, as completed or as failed, and nothing begins afterwards', async () => {
    const { id } = await created();
    await connects.begin(id, attemptOf('one'));
    expect(await connects.complete(id, AT)).toBe('saved');
    expect(await connects.complete(id, LATER)).toBe('saved');
    expect(await connects.find(id)).toMatchObject({ status: 'completed', endedAt: AT, attempt: null });
    expect(await connects.fail(id, 'cancelled', LATER)).toBe('conflict');
    expect(await connects.begin(id, attemptOf('two'))).toBe('conflict');
    const { id: other } = await created();
    expect(await connects.fail(other, 'cancelled', AT)).toBe('saved');
    expect(await connects.complete(other, LATER)).toBe('conflict');
    expect(await connects.trouble(other, 'vault_full')).toBe('conflict');
  });

  it('give calls that come at once one link, and tell the losers which', async () => {
    const offers = Array.from({ length: 5 }, () =>
      factsOf({ server: { url: 'https://x', name: null, resourceMetadata: null } }),
    );
    const saved = await Promise.all(offers.map((facts, at) => connects.createWaiting(facts, call(`c${at}`), null)));
    expect(saved.filter((one) => one === 'saved')).toHaveLength(1);
    const winner = offers[saved.indexOf('saved')];
    const joined = await connects.join(
      factsOf({ server: { url: 'https://x', name: null, resourceMetadata: null } }),
      call('j'),
      AT,
    );
    expect(joined).toMatchObject({ status: 'joined', record: { id: winner?.id } });
    expect((await connects.ofSession(factsOf().workspace, SESSION)).map(({ id }) => id)).toContain(winner?.id);
    expect(await connects.ofSession(WorkspaceId.parse('wrkspc_2'), SESSION)).toEqual([]);
  });

  it('give a list of tools the link of a call, until it waits no more', async () => {
    const session = SessionId.parse('sesn_list');
    const [facts, list] = [factsOf(), { ...call('list', session), call: null, since: null }];
    await connects.createWaiting(facts, call('first', session), null);
    await connects.join(facts, list, AT);
    await connects.join(facts, list, AT);
    const waiting = async () => (await connects.find(facts.id))?.waiting;
    expect(await waiting()).toEqual(expect.arrayContaining([call('first', session), list]));
    expect(await waiting()).toHaveLength(2);
    await connects.resumed(facts.id, list);
    expect(await waiting()).toEqual([call('first', session)]);
  });

  it('tell one wait of a call from the next, and know those that were written down without', async () => {
    const [facts, first] = [factsOf(), call('again', SessionId.parse('sesn_again'))];
    const next = { ...first, since: 19 };
    await connects.createWaiting(facts, first, null);
    await connects.join(facts, next, AT);
    await connects.join(facts, { ...first, since: null }, AT);
    await connects.resumed(facts.id, first);
    const waiting = (await connects.find(facts.id))?.waiting;
    expect(waiting?.toSorted((one, other) => (one.since ?? 0) - (other.since ?? 0))).toEqual([
      { ...first, since: null },
      next,
    ]);
  });

  it('remember that a call waited, whoever made the link and when the call has been told', async () => {
    const session = SessionId.parse('sesn_called');
    const [facts, waits, list] = [factsOf(), call('waits', session), { ...call('list', session), call: null }];
    const isForCall = async () => (await connects.find(facts.id))?.isForCall;
    await connects.createWaiting(facts, list, null);
    await connects.join(facts, list, AT);
    expect(await isForCall()).toBe(false);
    await connects.join(facts, waits, AT);
    await connects.resumed(facts.id, waits);
    expect(await isForCall()).toBe(true);
    const other = factsOf({ server: { url: 'https://other', name: null, resourceMetadata: null } });
    await connects.createWaiting(other, waits, null);
    expect(await connects.find(other.id)).toMatchObject({ isForCall: true });
  });

  it('let nobody join a link that is over, about to end, of another workspace, or asks for less', async () => {
    const session = SessionId.parse('sesn_join');
    const facts = factsOf({ scopes: ['a'] });
    const { server } = facts;
    await connects.createWaiting(facts, call('first', session), null);
    const join = (changes: Partial<ConnectFacts>, until = AT) =>
      connects.join(factsOf({ server, ...changes }), call('second', session), until);
    const none = { status: 'none', latest: facts.id };
    expect(await join({ scopes: ['a', 'b'] })).toEqual(none);
    expect(await join({ scopes: ['a'] }, LATER)).toEqual(none);
    expect(await join({ workspace: WorkspaceId.parse('wrkspc_2') })).toEqual({ status: 'none', latest: null });
    expect(await join({ scopes: ['a'] })).toMatchObject({ status: 'joined' });
    await connects.fail(facts.id, 'cancelled', AT);
    expect(await join({ scopes: ['a'] })).toEqual(none);
    expect(await connects.createWaiting(factsOf({ server }), call('third', session), facts.id)).toBe('saved');
  });

  it('are unsettled from when a credential is about to be stored until no call waits', async () => {
    const facts = factsOf();
    await connects.createWaiting(facts, call('waits', SessionId.parse('sesn_unsettled')), null);
    const { id } = facts;
    const unsettled = async () => {
      const ids: string[] = [];
      for await (const one of connects.unsettled('2026-11-21T10:00:01.000Z')) ids.push(one);
      return ids.includes(id);
    };
    expect(await unsettled()).toBe(false);
    await connects.storing(id, { credential: 'vcrd_1' as never, version: 1, since: AT });
    expect(await unsettled()).toBe(true);
    await connects.settled(id);
    expect(await unsettled()).toBe(true);
    await connects.complete(id, AT);
    await connects.settled(id);
    expect(await unsettled()).toBe(true);
    await connects.resumed(id, call('waits', SessionId.parse('sesn_unsettled')));
    await connects.resumed(id, call('waits', SessionId.parse('sesn_unsettled')));
    await connects.settled(id);
    expect(await unsettled()).toBe(false);
    expect(await connects.find(id)).toMatchObject({ waiting: [], storing: null });
  });

  it('are unsettled from when they fail, also when nobody has told the calls that wait', async () => {
    const session = SessionId.parse('sesn_failed');
    const facts = factsOf();
    await connects.createWaiting(facts, call('waits', session), null);
    const { id } = facts;
    const look = async () => {
      const ids: string[] = [];
      for await (const one of connects.unsettled('2026-11-21T10:00:01.000Z')) ids.push(one);
      return [ids.includes(id), (await connects.find(id))?.isSettled];
    };
    expect(await look()).toEqual([false, false]);
    await connects.fail(id, 'cancelled', AT);
    await connects.settled(id);
    expect(await look()).toEqual([true, false]);
    await connects.resumed(id, call('waits', session));
    expect(await look()).toEqual([true, false]);
    await connects.settled(id);
    expect(await look()).toEqual([false, true]);
  });

  it('are forgotten a week after they run out', async () => {
    const { id } = await created();
    const { Item } = await db.client.send(
      new GetItemCommand({ TableName: db.vaultTable, Key: { pk: { S: `CONNECT#${id}` }, sk: { S: 'CONNECT' } } }),
    );
    expect(Item?.['expiresAt']?.N).toBe(String(Date.parse(LATER) / 1000 + 7 * 86_400));
  });
});
