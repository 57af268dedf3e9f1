/**
 * A call in a real sandbox, on its way in and on its way out, with a process that dies before each of its effects: contents
 * are put, outputs and memories are stored once, and the model reads every sentence about them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Entry } from '#contract/entries.ts';
import { BlobKey } from '#contract/files.ts';
import { MEMORY_DIR, OUTPUTS_DIR, UPLOADS_DIR } from '#contract/hands.ts';
import { EventId, FileId, MemoryStoreId, Position, ResourceId, SessionId } from '#contract/ids.ts';
import type { SessionContents } from '#contract/resources.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createOutputRecords } from '#aws/files/outputs.dynamodb.ts';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createMemories } from '#aws/memory/memories.dynamodb.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { createStamp, newToken, sha256 } from '#aws/stamp.ts';
import { createTable } from '#aws/table.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import { createMemory, updateMemory } from '#core/memory/write-memory.ts';
import { change } from '#core/session/change.ts';
import { fold } from '#core/session/evolve.ts';
import { CREATED, given, KEY, NO_SOURCES, NOW, SANDBOX, send, sends, SILENT } from '#test/functions/core/given.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';
import { sample } from '#test/property-runs.ts';
import { startSandbox, TOKEN } from '#test/sandbox-task/running-sandbox.ts';

const NOTES = `${MEMORY_DIR}/notes`;
const CALLS = {
  read: `cat ${UPLOADS_DIR}/data.csv ${NOTES}/b.md`,
  write:
    `cd ${OUTPUTS_DIR} && printf one > a.txt && ln -s /etc/passwd link; ` +
    `cd ${NOTES} && printf mine > b.md && printf new > c.md && printf '\\303(' > d.md; rm gone.md`,
  last: 'echo done',
} as const;
type Name = keyof typeof CALLS;
const NAMES = ['read', 'write', 'last'] as const;
const idOf = (name: Name) => EventId.parse(`sevt_${name}`);

describe('a call whose process dies', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  async function stage() {
    const sandbox = await startSandbox();
    const address = 'port' in sandbox.address ? `127.0.0.1:${sandbox.address.port}` : expect.fail('no port');
    const session = SessionId.parse(`sesn_${newToken()}`);
    const key = { ...KEY, session };
    const { workspace } = given().head.state;
    const store = MemoryStoreId.parse(`memstore_${newToken()}`);
    const stores = createMemoryStoreRecords(db.client, db.memoryTable);
    const memories = createMemories(db.client, db.memoryTable);
    const files = createFileRecords(db.client, db.recordsTable);
    const blobs = createMemoryBlobs();
    const marks = { created_at: NOW, updated_at: NOW };
    await createTable(db.client, db.recordsTable).put({ pk: session, sk: 'session', workspace });
    const named = { name: 'Notes', description: '' };
    await stores.create(workspace, {
      ...{ id: store, type: 'memory_store', ...named, metadata: {}, ...marks, archived_at: null },
    });
    const blob = BlobKey.parse(`blobs/${newToken()}`);
    blobs.kept.set(blob, Buffer.from('data'));
    const [copy, original] = [FileId.parse(`file_${newToken()}`), FileId.parse(`file_${newToken()}`)];
    const contents: SessionContents = {
      resources: [
        {
          ...{ id: ResourceId.parse('sesrsc_1'), type: 'file', file_id: copy, mount_path: `${UPLOADS_DIR}/data.csv` },
          ...{ source: { file: original, blob, bytes: 4, also: null }, ...marks },
        },
        {
          ...{ id: ResourceId.parse('sesrsc_2'), type: 'memory_store', memory_store_id: store, instructions: null },
          ...{ access: 'read_write', mount_path: NOTES, ...named, ...marks },
        },
      ],
    };
    const uses = NAMES.map((name): Entry => {
      const input = { command: CALLS[name] };
      return { event: { type: 'agent.tool_use', id: idOf(name), name: 'bash', input, processed_at: NOW } };
    });
    const mounted: Entry = { record: { kind: 'contents.changed', at: NOW } };
    const entries = [...given([CREATED, mounted]).when(send('hi')).entries, ...uses];
    const log = memoryLog();
    log.create(key, fold(null, entries), entries);
    const record = { ...SANDBOX, token: TOKEN, address } as const;
    let effects = 0;
    let deadly = 0;
    let isDead = false;
    /** A dead process has no further effect. */
    const dying = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get(target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== 'function') return method;
          return (...args: unknown[]): unknown => {
            effects += 1;
            isDead ||= effects === deadly;
            if (isDead && name !== 'list') return Promise.reject(new Error('killed'));
            return Reflect.apply(method, target, args);
          };
        },
      });
    const plain = { stamp: createStamp(), newToken, sha256 };
    let onChanges = async () => undefined as void;
    const client = createSandboxClient();
    const world: ExecuteWorld = {
      ...{ ...NO_SOURCES, ...plain, journal: SILENT },
      pause: (ms) => (ms < 1000 ? Promise.resolve() : new Promise(() => undefined)),
      ...{ log: dying(log), memories: dying(memories), memoryStores: dying(stores), files: dying(files) },
      ...{ blobs: dying(blobs), contents: dying({ find: async () => contents }) },
      outputs: dying(createOutputRecords(db.client, db.recordsTable)),
      leftovers: dying(createLeftovers(db.client, db.recordsTable)),
      sandboxClient: dying({
        ...client,
        async changes(place: typeof record) {
          await onChanges();
          return client.changes(place);
        },
      }),
      sandboxes: dying({
        ...({} as ExecuteWorld['sandboxes']),
        find: async () => record,
        send: async () => ({ record, sentTo: 1, again: false }),
        sentTo: async () => 1,
      }),
    };
    const place = { workspace, store };
    const free = { ...plain, memories };
    const other = { ...place, by: { type: 'session_actor', session_id: SessionId.parse('sesn_other') } as const };
    for (const path of ['/b.md', '/gone.md']) await createMemory(free, other, { path, content: 'first' });
    return {
      session,
      sandbox,
      run: (name: Name) => {
        const position = Position.parse(entries.length - NAMES.length + NAMES.indexOf(name) + 1);
        return execute(world, {
          ...{ ...key, call: { id: idOf(name), position, sincePosition: position } },
          sandbox: { generation: 1 },
        });
      },
      async change(path: string, content: string) {
        const memory = (await memories.at(place, path)) ?? expect.fail('no memory');
        await updateMemory(free, other, { id: memory.id, content });
      },
      dieBefore: (n: number) => ([effects, deadly, isDead] = [0, n, false]),
      revive: () => ([deadly, isDead] = [0, false]),
      effects: () => effects,
      results: () =>
        log
          .entries(key)
          .flatMap((entry) => ('event' in entry && entry.event.type === 'agent.tool_result' ? [entry.event] : []))
          .map(
            ({ tool_use_id: id, content }) =>
              `${id}: ${content.map((block) => ('text' in block ? block.text : '')).join()}`,
          ),
      waiting: () => client.changes(record),
      interruptAtHarvest: () =>
        void (onChanges = async () => {
          onChanges = async () => undefined;
          const head = (await log.head(key)) ?? expect.fail('no log');
          await change({ log, stamp: plain.stamp }, key, head, sends({ type: 'user.interrupt' }));
        }),
      async stored() {
        const range = { order: 'asc', from: null, to: null, includeArchived: true, beyond: null } as const;
        const { rows } = await files.list({ workspace, ...range, direction: 'next', limit: 100 }, session);
        const request = { from: null, to: null, before: null, limit: 100, session_id: session };
        const { versions } = await memories.versions(place, request);
        return [
          ...rows.map(({ item }) => item.file.filename),
          ...versions.map(({ operation, path }) => `${operation} ${path}`).toSorted(),
        ];
      },
    };
  }

  const STORED = ['a.txt', 'created /c.md', 'deleted /gone.md', 'modified /b.md'];

  async function live(deadly: number) {
    const staged = await stage();
    const { run, dieBefore, revive, effects, change, results, waiting, stored, sandbox } = staged;
    try {
      dieBefore(deadly);
      for (const name of NAMES) {
        if (name === 'write') await change('/b.md', 'theirs');
        await run(name).catch(async () => {
          revive();
          await run(name);
        });
      }
      const [first, second = '', third, ...more] = results();
      // A death after the result and before the sandbox knows tells its sentences a second time.
      expect([first, third?.split('\n')[0], more]).toEqual(['sevt_read: datafirst', 'sevt_last: done', []]);
      if (deadly === 0) {
        expect(third).toBe('sevt_last: done');
        expect(await waiting()).toEqual({ changes: [], notes: [] });
      }
      expect(second).toContain('another session changed it meanwhile. Your text is kept as its newest version.');
      expect(second).toContain('it is no text in UTF-8');
      expect(second).toContain(`it is no ordinary file: "${OUTPUTS_DIR}/link".`);
      expect(readFileSync(join(sandbox.mnt, 'memory/notes/b.md.other-version'), 'utf8')).toBe('theirs');
      expect(await stored()).toEqual(STORED);
      return effects();
    } finally {
      await sandbox.close();
    }
  }

  it('has one result that says everything, whatever it died before', async () => {
    const all = await live(0);
    expect(all).toBeGreaterThan(50);
    const points = Array.from({ length: all }, (_, index) => index + 1);
    for (const deadly of sample(14, points)) {
      await live(deadly).catch((cause: unknown) => {
        throw new Error(`killed before effect ${deadly} of ${all}`, { cause });
      });
    }
  });

  it('that an interrupt closed before its sentences were told leaves them to the next one', async () => {
    const { run, change, results, stored, waiting, interruptAtHarvest, sandbox } = await stage();
    try {
      await run('read');
      await change('/b.md', 'theirs');
      interruptAtHarvest();
      await run('write');
      expect(results().join('\n')).not.toContain('another session');
      expect(await stored()).toEqual(STORED);
      const paths = (await waiting())?.changes.map(({ path }) => path.slice(NOTES.length)) ?? [];
      expect(paths).toEqual(expect.arrayContaining(['/b.md', '/c.md', '/d.md', '/gone.md']));
      expect((await waiting())?.notes).toHaveLength(1);
    } finally {
      await sandbox.close();
    }
  });
});
