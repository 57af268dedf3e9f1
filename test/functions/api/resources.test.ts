import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlobKey, FileMetadata } from '#contract/files.ts';
import { FileId, primaryThread, SessionId, WorkspaceId } from '#contract/ids.ts';
import { Session } from '#contract/sessions.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createContentsReader } from '#aws/session/session-contents.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_tests');
const OTHER_WORKSPACE = WorkspaceId.parse('wrkspc_others');
const AT = '2026-11-30T10:00:00.000Z';
const stranger = { authorization: `Bearer ${OTHER_KEY}` };
const UPLOADS = '/mnt/session/uploads';

describe('resources of a session', () => {
  let api: TestApi;
  let parts: { agent: string; environment_id: string };
  beforeAll(async () => {
    api = await startApi();
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    parts = { agent: agent.body.id, environment_id: environment.body.id };
  });
  afterAll(() => api.close());

  const records = () => createFileRecords(api.dynamodb, api.recordsTable);

  async function file(given: Partial<FileMetadata> = {}, workspace = WORKSPACE): Promise<FileId> {
    const id = FileId.parse(`file_${newToken()}`);
    const kind = { type: 'file', mime_type: 'text/csv', downloadable: false, expires_at: null, scope: null };
    const whole = FileMetadata.parse({ id, ...kind, filename: 'a.csv', size_bytes: 3, created_at: AT, ...given });
    const blob = BlobKey.parse(`blobs/${newToken()}`);
    const leftovers = createLeftovers(api.dynamodb, api.recordsTable);
    await leftovers.announce({ type: 'blob', blob, holder: `${workspace}#${id}` }, '2027-01-01T00:00:00.000Z');
    await records().create(workspace, { file: whole, blob });
    return id;
  }

  const storedOf = async (session: string) =>
    JSON.stringify(await createContentsReader(api.dynamodb, api.recordsTable).find(SessionId.parse(session)));
  const create = (resources: unknown) => api.ask('POST', '/v1/sessions', { ...parts, resources });
  const mounted = (file_id: string, mount_path?: string) => ({ type: 'file', file_id, mount_path });
  const filesOf = async (session: string) => {
    const request = { workspace: WORKSPACE, order: 'asc', from: null, to: null, includeArchived: true } as const;
    const page = { beyond: null, direction: 'next', limit: 1000 } as const;
    return (await records().list({ ...request, ...page }, SessionId.parse(session))).rows.map(({ item }) => item);
  };

  it('are attached at creation, in order, each file as a copy with a path of its own', async () => {
    const [one, two] = [await file(), await file()];
    const made = await create([mounted(one, 'data/a.csv'), mounted(two), mounted(one, '/workspace/b.csv')]);
    expect(made.status).toBe(200);
    const { resources } = Session.parse(made.body);
    expect(made.body.resources).toEqual(resources);
    expect(resources).toMatchObject([
      { type: 'file', id: expect.stringMatching(/^sesrsc_/), mount_path: `${UPLOADS}/data/a.csv` },
      { type: 'file', mount_path: `${UPLOADS}/${two}` },
      { type: 'file', mount_path: `${UPLOADS}/workspace/b.csv` },
    ]);
    const path = `/v1/sessions/${made.body.id}`;
    const copies = resources.map((one) => (one.type === 'file' ? one.file_id : ''));
    expect(new Set([one, two, ...copies]).size).toBe(5);
    expect(await filesOf(made.body.id)).toMatchObject(
      copies.map(() => ({ file: { downloadable: false, scope: { type: 'session', id: made.body.id } } })),
    );
    expect((await api.ask('GET', path)).body.resources).toEqual(resources);
    const { body: sessions } = await api.ask('GET', '/v1/sessions?limit=1');
    expect(sessions.data[0]).toMatchObject({ id: made.body.id, resources });
    expect((await api.ask('GET', `${path}/resources`)).body).toEqual({ data: resources, next_page: null });
    const first = await api.ask('GET', `${path}/resources?limit=2`);
    expect(first.body.data).toEqual(resources.slice(0, 2));
    const second = await api.ask('GET', `${path}/resources?limit=2&page=${first.body.next_page}`);
    expect(second.body).toEqual({ data: resources.slice(2), next_page: null });
    expect((await api.ask('GET', `${path}/resources/${resources[1]?.id}`)).body).toEqual(resources[1]);
    const token = { authorization_token: 'ghp_x' };
    expect(await api.ask('POST', `${path}/resources/${resources[1]?.id}`, token)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/^authorization_token: .*file/) } },
    });
  });

  it('are refused by the index of the one that is unfit, and then nothing is written', async () => {
    const [good, expired, foreign] = [await file(), await file({ expires_at: AT }), await file({}, OTHER_WORKSPACE)];
    const cases: readonly [unknown, RegExp][] = [
      [[mounted(good), mounted('file_01none')], /^resources\.1\.file_id: there is no such file$/],
      [[mounted(good), mounted(foreign)], /^resources\.1\.file_id: there is no such file$/],
      [[mounted(expired)], /^resources\.0\.file_id: .*expired/],
      [[mounted(good, '/a'), mounted(good, 'a')], /^resources\.1\.mount_path: another resource/],
      [[mounted(good), mounted(good)], /^resources\.1\.mount_path: another resource/],
      [[mounted(good, '/workspace/a'), mounted(good, 'workspace/a')], /^resources\.1\.mount_path: another resource/],
      [[mounted(good, 'a'), mounted(good, 'a/b')], /^resources\.1\.mount_path: a folder of it/],
      [[mounted(good, 'a/b/c'), mounted(good, 'a/b')], /^resources\.1\.mount_path: it is a folder/],
      [[mounted(good, '../a')], /^resources\.0\.mount_path: must not contain/],
      [[mounted(good, '')], /^resources\.0\.mount_path: must name a file/],
      [[mounted(good, 'a\0')], /^resources\.0\.mount_path: must not contain control/],
      [[mounted(good, 'x'.repeat(2000))], /^resources\.0\.mount_path/],
      [[{ type: 'folder' }], /^resources\.0/],
      [[{ type: 'file' }], /^resources\.0\.file_id: is required/],
      [[{ type: 'file', file_id: good, mode: 1 }], /^resources\.0\.mode/],
      [Array.from({ length: 501 }, (_, index) => mounted(good, `${index}`)), /^resources\.500: .*at most 500/],
    ];
    for (const [resources, message] of cases) {
      const { status, body } = await create(resources);
      expect([status, body.error?.type], `${message}`).toEqual([400, 'invalid_request_error']);
      expect(body.error.message).toMatch(message);
    }
  });

  it('can be repositories, whose token is replaced and in no answer', async () => {
    const url = 'https://github.com/acme/app';
    const repository = (more: object = {}) => ({ type: 'github_repository', url, ...more });
    const checkout = { type: 'branch', name: 'release/1.x' };
    const token = 'ghp_canary';
    const { status, body } = await create([
      repository({ authorization_token: token }),
      repository({ mount_path: '/workspace/lib/', checkout }),
      { type: 'github_repository', url: 'https://git.example.com/group/sub/lib', mount_path: 'lib2' },
    ]);
    expect(status).toBe(200);
    const [first, ...others] = body.resources;
    const stamps = { created_at: expect.any(String), updated_at: expect.any(String) };
    const id = expect.stringMatching(/^sesrsc_/);
    expect(first).toEqual({ ...repository(), id, mount_path: '/workspace/app', checkout: null, ...stamps });
    expect(others).toMatchObject([
      { mount_path: '/workspace/lib', checkout },
      { mount_path: '/workspace/lib2', checkout: null },
    ]);
    const path = `/v1/sessions/${body.id}/resources`;
    expect((await api.ask('GET', path)).body.data).toEqual(body.resources);
    expect((await api.ask('GET', `${path}/${first.id}`)).body).toEqual(first);
    const stored = () => storedOf(body.id);
    const before = await stored();
    expect([before.includes(token), before.match(/"sealedToken":"/g)?.length]).toEqual([false, 1]);
    const next = { authorization_token: 'ghp_next' };
    const replaced = await api.ask('POST', `${path}/${first.id}`, next);
    expect(replaced).toMatchObject({ status: 200, body: { ...first, updated_at: expect.any(String) } });
    expect(JSON.stringify(replaced.body)).not.toMatch(/token|ghp_/i);
    expect(await stored()).not.toBe(before);
    expect((await api.ask('POST', `${path}/${others[0].id}`, next)).status).toBe(200);
    expect((await stored()).match(/"sealedToken":"/g)).toHaveLength(2);
    for (const [method, where, given, message] of [
      ['DELETE', `${path}/${first.id}`, undefined, /only a file/],
      ['POST', path, repository(), /when a session is created/],
      ['POST', path, mounted(await file(), '/workspace/app/a.csv'), /^mount_path: a folder of it is another resource/],
      ['POST', `${path}/${first.id}`, { authorization_token: 'a b' }, /^authorization_token: must be printable/],
    ] as const) {
      const refused = await api.ask(method, where, given);
      expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringMatching(message)]);
    }
    expect(await api.ask('POST', `${path}/sesrsc_none`, next)).toMatchObject({ status: 404 });
    expect(await api.ask('POST', `${path}/${first.id}`, next, stranger)).toMatchObject({ status: 404 });
  });

  it('are no repositories that are unfit, and none where sandboxes reach nothing', async () => {
    const url = 'https://github.com/acme/app';
    const good = await file();
    const repository = (more: object = {}) => ({ type: 'github_repository', url, ...more });
    const at = (mount_path: string) => repository({ mount_path });
    const cases: readonly [unknown, RegExp][] = [
      [[repository(), repository()], /^resources\.1\.mount_path: another repository .* \/workspace\/app$/],
      [[at('a'), at('a/b')], /^resources\.1\.mount_path: .* lie in each other$/],
      [[mounted(good, '/workspace/app/x'), repository()], /^resources\.0\.mount_path: a folder of it/],
      [[mounted(good, '/workspace/app'), repository()], /^resources\.0\.mount_path: another resource/],
      [[repository({ checkout: { type: 'commit', sha: 'abc' } })], /^resources\.0\.checkout\.sha: must be a whole SHA/],
      [[repository({ checkout: { type: 'tag', name: 'v1' } })], /^resources\.0\.checkout/],
      [[repository({ checkout: { type: 'branch', name: '-u' } })], /^resources\.0\.checkout\.name: must be a name/],
      [[repository({ authorization_token: 'a\nb' })], /^resources\.0\.authorization_token/],
      [[repository({ token: 'x' })], /^resources\.0\.token/],
      [Array.from({ length: 21 }, (_, index) => at(`r${index}`)), /^resources\.20: .*at most 20/],
    ];
    for (const [resources, message] of cases) {
      const { status, body } = await create(resources);
      expect([status, body.error?.message]).toEqual([400, expect.stringMatching(message)]);
    }
    const { tokenSealer } = api.world;
    api.world.tokenSealer = null;
    const { status, body } = await create([mounted(good), repository()]);
    api.world.tokenSealer = tokenSealer;
    expect([status, body.error.message]).toEqual([400, expect.stringMatching(/^resources\.1\.type: .*network\.max/)]);
  });

  it('are limited by what their item has room for', async () => {
    const good = await file();
    const long = (index: number) => mounted(good, `${'é/'.repeat(300)}${index}`);
    const { status, body } = await create(Array.from({ length: 400 }, (_, index) => long(index)));
    expect([status, body.error.message]).toEqual([400, expect.stringMatching(/^resources: .*too long together/)]);
  });

  it('can be 500 files, whose copies outlive the originals and end with the session', async () => {
    const good = await file();
    const others: string[] = [];
    for (let index = 0; index < 300; index += 1) others.push(await file());
    const mounts = Array.from({ length: 500 }, (_, index) => mounted(others[index] ?? good, `many/${index}.csv`));
    let asked = 0;
    const counting = { name: 'counting', step: 'initialize' } as const;
    api.dynamodb.middlewareStack.add((next) => (given) => ((asked += 1), next(given)), counting);
    const made = await create(mounts);
    api.dynamodb.middlewareStack.remove('counting');
    expect(made.body.resources).toHaveLength(500);
    // Four reads before and four after five transactions of copies, and what a session without files asks.
    expect(asked).toBeLessThan(25);
    expect(await filesOf(made.body.id)).toHaveLength(500);
    await records().remove(WORKSPACE, good, AT);
    expect((await api.ask('GET', `/v1/sessions/${made.body.id}`)).body.resources).toHaveLength(500);
    await api.ask('DELETE', `/v1/sessions/${made.body.id}`);
    expect(await filesOf(made.body.id)).toEqual([]);
  });

  it('are added to and removed from a live session; two at once lose nothing', async () => {
    const good = await file();
    const { body: session } = await api.ask('POST', '/v1/sessions', {
      ...parts,
      initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'hi' }] }],
    });
    const path = `/v1/sessions/${session.id}`;
    expect((await api.ask('GET', path)).body).toMatchObject({ status: 'running', resources: [] });
    const names = Array.from({ length: 8 }, (_, index) => `${index}.csv`);
    const added = await Promise.all(names.map((name) => api.ask('POST', `${path}/resources`, mounted(good, name))));
    expect(added.map(({ status }) => status)).toEqual(names.map(() => 200));
    const inIt = async () => ((await api.ask('GET', path)).body.resources as { id: string }[]).map(({ id }) => id);
    expect((await inIt()).toSorted()).toEqual(added.map(({ body }) => body.id).toSorted());
    expect(await filesOf(session.id)).toHaveLength(8);
    expect(await api.ask('POST', `${path}/resources`, mounted(good, '3.csv'))).toMatchObject({ status: 400 });
    expect(await api.ask('POST', `${path}/resources`, mounted('file_01none'))).toMatchObject({
      status: 400,
      body: { error: { message: 'file_id: there is no such file' } },
    });
    expect(await filesOf(session.id)).toHaveLength(8);
    const [first] = added;
    expect((await api.ask('DELETE', `${path}/resources/${first?.body.id}`)).body).toEqual({
      id: first?.body.id,
      type: 'session_resource_deleted',
    });
    expect(await inIt()).not.toContain(first?.body.id);
    expect(await filesOf(session.id)).toHaveLength(7);
    expect(await api.ask('DELETE', `${path}/resources/${first?.body.id}`)).toMatchObject({ status: 404 });
    // The head, which each tool call reads, has counted the changes, and clients see no event of them.
    const { client: dynamodb, logTable, recordsTable } = { client: api.dynamodb, ...api };
    const content = { put: async () => undefined, get: async () => '' };
    const log = createSessionLog({ dynamodb, logTable, recordsTable, content, newName: newToken });
    const id = SessionId.parse(session.id);
    expect((await log.head({ session: id, thread: primaryThread(id) }))?.state.contents).toBe(9);
    const { body: events } = await api.ask('GET', `${path}/events`);
    expect(JSON.stringify(events)).not.toContain('contents');
  });

  it('of another workspace’s session do not exist, and an archived session takes none', async () => {
    const { body: session } = await create([mounted(await file())]);
    const [resource] = session.resources;
    const path = `/v1/sessions/${session.id}/resources`;
    const theirs = mounted(await file({}, OTHER_WORKSPACE));
    for (const [method, where, body] of [
      ['GET', path, undefined],
      ['POST', path, theirs],
      ['GET', `${path}/${resource.id}`, undefined],
      ['POST', `${path}/${resource.id}`, { authorization_token: 'x' }],
      ['DELETE', `${path}/${resource.id}`, undefined],
    ] as const) {
      expect(await api.ask(method, where, body, stranger), `${method} ${where}`).toMatchObject({ status: 404 });
    }
    await api.ask('POST', `/v1/sessions/${session.id}/archive`);
    expect(await api.ask('POST', path, mounted(await file()))).toMatchObject({ status: 400 });
    expect(await api.ask('DELETE', `${path}/${resource.id}`)).toMatchObject({ status: 400 });
    expect((await api.ask('GET', path)).body.data).toEqual([resource]);
  });
});
