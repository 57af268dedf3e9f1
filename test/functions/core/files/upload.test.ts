/** Uploads in parts, wherever the process dies, on a real DynamoDB engine. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceId, type UploadId } from '#contract/ids.ts';
import { PART_BYTES, type Upload } from '#contract/uploads.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createUploadRecords } from '#aws/files/uploads.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createStamp, newToken } from '#aws/stamp.ts';
import { endLeftover } from '#core/files/end-leftover.ts';
import { abortUpload, beginUpload, completeUpload, shown } from '#core/files/upload.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { later } from '#core/ports/stamp.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const [TO_COME, LAST] = [Buffer.alloc(PART_BYTES, 'b'), Buffer.from('the end')];
const SIZE = TO_COME.length + LAST.length;
const NO_SKILLS = { abandonVersions: async () => undefined };

describe('an upload in parts', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  /** A workspace of its own, and a process that dies at its n-th effect. */
  function stage() {
    const workspace = WorkspaceId.parse(`wrkspc_${newToken()}`);
    const files = createFileRecords(db.client, db.recordsTable);
    const uploads = createUploadRecords(db.client, db.recordsTable);
    const leftovers = createLeftovers(db.client, db.recordsTable);
    const blobs = createMemoryBlobs();
    const clock = { aheadMs: 0 };
    const stamp = { ...createStamp(), now: () => later(createStamp().now(), clock.aheadMs) };
    let [effects, deadly] = [0, 0];
    const dying = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get:
          (target, name) =>
          async (...args: unknown[]) => {
            effects += 1;
            if (effects === deadly) throw new Error('killed before');
            const done: unknown = await Reflect.apply(Reflect.get(target, name) as () => unknown, target, args);
            effects += 1;
            if (effects === deadly) throw new Error('killed after');
            return done;
          },
      });
    const living = { files, uploads, blobUploads: blobs, newToken, stamp };
    const mortal = { ...living, files: dying(files), uploads: dying(uploads), blobUploads: dying(blobs) };
    const named = { filename: 'a.bin', mime_type: 'application/x-a', size_bytes: SIZE };
    return {
      ...{ workspace, files, uploads, blobs, clock, living },
      begin: (world = living, expiresInSeconds: number | null = null) =>
        beginUpload(world, workspace, { ...named, expiresInSeconds }),
      /** Sends all parts, as a client does. */
      send: ({ parts }: Upload) =>
        [TO_COME, LAST].map((bytes, index) => ({
          part_number: index + 1,
          etag: `"${blobs.putPart(parts[index]?.url ?? '', bytes)}"`,
        })),
      complete: (id: UploadId, parts: { part_number: number; etag: string }[], world = living) =>
        completeUpload(world, workspace, { id, parts }),
      abort: (id: UploadId, world = living) => abortUpload(world, workspace, id),
      /** Whether the process came to its end before it had so many effects. */
      async dyingAt<Value>(effect: number, work: (world: typeof living) => Promise<Value>): Promise<Value | 'died'> {
        [effects, deadly] = [0, effect];
        return work(mortal).catch(() => 'died' as const);
      },
      async sweep(afterMs: number) {
        const now = later(createStamp().now(), afterMs);
        for await (const due of leftovers.due(now)) {
          const of = { leftovers, blobRemover: blobs, abandonedCopies: files, abandonedVersions: NO_SKILLS };
          await endLeftover(of, due, now);
        }
      },
    };
  }
  type Stage = ReturnType<typeof stage>;

  const HOUR_MS = 3600_000;
  const LATE_MS = 1.5 * HOUR_MS;
  const nothingLeft = ({ blobs }: Stage) => expect([blobs.kept.size, blobs.parts.size]).toEqual([0, 0]);

  it('becomes a file with the name, type, size and bytes that were announced, and shows it', async () => {
    const on = stage();
    const upload = await on.begin(on.living, 7200);
    expect(upload).toMatchObject({ type: 'upload', status: 'pending', part_size: PART_BYTES, file_id: null });
    expect(upload.parts.map(({ part_number, size_bytes }) => [part_number, size_bytes])).toEqual([
      [1, PART_BYTES],
      [2, LAST.length],
    ]);
    const sent = on.send(upload);
    expect(await on.files.find(on.workspace, upload.id.replace('upload', 'file') as never)).toBeNull();
    const file = await on.complete(upload.id, sent);
    if (isRefusal(file)) throw new Error(file.message);
    expect(file).toMatchObject({ filename: 'a.bin', mime_type: 'application/x-a', size_bytes: SIZE, scope: null });
    expect(Date.parse(file.expires_at ?? '') - Date.parse(file.created_at)).toBe(2 * HOUR_MS);
    const stored = await on.files.find(on.workspace, file.id);
    expect(Buffer.from(on.blobs.kept.get(stored?.blob ?? '') ?? []).equals(Buffer.concat([TO_COME, LAST]))).toBe(true);
    const found = await on.uploads.find(on.workspace, upload.id);
    const completed = { status: 'completed', file_id: file.id, parts: [] };
    expect(found && (await shown(on.living, found))).toMatchObject(completed);
    expect(await on.complete(upload.id, sent)).toEqual(file);
    await on.sweep(LATE_MS);
    expect(on.blobs.kept.size).toBe(1);
    await on.sweep(3 * HOUR_MS);
    nothingLeft(on);
  });

  it('of another workspace is not there', async () => {
    const [on, other] = [stage(), stage()];
    const { id } = await on.begin();
    for (const refused of [await other.complete(id, []), await other.abort(id)]) {
      expect(refused).toMatchObject({ type: 'not_found_error', message: 'upload_id: there is no such upload' });
    }
    expect(await other.uploads.find(other.workspace, id)).toBeNull();
  });

  it.each<[string, (sent: { part_number: number; etag: string }[]) => { part_number: number; etag: string }[]]>([
    ['a part is missing', (sent) => sent.slice(0, 1)],
    ['parts are in another order', (sent) => sent.toReversed()],
    ['a part is named twice', ([first]) => (first === undefined ? [] : [first, first])],
    ['there is one part more', (sent) => [...sent, { part_number: 3, etag: 'x' }]],
    ['a part has another ETag', (sent) => sent.map(({ part_number }) => ({ part_number, etag: 'other' }))],
    [
      'the numbers begin at zero',
      (sent) => sent.map(({ part_number, etag }) => ({ part_number: part_number - 1, etag })),
    ],
  ])('is refused when %s, makes no file, and can be completed rightly', async (_, change) => {
    const on = stage();
    const upload = await on.begin();
    const sent = on.send(upload);
    const refused = await on.complete(upload.id, change(sent));
    expect(refused).toMatchObject({ type: 'invalid_request_error', message: expect.stringMatching(/^parts: /) });
    expect(on.blobs.kept.size).toBe(0);
    expect(await on.complete(upload.id, sent)).toMatchObject({ type: 'file' });
  });

  it('that is given up, and one that expired, makes no file and leaves nothing', async () => {
    const on = stage();
    const [aborted, expired] = [await on.begin(), await on.begin()];
    const [sent, late] = [on.send(aborted), on.send(expired)];
    expect(await on.abort(aborted.id)).toBe('aborted');
    expect(await on.abort(aborted.id)).toMatchObject({ type: 'not_found_error' });
    expect(await on.complete(aborted.id, sent)).toMatchObject({ type: 'not_found_error' });
    on.clock.aheadMs = HOUR_MS;
    expect(await on.complete(expired.id, late)).toMatchObject({ message: expect.stringContaining('has expired') });
    const found = await on.uploads.find(on.workspace, expired.id);
    expect(found && (await shown(on.living, found)).parts).toEqual([]);
    await on.sweep(1000);
    expect(on.blobs.parts.size).toBe(1);
    await on.sweep(LATE_MS);
    nothingLeft(on);
  });

  it('that is completed is not given up, and does not come back when its file is deleted', async () => {
    const on = stage();
    const upload = await on.begin();
    const sent = on.send(upload);
    const file = await on.complete(upload.id, sent);
    if (isRefusal(file)) throw new Error(file.message);
    expect(await on.abort(upload.id)).toMatchObject({ message: expect.stringContaining(`delete its file ${file.id}`) });
    await on.files.remove(on.workspace, file.id, createStamp().now());
    expect(await on.complete(upload.id, sent)).toMatchObject({ type: 'not_found_error' });
    await on.sweep(1000);
    nothingLeft(on);
  });

  it('leaves nothing when the process dies at any step of its beginning', async () => {
    for (let effect = 1; ; effect += 1) {
      const on = stage();
      const begun = await on.dyingAt(effect, on.begin);
      await on.sweep(LATE_MS);
      expect(on.blobs.kept.size).toBe(0);
      // Before its row is written, an upload has no parts: the bucket's lifecycle ends it.
      for (const parts of on.blobs.parts.values()) expect(parts.size).toBe(0);
      if (begun !== 'died') return;
    }
  });

  it('makes one file when the process dies at any step of its completion and it is repeated', async () => {
    for (let effect = 1; ; effect += 1) {
      const on = stage();
      const upload = await on.begin();
      const sent = on.send(upload);
      const completed = await on.dyingAt(effect, (world) => on.complete(upload.id, sent, world));
      const file = await on.complete(upload.id, sent);
      if (isRefusal(file)) throw new Error(file.message);
      await on.sweep(LATE_MS);
      expect((await on.files.findAll(on.workspace, [file.id]))[0]?.file).toEqual(file);
      expect([on.blobs.kept.size, on.blobs.parts.size]).toEqual([1, 0]);
      if (completed === 'died') continue;
      expect(completed).toEqual(file);
      return;
    }
  });

  it('leaves a whole file or nothing when the process dies at any step of its completion for good', async () => {
    for (let effect = 1; ; effect += 1) {
      const on = stage();
      const upload = await on.begin();
      const sent = on.send(upload);
      const completed = await on.dyingAt(effect, (world) => on.complete(upload.id, sent, world));
      await on.sweep(LATE_MS);
      const all = { order: 'asc', from: null, to: null, includeArchived: true, direction: 'next' } as const;
      const { rows } = await on.files.list({ ...all, workspace: on.workspace, beyond: null, limit: 10 }, null);
      expect(on.blobs.kept.size).toBe(rows.length);
      expect(on.blobs.parts.size).toBe(0);
      for (const { item } of rows) expect(on.blobs.kept.get(item.blob)).toHaveLength(SIZE);
      if (completed !== 'died') return;
    }
  });

  it('is given up or completed, whichever comes first, when both are asked at once or the process dies', async () => {
    for (let effect = 1; effect < 8; effect += 1) {
      const on = stage();
      const upload = await on.begin();
      const sent = on.send(upload);
      await on.dyingAt(effect, (world) => on.abort(upload.id, world));
      const [file, aborted] = await Promise.all([on.complete(upload.id, sent), on.abort(upload.id)]);
      await on.sweep(LATE_MS);
      expect(on.blobs.kept.size).toBe(isRefusal(file) ? 0 : 1);
      expect(on.blobs.parts.size).toBe(0);
      if (!isRefusal(file)) expect(isRefusal(aborted)).toBe(true);
    }
  });
});
