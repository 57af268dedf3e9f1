import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';

describe('updates of agents and environments', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: echo });
  });
  afterAll(async () => service.close());

  const create = () => service.client.beta.agents.create({ name: 'Ada', model: 'claude-opus-5' });

  it('leave earlier versions and sessions as they were', async () => {
    const { agents, environments, sessions } = service.client.beta;
    const first = await create();
    const environment = await environments.create({ name: 'lab' });
    const session = await sessions.create({ agent: first.id, environment_id: environment.id });
    const second = await agents.update(first.id, { version: first.version, system: 'You are Bob.', name: 'Bob' });
    expect(second).toMatchObject({ version: 2, name: 'Bob', system: 'You are Bob.', model: first.model });
    expect(await agents.retrieve(first.id, { version: 1 })).toEqual(first);
    expect((await sessions.retrieve(session.id)).agent).toMatchObject({ version: 1, name: 'Ada' });
    const reference = { type: 'agent' as const, id: first.id };
    const pinned = await sessions.create({ agent: { ...reference, version: 1 }, environment_id: environment.id });
    expect(pinned.agent).toMatchObject({ version: 1, name: 'Ada' });
    const latest = await sessions.create({ agent: reference, environment_id: environment.id });
    expect(latest.agent).toMatchObject({ version: 2, name: 'Bob' });
  });

  it('are listed as versions by the client, page after page', async () => {
    const { agents } = service.client.beta;
    const { id } = await create();
    for (const name of ['two', 'three', 'four', 'five']) await agents.update(id, { name });
    const names: string[] = [];
    for await (const agent of agents.versions.list(id, { limit: 2 })) names.push(agent.name);
    expect(names).toEqual(['five', 'four', 'three', 'two', 'Ada']);
  });

  it('of an old version are refused, and the SDK does not repeat them', async () => {
    const { id } = await create();
    await service.client.beta.agents.update(id, { name: 'Bob' });
    let calls = 0;
    const counting = new Anthropic({
      baseURL: service.runtime.baseUrl,
      apiKey: service.runtime.apiKey,
      fetch: async (url, init) => {
        calls += 1;
        return fetch(url, init);
      },
    });
    await expect(counting.beta.agents.update(id, { name: 'Eve', version: 1 })).rejects.toMatchObject({
      status: 409,
      type: 'conflict_error',
    });
    expect(calls).toBe(1);
    expect(await counting.beta.agents.retrieve(id)).toMatchObject({ version: 2, name: 'Bob' });
  });

  it('from many clients at once are all applied', async () => {
    const { agents, environments } = service.client.beta;
    const [agent, environment] = [await create(), await environments.create({ name: 'lab' })];
    const keys = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(keys.map((key) => agents.update(agent.id, { metadata: { [key]: key } })));
    await Promise.all(keys.map((key) => environments.update(environment.id, { metadata: { [key]: key } })));
    const metadata = Object.fromEntries(keys.map((key) => [key, key]));
    expect(await agents.retrieve(agent.id)).toMatchObject({ version: 6, metadata });
    expect(await environments.retrieve(environment.id)).toMatchObject({ metadata });
  });

  it('that archive them let active sessions continue and refuse new ones', async () => {
    const { agents, environments, sessions } = service.client.beta;
    const [agent, environment] = [await create(), await environments.create({ name: 'lab' })];
    const session = await sessions.create({ agent: agent.id, environment_id: environment.id });
    expect((await agents.archive(agent.id)).archived_at).not.toBeNull();
    await expect(agents.update(agent.id, { name: 'Eve' })).rejects.toMatchObject({ status: 400 });
    const begin = () => sessions.create({ agent: agent.id, environment_id: environment.id });
    await expect(begin()).rejects.toMatchObject({ status: 400 });
    const seen = await service.converse(session.id, 'still there?');
    expect(seen.at(-1)).toMatchObject({ type: 'session.status_idle' });
  });

  it('fail with an error code of their own for an archived environment or another type', async () => {
    const { environments } = service.client.beta;
    const { id } = await environments.create({ name: 'lab' });
    const selfHosted = environments.update(id, { config: { type: 'self_hosted' } });
    await expect(selfHosted).rejects.toMatchObject({ status: 400, errorCode: 'invalid_config_type_change' });
    await environments.archive(id);
    const update = environments.update(id, { name: 'box' });
    await expect(update).rejects.toMatchObject({ status: 400, errorCode: 'environment_archived' });
    expect(await environments.delete(id)).toMatchObject({ id, type: 'environment_deleted' });
    await expect(environments.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });
});
