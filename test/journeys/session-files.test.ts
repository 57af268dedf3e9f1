/** Files into a session and out of it, through the official SDK and a real sandbox. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { follow } from '#test/journeys/follower.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';
import { png } from '#test/model/png.ts';

const BETAS = ['managed-agents-2026-04-01' as const];

describe('a session with files', () => {
  let service: Service;
  let beta: Anthropic['beta'];
  /** For bytes, which come from the bucket and not from an operation of the contract. */
  let plain: Anthropic['beta'];
  beforeAll(async () => {
    service = await startService();
    beta = service.client.beta;
    const { baseUrl: baseURL, apiKey } = service.runtime;
    plain = new Anthropic({ baseURL, apiKey }).beta;
  });
  afterAll(() => service.close());

  const upload = async (name: string, text: string) =>
    (await beta.files.upload({ file: await toFile(Buffer.from(text), name), betas: BETAS })).id;

  async function sessionWith(
    resources: NonNullable<Anthropic.Beta.SessionCreateParams['resources']>,
    skills: NonNullable<Anthropic.Beta.AgentCreateParams['skills']> = [],
  ) {
    const agent = await beta.agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      tools: [{ type: 'agent_toolset_20260401' }],
      skills,
    });
    const environment = await beta.environments.create({ name: 'lab' });
    return beta.sessions.create({ agent: agent.id, environment_id: environment.id, resources });
  }

  async function run(session: string, command: string): Promise<string> {
    service.standIn.script(calling(bash(command)));
    return textOf(ofType(await service.converse(session, 'go'), 'agent.tool_result')[0]);
  }

  /** What `execute` asks AWS for in one turn. The queries are left out: it looks at the log once a second. */
  async function askedFor(session: string): Promise<readonly string[]> {
    service.runtime.faults.disarm();
    await run(session, 'true');
    const calls = service.runtime.faults.trace().filter((call) => call.function === 'execute');
    return calls
      .map(({ call }) => call)
      .filter((call) => call !== 'dynamodb:Query')
      .toSorted();
  }

  async function outputsOf(session: string): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for await (const file of beta.files.list({ scope_id: session, betas: BETAS })) {
      if (!file.downloadable) continue;
      expect(file.scope).toEqual({ type: 'session', id: session });
      found[file.filename] = await (await plain.files.download(file.id, { betas: BETAS })).text();
    }
    return found;
  }

  it('reads them, writes others for its user, and sees what is added and removed while it lives', async () => {
    const [data, more] = [await upload('data.csv', 'a,b\n1,2\n'), await upload('more.csv', 'more')];
    const session = await sessionWith([
      { type: 'file', file_id: data, mount_path: '/data.csv' },
      { type: 'file', file_id: data, mount_path: '/workspace/in/data.csv' },
    ]);
    // The session has copies of its own.
    await beta.files.delete(data, { betas: BETAS });
    const [first] = session.resources;
    const copied = await run(
      session.id,
      'cat /mnt/session/uploads/data.csv in/data.csv && (echo x > /mnt/session/uploads/data.csv) 2>/dev/null || echo kept; ' +
        'mkdir -p /mnt/session/outputs/deep && cp in/data.csv /mnt/session/outputs/deep/copy.csv',
    );
    // Without walls nothing keeps root from writing to a file.
    expect(copied).toContain(`a,b\n1,2\na,b\n1,2${service.runtime.sandbox === 'process' ? '' : '\nkept'}`);
    expect(await outputsOf(session.id)).toEqual({ 'copy.csv': 'a,b\n1,2\n' });
    const added = await beta.sessions.resources.add(session.id, {
      type: 'file',
      file_id: more,
      mount_path: 'x/more.csv',
    });
    expect(added).toMatchObject({ type: 'file', mount_path: '/mnt/session/uploads/x/more.csv' });
    if (first === undefined || !('id' in first)) throw new Error('the session has no resource');
    await beta.sessions.resources.delete(first.id, { session_id: session.id });
    const listed = 'cat /mnt/session/uploads/x/more.csv; ls /mnt/session/uploads /mnt/session/uploads/*';
    const seen = await run(session.id, listed);
    expect(seen).toContain('more');
    expect(seen).not.toContain('data.csv\nworkspace');
    expect(await run(session.id, 'ls /mnt/session/uploads')).not.toContain('data.csv');
    expect(Object.keys(await outputsOf(session.id))).toEqual(['copy.csv']);
    await beta.sessions.delete(session.id);
    expect((await beta.files.list({ scope_id: session.id, betas: BETAS })).data).toEqual([]);
    await expect(beta.files.retrieveMetadata(added.file_id, { betas: BETAS })).rejects.toMatchObject({ status: 404 });
  });

  it('is told when its sandbox dies before outputs are stored; the next one has files, skills and memory again', async () => {
    const skillMd = Buffer.from('---\nname: greet\ndescription: Greets.\n---\nSay ahoy.\n');
    const skill = await beta.skills.create({ files: [await toFile(skillMd, 'greet/SKILL.md')] });
    const store = await beta.memoryStores.create({ name: 'Notes', description: '' });
    await beta.memoryStores.memories.create(store.id, { path: '/a.md', content: 'of memory' });
    const session = await sessionWith(
      [
        { type: 'file', file_id: await upload('a.csv', 'of a file'), mount_path: 'a.csv' },
        { type: 'memory_store', memory_store_id: store.id },
      ],
      [{ type: 'custom', skill_id: skill.id }],
    );
    const reading = 'cat /mnt/session/uploads/a.csv /mnt/memory/notes/a.md skills/greet/SKILL.md';
    const found = /of a file[^]*of memory[^]*Say ahoy/;
    expect(await run(session.id, reading)).toMatch(found);
    // A call that changes nothing asks AWS for nothing more than in a session that has nothing.
    await run(session.id, 'echo kept > /mnt/session/outputs/kept.txt');
    const plain = await sessionWith([]);
    await run(plain.id, 'true');
    const asked = await askedFor(session.id);
    expect(asked).toContain('dynamodb:PutItem');
    expect(asked).toEqual(await askedFor(plain.id));
    service.runtime.faults.disarm();
    // The first item marks the call. The second one announces the output's bytes, and the sandbox dies meanwhile.
    service.runtime.faults.delay('execute dynamodb:PutItem', 1000);
    const told = run(
      session.id,
      'echo x > /mnt/session/outputs/lost.txt; echo x > /mnt/memory/notes/lost.md; echo done',
    );
    const isPut = ({ function: by, call }: { function: string; call: string }) =>
      by === 'execute' && call === 'dynamodb:PutItem';
    const puts = () => service.runtime.faults.trace().filter(isPut).length;
    await expect.poll(puts, { timeout: 30_000 }).toBe(2);
    await service.runtime.faults.loseSandbox();
    const output = await told;
    service.runtime.faults.disarm();
    expect(output).toContain('Not stored yet, because it could not be read as a whole');
    expect(output).toContain('lost.txt');
    expect(await outputsOf(session.id)).toEqual({ 'kept.txt': 'kept\n' });
    // A sandbox that was just used is taken for alive until a call does not reach it.
    expect(await run(session.id, 'true')).toContain('The sandbox stopped before this call had a result.');
    const next = await run(session.id, `ls /mnt/session/outputs; ${reading}`);
    expect(next).toContain('This is a new sandbox.');
    expect(next).toMatch(found);
    expect(next).not.toContain('lost.txt');
  });

  it('is idle when what its programs wrote after the last call is listed', async () => {
    const session = await sessionWith([]);
    const folder = '/mnt/session/outputs';
    const folders = () => service.sandboxes().map((task) => join(service.data, 'tasks', task, 'mnt/session/outputs'));
    const [late, more] = [`late-${session.id}`, `more-${session.id}`];
    const found = (name: string) => folders().find((one) => existsSync(join(one, name)));
    const written = (name: string) => expect.poll(() => found(name), { timeout: 60_000 }).toBeDefined();
    const steps = [
      `sleep 1; echo 1 > ${folder}/${late}`,
      `while [ ! -e ${folder}/go ]; do sleep 0.1; done; echo 2 > ${folder}/${more}`,
    ];
    const answer = calling(bash(`(${steps.join('; ')}; sleep 600) &`));
    // The model ends its turn when the program has written, and the program goes on.
    service.standIn.script(async (request, index) => {
      const reply = await answer(request, index);
      if (!('tools' in reply)) await written(late);
      return reply;
    });
    const events = await service.converse(session.id, 'go');
    expect(await outputsOf(session.id)).toEqual({ [late]: '1\n' });
    expect(events.filter(({ type }) => type === 'session.status_idle')).toHaveLength(1);
    // A turn without a call ends in the same way.
    service.standIn.script(async () => {
      await writeFile(join(found(late) ?? expect.fail('no sandbox'), 'go'), '');
      await written(more);
      return { text: 'Done.' };
    });
    await service.converse(session.id, 'and?');
    expect(await outputsOf(session.id)).toEqual({ [late]: '1\n', [more]: '2\n', go: '' });
  });

  it('gives its user regular files only, by names that every system takes, and each content once', async () => {
    const session = await sessionWith([]);
    const folder = '/mnt/session/outputs';
    await run(
      session.id,
      `cd ${folder} && ln -s /etc/passwd link.txt && mkfifo pipe && mkdir -p a/b && echo one > a/b/report.txt && ` +
        "echo two > 'new line:.txt' && echo no > $'new\\nline.txt' && echo three > '..dots'",
    );
    const first = { 'report.txt': 'one\n', 'new line_.txt': 'two\n', '..dots': 'three\n' };
    expect(await outputsOf(session.id)).toEqual(first);
    await run(
      session.id,
      `cd ${folder} && touch a/b/report.txt none && echo one > a/b/report.txt; echo more > later.txt`,
    );
    expect(await outputsOf(session.id)).toEqual({ ...first, 'later.txt': 'more\n', none: '' });
    const all = await beta.files.list({ scope_id: session.id, betas: BETAS });
    expect(all.data).toHaveLength(5);
  });

  it('finds 500 small files in its first call', async () => {
    const file = await upload('a.txt', 'x'.repeat(1024));
    const mounts = Array.from({ length: 500 }, (_, index) => ({
      ...{ type: 'file' as const, file_id: file, mount_path: `many/${index}.txt` },
    }));
    const session = await sessionWith(mounts);
    expect(session.resources).toHaveLength(500);
    expect(await run(session.id, 'cat /mnt/session/uploads/many/*.txt | wc -c')).toContain(String(500 * 1024));
  });

  it('shows its model files that messages name, also after they are deleted', async () => {
    const bytes = png(40, 30);
    const uploads = [toFile(bytes, 'map.png'), toFile(Buffer.from('city,people\nOslo,717710\n'), 'cities.csv')];
    const [map = '', cities = ''] = await Promise.all(
      uploads.map(async (file) => (await beta.files.upload({ file: await file, betas: BETAS })).id),
    );
    const content = [
      { type: 'image' as const, source: { type: 'file' as const, file_id: map } },
      { type: 'document' as const, source: { type: 'file' as const, file_id: cities }, title: 'Cities' },
      { type: 'text' as const, text: 'Which is it?' },
    ];
    service.standIn.script(() => ({ text: 'Oslo.' }));
    const session = await sessionWith([]);
    const follower = await follow(service, session.id);
    await beta.sessions.events.send(session.id, { events: [{ type: 'user.message', content }] });
    await follower.idle();
    expect(ofType(follower.since(), 'user.message').map((event) => event.content)).toContainEqual(content);
    follower.leave();
    await Promise.all([map, cities].map((id) => beta.files.delete(id, { betas: BETAS })));
    await service.converse(session.id, 'Are you sure?');
    const shown = { type: 'base64', media_type: 'image/png', data: bytes.toString('base64') };
    const text = { type: 'text', media_type: 'text/plain', data: 'city,people\nOslo,717710\n' };
    const asked = service.standIn.requests.slice(-2).map(({ request }) => request.messages[0]?.content);
    const blocks = [
      { type: 'image', source: shown },
      { type: 'document', source: text, title: 'Cities' },
    ];
    expect(asked).toMatchObject([
      [...blocks, { type: 'text' }],
      [...blocks, { type: 'text' }],
    ]);
    expect(service.standIn.refusals).toEqual([]);
    const again = beta.sessions.events.send(session.id, { events: [{ type: 'user.message', content }] });
    await expect(again).rejects.toMatchObject({ status: 400 });
  });
});
