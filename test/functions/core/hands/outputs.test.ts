/** What becomes of the files that an agent writes for its user, wherever the process dies. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OUTPUTS_DIR, type ContentChange } from '#contract/hands.ts';
import { mainHand, SessionId, WorkspaceId } from '#contract/ids.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createOutputRecords } from '#aws/files/outputs.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createTable } from '#aws/table.ts';
import { createStamp, newToken, sha256 } from '#aws/stamp.ts';
import { endLeftover } from '#core/files/end-leftover.ts';
import { outputName, outputType } from '#core/files/output-name.ts';
import { takeChanges } from '#core/hands/changes.ts';
import type { ContentsWorld } from '#core/hands/content-source.ts';
import { given, KEY, NO_CONTENTS, NO_SOURCES, SANDBOX } from '#test/functions/core/given.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const LATE = '2100-01-01T00:00:00.000Z';
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** No skill is removed here. */
const NO_SKILLS = { abandonVersions: async () => undefined };

describe('the outputs of a session', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  /** A sandbox that tells its changes until they are kept, and a process that dies at its n-th effect. */
  async function stage(over: Partial<ContentChange> = {}) {
    const session = SessionId.parse(`sesn_${newToken()}`);
    const workspace = WorkspaceId.parse('wrkspc_1');
    const files = createFileRecords(db.client, db.recordsTable);
    const leftovers = createLeftovers(db.client, db.recordsTable);
    const outputs = createOutputRecords(db.client, db.recordsTable);
    const blobs = createMemoryBlobs();
    await createTable(db.client, db.recordsTable).put({ pk: session, sk: 'session', workspace });
    const waiting = new Map<string, string | null>();
    let effects = 0;
    let deadly = 0;
    const dying = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get:
          (target, name) =>
          async (...args: unknown[]) => {
            // A file whose bytes cannot be read is told again.
            if (name === 'read') return Reflect.apply(Reflect.get(target, name) as () => unknown, target, args);
            effects += 1;
            if (effects === deadly) throw new Error('killed before');
            const done: unknown = await Reflect.apply(Reflect.get(target, name) as () => unknown, target, args);
            effects += 1;
            if (effects === deadly) throw new Error('killed after');
            return done;
          },
      });
    const world: ContentsWorld = {
      ...NO_SOURCES,
      ...{ log: null as never, stamp: createStamp(), newToken, sha256 },
      ...{ files: dying(files), leftovers: dying(leftovers), outputs: dying(outputs), blobs: dying(blobs) },
      sandboxClient: dying({
        ...NO_CONTENTS,
        execute: async () => ({ status: 'unreachable' }) as const,
        cancel: () => undefined,
        changes: async () => ({
          changes: [...waiting].map(([path, text]) => ({
            ...{ path, bytes: text?.length ?? 0, sha256: text === null ? null : hashOf(text), base: null },
            ...over,
          })),
          notes: [],
        }),
        async read(_place, { path }) {
          const text = waiting.get(path) ?? '';
          return { bytes: text.length, body: new Blob([text]).stream() };
        },
        keep: async (_place, { kept }) => kept.forEach(({ path }) => waiting.delete(path)),
      }),
    };
    const key = { ...KEY, session };
    const { state } = given().head;
    const all = { order: 'asc', from: null, to: null, includeArchived: true, beyond: null, direction: 'next' } as const;
    /** As `execute` does: the sandbox is told when the notes are in the log. */
    const take = async () => {
      const { notes, keep } = await takeChanges(world, {
        key,
        hand: mainHand(key.session),
        state,
        session: state,
        sandbox: SANDBOX as never,
      });
      await keep();
      return notes;
    };
    return {
      write: (path: string, text: string | null) => void waiting.set(`${OUTPUTS_DIR}/${path}`, text),
      take,
      /** Dies at this effect of the next call; how many it has otherwise. */
      die: (at: number) => ([effects, deadly] = [0, at]),
      effects: () => effects,
      async listed() {
        const { rows } = await files.list({ workspace: state.workspace, ...all, limit: 100 }, session);
        return Promise.all(
          rows.map(async ({ item: { file, blob } }) => {
            expect(file).toMatchObject({ downloadable: true, scope: { type: 'session', id: session } });
            return `${file.filename}: ${await new Response(await blobs.get(blob)).text()}`;
          }),
        );
      },
      async delivered() {
        return Promise.all(
          (await outputs.list(session)).map(async ({ path, bytes, file }) => {
            const stored = (await files.find(state.workspace, file)) ?? expect.fail('no file');
            const text = await new Response(await blobs.get(stored.blob)).text();
            return `${path.slice(OUTPUTS_DIR.length + 1)}: ${bytes} ${text}`;
          }),
        );
      },
      /** Blobs that stay when the sweep has looked at all leftovers. */
      async swept() {
        for await (const due of leftovers.due(LATE)) {
          await endLeftover(
            { leftovers, blobRemover: blobs, abandonedCopies: files, abandonedVersions: NO_SKILLS },
            due,
            LATE,
          );
        }
        return blobs.kept.size;
      },
    };
  }

  it('are files of the session; a later content is another file, and the same one is not stored twice', async () => {
    const { write, take, listed, delivered } = await stage();
    for (const [path, text] of [
      ['a.txt', 'one'],
      ['deep/a.txt', 'other'],
      ['a.txt', 'one'],
      ['a.txt', 'two'],
      ['a.txt', 'one'],
      ['a.txt', null],
    ] as const) {
      write(path, text);
      expect(await take()).toEqual([]);
    }
    expect(await listed()).toEqual(['a.txt: one', 'a.txt: other', 'a.txt: two', 'a.txt: one']);
    // The grader of an outcome reads the last content of each path.
    expect(await delivered()).toEqual(['a.txt: 3 one', 'deep/a.txt: 5 other']);
  });

  it('are stored once wherever the process dies, with nothing left beside them', async () => {
    const counted = await stage();
    counted.write('a.txt', 'one');
    await counted.take();
    expect(counted.effects()).toBeGreaterThan(12);
    for (let at = 1; at <= counted.effects(); at += 1) {
      const { write, take, die, listed, swept } = await stage();
      write('a.txt', 'one');
      die(at);
      await expect(take(), `at ${at}`).rejects.toThrow('killed');
      die(0);
      await take();
      expect(await listed(), `at ${at}`).toEqual(['a.txt: one']);
      expect(await swept(), `at ${at}`).toBe(1);
    }
  });

  it('of two processes at once are stored once', async () => {
    const { write, take, listed } = await stage();
    write('a.txt', 'one');
    await Promise.allSettled([take(), take()]);
    await take();
    expect(await listed()).toEqual(['a.txt: one']);
  });

  it('that are too large are told to the model', async () => {
    const { write, take, listed } = await stage({ bytes: 500_000_001 });
    write('big\n.bin', 'x');
    expect(await take()).toEqual([expect.stringMatching(/big\\n\.bin" was not given to the user: a file may have/)]);
    expect(await take()).toEqual([]);
    expect(await listed()).toEqual([]);
  });
});

describe('the name of an output', () => {
  it.each([
    ['/mnt/session/outputs/deep/report.pdf', 'report.pdf', 'application/pdf'],
    ['/mnt/session/outputs/a\nb:c?.txt', 'a_b_c_.txt', 'text/plain'],
    ['/mnt/session/outputs/a\\b', 'a_b', 'application/octet-stream'],
    ['/mnt/session/outputs/\ud800.csv', '\ufffd.csv', 'text/csv'],
    [`/mnt/session/outputs/${'é'.repeat(400)}.PNG`, `${'é'.repeat(251)}.PNG`, 'image/png'],
    ['/mnt/session/outputs/x.constructor', 'x.constructor', 'application/octet-stream'],
  ])('of %j', (path, name, type) => {
    expect(outputName(path)).toBe(name);
    expect(outputType(name)).toBe(type);
  });
});
