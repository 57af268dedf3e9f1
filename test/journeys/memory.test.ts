/** Memory across two sessions, and what becomes of a memory that both change, with real sandboxes. */
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';

let service: Service;
let beta: Anthropic['beta'];
beforeAll(async () => {
  service = await startService();
  beta = service.client.beta;
});
afterAll(() => service.close());

async function session(store: string, access: 'read_write' | 'read_only' = 'read_write') {
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  const agent = await beta.agents.create({ name: 'Ada', model: 'claude-opus-5', tools });
  const environment = await beta.environments.create({ name: 'lab' });
  const resources = [{ type: 'memory_store' as const, memory_store_id: store, access, instructions: 'Read first.' }];
  return (await beta.sessions.create({ agent: agent.id, environment_id: environment.id, resources })).id;
}

async function run(id: string, command: string): Promise<string> {
  service.standIn.script(calling(bash(command)));
  return textOf(ofType(await service.converse(id, 'go'), 'agent.tool_result')[0]);
}

it('what one session writes another one reads; when both change a memory, both texts are there', async () => {
  const { id: store } = await beta.memoryStores.create({ name: 'Team notes', description: 'What we know.' });
  await beta.memoryStores.memories.create(store, { path: '/old.md', content: 'old text' });
  const [first, second] = [await session(store), await session(store)];
  const folder = '/mnt/memory/team-notes';
  expect(await run(first, `cat ${folder}/old.md && mkdir ${folder}/a && echo hello > ${folder}/a/new.md`)).toContain(
    'old text',
  );
  const contents = async () => {
    const found: Record<string, string | null> = {};
    for await (const one of beta.memoryStores.memories.list(store, { view: 'full' })) {
      if (one.type === 'memory') found[one.path] = one.content ?? null;
    }
    return found;
  };
  expect(await contents()).toEqual({ '/a/new.md': 'hello\n', '/old.md': 'old text' });
  const [version] = (await beta.memoryStores.memoryVersions.list(store, { session_id: first })).data;
  expect(version).toMatchObject({ operation: 'created', path: '/a/new.md', created_by: { type: 'session_actor' } });

  expect(await run(second, `cat ${folder}/a/new.md`)).toContain('hello');
  await run(first, `echo 'of the first' > ${folder}/a/new.md; rm ${folder}/old.md`);
  const told = await run(second, `echo 'of the second' > ${folder}/a/new.md`);
  expect(told).toContain('another session changed it meanwhile');
  expect(await contents()).toEqual({ '/a/new.md': 'of the second\n' });
  expect(await run(second, `cat ${folder}/a/new.md.other-version`)).toContain('of the first');

  const reader = await session(store, 'read_only');
  const tried = await run(reader, `cat ${folder}/a/new.md; echo x > ${folder}/a/new.md || echo kept`);
  // Without walls nothing keeps root from writing to a file; what it writes goes no further.
  expect(tried).toMatch(service.runtime.sandbox === 'process' ? /second/ : /second[^]*kept/);
  expect(await contents()).toEqual({ '/a/new.md': 'of the second\n' });
  const system = JSON.stringify(service.standIn.requests.at(-1));
  expect(system).toContain('memory_store');
  expect(system).toContain('What we know.');
});
