import { TransactionCanceledException, TransactionConflictException } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentCreate } from '#contract/agents.ts';
import { AgentId, WorkspaceId } from '#contract/ids.ts';
import { resolveAgent } from '#core/agents/resolve.ts';
import type { AgentRecords, ListRequest } from '#core/ports/records.ts';
import { createAgentRecords } from '#aws/records/agents.dynamodb.ts';
import { createStamp, newToken } from '#aws/stamp.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const STRANGER = WorkspaceId.parse('wrkspc_2');
const AT = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T11:00:00.000Z';

describe('the records of agents', () => {
  let db: TestDynamoDb;
  let agents: AgentRecords;
  beforeAll(async () => {
    db = await startDynamoDb();
    agents = createAgentRecords(db.client, db.recordsTable);
  });
  afterAll(() => db.close());

  async function created() {
    const id = AgentId.parse(`agent_${newToken()}`);
    const agent = resolveAgent(AgentCreate.parse({ name: 'v1', model: 'm' }), id, createStamp().now());
    await agents.create(WORKSPACE, agent);
    return agent;
  }
  const following = (agent: Awaited<ReturnType<typeof created>>, version: number) => ({
    ...agent,
    version,
    name: `v${version}`,
    updated_at: LATER,
  });
  const names = (found: Awaited<ReturnType<AgentRecords['versions']>>) => found?.agents.map((agent) => agent.name);

  it('keep every version and return the latest', async () => {
    const agent = await created();
    expect(await agents.saveNext(WORKSPACE, following(agent, 2))).toBe('saved');
    expect(await agents.find(WORKSPACE, agent.id)).toEqual(following(agent, 2));
    expect(await agents.find(WORKSPACE, agent.id, 1)).toEqual(agent);
    expect(await agents.find(WORKSPACE, agent.id, 2)).toEqual(following(agent, 2));
    expect(await agents.find(WORKSPACE, agent.id, 3)).toBeNull();
    expect(await agents.find(STRANGER, agent.id, 2)).toBeNull();
  });

  it('let one of two concurrent updates make the next version', async () => {
    const agent = await created();
    const next = [1, 2, 3, 4].map((count) => ({ ...following(agent, 2), name: `try ${count}` }));
    const saved = await Promise.all(next.map((each) => agents.saveNext(WORKSPACE, each)));
    expect(saved.toSorted()).toEqual(['conflict', 'conflict', 'conflict', 'saved']);
    const winner = next[saved.indexOf('saved')];
    expect(await agents.find(WORKSPACE, agent.id)).toEqual(winner);
    expect(await agents.find(WORKSPACE, agent.id, 2)).toEqual(winner);
  });

  it('list versions newest first, page by page', async () => {
    const agent = await created();
    for (let version = 2; version <= 5; version += 1) await agents.saveNext(WORKSPACE, following(agent, version));
    const first = await agents.versions(WORKSPACE, agent.id, { below: null, limit: 2 });
    expect([names(first), first?.more]).toEqual([['v5', 'v4'], true]);
    const last = await agents.versions(WORKSPACE, agent.id, { below: 4, limit: 3 });
    expect([names(last), last?.more]).toEqual([['v3', 'v2', 'v1'], false]);
    expect(await agents.versions(STRANGER, agent.id, { below: null, limit: 2 })).toBeNull();
  });

  it('list versions that are larger than one response of the table', async () => {
    const agent = await created();
    const system = 'x'.repeat(300_000);
    for (let version = 2; version <= 9; version += 1)
      await agents.saveNext(WORKSPACE, { ...following(agent, version), system });
    const found = await agents.versions(WORKSPACE, agent.id, { below: null, limit: 8 });
    expect([found?.agents.length, found?.more]).toEqual([8, true]);
  });

  it('archive an agent with all its versions, and a repeat keeps the first time', async () => {
    const agent = await created();
    await agents.saveNext(WORKSPACE, following(agent, 2));
    const archived = { ...following(agent, 2), archived_at: AT };
    expect(await agents.archive(STRANGER, agent.id, AT)).toBeNull();
    expect(await agents.archive(WORKSPACE, agent.id, AT)).toEqual(archived);
    expect(await agents.archive(WORKSPACE, agent.id, LATER)).toEqual(archived);
    expect(await agents.find(WORKSPACE, agent.id)).toEqual(archived);
    expect(await agents.find(WORKSPACE, agent.id, 1)).toEqual({ ...agent, archived_at: AT });
    const versions = await agents.versions(WORKSPACE, agent.id, { below: null, limit: 5 });
    expect(versions?.agents.map((version) => version.archived_at)).toEqual([AT, AT]);
    expect(await agents.saveNext(WORKSPACE, following(agent, 3))).toBe('conflict');
    expect(await agents.archive(WORKSPACE, AgentId.parse('agent_nobody'), AT)).toBeNull();
  });

  it('lose neither an update nor the archive time when both come at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const agent = await created();
      const [saved] = await Promise.all([
        agents.saveNext(WORKSPACE, following(agent, 2)),
        agents.archive(WORKSPACE, agent.id, AT),
      ]);
      const version = saved === 'saved' ? 2 : 1;
      expect(await agents.find(WORKSPACE, agent.id)).toMatchObject({ version, archived_at: AT });
    }
  });

  /** A transaction holds the rows of the next command. */
  function contend(cause: Error) {
    db.client.middlewareStack.add(
      () => async () => {
        db.client.middlewareStack.remove('contention');
        throw cause;
      },
      { step: 'initialize', name: 'contention' },
    );
  }

  it('archive an agent while it is being updated', async () => {
    const { id } = await created();
    contend(new TransactionConflictException({ message: 'held', $metadata: {} }));
    expect(await agents.archive(WORKSPACE, id, AT)).toMatchObject({ id, archived_at: AT });
  });

  it('save an update that conflicted with another transaction, and throw a failure that is no lost race', async () => {
    const agent = await created();
    const CancellationReasons = [{ Code: 'None' }, { Code: 'TransactionConflict' }];
    contend(new TransactionCanceledException({ message: 'held', $metadata: {}, CancellationReasons }));
    expect(await agents.saveNext(WORKSPACE, following(agent, 2))).toBe('saved');
    expect(await agents.saveNext(WORKSPACE, following(agent, 2))).toBe('conflict');
    contend(new TransactionCanceledException({ message: 'broken', $metadata: {} }));
    await expect(agents.saveNext(WORKSPACE, following(agent, 2))).rejects.toMatchObject({
      code: 'records_unavailable',
    });
  });

  it('list archived agents only on request', async () => {
    const [kept, archived] = [await created(), await created()];
    await agents.archive(WORKSPACE, archived.id, AT);
    const request: ListRequest = {
      workspace: WORKSPACE,
      order: 'desc',
      from: { at: kept.created_at, inclusive: true },
      to: null,
      includeArchived: false,
      beyond: null,
      direction: 'next',
      limit: 10,
    };
    const ids = async (includeArchived: boolean) =>
      (await agents.list({ ...request, includeArchived })).rows.map((row) => row.item.id);
    expect(await ids(false)).not.toContain(archived.id);
    expect(await ids(true)).toEqual(expect.arrayContaining([kept.id, archived.id]));
  });
});
