/** Skills over the API: both forms of the contract, other workspaces, and agents and sessions that name them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zipOf } from '#test/functions/core/skills/zips.ts';
import { KEY, OTHER_KEY, startApi, type Answer, type TestApi } from './api.ts';

const skillMd = (name: string, description = 'Says hello.') =>
  `---\nname: ${name}\ndescription: ${description}\n---\nHello.`;

describe('skills', () => {
  let api: TestApi;
  const STRANGER = { authorization: `Bearer ${OTHER_KEY}` };
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  async function send(
    path: string,
    files: Record<string, string>,
    fields: Record<string, string> = {},
    headers = {},
  ): Promise<Answer> {
    const form = new FormData();
    for (const [name, text] of Object.entries(files)) form.append('files[]', new Blob([text]), name);
    for (const [name, text] of Object.entries(fields)) form.append(name, text);
    const authorization = { authorization: `Bearer ${KEY}`, ...headers };
    const response = await api.app.request(path, { method: 'POST', headers: authorization, body: form });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
  const created = async (name = 'hello') => (await send('/v1/skills', { 'd/SKILL.md': skillMd(name) })).body;

  it('answer the keys of both forms, and both ids of a version lead to it', async () => {
    const made = await send('/v1/skills', { 'd/SKILL.md': skillMd('hello') }, { display_title: 'Hello' });
    expect(made.body).toMatchObject({ display_name: 'Hello', display_title: 'Hello', source: { type: 'custom' } });
    const { id, latest_version: number, latest_version_id: version } = made.body;
    const second = await send(`/v1/skills/${id}/versions`, { 'e/SKILL.md': skillMd('hello', 'Better.') });
    expect(second.body).toMatchObject({ type: 'skill_version', name: 'hello', directory: 'hello', skill_id: id });
    for (const ref of [number, version]) {
      expect((await api.ask('GET', `/v1/skills/${id}/versions/${ref}`)).body).toMatchObject({
        id: version,
        version: number,
      });
    }
    expect((await api.ask('GET', `/v1/skills/${id}/versions/latest`)).body.id).toBe(second.body.id);
    const page = await api.ask('GET', `/v1/skills/${id}/versions?limit=1`);
    expect(page.body).toMatchObject({ data: [{ id: second.body.id }], has_more: true });
    const next = await api.ask('GET', `/v1/skills/${id}/versions?limit=1&page=${page.body.next_page}`);
    expect(next.body).toMatchObject({ data: [{ id: version }], has_more: false, next_page: null });
    expect((await api.ask('DELETE', `/v1/skills/${id}/versions/${number}`)).body).toEqual({
      id: version,
      type: 'skill_version_deleted',
    });
    expect(await api.ask('DELETE', `/v1/skills/${id}/versions/latest`)).toMatchObject({ status: 400 });
    expect((await api.ask('DELETE', `/v1/skills/${id}`)).body).toEqual({ id, type: 'skill_deleted' });
    expect(await api.ask('GET', `/v1/skills/${id}`)).toMatchObject({ status: 404 });
  });

  it.each([
    [{}, {}, 'files: '],
    [{ 'SKILL.md': 'x' }, {}, 'files: '],
    [{ 'd/SKILL.md': 'x' }, {}, 'files: SKILL.md must begin'],
    [{ 'd/SKILL.md': skillMd('hello') }, { display_name: 'a\nb' }, 'display_name: must be one line'],
    [{ 'd/SKILL.md': skillMd('hello') }, { display_name: 'x'.repeat(256) }, 'display_name: '],
    [{ 'd/SKILL.md': skillMd('hello') }, { other: 'x' }, 'other: is not a known field'],
  ])('are refused with a sentence: %j %j', async (files, fields, message) => {
    const answer = await send('/v1/skills', files as Record<string, string>, fields as Record<string, string>);
    expect(answer).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining(message) } } });
  });

  describe('from a zip that was uploaded as a file', () => {
    const ZIP = zipOf([{ name: 'd/SKILL.md', data: skillMd('zipped') }]);

    async function uploaded(bytes: Buffer, key = KEY, fields: Record<string, string> = {}): Promise<string> {
      const form = new FormData();
      form.append('file', new Blob([new Uint8Array(bytes)]), 'a.zip');
      for (const [name, text] of Object.entries(fields)) form.append(name, text);
      const headers = { authorization: `Bearer ${key}` };
      const response = await api.app.request('/v1/files', { method: 'POST', headers, body: form });
      return ((await response.json()) as Answer['body']).id;
    }

    it('are made, get versions, and are registered as pre-built, and the file stays', async () => {
      const file_id = await uploaded(ZIP);
      const made = await send('/v1/skills', {}, { file_id, display_name: 'Zipped' });
      expect(made.body).toMatchObject({ display_name: 'Zipped', source: { type: 'custom' } });
      const version = await send(`/v1/skills/${made.body.id}/versions`, {}, { file_id });
      expect(version.body).toMatchObject({ name: 'zipped', skill_id: made.body.id });
      const prebuilt = await send('/v1/x/skills/anthropic/zipped', {}, { file_id });
      expect(prebuilt.body).toMatchObject({ skill_id: 'zipped' });
      await api.ask('DELETE', '/v1/skills/zipped');
      expect((await api.ask('GET', `/v1/files/${file_id}`)).status).toBe(200);
    });

    it('are refused with a sentence when there is no such zip', async () => {
      const files = { 'd/SKILL.md': skillMd('zipped') };
      const [zip, text] = [await uploaded(ZIP), await uploaded(Buffer.from('PDF'))];
      const expired = await uploaded(ZIP, KEY, { expires_in_seconds: '3600' });
      const large = await uploaded(ZIP);
      const { find } = api.world.files;
      api.world.files.find = async (workspace, id) => {
        const found = await find(workspace, id);
        if (found === null) return null;
        const { file } = found;
        if (id === large) return { ...found, file: { ...file, size_bytes: 31_000_001 } };
        return id === expired ? { ...found, file: { ...file, expires_at: file.created_at } } : found;
      };
      const cases: readonly [Record<string, string>, Record<string, string>, number, RegExp][] = [
        [{}, { file_id: await uploaded(ZIP, OTHER_KEY) }, 400, /^file_id: there is no such file/],
        [{}, { file_id: 'file_none' }, 400, /^file_id: there is no such file/],
        [{}, { file_id: 'skill_1' }, 400, /^file_id: must be an id/],
        [{}, { file_id: text }, 400, /^file_id: must be a zip/],
        [{}, { file_id: expired }, 400, /^file_id: the file has expired/],
        [{}, { file_id: large }, 413, /^file_id: must be a zip of at most 31000000 bytes/],
        [files, { file_id: zip }, 400, /^files: must be there, or file_id/],
      ];
      for (const path of ['/v1/skills', `/v1/skills/${(await created('zipped')).id}/versions`]) {
        for (const [given, fields, status, message] of cases) {
          const answer = await send(path, given, fields);
          expect([answer.status, answer.body.error?.message]).toEqual([status, expect.stringMatching(message)]);
        }
      }
      api.world.files.find = find;
    });
  });

  it('of another workspace do not exist', async () => {
    const { id, latest_version_id: version } = await created();
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/versions'],
      ['GET', '/versions/latest'],
      ['GET', `/versions/${version}`],
      ['DELETE', `/versions/${version}`],
    ] as const) {
      expect(await api.ask(method, `/v1/skills/${id}${path}`, undefined, STRANGER)).toMatchObject({ status: 404 });
    }
    const upload = await send(`/v1/skills/${id}/versions`, { 'd/SKILL.md': skillMd('hello') }, {}, STRANGER);
    expect(upload.status).toBe(404);
    expect((await api.ask('GET', '/v1/skills', undefined, STRANGER)).body.data).toEqual([]);
    const skills = [{ type: 'custom', skill_id: id }];
    const agent = { name: 'Ada', model: 'claude-opus-5', tools: [{ type: 'agent_toolset_20260401' }], skills };
    expect(await api.ask('POST', '/v1/agents', agent, STRANGER)).toMatchObject({ status: 400 });
  });

  it('are judged when an agent is saved, and pinned when a session is created', async () => {
    const { id, latest_version_id: version, latest_version: number } = await created('greet');
    const TOOLS = [{ type: 'agent_toolset_20260401' }];
    const agentWith = (skills: unknown, tools: unknown = TOOLS) =>
      api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5', tools, skills });
    const refused = [
      [agentWith([{ type: 'custom', skill_id: 'skill_01none' }]), 'skills.0.skill_id: there is no such skill'],
      [agentWith([{ type: 'custom', skill_id: id, version: '17' }]), 'skills.0.version: '],
      [agentWith([{ type: 'anthropic', skill_id: 'xlsx' }]), 'npx brainstem skills import DIR --as anthropic/xlsx'],
      [agentWith([{ type: 'custom', skill_id: 'xlsx' }]), 'skills.0.skill_id: '],
      [
        agentWith([
          { type: 'custom', skill_id: id },
          { type: 'custom', skill_id: id },
        ]),
        'skills.1: ',
      ],
      [agentWith([{ type: 'custom', skill_id: id }], []), 'skills: need the tool `read`'],
      [agentWith(Array.from({ length: 21 }, () => ({ type: 'custom', skill_id: id }))), 'skills: '],
    ] as const;
    for (const [asked, message] of refused) {
      expect(await asked).toMatchObject({
        status: 400,
        body: { error: { message: expect.stringContaining(message) } },
      });
    }
    const agent = (await agentWith([{ type: 'custom', skill_id: id }])).body;
    expect(agent.skills).toEqual([{ type: 'custom', skill_id: id, version: 'latest' }]);
    expect((await agentWith([{ type: 'custom', skill_id: id, version: number }])).body.skills[0].version).toBe(number);
    const off = { tools: [{ type: 'agent_toolset_20260401', configs: [{ name: 'read', enabled: false }] }] };
    expect(await api.ask('POST', `/v1/agents/${agent.id}`, off)).toMatchObject({ status: 400 });
    const environment = (await api.ask('POST', '/v1/environments', { name: 'box' })).body.id;
    const session = async (overrides: object) =>
      api.ask('POST', '/v1/sessions', {
        agent: { type: 'agent_with_overrides', id: agent.id, ...overrides },
        environment_id: environment,
      });
    const begun = (await session({})).body;
    expect(begun.agent.skills).toEqual([{ type: 'custom', skill_id: id, version }]);
    expect(await session({ tools: [] })).toMatchObject({ status: 400 });
    expect((await session({ tools: [], skills: null })).body.agent.skills).toEqual([]);
    expect(await api.ask('POST', `/v1/sessions/${begun.id}`, { agent: { tools: [] } })).toMatchObject({ status: 400 });
    await send(`/v1/skills/${id}/versions`, { 'd/SKILL.md': skillMd('greet') });
    expect((await api.ask('GET', `/v1/sessions/${begun.id}`)).body.agent.skills[0].version).toBe(version);
    await api.ask('DELETE', `/v1/skills/${id}`);
    expect(await session({})).toMatchObject({ status: 400 });
    expect((await session({ skills: [] })).status).toBe(200);
  });

  it('that are pre-built are the operator’s copy', async () => {
    const imported = await send('/v1/x/skills/anthropic/docx', { 'd/SKILL.md': skillMd('docx') });
    expect(imported.body).toMatchObject({ skill_id: 'docx' });
    expect(await send('/v1/x/skills/anthropic/pptx', { 'd/SKILL.md': skillMd('docx') })).toMatchObject({ status: 400 });
    expect((await api.ask('GET', '/v1/skills/docx')).body).toMatchObject({ id: 'docx', source: { type: 'anthropic' } });
    const listed = (await api.ask('GET', '/v1/skills?source=anthropic')).body.data;
    expect(listed).toMatchObject([{ id: 'docx', latest_version_id: imported.body.id }]);
    const agent = { name: 'Ada', model: 'claude-opus-5', tools: [{ type: 'agent_toolset_20260401' }] };
    const skills = [{ type: 'anthropic', skill_id: 'docx' }];
    expect(await api.ask('POST', '/v1/agents', { ...agent, skills })).toMatchObject({ status: 200 });
    expect(await api.ask('POST', '/v1/agents', { ...agent, skills }, STRANGER)).toMatchObject({ status: 400 });
  });
});
