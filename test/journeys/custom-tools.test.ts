/** Tools that the client executes, with answers that come early, late or wrong. */
import { globSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { describe, expect, it } from 'vitest';
import { WEATHER, says, shareService } from '#test/journeys/cases.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, types } from '#test/journeys/service.ts';

const weatherIn = (place: string) => ({ name: 'weather', input: { place } });

describe.concurrent('calls of custom tools', () => {
  const { cases, service, roles, send } = shareService([{ type: 'agent_toolset_20260401' }, WEATHER]);

  const result = (id: string, text: string) => ({
    type: 'user.custom_tool_result' as const,
    custom_tool_use_id: id,
    content: [{ type: 'text' as const, text }],
  });

  async function begin(name: string): Promise<Follower> {
    const { id } = await service().client.beta.sessions.create(roles());
    const follower = await follow(service(), id);
    await send(id, says(name));
    return follower;
  }

  it('that are answered while another call runs never make the session idle', async ({ expect: expectHere }) => {
    cases.on('early', {
      tools: [
        bash('touch begun; until [ -e go ]; do sleep 0.02; done; echo slow'),
        weatherIn('Bern'),
        weatherIn('Rome'),
      ],
    });
    const follower = await begin('early');
    const bern = await follower.next('agent.custom_tool_use');
    const rome = await follower.next('agent.custom_tool_use');
    await send(follower.session, result(rome.id, 'hot'));
    const { data = [] } = await send(follower.session, { ...result(bern.id, 'rain'), is_error: true });
    expect(data).toMatchObject([{ type: 'user.custom_tool_result', processed_at: expect.any(String) }]);
    const begun = () => globSync(join(service().data, 'tasks/*/workspace/begun'));
    await expectHere.poll(begun).toHaveLength(1);
    writeFileSync(join(dirname(begun()[0] ?? ''), 'go'), '');
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(types(follower.seen).filter((type) => type === 'session.status_idle')).toHaveLength(1);
    expect(types(follower.seen).filter((type) => type === 'session.status_running')).toHaveLength(1);
    expect(cases.requests('early').map(lastTexts)).toEqual([['early'], ['slow', 'rain', 'hot']]);
    const content = cases.requests('early')[1]?.messages.at(-1)?.content;
    expect(content).toMatchObject([{ is_error: false }, { is_error: true }, { is_error: false }]);
    follower.leave();
  });

  it('that are answered late begin the next run, which has the results of the other calls', async () => {
    cases.on('late', { tools: [weatherIn('Oslo'), bash('echo quick')] });
    const follower = await begin('late');
    const use = await follower.next('agent.custom_tool_use');
    expect(use).toMatchObject({ name: 'weather', input: { place: 'Oslo' } });
    expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [use.id] });
    expect(ofType(follower.since(), 'agent.tool_result')).toHaveLength(1);
    const nothing = { type: 'user.custom_tool_result' as const, custom_tool_use_id: use.id };
    await send(follower.session, nothing);
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(types(follower.since()).slice(0, 4)).toEqual([
      'user.custom_tool_result',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
    ]);
    expect(cases.requests('late')[1]?.messages.at(-1)?.content).toMatchObject([{ content: [] }, { is_error: false }]);
    await expect(send(follower.session, nothing)).rejects.toMatchObject({ status: 400 });
    follower.leave();
  });

  it('are answered in one request with a message, or with a system message behind it', async () => {
    cases.on('together', { tools: [weatherIn('Kyiv')] }, { tools: [weatherIn('Lima')] });
    const follower = await begin('together');
    const kyiv = await follower.next('agent.custom_tool_use');
    await follower.idle();
    await send(follower.session, result(kyiv.id, 'snow'), says('and Lima?'));
    const lima = await follower.next('agent.custom_tool_use');
    await follower.idle();
    const brief = { type: 'system.message' as const, content: [{ type: 'text' as const, text: 'Be brief.' }] };
    await send(follower.session, result(lima.id, 'fog'), brief);
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    const [, second, third] = cases.requests('together');
    expect(second === undefined ? [] : lastTexts(second)).toEqual(['snow', 'and Lima?']);
    expect(third?.messages.slice(-2)).toMatchObject([
      { role: 'user', content: [{ type: 'tool_result', content: [{ text: 'fog' }] }] },
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
    ]);
    follower.leave();
  });

  it('are executed by the SDK’s tool runner, also when it starts after the session began to wait', async () => {
    cases.on('runner', { tools: [weatherIn('Nice'), weatherIn('Linz')] }, { tools: [weatherIn('Graz')] });
    const { sessions } = service().client.beta;
    const { id } = await sessions.create({ ...roles(), initial_events: [says('runner')] });
    await cases.asked('runner', 1);
    const tool = betaTool({
      name: 'weather',
      description: WEATHER.description,
      inputSchema: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
      run: ({ place }) => `${place} is sunny`,
    });
    const calls: (readonly [string, boolean])[] = [];
    for await (const call of sessions.events.toolRunner(id, { tools: [tool], maxIdleMs: 1 })) {
      calls.push([call.name, call.posted]);
    }
    expect(calls).toEqual(Array.from({ length: 3 }, () => ['weather', true]));
    expect(cases.requests('runner').map(lastTexts)).toEqual([
      ['runner'],
      ['Nice is sunny', 'Linz is sunny'],
      ['Graz is sunny'],
    ]);
    expect(await sessions.retrieve(id)).toMatchObject({ status: 'idle' });
  });

  it('are answered by their own ids only', async () => {
    cases.on('wrong', { tools: [weatherIn('Riga')] });
    const follower = await begin('wrong');
    const use = await follower.next('agent.custom_tool_use');
    await follower.idle();
    const before = await service().events(follower.session);
    const confirmation = { type: 'user.tool_confirmation' as const, tool_use_id: use.id, result: 'allow' as const };
    await expect(send(follower.session, confirmation)).rejects.toMatchObject({ status: 400 });
    // The request is refused as a whole; its first event alone would be accepted.
    await expect(send(follower.session, result(use.id, 'ice'), result(use.id, 'ice'))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('events.1.custom_tool_use_id'),
    });
    expect(await service().events(follower.session)).toEqual(before);
    await send(follower.session, result(use.id, 'ice'));
    await follower.idle();
    follower.leave();
  });
});
