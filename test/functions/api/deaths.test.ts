/**
 * Requests about files, resources and skills whose process dies before each of its effects, on a real DynamoDB engine. The
 * client repeats the request, and the sweep comes. Then every row names bytes that are there, and all bytes have a row.
 */
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { endLeftover } from '#core/files/end-leftover.ts';
import { mortal } from '#test/functions/mortal.ts';
import { sample } from '#test/property-runs.ts';
import { createApp } from '../../../functions/api/app.ts';
import { KEY, startApi, type Answer, type TestApi } from './api.ts';

/** What one sweep ends may announce more for a later one. */
const SWEEPS = ['2100-01-01T00:00:00.000Z', '2101-01-01T00:00:00.000Z'];

describe('a request whose process dies', () => {
  let api: TestApi;
  let app: TestApi['app'];
  let parts: { agent: string; environment_id: string };
  const process = mortal();
  beforeAll(async () => {
    api = await startApi();
    const { files, blobs, leftovers, skills, sessions, log, remover } = api.world;
    const ports = { files, blobs, leftovers, skills, sessions, log, remover };
    const dying = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, process.dying(port)]));
    app = createApp({ ...api.world, ...dying });
    const tools = [{ type: 'agent_toolset_20260401' }];
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5', tools });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    parts = { agent: agent.body.id, environment_id: environment.body.id };
  });
  afterAll(() => api.close());

  async function send(path: string, body: FormData | string, method = 'POST'): Promise<Answer> {
    const response = await app.request(path, { method, headers: { authorization: `Bearer ${KEY}` }, body });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
  const json = (path: string, body: object) => send(path, JSON.stringify(body));
  const remove = async (path: string) => {
    const response = await app.request(path, { method: 'DELETE', headers: { authorization: `Bearer ${KEY}` } });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const form = (field: string, name: string, text: string) => {
    const all = new FormData();
    all.append(field, new Blob([text]), name);
    return all;
  };
  const upload = () => send('/v1/files', form('file', 'a.txt', 'text'));
  const skill = (path = '/v1/skills') =>
    send(path, form('files[]', 'd/SKILL.md', '---\nname: hello\ndescription: Says hello.\n---\n'));
  const idOf = async (made: Promise<Answer>): Promise<string> => (await made).body.id;
  const mounted = (file_id: string, mount_path: string) => ({ type: 'file', file_id, mount_path });
  const sessionWith = (...resources: object[]) => json('/v1/sessions', { ...parts, resources });
  const exists = async (path: string) => (await api.ask('GET', path)).status === 200;

  interface Prepared {
    readonly request: () => Promise<Answer>;
    readonly holds: (answer: Answer) => Promise<void>;
    /** Removed at the end, and nothing of the case is left then. */
    readonly leaves?: (answer: Answer) => readonly string[];
  }

  /** Each makes what is there before a request. */
  const CASES: Readonly<Record<string, () => Promise<Prepared>>> = {
    'an upload': async () => ({
      request: upload,
      async holds({ body }) {
        expect(await exists(`/v1/files/${body.id}`)).toBe(true);
      },
    }),
    'the deletion of a file of which a session has a copy': async () => {
      const file = await idOf(upload());
      const { body: session } = await sessionWith(mounted(file, 'a.txt'));
      return {
        request: () => remove(`/v1/files/${file}`),
        async holds() {
          expect(await exists(`/v1/files/${file}`)).toBe(false);
          expect(await exists(`/v1/files/${session.resources[0].file_id}`)).toBe(true);
        },
      };
    },
    'a session with files': async () => {
      const [one, two] = [await idOf(upload()), await idOf(upload())];
      return {
        request: () => sessionWith(mounted(one, 'a.txt'), mounted(two, 'b.txt')),
        async holds({ body }) {
          expect(body.resources).toHaveLength(2);
          for (const { file_id } of body.resources) expect(await exists(`/v1/files/${file_id}`)).toBe(true);
        },
        leaves: ({ body }) => [`/v1/sessions/${body.id}`, `/v1/files/${one}`, `/v1/files/${two}`],
      };
    },
    'a file that is added to a live session': async () => {
      const file = await idOf(upload());
      const session = await idOf(sessionWith());
      return {
        request: () => json(`/v1/sessions/${session}/resources`, mounted(file, 'a.txt')),
        async holds() {
          const { body } = await api.ask('GET', `/v1/sessions/${session}/resources`);
          expect(body.data).toHaveLength(1);
          expect(await exists(`/v1/files/${body.data[0].file_id}`)).toBe(true);
        },
        leaves: () => [`/v1/sessions/${session}`, `/v1/files/${file}`],
      };
    },
    'the removal of a file from a live session': async () => {
      const file = await idOf(upload());
      const session = (await sessionWith(mounted(file, 'a.txt'))).body;
      return {
        request: () => remove(`/v1/sessions/${session.id}/resources/${session.resources[0].id}`),
        async holds() {
          expect((await api.ask('GET', `/v1/sessions/${session.id}/resources`)).body.data).toEqual([]);
        },
        leaves: () => [`/v1/sessions/${session.id}`, `/v1/files/${file}`],
      };
    },
    'the deletion of a session with files': async () => {
      const file = await idOf(upload());
      const session = (await sessionWith(mounted(file, 'a.txt'))).body;
      return {
        request: () => remove(`/v1/sessions/${session.id}`),
        async holds() {
          expect(await exists(`/v1/sessions/${session.id}`)).toBe(false);
          expect(await exists(`/v1/files/${session.resources[0].file_id}`)).toBe(false);
          expect(await exists(`/v1/files/${file}`)).toBe(true);
        },
      };
    },
    'a skill': async () => ({
      request: skill,
      async holds({ body }) {
        expect(await exists(`/v1/skills/${body.id}/versions/latest`)).toBe(true);
      },
    }),
    'a version of a skill': async () => {
      const id = await idOf(skill());
      return {
        request: () => skill(`/v1/skills/${id}/versions`),
        async holds({ body }) {
          const [skillNow, latest] = [`/v1/skills/${id}`, `/v1/skills/${id}/versions/latest`];
          expect((await api.ask('GET', latest)).body.id).toBe(body.id);
          expect((await api.ask('GET', skillNow)).body.latest_version_id).toBe(body.id);
        },
      };
    },
    'the deletion of a version': async () => {
      const id = await idOf(skill());
      const { body: version } = await skill(`/v1/skills/${id}/versions`);
      return {
        request: () => remove(`/v1/skills/${id}/versions/${version.id}`),
        async holds() {
          const { body } = await api.ask('GET', `/v1/skills/${id}/versions`);
          expect(body.data).toHaveLength(1);
          expect((await api.ask('GET', `/v1/skills/${id}`)).body.latest_version_id).toBe(body.data[0].id);
        },
      };
    },
    'the deletion of a skill': async () => {
      const id = await idOf(skill());
      await skill(`/v1/skills/${id}/versions`);
      return {
        request: () => remove(`/v1/skills/${id}`),
        async holds() {
          expect(await exists(`/v1/skills/${id}`)).toBe(false);
        },
      };
    },
  };

  async function sweep(): Promise<void> {
    const [files, skills, leftovers] = [createFileRecords, createSkillRecords, createLeftovers].map((create) =>
      create(api.dynamodb, api.recordsTable),
    ) as [
      ReturnType<typeof createFileRecords>,
      ReturnType<typeof createSkillRecords>,
      ReturnType<typeof createLeftovers>,
    ];
    const world = { leftovers, blobRemover: api.world.blobs, abandonedCopies: files, abandonedVersions: skills };
    for (const now of SWEEPS) for await (const due of leftovers.due(now)) await endLeftover(world, due, now);
  }

  /** What the rows of files and of versions name. */
  async function namedBlobs(): Promise<ReadonlySet<unknown>> {
    const { Items = [] } = await api.dynamodb.send(new ScanCommand({ TableName: api.recordsTable }));
    const rows = Items.map((item) => unmarshall(item));
    return new Set(
      rows.filter(({ blob, workspace }) => blob !== undefined && workspace !== undefined).map(({ blob }) => blob),
    );
  }

  async function live(prepare: () => Promise<Prepared>, deadly: number): Promise<number> {
    process.dieBefore(0);
    const before = api.world.blobs.kept.size;
    const { request, holds, leaves } = await prepare();
    process.dieBefore(deadly);
    const first = await request();
    const effects = process.effects();
    expect(first.status < 300 || process.isDead()).toBe(true);
    process.revive();
    // What the first attempt did need not be done again.
    const answer = first.status < 300 ? first : await request();
    expect([200, 400, 404]).toContain(answer.status);
    await holds(answer);
    await sweep();
    await holds(answer).catch((cause: unknown) => {
      throw new Error('not after the sweep', { cause });
    });
    expect(await namedBlobs()).toEqual(new Set(api.world.blobs.kept.keys()));
    for (const path of leaves?.(answer) ?? []) await remove(path);
    await sweep();
    if (leaves !== undefined) expect(api.world.blobs.kept.size).toBe(before);
    return effects;
  }

  it.each(Object.entries(CASES))('holds after %s, whatever it died before', async (_name, prepare) => {
    const all = await live(prepare, 0);
    expect(all).toBeGreaterThan(0);
    const points = Array.from({ length: all }, (_, index) => index + 1);
    for (const deadly of sample(2, points)) {
      await live(prepare, deadly).catch((cause: unknown) => {
        throw new Error(`killed before effect ${deadly} of ${all}`, { cause });
      });
    }
  });
});
