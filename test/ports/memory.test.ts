/** Memory stores and memories on a real DynamoDB engine. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { ApiKeyId, MemoryStoreId, WorkspaceId, type MemoryId } from '#contract/ids.ts';
import { MAX_MEMORIES, type MemoryStore } from '#contract/memory.ts';
import { listMemories } from '#core/memory/list-memories.ts';
import { readMemory } from '#core/memory/read-memory.ts';
import { createMemory, deleteMemory, updateMemory, type WrittenMemory } from '#core/memory/write-memory.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import { later } from '#core/ports/stamp.ts';
import { createMemories } from '#aws/memory/memories.dynamodb.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { createStamp, newToken, sha256 } from '#aws/stamp.ts';
import { ALWAYS_THE_SAME, propertyRuns } from '#test/property-runs.ts';
import { startDynamoDb, type TestDynamoDb } from './dynamodb.ts';

const workspace = WorkspaceId.parse('wrkspc_1');
const stranger = WorkspaceId.parse('wrkspc_2');
const by = { type: 'api_actor', api_key_id: ApiKeyId.parse('apikey_1') } as const;
const AT = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T11:00:00.000Z';

describe('memory stores', () => {
  let db: TestDynamoDb;
  let stores: ReturnType<typeof createMemoryStoreRecords>;
  let world: Parameters<typeof createMemory>[0];
  beforeAll(async () => {
    db = await startDynamoDb();
    stores = createMemoryStoreRecords(db.client, db.memoryTable);
    const memories = createMemories(db.client, db.memoryTable);
    world = { memories, stamp: createStamp(), newToken, sha256 };
  });
  afterAll(() => db.close());

  async function aStore() {
    const id = MemoryStoreId.parse(`memstore_${newToken()}`);
    const named = { name: 'notes', description: '', metadata: {} };
    const store: MemoryStore = {
      id,
      type: 'memory_store',
      ...named,
      created_at: AT,
      updated_at: AT,
      archived_at: null,
    };
    await stores.create(workspace, store);
    return { store, place: { workspace, store: id }, writing: { workspace, store: id, by } };
  }
  type Writing = Awaited<ReturnType<typeof aStore>>['writing'];

  const create = (writing: Writing, path: string, content = path) => createMemory(world, writing, { path, content });
  async function made(writing: Writing, path: string, content = path): Promise<WrittenMemory> {
    return written(await create(writing, path, content));
  }
  function written(done: WrittenMemory | RequestRefusal | null): WrittenMemory {
    if (done === null || isRefusal(done)) throw new Error(done?.message ?? 'there is none');
    return done;
  }
  async function paths(writing: Writing, prefix = '/'): Promise<readonly string[]> {
    const all: string[] = [];
    for await (const { path } of world.memories.list(writing, prefix, null)) all.push(path);
    return all;
  }
  /** The keys of all rows of the store. */
  async function keys(writing: Writing): Promise<readonly string[]> {
    const values = { ':pk': { S: `${writing.workspace}#${writing.store}` } };
    const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: values, TableName: db.memoryTable };
    return ((await db.client.send(new QueryCommand(query))).Items ?? []).map(({ sk }) => sk?.S ?? '');
  }
  async function versions(writing: Writing, memory_id: MemoryId) {
    const request = { memory_id, from: null, to: null, before: null, limit: 100 };
    return (await world.memories.versions(writing, request)).versions;
  }

  it('are replaced once per revision, archived, and removed with all that they hold', async () => {
    const { store, place, writing } = await aStore();
    const elsewhere = { ...place, workspace: stranger };
    await made(writing, '/a/b');
    expect(await stores.find(elsewhere)).toBeNull();
    expect(await stores.archive(elsewhere, AT)).toBeNull();
    expect(await stores.remove(elsewhere)).toBe(false);
    const saved = await Promise.all(
      ['x', 'y', 'z'].map((name) => stores.replace(workspace, { store: { ...store, name }, revision: 0 })),
    );
    expect(saved.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    expect(await stores.archive(place, AT)).toMatchObject({ archived_at: AT });
    expect(await stores.archive(place, LATER)).toMatchObject({ archived_at: AT });
    expect(await stores.replace(workspace, { store, revision: 1 })).toBe('conflict');
    expect(await create(writing, '/c')).toMatchObject({ message: 'memory_store_id: is archived' });
    expect(await stores.remove(place)).toBe(true);
    expect(await stores.remove(place)).toBe(false);
    expect([await stores.find(place), await create(writing, '/c'), await stores.archive(place, AT)]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('are emptied after their removal, also when a sweep dies in between', async () => {
    const { place, writing } = await aStore();
    const kept = await aStore();
    await made(kept.writing, '/kept');
    const { memory } = await made(writing, '/a/b');
    await made(writing, '/a/c');
    await stores.remove(place);
    expect(await readMemory(world, place, memory.id)).toBeNull();
    expect(await world.memories.version(place, memory.version)).toBeNull();
    const pending = async () => {
      for await (const one of stores.pending()) if (one.store === place.store) return true;
      return false;
    };
    expect(await pending()).toBe(true);
    const before = await keys(writing);
    expect(before.length).toBeGreaterThan(5);
    await stores.finish(place);
    expect([await keys(writing), await pending()]).toEqual([[], false]);
    await stores.finish(place);
    expect(await paths(kept.writing)).toEqual(['/kept']);
  });

  it('hold each path once, and none above another', async () => {
    const { writing } = await aStore();
    const { memory } = await made(writing, '/a/b');
    for (const path of ['/a', '/a/b', '/a/b/c', '/a/b/c/d']) {
      expect(await create(writing, path)).toMatchObject({
        type: 'memory_path_conflict_error',
        fields: { conflicting_memory_id: memory.id, conflicting_path: '/a/b' },
      });
    }
    for (const path of ['/A/b', '/a/c', '/ab', '/a-b/c', '/a.b']) await made(writing, path);
    expect(await paths(writing)).toEqual(['/A/b', '/a-b/c', '/a.b', '/a/b', '/a/c', '/ab']);
    expect(await paths(writing, '/a/')).toEqual(['/a/b', '/a/c']);
    await deleteMemory(world, writing, { id: memory.id, expected: undefined });
    expect(await create(writing, '/a')).toMatchObject({ fields: { conflicting_path: '/a/c' } });
  });

  it.each([
    ['/a', '/a/b'],
    ['/a', '/a/b/c'],
    ['/a/b', '/a'],
    ['/a/b/c', '/a'],
    ['/a/b/c', '/a/b'],
    ['/a/b', '/a/c'],
    ['/a/b/c', '/a/d/c'],
    ['/a/b', '/c'],
  ])('rename %s to %s, and back, with no folder left over', async (from, to) => {
    const { writing } = await aStore();
    const { memory } = await made(writing, from, 'text');
    const { id } = memory;
    const renamed = written(await updateMemory(world, writing, { id, path: to }));
    expect([renamed.memory.id, await paths(writing)]).toEqual([id, [to]]);
    expect((await readMemory(world, writing, id))?.content).toBe('text');
    written(await updateMemory(world, writing, { id, path: from }));
    await deleteMemory(world, writing, { id, expected: undefined });
    expect((await keys(writing)).filter((key) => key.startsWith('/') || key.startsWith('ID#'))).toEqual([]);
    await made(writing, from);
  });

  it('refuse a rename onto another memory, above or below it, and change nothing', async () => {
    const { writing } = await aStore();
    const { memory } = await made(writing, '/a/b');
    const other = await made(writing, '/a/c');
    for (const path of ['/a', '/a/c', '/a/c/d']) {
      expect(await updateMemory(world, writing, { id: memory.id, path })).toMatchObject({
        fields: { conflicting_memory_id: other.memory.id, conflicting_path: '/a/c' },
      });
    }
    expect(await paths(writing)).toEqual(['/a/b', '/a/c']);
  });

  it('keep what each of 20 writers at once wrote', async () => {
    const { writing } = await aStore();
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    const texts = await Promise.all(numbers.map((n) => made(writing, `/d${n % 3}/m${n}`)));
    expect(await paths(writing)).toHaveLength(20);
    // One path for all: one of them gets it.
    const same = await Promise.all(numbers.map(() => create(writing, '/one', 'text')));
    expect(same.filter((one) => !isRefusal(one))).toHaveLength(1);
    // One memory for all: each update is a version, and none is lost.
    const id = texts[0]?.memory.id as MemoryId;
    await Promise.all(numbers.map((n) => updateMemory(world, writing, { id, content: `text ${n}` })));
    const [head, ...older] = await versions(writing, id);
    const contents = await Promise.all(
      [head, ...older].map((one) => world.memories.content(writing, one?.id as never)),
    );
    expect(contents.toSorted()).toEqual(['/d0/m0', ...numbers.map((n) => `text ${n}`)].toSorted());
    expect((await readMemory(world, writing, id))?.memory.version).toBe(head?.id);
    // One content for all, with the precondition that each has read: the first wins, and repeats succeed.
    const seen = (await readMemory(world, writing, id))?.memory.sha256 as string;
    const precondition = { type: 'content_sha256' as const, content_sha256: seen };
    const raced = await Promise.all(
      numbers
        .slice(0, 8)
        .map((n) => updateMemory(world, writing, { id, content: n < 4 ? 'same' : `other ${n}`, precondition })),
    );
    const won = raced.filter((one) => !isRefusal(one));
    expect([1, 4]).toContain(won.length);
    expect((await versions(writing, id)).length).toBe(22);
  });

  it('hold no more than 2,000 memories, whatever is written at once', async () => {
    const { place, writing } = await aStore();
    const { memory } = await made(writing, '/first');
    const Key = { pk: { S: `${workspace}#${place.store}` }, sk: { S: 'GATE' } };
    await db.client.send(
      new UpdateItemCommand({
        TableName: db.memoryTable,
        Key,
        UpdateExpression: 'SET memories = :n',
        ExpressionAttributeValues: { ':n': { N: String(MAX_MEMORIES - 2) } },
      }),
    );
    const done = await Promise.all(['/a', '/b', '/c', '/d'].map((path) => create(writing, path)));
    expect(done.filter((one) => isRefusal(one)).length).toBe(2);
    expect(done.find((one) => isRefusal(one))).toMatchObject({ message: expect.stringContaining('2000 memories') });
    await deleteMemory(world, writing, { id: memory.id, expected: undefined });
    await made(writing, '/e');
  });

  it('keep the five latest versions whatever their age, and others for 30 days', async () => {
    const { writing } = await aStore();
    const { memory } = await made(writing, '/a', '0');
    const ids = [memory.version];
    for (let n = 1; n < 7; n += 1) {
      ids.push(written(await updateMemory(world, writing, { id: memory.id, content: `${n}` })).memory.version);
    }
    const expiring = async () => {
      const values = { ':pk': { S: `${workspace}#${writing.store}` } };
      const query = {
        TableName: db.memoryTable,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: values,
      };
      const items = (await db.client.send(new QueryCommand(query))).Items ?? [];
      return items.flatMap(({ sk, expiresAt }) =>
        expiresAt === undefined ? [] : [[sk?.S ?? '', Number(expiresAt.N)] as const],
      );
    };
    const rows = (list: readonly string[]) => list.flatMap((id) => [`CONTENT#${id}`, `VERSION#${id}`]).toSorted();
    expect((await expiring()).map(([key]) => key).toSorted()).toEqual(rows(ids.slice(0, 2)));
    await deleteMemory(world, writing, { id: memory.id, expected: undefined });
    const [last] = await versions(writing, memory.id);
    expect(last).toMatchObject({ operation: 'deleted', path: '/a', content_sha256: null });
    const kept = await expiring();
    expect(kept.map(([key]) => key).toSorted()).toEqual([...rows(ids), `VERSION#${last?.id}`].toSorted());
    const soonest = Math.min(...kept.map(([, at]) => at));
    expect(soonest).toBeGreaterThanOrEqual(Date.parse(later(memory.createdAt, 30 * 24 * 3600 * 1000)) / 1000);
  });

  it('redact a version for good, and keep the first mark', async () => {
    const { writing } = await aStore();
    const { memory } = await made(writing, '/a', 'secret');
    written(await updateMemory(world, writing, { id: memory.id, content: 'plain' }));
    const old = await world.memories.version(writing, memory.version);
    if (old === null) throw new Error('there is no version');
    const gone = { path: null, content: null, content_sha256: null, content_size_bytes: null };
    const redacted = await world.memories.redact(writing, old, { at: AT, by });
    expect(redacted).toEqual({ ...old, ...gone, redacted_at: AT, redacted_by: by });
    expect(await world.memories.redact(writing, old, { at: LATER, by })).toEqual(redacted);
    expect(await world.memories.content(writing, memory.version)).toBeNull();
    // Later versions push it out of the recent ones.
    for (let n = 0; n < 6; n += 1) written(await updateMemory(world, writing, { id: memory.id, content: `${n}` }));
  });

  it('list by the bytes of the paths, in pages, with folders as one item', async () => {
    const segment = fc.constantFrom('a', 'a.b', 'a-', 'b', 'Z', 'é', '\u{ffee}', '\u{1f600}');
    const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((all) => `/${all.join('/')}`);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(path, { maxLength: 8 }), fc.integer({ min: 1, max: 3 }), async (given, limit) => {
        const { writing } = await aStore();
        const held: string[] = [];
        for (const one of given) {
          const overlaps = held.some((other) => `${other}/`.startsWith(`${one}/`) || `${one}/`.startsWith(`${other}/`));
          expect(isRefusal(await create(writing, one))).toBe(overlaps);
          if (!overlaps) held.push(one);
        }
        const sorted = held.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        for (const prefix of ['/', '/a/', '/é/']) {
          const below = sorted.filter((one) => one.startsWith(prefix));
          const children = below.map((one) => {
            const end = one.indexOf('/', prefix.length);
            return end === -1 ? one : one.slice(0, end + 1);
          });
          expect(await paged(writing, { prefix, depth: 0, limit })).toEqual(below);
          expect(await paged(writing, { prefix, depth: 1, limit })).toEqual([...new Set(children)]);
        }
      }),
      { numRuns: propertyRuns(24), ...ALWAYS_THE_SAME },
    );
  });

  async function paged(
    writing: Writing,
    listing: { readonly prefix: string; readonly depth: number; readonly limit: number },
  ): Promise<readonly string[]> {
    const all: string[] = [];
    for (let after: string | null = null; ;) {
      const { rows, more } = await listMemories(world, writing, { ...listing, after });
      expect(rows.length).toBeLessThanOrEqual(listing.limit);
      all.push(...rows.map((row) => row.path));
      if (!more) return all;
      after = rows.at(-1)?.path ?? null;
    }
  }
});
