/** The contracts of FileRecords and Leftovers: what is listed where, and when a blob may go. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlobKey, FileMetadata } from '#contract/files.ts';
import { FileId, SessionId, WorkspaceId, type Instant } from '#contract/ids.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { copyOf } from '#core/files/copy.ts';
import { dueAfter, endLeftover } from '#core/files/end-leftover.ts';
import type { FileRecords, StoredFile } from '#core/ports/files.ts';
import type { ListRequest } from '#core/ports/records.ts';
import type { AbandonedVersions } from '#core/ports/skills.ts';
import { later } from '#core/ports/stamp.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const AT: Instant = '2026-11-30T10:00:00.000Z';
const SOON = later(AT, 1000);
const HOURS_LATER = later(AT, 5 * 3600_000);

describe('the records of files', () => {
  let db: TestDynamoDb;
  let files: FileRecords & ReturnType<typeof createFileRecords>;
  let leftovers: ReturnType<typeof createLeftovers>;
  let skills: AbandonedVersions;
  let removed: string[];
  beforeAll(async () => {
    db = await startDynamoDb();
    files = createFileRecords(db.client, db.recordsTable);
    leftovers = createLeftovers(db.client, db.recordsTable);
    skills = createSkillRecords(db.client, db.recordsTable);
  });
  afterAll(() => db.close());

  const aWorkspace = () => WorkspaceId.parse(`wrkspc_${newToken()}`);
  const aSession = () => SessionId.parse(`sesn_${newToken()}`);

  function aFile(given: Partial<FileMetadata> = {}): StoredFile {
    const id = FileId.parse(`file_${newToken()}`);
    const kind = { type: 'file', mime_type: 'text/csv', downloadable: false, expires_at: null, scope: null };
    const file = FileMetadata.parse({ id, ...kind, filename: 'a.csv', size_bytes: 3, created_at: AT, ...given });
    return { file, blob: BlobKey.parse(`blobs/${newToken()}`) };
  }

  const leftoverOf = (workspace: string, { file, blob }: StoredFile) =>
    ({ type: 'blob', blob, holder: `${workspace}#${file.id.slice(0, 29)}` }) as const;

  async function created(workspace: WorkspaceId, given: Partial<FileMetadata> = {}): Promise<StoredFile> {
    const stored = aFile(given);
    await leftovers.announce(leftoverOf(workspace, stored), dueAfter(AT));
    await files.create(workspace, stored);
    return stored;
  }

  const request = (workspace: WorkspaceId, given: Partial<ListRequest> = {}): ListRequest => {
    const range = { from: null, to: null, includeArchived: true, beyond: null };
    return { workspace, order: 'desc', ...range, direction: 'next', limit: 100, ...given };
  };
  const listed = async (workspace: WorkspaceId, scope: SessionId | null = null) =>
    (await files.list(request(workspace), scope)).rows.map(({ item }) => item.file.id);

  /** What one sweep removes. */
  async function sweep(now: Instant): Promise<readonly string[]> {
    removed = [];
    const blobRemover = { remove: async (blob: string) => void removed.push(blob) };
    for await (const due of leftovers.due(now))
      await endLeftover({ abandonedCopies: files, abandonedVersions: skills, blobRemover, leftovers }, due, now);
    return removed;
  }

  it('are found and listed in their own workspace only, newest first', async () => {
    const [ours, theirs] = [aWorkspace(), aWorkspace()];
    const older = await created(ours);
    const newer = await created(ours, { created_at: SOON });
    expect(await files.find(ours, older.file.id)).toEqual(older);
    expect(await files.find(theirs, older.file.id)).toBeNull();
    expect(await files.remove(theirs, older.file.id, AT)).toBe(false);
    expect(await files.findAll(ours, [newer.file.id, aFile().file.id, older.file.id])).toEqual([newer, null, older]);
    expect(await listed(ours)).toEqual([newer.file.id, older.file.id]);
    expect(await listed(theirs)).toEqual([]);
  });

  it('of a session are listed by it, and in the workspace unless they are copies', async () => {
    const [workspace, session] = [aWorkspace(), aSession()];
    const source = await created(workspace);
    const output = await created(workspace, { scope: { type: 'session', id: session }, downloadable: true });
    const copying = copyOf(source, { session, token: newToken(), at: SOON, listed: 'in its session' });
    expect(await files.copy(workspace, [copying])).toBeNull();
    expect(await files.find(workspace, copying.copy.file.id)).toEqual(copying.copy);
    expect(await listed(workspace, session)).toEqual([copying.copy.file.id, output.file.id]);
    expect((await listed(workspace)).toSorted()).toEqual([source.file.id, output.file.id].toSorted());
    expect(await listed(workspace, aSession())).toEqual([]);
    expect(await listed(aWorkspace(), session)).toEqual([]);
  });

  it('are not created when the sweep has taken their bytes', async () => {
    const [workspace, stored] = [aWorkspace(), aFile()];
    await expect(files.create(workspace, stored)).rejects.toMatchObject({ code: 'records_unavailable' });
    await leftovers.announce(leftoverOf(workspace, stored), dueAfter(AT));
    expect(await sweep(HOURS_LATER)).toContain(stored.blob);
    await expect(files.create(workspace, stored)).rejects.toMatchObject({ code: 'records_unavailable' });
    expect(await files.find(workspace, stored.file.id)).toBeNull();
  });

  it('keep their bytes while a copy of them exists, and lose them with the last', async () => {
    const workspace = aWorkspace();
    const source = await created(workspace);
    const copying = copyOf(source, { session: aSession(), token: newToken(), at: AT, listed: 'in its session' });
    await files.copy(workspace, [copying]);
    expect(await files.remove(workspace, source.file.id, SOON)).toBe(true);
    expect(await files.remove(workspace, source.file.id, SOON)).toBe(false);
    expect(await sweep(HOURS_LATER)).not.toContain(source.blob);
    expect(await files.remove(workspace, copying.copy.file.id, SOON)).toBe(true);
    expect(await sweep(HOURS_LATER)).toContain(source.blob);
    expect(await sweep(HOURS_LATER)).toEqual([]);
  });

  it('are copied 500 at once, and a source that is gone is told by its index', async () => {
    const [workspace, session] = [aWorkspace(), aSession()];
    const source = await created(workspace);
    const copies = Array.from({ length: 500 }, () =>
      copyOf(source, { session, token: newToken(), at: AT, listed: 'in its session' }),
    );
    expect(await files.copy(workspace, copies)).toBeNull();
    expect(await files.copy(aWorkspace(), copies.slice(0, 1))).toBe(0);
    const gone = copyOf(aFile(), { session, token: newToken(), at: AT, listed: 'in its session' });
    const more = copies
      .slice(0, 60)
      .map(({ source: of }) => copyOf(of, { session, token: newToken(), at: AT, listed: 'in its session' }));
    expect(await files.copy(workspace, [...more, gone])).toBe(60);
    expect(
      await files.findAll(
        workspace,
        [...more, gone].map(({ copy }) => copy.file.id),
      ),
    ).toEqual(Array(61).fill(null));
    expect((await files.list(request(workspace, { limit: 1000 }), session)).rows).toHaveLength(500);
  });

  it('lose their bytes when they expire, and their metadata later', async () => {
    const workspace = aWorkspace();
    const stored = await created(workspace, { expires_at: later(AT, 3600_000) });
    expect(await sweep(later(AT, 3500_000))).not.toContain(stored.blob);
    expect(await sweep(HOURS_LATER)).toContain(stored.blob);
    expect(await files.find(workspace, stored.file.id)).toEqual(stored);
  });

  it('copied for a session that does not exist vanish, and what its sandbox wrote stays', async () => {
    const [workspace, session] = [aWorkspace(), aSession()];
    const source = await created(workspace);
    const output = await created(workspace, { scope: { type: 'session', id: session } });
    const copying = copyOf(source, { session, token: newToken(), at: AT, listed: 'in its session' });
    await leftovers.announce({ type: 'copies', workspace, session }, dueAfter(AT));
    await files.copy(workspace, [copying]);
    await sweep(SOON);
    expect(await files.find(workspace, copying.copy.file.id)).toEqual(copying.copy);
    await sweep(HOURS_LATER);
    expect(await files.find(workspace, copying.copy.file.id)).toBeNull();
    expect(await listed(workspace, session)).toEqual([output.file.id]);
    await files.remove(workspace, source.file.id, AT);
    expect(await sweep(HOURS_LATER)).toContain(source.blob);
  });

  it('that were announced again while the sweep looked stay announced', async () => {
    const [workspace, stored] = [aWorkspace(), aFile()];
    const leftover = leftoverOf(workspace, stored);
    await leftovers.announce(leftover, AT);
    for await (const seen of leftovers.due(SOON)) {
      await leftovers.announce(leftover, AT);
      await leftovers.forget(seen, SOON);
    }
    expect(await sweep(SOON)).toContain(stored.blob);
  });
});
