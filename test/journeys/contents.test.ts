/** Images and documents reach the model unchanged. */
import type { BetaManagedAgentsUserMessageEventParams } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { describe, expect, it } from 'vitest';
import { WEATHER, shareService } from '#test/journeys/cases.ts';
import { follow } from '#test/journeys/follower.ts';
import { ofType } from '#test/journeys/service.ts';

type Content = BetaManagedAgentsUserMessageEventParams['content'];

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const BLOCKS = [
  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
  { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
  { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQK' } },
  { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' }, title: 'A paper' },
  {
    type: 'document',
    source: { type: 'text', media_type: 'text/plain', data: 'Once upon a time' },
    title: 'A tale',
    context: 'for children',
  },
] satisfies Content;

describe.concurrent('content sent by a client', () => {
  const { cases, service, roles, send } = shareService([WEATHER]);

  it('of a message is sent to the model and listed unchanged', async () => {
    const { id } = await service().client.beta.sessions.create(roles());
    const follower = await follow(service(), id);
    const content: Content = [{ type: 'text', text: 'message' }, ...BLOCKS];
    await send(id, { type: 'user.message', content });
    await follower.idle();
    const read = cases.requests('message')[0]?.messages[0]?.content;
    expect(read).toEqual([...content.slice(0, -1), { ...content.at(-1), cache_control: { type: 'ephemeral' } }]);
    expect(ofType(await service().events(id), 'user.message')[0]?.content).toEqual(content);
    follower.leave();
  });

  it('of a custom tool’s result is sent to the model and listed unchanged', async () => {
    cases.on('result', { tools: [{ name: 'weather', input: {} }] });
    const { id } = await service().client.beta.sessions.create(roles());
    const follower = await follow(service(), id);
    await send(id, { type: 'user.message', content: [{ type: 'text', text: 'result' }] });
    const use = await follower.next('agent.custom_tool_use');
    await follower.idle();
    const found = {
      type: 'search_result' as const,
      source: 'https://example.com',
      title: 'Weather',
      content: [{ type: 'text' as const, text: 'sunny' }],
      citations: { enabled: true },
    };
    const content = [...BLOCKS, found];
    await send(id, { type: 'user.custom_tool_result', custom_tool_use_id: use.id, content });
    await follower.idle();
    const read = cases.requests('result')[1]?.messages.at(-1)?.content;
    expect(read).toMatchObject([{ type: 'tool_result', content }]);
    expect(ofType(await service().events(id), 'user.custom_tool_result')[0]?.content).toEqual(content);
    follower.leave();
  });

  it.for(['image', 'document'] as const)(
    'that refers to a file that does not exist is refused with its position: %s',
    async (type, { expect }) => {
      const { id } = await service().client.beta.sessions.create(roles());
      const source = { type: 'file' as const, file_id: 'file_1' };
      const content: Content = [
        { type: 'text', text: 'look' },
        { type, source },
      ];
      await expect(send(id, { type: 'user.message', content })).rejects.toMatchObject({
        status: 400,
        message: expect.stringMatching(/events\.0\.content\.1\.source\.file_id: there is no such file/),
      });
      const initial_events = [{ type: 'user.message' as const, content }];
      await expect(service().client.beta.sessions.create({ ...roles(), initial_events })).rejects.toMatchObject({
        status: 400,
        message: expect.stringMatching(/initial_events\.0\.content\.1\.source\.file_id: there is no such file/),
      });
      expect(await service().events(id)).toEqual([]);
    },
  );
});
