/** Calls of the operations on skills, as in `core-rows.ts`, and the same by earlier versions of the SDK. */
import Anthropic, { toFile } from '@anthropic-ai/sdk';
import type { SkillCreateParams, SkillListParams } from '@anthropic-ai/sdk/resources/beta/skills/skills';
import type { VersionCreateParams, VersionListParams } from '@anthropic-ai/sdk/resources/beta/skills/versions';
import Anthropic104 from 'sdk-0.104';
import Anthropic86 from 'sdk-0.86';
import { expect } from 'vitest';
import { HEADERS, type Everything } from './core-parameters.ts';
import { page, row, type Given, type Row } from './core-rows.ts';

const text = '---\nname: greet\ndescription: Says how to greet.\n---\nSay hello.\n';
const files = async () => [await toFile(Buffer.from(text), 'greet/SKILL.md')];

const SKILL = {
  ...{ type: 'skill', id: expect.stringMatching(/^skill_/), display_name: 'greet', source: { type: 'custom' } },
  latest_version_id: expect.stringMatching(/^skver_/),
};
const VERSION = {
  ...{ type: 'skill_version', id: expect.stringMatching(/^skver_/), name: 'greet', description: 'Says how to greet.' },
  skill_id: expect.stringMatching(/^skill_/),
};

const skill = async ({ client }: Given) => client.skills.create({ files: await files() });

/** A skill with two versions, newest first. */
async function versions(given: Given) {
  const { id, latest_version_id: first } = await skill(given);
  const second = await given.client.skills.versions.create(id, { files: await files() });
  return { skill_id: id, newest: second.id, oldest: first };
}

/** Bytes are no JSON, which the client of the rows checks. */
const plain = ({ service: { runtime } }: Given) =>
  new Anthropic({ apiKey: runtime.apiKey, baseURL: runtime.baseUrl, maxRetries: 0 }).beta;

const olderClients = ({ service: { runtime } }: Given) => {
  const options = { apiKey: runtime.apiKey, baseURL: runtime.baseUrl, maxRetries: 0 };
  return { '0.86': new Anthropic86(options).beta, '0.104': new Anthropic104(options).beta };
};

/** The files as one archive, which the service makes for a download. */
async function zip(given: Given) {
  const { skill_id, oldest } = await versions(given);
  return toFile(await plain(given).skills.versions.download(oldest, { skill_id }), 'greet.zip');
}

const NUMBER = expect.stringMatching(/^\d{16}$/);

const olderRows = (['0.86', '0.104'] as const).flatMap((version): readonly Row[] => {
  const made = async (given: Given) => {
    const { skills } = olderClients(given)[version];
    const of = await skills.create({ display_title: 'Greeting', files: await files() });
    return { skills, of, number: of.latest_version ?? '' };
  };
  return [
    row(`POST /v1/skills, by SDK ${version}`, async (given) => (await made(given)).of, {
      display_title: 'Greeting',
      latest_version: NUMBER,
    }),
    row(
      `GET /v1/skills/{skill_id}, by SDK ${version}`,
      async (given) => {
        const { skills, of } = await made(given);
        return skills.retrieve(of.id);
      },
      { display_title: 'Greeting', latest_version: NUMBER },
    ),
    row(
      `GET /v1/skills, by SDK ${version}`,
      (given) => olderClients(given)[version].skills.list({ source: 'custom', limit: 1 }),
      page,
    ),
    row(
      `POST /v1/skills/{skill_id}/versions, by SDK ${version}`,
      async (given) => {
        const { skills, of } = await made(given);
        // SDK 0.86 sends the names of a version's files without their directories, so it can only send a zip.
        const sent = version === '0.86' ? [await zip(given)] : await files();
        return skills.versions.create(of.id, { files: sent });
      },
      { version: NUMBER, directory: 'greet', name: 'greet' },
    ),
    row(
      `GET /v1/skills/{skill_id}/versions, by SDK ${version}`,
      async (given) => {
        const { skills, of } = await made(given);
        return skills.versions.list(of.id, { limit: 1 });
      },
      { data: [{ version: NUMBER }] },
    ),
    row(
      `GET /v1/skills/{skill_id}/versions/{version}, by SDK ${version}`,
      async (given) => {
        const { skills, of, number } = await made(given);
        return skills.versions.retrieve(number, { skill_id: of.id });
      },
      { version: NUMBER, skill_id: expect.stringMatching(/^skill_/) },
    ),
    row(
      `DELETE /v1/skills/{skill_id}/versions/{version}, by SDK ${version}`,
      async (given) => {
        const { skills, of, number } = await made(given);
        await given.client.skills.versions.create(of.id, { files: await files() });
        return skills.versions.delete(number, { skill_id: of.id });
      },
      { type: 'skill_version_deleted' },
    ),
    row(
      `DELETE /v1/skills/{skill_id}, by SDK ${version}`,
      async (given) => {
        const { skills, of } = await made(given);
        return skills.delete(of.id);
      },
      { type: 'skill_deleted' },
    ),
  ];
});

