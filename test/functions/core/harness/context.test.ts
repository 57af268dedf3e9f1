import { describe, expect, it } from 'vitest';
import type { Entry, RecordOf } from '#contract/entries.ts';
import { EventId } from '#contract/ids.ts';
import type { ContentBlock } from '#core/ports/model.ts';
import { guidesOf } from '#core/model/slice.ts';
import { buildMessages, buildRequest, requestOf } from '#core/harness/context.ts';
import type { CommandTo } from '#core/session/commands.ts';
import type { ToolContent } from '#contract/content.ts';
import {
  AGENT,
  answerWith,
  claim,
  createdWith,
  given,
  says,
  send,
  sends,
  summarised,
  toolUse,
  type Scenario,
} from '#test/functions/core/given.ts';

const second = EventId.parse('sevt_second');

function afterTools() {
  const asked = given()
    .when(send('look'))
    .when(claim())
    .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_a'), toolUse('toolu_b')] }));
  const [first, other] = asked.head.state.calls;
  // Results reach the log in the order in which the hands finish.
  return [other, first].reduce(
    (scenario, call) =>
      call === undefined
        ? scenario
        : scenario.when({
            do: 'result',
            call: call.id,
            content: [{ type: 'text', text: `of ${call.position}` }],
            isError: false,
          }),
    asked,
  );
}

const breakpoints = (blocks: readonly ContentBlock[]) => blocks.filter((block) => 'cache_control' in block).length;

describe('the context of a model request', () => {
  it('has the results of each answer directly after it, in the order of its calls', () => {
    const messages = buildMessages(afterTools().entries);
    expect(messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user']);
    expect(messages[2]?.content.map((block) => block['tool_use_id'])).toEqual(['toolu_a', 'toolu_b']);
  });

  it('joins a message sent during the calls to their results, as one user message', () => {
    const scenario = afterTools().when(send('and hurry')).when(claim(second));
    const messages = buildMessages(scenario.entries);
    expect(messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user']);
    expect(messages[2]?.content.map((block) => block.type)).toEqual(['tool_result', 'tool_result', 'text']);
  });

  it('leaves out messages that wait in the queue', () => {
    const scenario = afterTools().when(send('later'));
    expect(buildMessages(scenario.entries)[2]?.content).toHaveLength(2);
  });

  it('repeats the provider’s blocks unchanged, thinking signatures included', () => {
    const blocks = [
      { type: 'thinking', thinking: 'hm', signature: 'sig==' },
      { type: 'text', text: 'Done.' },
    ];
    const scenario = given().when(send('think')).when(claim()).when(answerWith({ blocks }));
    expect(buildMessages(scenario.entries)[1]?.content).toEqual(blocks);
  });

  it.each([null, '', ' \n'])('has no system block for %j, which the provider would refuse', (system) => {
    const created = createdWith({ ...AGENT, system, tools: [] });
    expect(requestOf([created], []).system).toEqual([]);
  });

  it('tells an agent with a sandbox of its folders, and what the session’s guide says, in all requests alike', () => {
    const told = (scenario: Scenario) =>
      requestOf(scenario.entries.slice(scenario.head.state.sliceFrom - 1), []).system;
    const guides = { guide: 'Memory is in /mnt/memory/notes.', guides: { agent_2: 'You have skills.' } };
    const [created] = given().entries;
    const [record] = created !== undefined && 'record' in created ? [created.record] : [];
    const begun = given([{ record: { ...record, ...guides } as RecordOf<'session.created'> }]);
    expect(told(begun)[0]?.['text']).toMatch(
      /^You are Ada\.\n\nYour tools run in a sandbox[^]+\/mnt\/session\/outputs[^]+\n\nMemory is in/,
    );
    const later = begun
      .when(send('hi'))
      .when(claim())
      .when({ ...(summarised() as CommandTo<'compacted'>), guides: guidesOf(begun.entries) });
    expect(later.head.state.sliceFrom).toBeGreaterThan(1);
    expect(told(later)).toEqual(told(begun));
    expect(guidesOf(later.entries.slice(later.head.state.sliceFrom - 1))).toEqual(guides);
    expect(requestOf([createdWith({ ...AGENT, tools: [] })], []).system).toMatchObject([{ text: 'You are Ada.' }]);
  });

  it('spends the provider’s four cache breakpoints on tools, system and the last two user messages', () => {
    const request = buildRequest(afterTools().when(claim(second)).entries);
    expect(request.tools.filter((tool) => 'cache_control' in tool)).toHaveLength(1);
    expect(breakpoints(request.system)).toBe(1);
    expect(request.messages.map((message) => breakpoints(message.content))).toEqual([1, 0, 1]);
  });

  it('leaves out blank output', () => {
    const asked = given()
      .when(send('look'))
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_a')] }));
    const call = asked.head.state.calls[0]?.id ?? second;
    const done = asked.when({ do: 'result', call, content: [{ type: 'text', text: ' \n ' }], isError: false });
    expect(JSON.stringify(buildMessages(done.entries)[2]?.content)).toContain('(blank output)');
  });

  it('leaves out blank text that a model wrote around its calls', () => {
    const blocks = [{ type: 'text', text: '\n\n' }, toolUse('toolu_a')];
    const asked = given()
      .when(send('look'))
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks }));
    const call = asked.head.state.calls[0]?.id ?? second;
    const done = asked.when({ do: 'result', call, content: [{ type: 'text', text: 'ok' }], isError: false });
    expect(buildMessages(done.entries)[1]?.content.map((block) => block.type)).toEqual(['tool_use']);
  });

  it('leaves out an empty answer, which the provider would refuse', () => {
    const scenario = given()
      .when(send('hm'))
      .when(claim())
      .when(answerWith({ blocks: [] }));
    expect(buildMessages(scenario.entries).map((message) => message.role)).toEqual(['user']);
  });

  it('puts system messages behind all user messages that came before the next answer', () => {
    const instructed = (text: string) =>
      sends(says(text), { type: 'system.message', content: [{ type: 'text', text: `about ${text}` }] });
    const scenario = given()
      .when(instructed('one'))
      .when(claim())
      .when(answerWith({ blocks: [] }))
      .when(instructed('two'))
      .when(claim(second));
    const messages = buildMessages(scenario.entries);
    expect(messages.map(({ role, content }) => [role, ...content.map((block) => block['text'])])).toEqual([
      ['user', 'one', 'two'],
      ['system', 'about one', 'about two'],
    ]);
  });
});

