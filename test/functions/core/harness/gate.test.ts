import { describe, expect, it } from 'vitest';
import { admit, type Said } from '#core/harness/gate.ts';
import type { ContentBlock, ModelRequest } from '#core/ports/model.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { png } from '#test/model/png.ts';

const REQUEST: Omit<ModelRequest, 'messages'> = {
  model: 'claude-opus-5',
  max_tokens: 1000,
  system: [],
  tools: [{ name: 'bash', description: 'Run.', input_schema: { type: 'object' } }],
  extra: {},
};

const text = (said: string): ContentBlock => ({ type: 'text', text: said });
const said = (role: Said['role'], ...blocks: readonly ContentBlock[]): Said => ({
  role,
  parts: blocks.map((block, index) => ({ block, from: `sevt_1#${index}` })),
});
const image = (width: number, height: number, n = 0, chars = 0): ContentBlock => {
  const data = Buffer.concat([png(width, height), Buffer.alloc(1, n), Buffer.alloc(chars * 0.75)]).toString('base64');
  return { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
};

/** The blocks of the request, which the provider accepts. */
function blocksOf(messages: readonly Said[], request = REQUEST): readonly ContentBlock[] {
  const { request: built } = admit({ request, said: messages, earlierTool: () => null });
  expect(refusalOf(built)).toBeNull();
  return built.messages.flatMap(({ content }) => content);
}
const imagesIn = (blocks: readonly ContentBlock[]) => blocks.filter(({ type }) => type === 'image');

describe('the images of a request', () => {
  it.each([
    ['101 small ones', 101, () => image(10, 10)],
    ['21 large ones', 21, () => image(2560, 1440)],
    ['many small ones, then a large one', 60, (n: number) => image(n === 59 ? 2001 : 10, 10, n)],
    ['many small ones after a large one', 60, (n: number) => image(n === 0 ? 2001 : 10, 10, n)],
    ['ten of three million characters', 10, (n: number) => image(10, 10, n, 3_000_000)],
  ])('make room for the newest ones: %s', (_what, count, make) => {
    const images = Array.from({ length: count }, (_, n) => make(n));
    const kept = imagesIn(blocksOf(images.map((one) => said('user', text('look'), one))));
    expect(kept.length).toBeLessThan(count);
    expect(kept.length).toBeGreaterThanOrEqual(count > 10 ? 15 : 5);
    // Breakpoints are on the last blocks.
    expect(kept.at(-2)).toMatchObject(images.at(-2) ?? {});
    expect(kept.at(-1)).toMatchObject(images.at(-1) ?? {});
  });

  it('give way in steps, so that most requests differ from the one before at their end only', () => {
    const images = Array.from({ length: 60 }, (_, n) => image(2560, 1440, n));
    const firsts = images.map((_, n) =>
      JSON.stringify(imagesIn(blocksOf([said('user', ...images.slice(0, n + 1), text('look'))]))[0]),
    );
    expect(new Set(firsts).size).toBeLessThanOrEqual(9);
  });

  it.each([
    ['of more than 8,000 pixels a side', image(8001, 1)],
    ['of more than 5 MB', image(1, 1, 0, 5_300_000)],
  ])('that no request may have, %s, become a note', (_what, one) => {
    expect(blocksOf([said('user', one, text('look'))])[0]).toMatchObject({ text: expect.stringContaining('provider') });
  });

  it('have the type that their bytes have', () => {
    const wrong = { type: 'image', source: { ...Object(image(1, 1)['source']), media_type: 'image/jpeg' } };
    expect(blocksOf([said('user', wrong, text('look'))])[0]).toMatchObject({ source: { media_type: 'image/png' } });
  });
});

describe('the messages of a request', () => {
  const hi = said('user', text('hi'));
  it.each<[string, readonly Said[]]>([
    ['nothing', []],
    ['an answer alone', [said('assistant', text('Hello.'))]],
    ['an answer at the end', [hi, said('assistant', text('Hello.'))]],
    ['a system message first', [said('system', text('Be brief.')), hi]],
    ['a system message alone', [said('system', text('Be brief.'))]],
    ['a system message after an answer', [hi, said('assistant', text('Hello.')), said('system', text('Be brief.'))]],
    [
      'a system message between an answer and the user',
      [hi, said('assistant', text('Hello.')), said('system', text('Be brief.')), hi],
    ],
    [
      'thoughts at the end of an answer',
      [hi, said('assistant', text('Hello.'), { type: 'redacted_thinking', data: 'x' }), hi],
    ],
    [
      'thoughts alone between system messages',
      [
        hi,
        said('system', text('a')),
        said('assistant', { type: 'redacted_thinking', data: 'x' }),
        said('system', text('b')),
        hi,
      ],
    ],
    ['an answer of blank text', [hi, said('assistant', text(' ')), hi]],
  ])('keep the order that the provider requires: %s', (_what, messages) => {
    expect(blocksOf(messages).length).toBeGreaterThan(0);
  });

  it('hold search results that are all cited or not at all, as the first one is', () => {
    const found = (enabled: boolean) => ({
      ...{ type: 'search_result', source: 'a.com', title: 'A', content: [text('a')], citations: { enabled } },
    });
    const use = { type: 'tool_use', id: 'toolu_1', name: 'bash', input: 'no object' };
    const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [found(false), found(true)] };
    const call = (role: Said['role'], block: ContentBlock): Said => ({ role, parts: [{ block, from: 'sevt_2' }] });
    const blocks = blocksOf([hi, call('assistant', use), call('user', result)]);
    expect(JSON.stringify(blocks)).not.toContain('"enabled":true');
  });

  it('hold a tool input that is nested deeper than a parser goes, in part', () => {
    const deep = Array.from({ length: 5000 }).reduce<unknown>((inner) => ({ inner }), 'end');
    const use = { type: 'tool_use', id: 'toolu_1', name: 'bash', input: { deep } };
    const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [] };
    const call = (role: Said['role'], block: ContentBlock): Said => ({ role, parts: [{ block, from: 'sevt_2' }] });
    const blocks = blocksOf([hi, call('assistant', use), call('user', result)]);
    expect(JSON.stringify(blocks)).toContain('deeper levels were left out');
  });
});

it('a result of the provider’s own tool is not sent without its call', () => {
  const result = { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] };
  const left = text('[Here was a server tool use. It was left out.]');
  const blocks = blocksOf([said('user', text('look')), said('assistant', left, result), said('user', text('and?'))]);
  expect(blocks.map(({ type }) => type)).toEqual(['text', 'text', 'text']);
});
