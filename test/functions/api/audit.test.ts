import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeleteItemCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { SignedAuditHeads } from '#contract/audit.ts';
import { WorkspaceId } from '#contract/ids.ts';
import { chainOf } from '#core/audit/chain.ts';
import { intent, outcome, sha256 } from '#test/functions/core/audit/records.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_tests');

describe('the audit API', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
    for (const call of ['1', '2', '3']) {
      await api.world.audit.record(WORKSPACE, 'sesn_1', intent('1', call));
      await api.world.audit.record(WORKSPACE, 'sesn_1', outcome('1', call));
    }
    await api.world.audit.record(WORKSPACE, 'sesn_2', { ...intent('2', '4'), user: 'bob' });
  });
  afterAll(() => api.close());

  it('exports records by time, in pages and filtered', async () => {
    const first = await api.ask('GET', '/v1/x/audit?limit=5');
    expect(first.status).toBe(200);
    expect(first.body.data).toHaveLength(5);
    const second = await api.ask('GET', `/v1/x/audit?limit=5&page=${first.body.next_page}`);
    expect(second.body.data).toHaveLength(2);
    expect(second.body.next_page).toBeNull();
    const bobs = await api.ask('GET', '/v1/x/audit?user=bob&session_id=sesn_2&kind=intent');
    expect(bobs.body.data).toMatchObject([{ entry: { call: 'sevt_4' } }]);
    const [{ at }] = first.body.data;
    expect((await api.ask('GET', `/v1/x/audit?to=${at}`)).body.data).toEqual([]);
    expect((await api.ask('GET', `/v1/x/audit?from=${at}`)).body.data).toHaveLength(7);
  });

  it('exports one chain by position', async () => {
    const [{ chain }] = (await api.ask('GET', '/v1/x/audit?session_id=sesn_1')).body.data;
    const first = await api.ask('GET', `/v1/x/audit/chains/${chain}?limit=4`);
    expect(first.body.data.map(({ position }: { position: number }) => position)).toEqual([1, 2, 3, 4]);
    const rest = await api.ask('GET', `/v1/x/audit/chains/${chain}?limit=400&page=${first.body.next_page}`);
    expect(rest.body.data[0].position).toBe(5);
    expect(rest.body.next_page).toBeNull();
  });

  it('has the signed heads of the workspace in each answer, which tell of records that are missing later', async () => {
    const chain = chainOf('sesn_1', sha256);
    const headIn = ({ body }: Awaited<ReturnType<TestApi['ask']>>) =>
      SignedAuditHeads.parse(body.heads).heads.find((head) => head.chain === chain);
    for (const path of ['/v1/x/audit?limit=1', `/v1/x/audit/chains/${chain}`]) {
      expect(headIn(await api.ask('GET', path))).toMatchObject({ chain, position: 6 });
    }
    const { dynamodb: client, auditTable: TableName } = api;
    const Key = marshall({ pk: `${WORKSPACE}#${chain}`, sk: '000000000006' });
    const { Item } = await client.send(new GetItemCommand({ TableName, Key }));
    await client.send(new DeleteItemCommand({ TableName, Key }));
    const cut = await api.ask('GET', `/v1/x/audit/chains/${chain}`);
    expect(cut.body.data).toHaveLength(5);
    expect(headIn(cut)).toMatchObject({ position: 6 });
    await client.send(new PutItemCommand({ TableName, Item }));
  });

  it('shows no records of another workspace', async () => {
    const headers = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('GET', '/v1/x/audit', undefined, headers)).body.data).toEqual([]);
    for (let shard = 0; shard < 16; shard += 1) {
      const chain = String(shard).padStart(2, '0');
      expect((await api.ask('GET', `/v1/x/audit/chains/${chain}`, undefined, headers)).body.data).toEqual([]);
    }
  });

  it.each([
    ['/v1/x/audit?limit=501', 400, 'limit: must be at most 500'],
    ['/v1/x/audit?kind=all', 400, 'kind: must be one of intent, outcome, administration'],
    ['/v1/x/audit?from=yesterday', 400, 'from: must be a valid'],
    ['/v1/x/audit?page=page_x', 400, 'page: is not a cursor of this list'],
    ['/v1/x/audit/chains/16', 404, 'chain: there is no such chain'],
    ['/v1/x/audit/chains/00?page=x', 400, 'page: is not a cursor of this list'],
  ])('refuses %s', async (path, status, message) => {
    const refused = await api.ask('GET', path);
    expect(refused).toMatchObject({ status, body: { error: { message: expect.stringContaining(message) } } });
  });
});