describe('the context of a paused answer', () => {
  const search = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'weather' } };
  const said = { type: 'text', text: 'I search.' };
  const found = { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] };
  const paused = () =>
    given()
      .when(send('search'))
      .when(claim())
      .when(answerWith({ stopReason: 'pause_turn', blocks: [said, search] }));

  it('ends with that answer unchanged, and the next answer continues it', () => {
    const asked = paused().when(claim(second));
    expect(buildMessages(asked.entries).at(-1)).toEqual({ role: 'assistant', content: [said, search] });
    const answered = asked.when(answerWith({ blocks: [found] }, second));
    expect(buildMessages(answered.entries).at(-1)).toEqual({ role: 'assistant', content: [said, search, found] });
  });

  it.each([
    [
      'an interrupt',
      () =>
        paused()
          .when(sends({ type: 'user.interrupt' }, says('stop that')))
          .when(claim(second)),
    ],
    ['a message that came meanwhile', () => paused().when(send('stop that')).when(claim(second))],
  ])('holds no call without a result after %s', (_name, scenario) => {
    expect(buildMessages(scenario().entries).slice(1)).toEqual([
      { role: 'assistant', content: [said] },
      { role: 'user', content: [{ type: 'text', text: 'stop that' }] },
    ]);
  });

  it('keeps a provider call that waits for the results of calls beside it', () => {
    const asked = given()
      .when(send('search'))
      .when(claim())
      .when(answerWith({ stopReason: 'tool_use', blocks: [search, toolUse('toolu_a')] }));
    const call = asked.head.state.calls[0]?.id ?? second;
    const scenario = asked.when({ do: 'result', call, content: [{ type: 'text', text: 'ok' }], isError: false });
    expect(buildMessages(scenario.entries)[1]?.content).toEqual([search, toolUse('toolu_a')]);
  });
});

