import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectId, EventId, Position, SessionId, ThreadId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type {
  WaitingCall,
  ConnectionAttempt,
  ConnectionFacts,
  ConnectionRecords,
} from '#core/ports/connection-records.ts';
import { createConnectionRecords } from '#aws/connect/connection-records.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { startDynamoDb, type TestDynamoDb } from './dynamodb.ts';

const AT = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-22T10:00:00.000Z';
const SESSION = SessionId.parse('sesn_1');

describe('the records of connections', () => {
  let db: TestDynamoDb;
  let connections: ConnectionRecords;
  beforeAll(async () => {
    db = await startDynamoDb();
    connections = createConnectionRecords(db.client, db.vaultTable);
  });
  afterAll(() => db.close());

  const factsOf = (changes: Partial<ConnectionFacts> = {}): ConnectionFacts => ({
    ...{ id: ConnectId.parse(`conn_${newToken()}`), workspace: WorkspaceId.parse('wrkspc_1'), user: 'alice' },
    ...{ vault: VaultId.parse('vlt_1'), server: { url: `https://${newToken()}`, name: null, resourceMetadata: null } },
    ...{ agent: null, scopes: [], returnUrl: null, createdAt: AT, expiresAt: LATER, ...changes },
  });
  const call = (name: string, session = SESSION): WaitingCall => {
    return {
      session,
      thread: ThreadId.parse('sthr_1'),
      call: EventId.parse(`sevt_${name}`),
      sincePosition: Position.parse(7),
    };
  };
  const attemptOf = (nonce: string): ConnectionAttempt => ({
    ...{ nonce, until: LATER, issuer: 'https://as', namesItself: true, tokenEndpoint: 'https://as/token' },
    ...{ resource: 'https://x', scopes: [], client: { id: 'c', auth: 'none', secret: null } },
  });

  async function created(changes: Partial<ConnectionFacts> = {}) {
    const facts = factsOf(changes);
    await connections.create(facts);
    return facts;
  }

  it('begin as pending with the facts of the link', async () => {
    const facts = await created({ scopes: ['a', 'b'], returnUrl: 'https://app' });
    expect(await connections.find(facts.id)).toEqual({
      ...facts,
      ...{ status: 'pending', endedAt: null, error: null, attempt: null, storing: null, waiting: [], isSettled: true },
      isForCall: false,
    });
    expect(await connections.find(ConnectId.parse('conn_unknown'))).toBeNull();
  });

  it('end an attempt for one caller only, and an older attempt when the next begins', async () => {
    const { id } = await created();
    await connections.begin(id, attemptOf('one'));
    await connections.begin(id, attemptOf('two'));
    expect(await connections.take(id, 'one')).toBe('conflict');
    const taken = await Promise.all([1, 2, 3].map(() => connections.take(id, 'two')));
    expect(taken.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    expect(await connections.find(id)).toMatchObject({ attempt: null });
  });

  it('have their client registered again once, while they are pending', async () => {
    const { id } = await created();
    const all = await Promise.all([1, 2, 3].map(() => connections.registerAnew(id)));
    expect(all.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    const { id: over } = await created();
    await connections.fail(over, 'cancelled', AT);
    expect(await connections.registerAnew(over)).toBe('conflict');
  });

  it('end once, as completed or failed, and take no attempt afterwards', async () => {
    const { id } = await created();
    await connections.begin(id, attemptOf('one'));
    expect(await connections.complete(id, AT)).toBe('saved');
    expect(await connections.complete(id, LATER)).toBe('saved');
    expect(await connections.find(id)).toMatchObject({ status: 'completed', endedAt: AT, attempt: null });
    expect(await connections.fail(id, 'cancelled', LATER)).toBe('conflict');
    expect(await connections.begin(id, attemptOf('two'))).toBe('conflict');
    const { id: other } = await created();
    expect(await connections.fail(other, 'cancelled', AT)).toBe('saved');
    expect(await connections.complete(other, LATER)).toBe('conflict');
    expect(await connections.trouble(other, 'vault_full')).toBe('conflict');
  });

  it('give concurrent calls one link, and return it to the later ones', async () => {
    const offers = Array.from({ length: 5 }, () =>
      factsOf({ server: { url: 'https://x', name: null, resourceMetadata: null } }),
    );
    const saved = await Promise.all(offers.map((facts, at) => connections.createWaiting(facts, call(`c${at}`), null)));
    expect(saved.filter((one) => one === 'saved')).toHaveLength(1);
    const winner = offers[saved.indexOf('saved')];
    const joined = await connections.join(
      factsOf({ server: { url: 'https://x', name: null, resourceMetadata: null } }),
      call('j'),
      AT,
    );
    expect(joined).toMatchObject({ status: 'joined', record: { id: winner?.id } });
    expect((await connections.ofSession(factsOf().workspace, SESSION)).map(({ id }) => id)).toContain(winner?.id);
    expect(await connections.ofSession(WorkspaceId.parse('wrkspc_2'), SESSION)).toEqual([]);
  });

  it('let a listing join the link of a call until it is resumed', async () => {
    const session = SessionId.parse('sesn_list');
    const [facts, list] = [factsOf(), { ...call('list', session), call: null, sincePosition: null }];
    await connections.createWaiting(facts, call('first', session), null);
    await connections.join(facts, list, AT);
    await connections.join(facts, list, AT);
    const waiting = async () => (await connections.find(facts.id))?.waiting;
    expect(await waiting()).toEqual(expect.arrayContaining([call('first', session), list]));
    expect(await waiting()).toHaveLength(2);
    await connections.resumed(facts.id, list);
    expect(await waiting()).toEqual([call('first', session)]);
  });

  it('distinguish one wait of a call from the next, and read waits that were stored without a position', async () => {
    const [facts, first] = [factsOf(), call('again', SessionId.parse('sesn_again'))];
    const next = { ...first, sincePosition: Position.parse(19) };
    await connections.createWaiting(facts, first, null);
    await connections.join(facts, next, AT);
    await connections.join(facts, { ...first, sincePosition: null }, AT);
    await connections.resumed(facts.id, first);
    const waiting = (await connections.find(facts.id))?.waiting;
    expect(waiting?.toSorted((one, other) => (one.sincePosition ?? 0) - (other.sincePosition ?? 0))).toEqual([
      { ...first, sincePosition: null },
      next,
    ]);
  });

  it('remember that a call waited, also when a listing made the link and the call is resumed', async () => {
    const session = SessionId.parse('sesn_called');
    const [facts, waits, list] = [factsOf(), call('waits', session), { ...call('list', session), call: null }];
    const isForCall = async () => (await connections.find(facts.id))?.isForCall;
    await connections.createWaiting(facts, list, null);
    await connections.join(facts, list, AT);
    expect(await isForCall()).toBe(false);
    await connections.join(facts, waits, AT);
    await connections.resumed(facts.id, waits);
    expect(await isForCall()).toBe(true);
    const other = factsOf({ server: { url: 'https://other', name: null, resourceMetadata: null } });
    await connections.createWaiting(other, waits, null);
    expect(await connections.find(other.id)).toMatchObject({ isForCall: true });
  });

  it('let no call join a link that has ended, ends soon, is of another workspace or has fewer scopes', async () => {
    const session = SessionId.parse('sesn_join');
    const facts = factsOf({ scopes: ['a'] });
    const { server } = facts;
    await connections.createWaiting(facts, call('first', session), null);
    const join = (changes: Partial<ConnectionFacts>, until = AT) =>
      connections.join(factsOf({ server, ...changes }), call('second', session), until);
    const none = { status: 'none', latest: facts.id };
    expect(await join({ scopes: ['a', 'b'] })).toEqual(none);
    expect(await join({ scopes: ['a'] }, LATER)).toEqual(none);
    expect(await join({ workspace: WorkspaceId.parse('wrkspc_2') })).toEqual({ status: 'none', latest: null });
    expect(await join({ scopes: ['a'] })).toMatchObject({ status: 'joined' });
    await connections.fail(facts.id, 'cancelled', AT);
    expect(await join({ scopes: ['a'] })).toEqual(none);
    expect(await connections.createWaiting(factsOf({ server }), call('third', session), facts.id)).toBe('saved');
  });

  it('are unsettled from the moment before a credential is stored until no call waits', async () => {
    const facts = factsOf();
    await connections.createWaiting(facts, call('waits', SessionId.parse('sesn_unsettled')), null);
    const { id } = facts;
    const unsettled = async () => {
      const ids: string[] = [];
      for await (const one of connections.unsettled('2026-11-21T10:00:01.000Z')) ids.push(one);
      return ids.includes(id);
    };
    expect(await unsettled()).toBe(false);
    await connections.storing(id, { credential: 'vcrd_1' as never, version: 1, since: AT });
    expect(await unsettled()).toBe(true);
    await connections.settled(id);
    expect(await unsettled()).toBe(true);
    await connections.complete(id, AT);
    await connections.settled(id);
    expect(await unsettled()).toBe(true);
    await connections.resumed(id, call('waits', SessionId.parse('sesn_unsettled')));
    await connections.resumed(id, call('waits', SessionId.parse('sesn_unsettled')));
    await connections.settled(id);
    expect(await unsettled()).toBe(false);
    expect(await connections.find(id)).toMatchObject({ waiting: [], storing: null });
  });

  it('are unsettled from a failure until the waiting calls are resumed', async () => {
    const session = SessionId.parse('sesn_failed');
    const facts = factsOf();
    await connections.createWaiting(facts, call('waits', session), null);
    const { id } = facts;
    const look = async () => {
      const ids: string[] = [];
      for await (const one of connections.unsettled('2026-11-21T10:00:01.000Z')) ids.push(one);
      return [ids.includes(id), (await connections.find(id))?.isSettled];
    };
    expect(await look()).toEqual([false, false]);
    await connections.fail(id, 'cancelled', AT);
    await connections.settled(id);
    expect(await look()).toEqual([true, false]);
    await connections.resumed(id, call('waits', session));
    expect(await look()).toEqual([true, false]);
    await connections.settled(id);
    expect(await look()).toEqual([false, true]);
  });

  it('expire a week after the link does', async () => {
    const { id } = await created();
    const { Item } = await db.client.send(
      new GetItemCommand({ TableName: db.vaultTable, Key: { pk: { S: `CONNECT#${id}` }, sk: { S: 'CONNECT' } } }),
    );
    expect(Item?.['expiresAt']?.N).toBe(String(Date.parse(LATER) / 1000 + 7 * 86_400));
  });
});
