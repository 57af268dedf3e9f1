/** Skills through the official SDK, an earlier one and the command, and an agent that reads one in its sandbox. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { toFile, type Anthropic } from '@anthropic-ai/sdk';
import Sdk104, { toFile as toFile104 } from 'sdk-0.104';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSkillArchives } from '#aws/skills/skill-archives.zip.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { zipOf } from '#test/functions/core/skills/zips.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';

const skillMd = (name: string, text: string) =>
  Buffer.from(`---\nname: ${name}\ndescription: Says how to greet.\n---\n${text}\n`);
const LIMITS = { files: 10, bytes: 10_000_000 };

describe('a skill', () => {
  let service: Service;
  let beta: Anthropic['beta'];
  beforeAll(async () => {
    service = await startService();
    beta = service.client.beta;
  });
  afterAll(() => service.close());

  it('is created, versioned, listed, downloaded and deleted', async () => {
    const files = [
      await toFile(skillMd('greet', 'Say hello.'), 'greet/SKILL.md'),
      await toFile(Buffer.from('echo hi'), 'greet/scripts/hi.sh'),
    ];
    const skill = await beta.skills.create({ files, display_name: 'Greeting' });
    expect(await beta.skills.retrieve(skill.id)).toEqual(skill);
    expect(skill).toMatchObject({ display_name: 'Greeting', source: { type: 'custom' } });
    const version = await beta.skills.versions.create(skill.id, {
      files: [await toFile(skillMd('greet', 'Say hi.'), 'g/SKILL.md')],
    });
    const latest = await beta.skills.versions.retrieve('latest', { skill_id: skill.id });
    expect(latest).toEqual(version);
    const listed: string[] = [];
    for await (const one of beta.skills.versions.list(skill.id, { limit: 1 })) listed.push(one.id);
    expect(listed).toEqual([version.id, skill.latest_version_id]);
    const download = await beta.skills.versions.download(skill.latest_version_id, { skill_id: skill.id });
    const zip = new Uint8Array(await download.arrayBuffer());
    const unpacked = await createSkillArchives().unzip(zip, LIMITS);
    expect(unpacked).toMatchObject([{ path: 'greet/SKILL.md' }, { path: 'greet/scripts/hi.sh' }]);
    // What was downloaded can be uploaded.
    await beta.skills.versions.create(skill.id, { files: [await toFile(zip, 'greet.zip')] });
    expect(await beta.skills.versions.delete(version.id, { skill_id: skill.id })).toMatchObject({ id: version.id });
    const all: string[] = [];
    for await (const one of beta.skills.list({ source: 'custom', limit: 1 })) all.push(one.id);
    expect(all).toContain(skill.id);
    expect(await beta.skills.delete(skill.id)).toEqual({ id: skill.id, type: 'skill_deleted' });
    await expect(beta.skills.retrieve(skill.id)).rejects.toMatchObject({ status: 404 });
  });

  it('is used by an agent: it is told of it, and reads it read-only, in the version of the session’s beginning', async () => {
    const upload = async (text: string) => ({ files: [await toFile(skillMd('greet', text), 'd/SKILL.md')] });
    const skill = await beta.skills.create(await upload('Say ahoy.'));
    const tools = [{ type: 'agent_toolset_20260401' as const }];
    const skills = [{ type: 'custom' as const, skill_id: skill.id }];
    const agent = await beta.agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      system: 'You are Ada.',
      tools,
      skills,
    });
    const environment = await beta.environments.create({ name: 'lab' });
    const session = await beta.sessions.create({ agent: agent.id, environment_id: environment.id });
    await beta.skills.versions.create(skill.id, await upload('Say goodbye.'));
    const path = '/workspace/skills/greet/SKILL.md';
    service.standIn.script(calling({ name: 'read', input: { file_path: path } }));
    const read = await service.converse(session.id, 'Greet me.');
    expect(textOf(ofType(read, 'agent.tool_result')[0])).toContain('Say ahoy.');
    service.standIn.script(calling({ name: 'bash', input: { command: `stat -c %A ${path}` } }));
    expect(textOf(ofType(await service.converse(session.id, 'go'), 'agent.tool_result')[0])).toContain('-r--r--r--');
    const systems = service.standIn.requests.map(({ request }) => JSON.stringify(request.system));
    expect(systems[0]).toContain('path=\\"/workspace/skills/greet/SKILL.md\\">Says how to greet.</skill>');
    // The provider's cache serves: the text stays the same.
    expect(new Set(systems).size).toBe(1);
  });

  it('is found by agents that share a sandbox, each in the version that it has', async () => {
    const upload = async (text: string) => ({ files: [await toFile(skillMd('wave', text), 'd/SKILL.md')] });
    const skill = await beta.skills.create(await upload('Say ahoy.'));
    const latest = await beta.skills.versions.create(skill.id, await upload('Say goodbye.'));
    const of = (fields: object) => ({
      ...{ name: 'Ada', model: 'claude-opus-5', tools: [{ type: 'agent_toolset_20260401' as const }] },
      skills: [{ type: 'custom' as const, skill_id: skill.id, ...fields }],
    });
    const listed = await beta.agents.create(of({ version: skill.latest_version_id }));
    const agents = [{ type: 'self' as const }, listed.id];
    const lead = await beta.agents.create({ ...of({}), multiagent: { type: 'coordinator', agents } });
    const environment = await beta.environments.create({ name: 'lab' });
    const session = await beta.sessions.create({ agent: lead.id, environment_id: environment.id });
    const versions = [latest.id, skill.latest_version_id].map((version) => ({ skills: [{ version }] }));
    expect(session.agent).toMatchObject({ ...versions[0], multiagent: { agents: versions } });
    service.standIn.script(calling(bash('cd /workspace/skills; tail -n 1 wave/SKILL.md wave-2/SKILL.md')));
    expect(textOf(ofType(await service.converse(session.id, 'go'), 'agent.tool_result')[0])).toMatch(
      /^==> wave\/SKILL\.md <==\nSay goodbye\.\n+==> wave-2\/SKILL\.md <==\nSay ahoy\./,
    );
    await beta.skills.versions.delete(skill.latest_version_id, { skill_id: skill.id });
    await expect(beta.sessions.create({ agent: lead.id, environment_id: environment.id })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining(`agent.multiagent.${listed.id}.skills.0.version: the skill has no such version`),
    });
  });

  it('that loses the version of a session is missed by the session, which goes on and tells its model', async () => {
    const upload = async (name: string) => ({ files: [await toFile(skillMd(name, 'Say ahoy.'), 'd/SKILL.md')] });
    const [lost, kept] = [
      await beta.skills.create(await upload('lost')),
      await beta.skills.create(await upload('kept')),
    ];
    const agent = await beta.agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      tools: [{ type: 'agent_toolset_20260401' }],
      skills: [lost, kept].map(({ id }) => ({ type: 'custom' as const, skill_id: id })),
    });
    const environment = await beta.environments.create({ name: 'lab' });
    const session = await beta.sessions.create({ agent: agent.id, environment_id: environment.id });
    await beta.skills.versions.create(lost.id, await upload('lost'));
    await beta.skills.versions.delete(lost.latest_version_id, { skill_id: lost.id });
    service.standIn.script(calling(bash('ls /workspace/skills')));
    for (const round of ['the first call', 'a later one']) {
      const seen = await service.converse(session.id, round);
      expect(textOf(ofType(seen, 'agent.tool_result')[0])).toMatch(
        /^kept\n\(The skill at \/workspace\/skills\/lost is not in the sandbox: it was deleted\.\)$/,
      );
      expect(ofType(seen, 'session.status_idle').at(-1)?.stop_reason).toEqual({ type: 'end_turn' });
    }
  });

  it('is known by numbers to an earlier SDK', async () => {
    const { baseURL, apiKey } = service.client;
    const old = new Sdk104({ baseURL, apiKey }).beta.skills;
    const skill = await old.create({
      display_title: 'Old',
      files: [await toFile104(skillMd('old', 'x'), 'old/SKILL.md')],
    });
    expect(skill).toMatchObject({ display_title: 'Old', latest_version: expect.stringMatching(/^\d{16}$/) });
    const version = await old.versions.retrieve(skill.latest_version ?? '', { skill_id: skill.id });
    expect(version).toMatchObject({ version: skill.latest_version, directory: 'old', name: 'old' });
    const ids: string[] = [];
    for await (const one of old.list()) ids.push(one.id);
    expect(ids).toContain(skill.id);
  });

  it('that is pre-built is registered by a command', async () => {
    let dir = join(mkdtempSync(join(tmpdir(), 'skill-')), 'xlsx');
    mkdirSync(join(dir, 'scripts'), { recursive: true });
    writeFileSync(join(dir, 'SKILL.md'), skillMd('xlsx', 'Tables.'));
    writeFileSync(join(dir, 'scripts/a.py'), '');
    const { baseURL: ANTHROPIC_BASE_URL, apiKey } = service.client;
    const env = { ...process.env, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY: apiKey ?? '' };
    // Not blocking: the service runs in this process.
    const command = (as: string) =>
      promisify(execFile)('node', ['infra/cli/brainstem/main.ts', 'skills', 'import', dir, '--as', as], { env });
    await expect(command('anthropic/docx')).rejects.toMatchObject({ stderr: expect.stringContaining('SKILL.md must') });
    expect((await command('anthropic/xlsx')).stdout).toMatch(/^xlsx: version skver_/);
    // A zip that no form carries, and whose files are not smaller in it.
    const large = randomBytes(6_000_000);
    const zip = zipOf([
      { name: 'xlsx/SKILL.md', data: skillMd('xlsx', 'Large tables.') },
      { name: 'xlsx/large.bin', data: large },
    ]);
    dir = join(dir, '../xlsx.zip');
    writeFileSync(dir, zip);
    expect((await command('anthropic/xlsx')).stdout).toMatch(/^xlsx: version skver_/);
    const download = await beta.skills.versions.download('latest', { skill_id: 'xlsx' });
    const files = await createSkillArchives().unzip(new Uint8Array(await download.arrayBuffer()), LIMITS);
    expect(files).toMatchObject([{ path: 'xlsx/SKILL.md' }, { path: 'xlsx/large.bin' }]);
    expect(isRefusal(files) || Buffer.from(files[1]?.bytes ?? []).equals(large)).toBe(true);
    rmSync(join(dir, '..'), { recursive: true });
    const tools = [{ type: 'agent_toolset_20260401' as const }];
    const skills = [{ type: 'anthropic' as const, skill_id: 'xlsx' }];
    const agent = await beta.agents.create({ name: 'Ada', model: 'claude-opus-5', tools, skills });
    expect(agent.skills).toEqual([{ type: 'anthropic', skill_id: 'xlsx', version: 'latest' }]);
    expect(await beta.skills.retrieve('xlsx')).toMatchObject({ source: { type: 'anthropic' } });
  });
});