describe('the context after a compaction', () => {
  const compacted = () => afterTools().when({ do: 'claim', request: second, taken: [] }).when(summarised('S.', second));

  it('begins with the summary, marked as different from user text, and ends where the model continues', () => {
    const [message, ...others] = buildMessages(compacted().entries);
    expect(others).toEqual([]);
    expect(message?.role).toBe('user');
    const text = String(message?.content[0]?.['text']);
    expect(text).toContain('<summary>\nS.\n</summary>');
    expect(text).toContain('not a message from the user');
  });

  it('holds what was said and answered since, and nothing from before', () => {
    const scenario = compacted()
      .when(send('and now?'))
      .when(claim())
      .when(answerWith())
      .when(send('thanks'))
      .when(claim());
    const messages = buildMessages(scenario.entries);
    expect(messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user']);
    expect(messages[0]?.content.at(-1)).toMatchObject({ text: 'and now?' });
    expect(JSON.stringify(messages)).not.toContain('look');
  });

  it('has the agent as it was last changed, read from the slice alone', () => {
    const { entries, head } = compacted();
    const systemIn = (slice: readonly Entry[]) => JSON.stringify(buildRequest(slice).system);
    expect(systemIn(entries.slice(head.state.sliceFrom - 1))).toContain('You are Ada.');
    const idle = compacted().when(claim()).when(answerWith());
    const changed = idle.when({ do: 'update', changes: { agent: { ...AGENT, system: 'You are Bo.' } } });
    expect(systemIn(changed.entries)).toMatch(/You are Bo/);
  });
});

describe('the results of old calls in a context', () => {
  /** One call after the other, all with the same result. */
  function afterCalls(count: number, content: ToolContent) {
    return Array.from({ length: count }).reduce<ReturnType<typeof given>>(
      (scenario, _, index) => {
        const request = EventId.parse(`sevt_r${index}`);
        const blocks = [toolUse(`toolu_${index}`)];
        const asked = scenario.when(claim(request)).when(answerWith({ stopReason: 'tool_use', blocks }, request));
        const [call] = asked.head.state.calls;
        return asked.when({ do: 'result', call: call?.id ?? second, content, isError: false });
      },
      given().when(send('work')),
    );
  }
  const resultsIn = (count: number, content: ToolContent) =>
    buildMessages(afterCalls(count, content).entries)
      .flatMap((message) => message.content)
      .flatMap((block) => (block.type === 'tool_result' ? [JSON.stringify(block['content'])] : []));
  const trimmed = (results: readonly string[]) => results.filter((text) => text.includes('left out')).length;
  const long: ToolContent = [{ type: 'text', text: `begin${'🙂'.repeat(10_000)}end` }];

  it('are shortened in steps, and never the newest forty', () => {
    expect([59, 60, 79, 80].map((count) => trimmed(resultsIn(count, long)))).toEqual([0, 20, 20, 40]);
  });

  it('keep their beginning and their end, in text that the provider accepts', () => {
    const [oldest = ''] = resultsIn(60, long);
    expect(oldest.length).toBeLessThan(5000);
    expect(oldest).toMatch(/begin.*characters left out.*end/);
    expect(oldest).not.toContain('\\ud83d');
  });

  it('stay whole when they are short, and lose their attachments', () => {
    expect(trimmed(resultsIn(80, [{ type: 'text', text: 'x'.repeat(8000) }]))).toBe(0);
    const shown: ToolContent = [
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'QUJD' } },
      { type: 'document', title: 'Plan', source: { type: 'base64', media_type: 'application/pdf', data: 'QUJD' } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'p'.repeat(20_000) } },
    ];
    const [oldest = ''] = resultsIn(60, shown);
    expect(oldest).not.toContain('QUJD');
    expect(oldest).toContain('A document was here: Plan.');
    expect(oldest.length).toBeLessThan(6000);
  });
});