export const SKILL_ROWS: readonly Row[] = [
  row('POST /v1/skills', skill, SKILL),
  row(
    'POST /v1/skills, everything',
    async ({ client }) => {
      const everything: Everything<SkillCreateParams> = { files: await files(), display_name: 'Greeting' };
      return client.skills.create({ ...everything, ...HEADERS });
    },
    { ...SKILL, display_name: 'Greeting' },
  ),
  row(
    'GET /v1/skills/{skill_id}',
    async (given) => given.client.skills.retrieve((await skill(given)).id, HEADERS),
    SKILL,
  ),
  row('GET /v1/skills', ({ client }) => client.skills.list(), page),
  row(
    'GET /v1/skills, everything',
    async (given) => {
      await skill(given);
      await skill(given);
      const everything: Everything<SkillListParams, 'page'> = { source: 'custom', limit: 1 };
      const first = await given.client.skills.list({ ...everything, ...HEADERS });
      return given.client.skills.list({ ...everything, page: first.next_page, ...HEADERS });
    },
    { data: [{ type: 'skill', source: { type: 'custom' } }] },
  ),
  row('DELETE /v1/skills/{skill_id}', async (given) => given.client.skills.delete((await skill(given)).id, HEADERS), {
    type: 'skill_deleted',
  }),
  row(
    'POST /v1/skills/{skill_id}/versions',
    async (given) => {
      const everything: Everything<VersionCreateParams> = { files: await files() };
      return given.client.skills.versions.create((await skill(given)).id, { ...everything, ...HEADERS });
    },
    VERSION,
  ),
  row(
    'GET /v1/skills/{skill_id}/versions/{version}',
    async (given) => {
      const { skill_id, oldest } = await versions(given);
      const found = await given.client.skills.versions.retrieve(oldest, { skill_id, ...HEADERS });
      return { ...found, isOldest: found.id === oldest };
    },
    { ...VERSION, isOldest: true },
  ),
  row(
    'GET /v1/skills/{skill_id}/versions/{version}, the latest',
    async (given) => {
      const { skill_id, newest } = await versions(given);
      const found = await given.client.skills.versions.retrieve('latest', { skill_id });
      return { ...found, isNewest: found.id === newest };
    },
    { ...VERSION, isNewest: true },
  ),
  row(
    'GET /v1/skills/{skill_id}/versions',
    async (given) => given.client.skills.versions.list((await versions(given)).skill_id),
    { data: [VERSION, VERSION], next_page: null },
  ),
  row(
    'GET /v1/skills/{skill_id}/versions, everything',
    async (given) => {
      const { skill_id } = await versions(given);
      const everything: Everything<VersionListParams, 'page'> = { limit: 1 };
      const first = await given.client.skills.versions.list(skill_id, { ...everything, ...HEADERS });
      return given.client.skills.versions.list(skill_id, { ...everything, page: first.next_page, ...HEADERS });
    },
    { data: [VERSION], next_page: null },
  ),
  row(
    'GET /v1/skills/{skill_id}/versions/{version}/content',
    async (given) => {
      const { skill_id, oldest } = await versions(given);
      const response = await plain(given).skills.versions.download(oldest, { skill_id, ...HEADERS });
      const bytes = Buffer.from(await response.arrayBuffer());
      return {
        type: response.headers.get('content-type'),
        begins: bytes.subarray(0, 2).toString(),
        holds: bytes.includes('SKILL.md'),
      };
    },
    { type: 'application/zip', begins: 'PK', holds: true },
  ),
  row(
    'DELETE /v1/skills/{skill_id}/versions/{version}',
    async (given) => {
      const { skill_id, newest } = await versions(given);
      return given.client.skills.versions.delete(newest, { skill_id, ...HEADERS });
    },
    { type: 'skill_version_deleted' },
  ),
  ...olderRows,
];
