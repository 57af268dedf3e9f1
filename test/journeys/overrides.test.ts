import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WEATHER } from '#test/journeys/cases.ts';
import { echo } from '#test/journeys/scripts.ts';
import { ofType, startService, type Service } from '#test/journeys/service.ts';

describe('the agent of a session', () => {
  let service: Service;
  let agent: string;
  let environment_id: string;
  beforeAll(async () => {
    service = await startService({ script: echo });
    const { agents, environments } = service.client.beta;
    const made = await agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      system: 'You are Ada.',
      tools: [{ type: 'agent_toolset_20260401', configs: [{ name: 'bash', enabled: false }] }],
    });
    agent = made.id;
    environment_id = (await environments.create({ name: 'lab' })).id;
  });
  afterAll(async () => service.close());

  /** The model request that a message to the session causes. */
  async function asked(session: string) {
    const known = service.standIn.requests.length;
    await service.converse(session, 'hi');
    const [request] = service.standIn.requests.slice(known);
    if (request === undefined) throw new Error('the model was not asked');
    const { system, tools = [], model } = request.request;
    const text = typeof system === 'string' ? system : (system ?? []).map((block) => block.text).join('');
    return { model, system: text, tools: tools.map((tool) => ('name' in tool ? tool.name : tool.type)) };
  }

  it('replaces what the session overrides, clears what it sets to null, and inherits the rest', async () => {
    const { sessions } = service.client.beta;
    const overridden = await sessions.create({
      agent: {
        type: 'agent_with_overrides',
        id: agent,
        model: 'claude-haiku-4-5',
        system: 'Be brief.',
        tools: [WEATHER],
      },
      environment_id,
    });
    expect(await asked(overridden.id)).toEqual({ model: 'claude-haiku-4-5', system: 'Be brief.', tools: ['weather'] });
    const cleared = await sessions.create({
      agent: { type: 'agent_with_overrides', id: agent, system: null, tools: [] },
      environment_id,
    });
    expect(await asked(cleared.id)).toEqual({ model: 'claude-opus-5', system: '', tools: [] });
    const plain = await sessions.create({ agent, environment_id });
    const { tools } = await asked(plain.id);
    expect(tools).toContain('read');
    expect(tools).not.toContain('bash');
  });

  it('is the version that the session names, and stays so when the agent changes', async () => {
    const { agents, sessions } = service.client.beta;
    const versioned = await agents.create({ name: 'Eve', model: 'claude-opus-5', system: 'one' });
    const before = await sessions.create({ agent: versioned.id, environment_id });
    await agents.update(versioned.id, { system: 'two' });
    const pinned = await sessions.create({ agent: { type: 'agent', id: versioned.id, version: 1 }, environment_id });
    const latest = await sessions.create({ agent: versioned.id, environment_id });
    expect(
      [await asked(before.id), await asked(pinned.id), await asked(latest.id)].map(({ system }) => system),
    ).toEqual(['one', 'one', 'two']);
  });

  it('gets other tools while the session is idle, and the model has them in the next turn', async () => {
    const { sessions } = service.client.beta;
    const { id } = await sessions.create({ agent, environment_id });
    await asked(id);
    const updated = await sessions.update(id, { title: 'Weather', agent: { tools: [WEATHER] } });
    expect(updated).toMatchObject({ title: 'Weather', agent: { tools: [{ type: 'custom', name: 'weather' }] } });
    expect((await asked(id)).tools).toEqual(['weather']);
    const events = ofType(await service.events(id), 'session.updated');
    expect(events).toMatchObject([{ title: 'Weather', agent: { tools: [{ name: 'weather' }] } }]);
    expect(events[0]).not.toHaveProperty('metadata');
  });
});
