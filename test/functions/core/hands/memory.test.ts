/** What becomes of the memories that an agent changes, beside other sessions and wherever the process dies. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MEMORY_DIR, type ContentChange, type ExecuteRequest } from '#contract/hands.ts';
import { mainHand, MemoryStoreId, ResourceId, SessionId, WorkspaceId } from '#contract/ids.ts';
import { MAX_MEMORY_BYTES } from '#contract/memory.ts';
import type { MemoryStoreResource } from '#contract/resources.ts';
import { createMemories } from '#aws/memory/memories.dynamodb.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { createStamp, newToken, sha256 } from '#aws/stamp.ts';
import { takeChanges } from '#core/hands/changes.ts';
import type { ContentsWorld } from '#core/hands/content-source.ts';
import { memorySource } from '#core/hands/memory-source.ts';
import { createMemory, deleteMemory, updateMemory } from '#core/memory/write-memory.ts';
import { given, KEY, NO_CONTENTS, NO_SOURCES, SANDBOX } from '#test/functions/core/given.ts';
import { sample } from '#test/property-runs.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const AT = '2026-11-21T10:00:00.000Z';
const MOUNT = `${MEMORY_DIR}/notes`;
const OTHER_SESSION = SessionId.parse('sesn_other');

describe('the memories of a session', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  /** A session with one store; its sandbox tells changes until they are kept, and a process dies at its n-th effect. */
  async function stage(access: 'read_write' | 'read_only' = 'read_write') {
    const { workspace } = given().head.state;
    const store = MemoryStoreId.parse(`memstore_${newToken()}`);
    const stores = createMemoryStoreRecords(db.client, db.memoryTable);
    const memories = createMemories(db.client, db.memoryTable);
    const marks = { created_at: AT, updated_at: AT };
    const named = { name: 'Notes', description: '', metadata: {} };
    await stores.create(workspace, { id: store, type: 'memory_store', ...named, ...marks, archived_at: null });
    const session = SessionId.parse(`sesn_${newToken()}`);
    const resource: MemoryStoreResource = {
      ...{ id: ResourceId.parse('sesrsc_1'), type: 'memory_store', memory_store_id: store, access, instructions: null },
      ...{ name: 'Notes', description: '', mount_path: MOUNT, ...marks },
    };
    const contents = { resources: [resource] };
    /** The files of the sandbox, what is waiting, and what was put beside. */
    const base = new Map<string, string>();
    const waiting = new Map<string, { readonly text: string | null; readonly bytes?: Uint8Array }>();
    const beside = new Map<string, string>();
    const calls = new Set<string>();
    let effects = 0;
    let deadly = 0;
    const dying = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get(target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== 'function' || name === 'list') return method;
          return async (...args: unknown[]) => {
            effects += 1;
            if (effects === deadly) throw new Error('killed before');
            const done: unknown = await Reflect.apply(method, target, args);
            effects += 1;
            if (effects === deadly) throw new Error('killed after');
            return done;
          };
        },
      });
    const world: ContentsWorld = {
      ...NO_SOURCES,
      ...{ log: null as never, stamp: createStamp(), newToken, sha256 },
      ...{ memoryStores: stores, memories: dying(memories), contents: { find: async () => contents } },
      sandboxClient: dying({
        ...NO_CONTENTS,
        async execute(_place, { call, name, input }: ExecuteRequest) {
          expect(name).toBe('write');
          if (!calls.has(call)) beside.set(String(input['file_path']), String(input['content']));
          calls.add(call);
          const response = { output: 'done', isError: false, served: 'ran', durationMs: 1 } as const;
          return { status: 'answered' as const, response };
        },
        cancel: () => undefined,
        changes: async () => ({
          changes: [...waiting].map(([path, { text, bytes }]): ContentChange => ({
            path,
            bytes: bytes?.length ?? Buffer.byteLength(text ?? ''),
            sha256: text === null ? null : sha256(text),
            base: base.get(path) ?? null,
          })),
          notes: [],
        }),
        async read(_place, { path }) {
          const { text = '', bytes = Buffer.from(text ?? '') } = waiting.get(path) ?? {};
          return { bytes: bytes.length, body: new Blob([new Uint8Array(bytes)]).stream() };
        },
        async keep(_place, { kept }) {
          for (const { path, sha256: version } of kept) {
            waiting.delete(path);
            if (version === null) base.delete(path);
            else base.set(path, version);
          }
        },
      }),
    };
    const place = { workspace, store };
    const other = { ...place, by: { type: 'session_actor', session_id: OTHER_SESSION } as const };
    const free = { ...world, memories };
    const { state } = given().head;
    const recipient = {
      key: { ...KEY, session },
      hand: mainHand(session),
      state,
      session: state,
      sandbox: SANDBOX as never,
      contents,
    };
    /** As `execute` does: the sandbox is told when the notes are in the log. */
    const take = async () => {
      const { notes, keep } = await takeChanges(world, recipient);
      await keep();
      return notes;
    };
    const at = async (path: string) => {
      const memory = await memories.at(place, path);
      return memory === null ? null : { ...memory, content: await memories.content(place, memory.version) };
    };
    return {
      ...{ session, beside, stores, place, at },
      /** The agent's own file. */
      write: (path: string, text: string | null, bytes?: Uint8Array) =>
        void waiting.set(`${MOUNT}${path}`, { text, ...(bytes && { bytes }) }),
      take,
      /** Without the sandbox being told. */
      store: async () => (await takeChanges(world, recipient)).notes,
      /** What the sandbox is given, as it then knows it. */
      async mount() {
        const source = memorySource(world, recipient);
        const found: Record<string, string> = {};
        for (const entry of await source.entries()) {
          expect(entry.access).toBe(access);
          if (entry.form === 'folder') continue;
          const content = await source.read(entry);
          found[entry.path] = content === null ? '' : await new Response(ReadableStream.from(content.body)).text();
          base.set(entry.path, entry.version);
        }
        return found;
      },
      /** Another session's. */
      async change(path: string, text: string | null) {
        const memory = await memories.at(place, path);
        if (memory === null) await createMemory(free, other, { path, content: text });
        else if (text === null) await deleteMemory(free, other, { id: memory.id, expected: undefined });
        else await updateMemory(free, other, { id: memory.id, content: text });
      },
      async versions(path: string) {
        const request = { from: null, to: null, before: null, limit: 100 };
        const { versions } = await memories.versions(place, request);
        return versions
          .filter((version) => version.path === path)
          .toReversed()
          .map(
            ({ operation, created_by: by }) => `${operation} by ${by.type === 'session_actor' ? by.session_id : 'api'}`,
          );
      },
      die: (n: number) => ([effects, deadly] = [0, n]),
      effects: () => effects,
    };
  }

  it('are files in its sandbox, and what the agent writes, changes and removes are versions of it', async () => {
    const { session, mount, change, write, take, at, versions } = await stage();
    await change('/a.md', 'one');
    await change('/deep/b.md', 'two');
    expect(await mount()).toEqual({ [`${MOUNT}/a.md`]: 'one', [`${MOUNT}/deep/b.md`]: 'two' });
    write('/a.md', 'one, changed');
    write('/new.md', 'three');
    write('/deep/b.md', null);
    expect(await take()).toEqual([]);
    expect([await at('/a.md'), await at('/new.md'), await at('/deep/b.md')]).toMatchObject([
      { content: 'one, changed' },
      { content: 'three' },
      null,
    ]);
    expect(await versions('/a.md')).toEqual([`created by ${OTHER_SESSION}`, `modified by ${session}`]);
    expect(await versions('/deep/b.md')).toEqual([`created by ${OTHER_SESSION}`, `deleted by ${session}`]);
    write('/new.md', 'three and more');
    expect(await take()).toEqual([]);
    expect(await versions('/new.md')).toEqual([`created by ${session}`, `modified by ${session}`]);
  });

  it('that another session changed meanwhile win nothing unseen: both texts are there, and the model is told', async () => {
    const { session, mount, change, write, take, at, versions, beside } = await stage();
    await change('/a.md', 'one');
    await mount();
    await change('/a.md', 'theirs');
    write('/a.md', 'mine');
    const [note = ''] = await take();
    expect(note).toContain('another session changed it meanwhile');
    expect(note).toContain(`${MOUNT}/a.md.other-version`);
    expect(beside.get(`${MOUNT}/a.md.other-version`)).toBe('theirs');
    expect((await at('/a.md'))?.content).toBe('mine');
    expect(await versions('/a.md')).toEqual([
      `created by ${OTHER_SESSION}`,
      `modified by ${OTHER_SESSION}`,
      `modified by ${session}`,
    ]);
    // The file with the other text is no memory, and what follows is no conflict.
    write('/a.md.other-version', 'theirs');
    write('/a.md', 'theirs and mine');
    expect(await take()).toEqual([]);
    expect([(await at('/a.md'))?.content, await at('/a.md.other-version')]).toEqual(['theirs and mine', null]);
  });

  it('that both sessions made or removed are told of too', async () => {
    const { mount, change, write, take, at, beside } = await stage();
    for (const path of ['/removed-by-them', '/removed-by-me', '/same']) await change(path, 'one');
    await mount();
    await change('/removed-by-them', null);
    await change('/removed-by-me', 'theirs');
    await change('/new', 'theirs');
    await change('/same', 'both');
    write('/removed-by-them', 'mine');
    write('/removed-by-me', null);
    write('/new', 'mine');
    write('/same', 'both');
    const notes = await take();
    expect(notes).toHaveLength(3);
    expect(notes.join('\n')).toContain('so it was not removed');
    expect(notes.join('\n')).toContain('it had been removed meanwhile');
    const kept = ['/removed-by-them', '/removed-by-me', '/new', '/same'].map(async (path) => (await at(path))?.content);
    expect(await Promise.all(kept)).toEqual(['mine', 'theirs', 'mine', 'both']);
    expect([...beside]).toEqual([
      [`${MOUNT}/removed-by-me.other-version`, 'theirs'],
      [`${MOUNT}/new.other-version`, 'theirs'],
    ]);
  });

  it('that this session stored and its sandbox does not know of are no other session’s', async () => {
    const { mount, change, write, store, take, at, versions, beside, session } = await stage();
    for (const path of ['/a', '/r', '/x', '/gone']) await change(path, 'one');
    await mount();
    for (const path of ['/a', '/r', '/x']) write(path, 'mine');
    write('/gone', null);
    expect(await store()).toEqual([]);
    // The agent goes on before the sandbox knows, and another session changes one of them.
    write('/a', 'mine, longer');
    write('/r', null);
    write('/gone', 'mine');
    await change('/x', 'theirs');
    const notes = await take();
    expect(notes).toEqual([expect.stringContaining('another session changed it'), expect.stringContaining('/gone')]);
    expect(notes[1]).toContain('it had been removed meanwhile. Your text is kept as a new memory.');
    expect([...beside]).toEqual([[`${MOUNT}/x.other-version`, 'theirs']]);
    const kept = ['/a', '/r', '/x', '/gone'].map(async (path) => (await at(path))?.content);
    expect(await Promise.all(kept)).toEqual(['mine, longer', undefined, 'mine', 'mine']);
    expect((await versions('/a')).slice(1)).toEqual([`modified by ${session}`, `modified by ${session}`]);
  });

  it.each([
    ['a text that is too large', '/a', 'a'.repeat(MAX_MEMORY_BYTES + 1), undefined, `${MAX_MEMORY_BYTES} bytes`],
    ['bytes that are no text', '/a', 'x', new Uint8Array([0xc3, 0x28]), 'no text in UTF-8'],
    ['a path in Normalization Form D', '/e\u0301', 'x', undefined, 'Normalization Form C'],
    ['a path with a zero-width character', '/a\u200b', 'x', undefined, 'format'],
    ['a path with 21 folders', '/a'.repeat(21), 'x', undefined, '20 segments'],
    ['a path below another memory', '/there/below', 'x', undefined, 'an ancestor of it'],
  ] as const)('leave out %s, and say so in one sentence', async (_name, path, text, bytes, rule) => {
    const { change, write, take, at } = await stage();
    await change('/there', 'one');
    write(path, text, bytes);
    const [note = '', ...more] = await take();
    expect([note, more]).toEqual([expect.stringContaining(rule), []]);
    expect([await at(path), await take()]).toEqual([null, []]);
  });

  it.each([
    ['that is read-only', 'read_only', async () => undefined, 'read-only'],
    ['that was archived', 'read_write', async ({ stores, place }: Stage) => stores.archive(place, AT), 'archived'],
    ['that was deleted', 'read_write', async ({ stores, place }: Stage) => stores.remove(place), 'was deleted'],
  ] as const)('of a store %s stay as they are', async (_name, access, happen, rule) => {
    const staged = await stage(access);
    await staged.change('/a', 'one');
    await staged.mount();
    await happen(staged);
    staged.write('/a', 'mine');
    const [note] = await staged.take();
    expect(note).toContain(rule);
    if (rule === 'read-only') expect((await staged.at('/a'))?.content).toBe('one');
  });
  type Stage = Awaited<ReturnType<typeof stage>>;

  it('are stored once wherever the process dies, and a conflict is told after every death', async () => {
    const run = async (deadly: number) => {
      const { session, mount, change, write, take, at, versions, beside, die, effects } = await stage();
      for (const path of ['/a', '/b', '/gone']) await change(path, 'one');
      await mount();
      await change('/b', 'theirs');
      write('/a', 'mine');
      write('/b', 'mine');
      write('/gone', null);
      write('/new', 'mine');
      die(deadly);
      const first = await take().catch(() => null);
      const count = effects();
      die(0);
      const notes = [...(first ?? []), ...(await take())];
      // After the last effect the sandbox was told that all is kept, so the notes were in the log before.
      if (deadly === 0 || deadly < count)
        expect(notes.join(), `after effect ${deadly}`).toContain('another session changed it');
      expect(beside.get(`${MOUNT}/b.other-version`)).toBe('theirs');
      expect(await versions('/a')).toEqual([`created by ${OTHER_SESSION}`, `modified by ${session}`]);
      expect((await versions('/b')).filter((version) => version.endsWith(session))).toEqual([`modified by ${session}`]);
      expect(await versions('/gone')).toEqual([`created by ${OTHER_SESSION}`, `deleted by ${session}`]);
      expect(await versions('/new')).toEqual([`created by ${session}`]);
      expect([(await at('/b'))?.content, await at('/gone')]).toEqual(['mine', null]);
      return count;
    };
    const all = await run(0);
    const points = Array.from({ length: all }, (_, index) => index + 1);
    for (const deadly of sample(12, points)) await run(deadly);
  });

  it('of another workspace are not there', async () => {
    const { place } = await stage();
    const memories = createMemories(db.client, db.memoryTable);
    expect(await memories.at({ ...place, workspace: WorkspaceId.parse('wrkspc_2') }, '/a')).toBeNull();
  });
});
