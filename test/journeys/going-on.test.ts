/** Whatever was said in a session, its next message is answered: the stand-in refuses what the provider refuses. */
import type { BetaManagedAgentsUserMessageEventParams } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { describe, expect, it } from 'vitest';
import type { ModelRequest } from '#infra/local/model/script.ts';
import { WEATHER, says, shareService } from '#test/journeys/cases.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { bash, echo } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import { png } from '#test/model/png.ts';
import type { Script } from '#test/model/stand-in.ts';

type Content = BetaManagedAgentsUserMessageEventParams['content'];

const wordsOf = (request: ModelRequest | undefined) => JSON.stringify(request?.messages);

describe.concurrent('a session goes on after', () => {
  const { cases, service, roles, send } = shareService([{ type: 'agent_toolset_20260401' }, WEATHER]);

  async function begin(name: string, ...more: Content): Promise<Follower> {
    const { id } = await service().client.beta.sessions.create(roles());
    const follower = await follow(service(), id);
    await send(id, { type: 'user.message', content: [{ type: 'text', text: name }, ...more] });
    return follower;
  }

  async function goesOn(follower: Follower, words = 'and now?'): Promise<void> {
    await send(follower.session, says(words));
    expect((await follower.idle()).stop_reason.type).toBe('end_turn');
    const said = ofType(follower.seen, 'agent.message').at(-1);
    expect(textOf(said)).toContain(words);
    follower.leave();
  }

  it.each([
    ['absent', {}],
    ['null', { content: null }],
    ['empty', { content: [] }],
  ])('an error of a custom tool whose content is %s', async (name, content) => {
    cases.on(name, { tools: [{ name: 'weather', input: {} }] });
    const follower = await begin(name);
    const use = await follower.next('agent.custom_tool_use');
    await follower.idle();
    const result = { type: 'user.custom_tool_result', custom_tool_use_id: use.id, is_error: true, ...content };
    await send(follower.session, result as never);
    expect((await follower.idle()).stop_reason.type).toBe('end_turn');
    await goesOn(follower);
  });

  it('a tool input with half a character, which its events still hold', async () => {
    const input = { file_path: 'a.txt', content: '\ud99c x' };
    cases.on('half', { tools: [{ name: 'write', input }] });
    const follower = await begin('half');
    await follower.idle();
    expect(ofType(await service().events(follower.session), 'agent.tool_use')[0]?.input).toEqual(input);
    await goesOn(follower);
  });

  it('two calls with one id, which are both made', async () => {
    cases.on('twins', {
      tools: [
        { id: 'toolu_1', ...bash('echo one') },
        { id: 'toolu_1', ...bash('echo two') },
      ],
    });
    const follower = await begin('twins');
    await follower.idle();
    // Their effects have an order, and their results reach the log as they come.
    const results = ofType(follower.seen, 'agent.tool_result');
    const told = ofType(follower.seen, 'agent.tool_use').map(({ id, input }) => [
      input['command'],
      ...results.filter(({ tool_use_id: of }) => of === id).map(textOf),
    ]);
    expect(told).toEqual([
      ['echo one', 'one'],
      ['echo two', 'two'],
    ]);
    await goesOn(follower);
  });

  it('a call of a tool whose name has letters that the provider refuses', async () => {
    cases.on('foreign', { tools: [{ name: 'functions.bash<|x|>', input: {} }] });
    const follower = await begin('foreign');
    await follower.idle();
    expect(ofType(follower.seen, 'agent.tool_use')).toMatchObject([{ name: 'functions.bash<|x|>' }]);
    await goesOn(follower);
  });

  it('an image behind a URL that is dead by now', async () => {
    const url = 'https://example.com/dead.png';
    const refusing: Script = (request, index) =>
      wordsOf(request).includes(url)
        ? { error: { status: 400, type: 'invalid_request_error', message: 'Unable to download the file.' } }
        : echo(request, index);
    cases.on('dead', echo, refusing, refusing, refusing);
    const follower = await begin('dead', { type: 'image', source: { type: 'url', url } });
    await follower.idle();
    await goesOn(follower);
    expect(wordsOf(cases.requests('dead').at(-1))).toContain('was left out');
  });

  it('more large images than the provider takes, of which the newest stay', async () => {
    const shot = (n: number): Content[number] => {
      const data = Buffer.concat([png(2560, 1440), Buffer.from([n])]).toString('base64');
      return { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
    };
    const follower = await begin('shots', ...Array.from({ length: 19 }, (_, n) => shot(n)));
    await follower.idle();
    for (let n = 19; n < 22; n += 1) {
      await send(follower.session, { type: 'user.message', content: [{ type: 'text', text: `shot ${n}` }, shot(n)] });
      expect((await follower.idle()).stop_reason.type).toBe('end_turn');
    }
    const last = cases.requests('shots').at(-1)?.messages ?? [];
    const images = last
      .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
      .filter(({ type }) => type === 'image');
    expect(images.length).toBeGreaterThanOrEqual(15);
    expect(images.at(-1)).toMatchObject(shot(21));
    for (const words of ['shots', 'shot 19', 'shot 20', 'shot 21'])
      expect(wordsOf(cases.requests('shots').at(-1))).toContain(words);
    await goesOn(follower);
  });

  it('all its tools were taken away', async () => {
    cases.on('bare', { tools: [bash('echo one')] });
    const follower = await begin('bare');
    await follower.idle();
    await service().client.beta.sessions.update(follower.session, { agent: { tools: [] } });
    await goesOn(follower);
    expect(cases.requests('bare').at(-1)).toMatchObject({ tools: [{ name: 'bash' }], tool_choice: { type: 'none' } });
  });
});
