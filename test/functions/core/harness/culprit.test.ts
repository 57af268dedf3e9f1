/** A provider that refuses a part of a session for good: the turn finds it, and the session goes on without it. */
import { describe, expect, it } from 'vitest';
import type { SessionAgent } from '#contract/agents.ts';
import type { UserContent } from '#contract/content.ts';
import { createHistory } from '#core/harness/history.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ContentBlock, ModelAnswer, ModelRequest } from '#core/ports/model.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { fold } from '#core/session/evolve.ts';
import {
  AGENT,
  answer,
  createdWith,
  HANDS,
  KEY,
  NO_MCP,
  SILENT,
  sends,
  steadyStamp,
  toolUse,
  NO_FILES,
  NO_OUTPUTS,
  NO_TEAM,
} from '#test/functions/core/given.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { png } from '#test/model/png.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

/** The provider's refusal of a request: the path that it names, null when it names none; undefined for an answer. */
type Judge = (request: ModelRequest) => string | null | undefined;

function stage(agent: SessionAgent = AGENT) {
  const log = memoryLog();
  const stamp = steadyStamp();
  const created = [createdWith(agent)];
  log.create(KEY, fold(null, created), created);
  const requests: ModelRequest[] = [];
  const provider: { judge: Judge; answers: ModelAnswer[] } = { judge: () => undefined, answers: [] };
  const world = {
    log,
    history: createHistory(log),
    attachedFiles: NO_FILES,
    ...NO_OUTPUTS,
    ...NO_TEAM,
    model: {
      ask: async (request: ModelRequest) => {
        expect(refusalOf(request)).toBeNull();
        requests.push(request);
        const path = provider.judge(request);
        if (path !== undefined) throw new Fault('model_refused_input', 'no', { path });
        return provider.answers.shift() ?? answer();
      },
    },
    warming: { warm: async () => undefined },
    hands: HANDS,
    ...NO_MCP,
    previews: memoryPreviews(),
    stamp,
    pause: () => new Promise<void>((resolve) => void setImmediate(resolve)),
    journal: SILENT,
  };
  async function apply(command: Command): Promise<void> {
    const head = await log.head(KEY);
    if (head !== null) await change(world, KEY, head, command);
  }
  return {
    provider,
    requests,
    apply,
    log,
    /** Sends a message and takes turns until the session rests or a hand has to work; answers why it rests. */
    async say(...content: UserContent): Promise<string | undefined> {
      if (content.length > 0) await apply(sends({ type: 'user.message', content }));
      for (;;) {
        const run = (await log.head(KEY))?.state.run ?? 0;
        const { turn } = await takeTurn(world, { ...KEY, run }, new AbortController().signal);
        expect(turn?.do, 'nothing is gained by a pause').not.toBe('retry');
        if (turn?.do !== 'again') return (await log.head(KEY))?.state.stopReason?.type;
      }
    },
    async giveResults(content: UserContent): Promise<void> {
      const head = await log.head(KEY);
      for (const { id } of head?.state.calls ?? []) await apply({ do: 'result', call: id, content, isError: false });
    },
  };
}

const text = (said: string) => ({ type: 'text' as const, text: said });
const byUrl = (name: string) => ({
  type: 'image' as const,
  source: { type: 'url' as const, url: `https://a.com/${name}` },
});
const IMAGE = {
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: png(3, 3).toString('base64') },
} as const;
const PDF = {
  type: 'document',
  source: { type: 'base64', media_type: 'application/pdf', data: Buffer.from('%PDF-1.7').toString('base64') },
} as const;

const wordsOf = (request: ModelRequest | undefined) => JSON.stringify(request?.messages);
const has =
  (words: string): Judge =>
  (request) =>
    wordsOf(request).includes(words) ? null : undefined;

/** Names the first block of which this holds, as the provider does. */
const naming =
  (isRefused: (block: ContentBlock) => boolean): Judge =>
  ({ messages }) => {
    for (const [at, { content }] of messages.entries()) {
      for (const [index, block] of content.entries()) {
        if (isRefused(block)) return `messages.${at}.content.${index}`;
        const within = Array.isArray(block['content']) ? block['content'].findIndex(isRefused) : -1;
        if (within >= 0) return `messages.${at}.content.${index}.tool_result.content.${within}`;
      }
    }
    return undefined;
  };
const urlOf = ({ source }: ContentBlock) => String(Object(source).url ?? '');

describe('a refused attachment', () => {
  it.each([
    ['an image', IMAGE],
    ['a document', PDF],
    ['an image by its URL', byUrl('dead.png')],
  ])(
    'that is new, %s, is left out in the same turn, and what the user said with it is answered',
    async (_name, block) => {
      const { provider, requests, say } = stage();
      provider.judge = has(JSON.stringify(block).slice(1, -1));
      expect(await say(text('before'), block, text('after'))).toBe('end_turn');
      expect(requests).toHaveLength(2);
      expect(wordsOf(requests.at(-1))).toMatch(/before.*was left out, because.*after/);
      provider.judge = () => undefined;
      await say(text('and now?'));
      expect(wordsOf(requests.at(-1))).toMatch(/before.*was left out, because.*after.*and now\?/);
    },
  );

  it.each([0, 1, 2, 3, 4])('that was accepted before and is dead now, URL %i of five, is found', async (dead) => {
    const { provider, requests, say } = stage();
    const urls = [0, 1, 2, 3, 4].map((n) => byUrl(`${n}.png`));
    await say(text('look'), ...urls);
    provider.judge = has(`/${dead}.png`);
    expect(await say(text('what do you see?'))).toBe('end_turn');
    const last = wordsOf(requests.at(-1));
    expect(last).toContain('what do you see?');
    expect(last).toContain('look');
    expect(urls.filter(({ source }) => last.includes(source.url)).length).toBeGreaterThanOrEqual(3);
  });

  it('that the provider names is left out alone, and stays out', async () => {
    const { provider, requests, say } = stage();
    await say(text('look'), byUrl('0.png'), byUrl('1.png'), byUrl('2.png'));
    provider.judge = naming((block) => urlOf(block).endsWith('1.png'));
    for (const words of ['first', 'second']) {
      const before = requests.length;
      expect(await say(text(words))).toBe('end_turn');
      expect(requests.length - before).toBe(words === 'first' ? 2 : 1);
      const last = wordsOf(requests.at(-1));
      expect(['0.png', '1.png', '2.png'].map((name) => last.includes(name))).toEqual([true, false, true]);
    }
  });

  it('is one of many that died, and one turn finds them all', async () => {
    const { provider, requests, say } = stage();
    await say(text('look'), IMAGE, ...Array.from({ length: 30 }, (_, n) => byUrl(`${n}.png`)));
    provider.judge = naming((block) => urlOf(block) !== '');
    expect(await say(text('hello'))).toBe('end_turn');
    expect(wordsOf(requests.at(-1))).toContain(IMAGE.source.data);
    expect(wordsOf(requests.at(-1))).toContain('hello');
  });

  it.each([
    ['is named', naming(({ type }) => type === 'image')],
    ['is not named', has('"type":"image"')],
  ])('in the result of a call, and %s, is left out of the result', async (_name, judge) => {
    const { provider, requests, say, giveResults } = stage();
    provider.answers.push(answer({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')] }));
    await say(text('look'));
    await giveResults([text('a picture:'), IMAGE, text('there')]);
    provider.judge = judge;
    expect(await say()).toBe('end_turn');
    expect(requests.at(-1)?.messages[2]?.content).toMatchObject([
      {
        type: 'tool_result',
        content: [{ text: 'a picture:' }, { text: expect.stringMatching(/image.*left out/) }, { text: 'there' }],
      },
    ]);
  });
});

describe('another refused part', () => {
  it('which is a call, is told as text with its result, and no other call is', async () => {
    const { provider, requests, say, giveResults } = stage();
    provider.answers.push(
      answer({ stopReason: 'tool_use', blocks: [toolUse('toolu_1'), toolUse('toolu_2', 'bash', { command: 'bad' })] }),
    );
    await say(text('look'));
    await giveResults([text('found')]);
    provider.judge = naming(({ type, input }) => type === 'tool_use' && Object(input).command === 'bad');
    expect(await say()).toBe('end_turn');
    const types = requests.at(-1)?.messages.flatMap(({ content }) => content.map((block) => block.type));
    expect(types).toEqual(['text', 'tool_use', 'text', 'tool_result', 'text', 'text']);
    expect(wordsOf(requests.at(-1))).toMatch(/call of the tool bash.*bad.*not from the user.*found/);
  });

  it('which is a call that is not named, is found among all that is no words', async () => {
    const { provider, requests, say, giveResults } = stage();
    provider.answers.push(answer({ stopReason: 'tool_use', blocks: [toolUse('toolu_1')] }));
    await say(text('look'));
    await giveResults([text('found')]);
    provider.judge = has('"type":"tool_use"');
    expect(await say()).toBe('end_turn');
    expect(wordsOf(requests.at(-1))).toMatch(/look.*call of the tool bash.*not from the user.*found/);
  });

  it('which is a thought, is left out without a note', async () => {
    const { provider, requests, say } = stage();
    const blocks = [{ type: 'thinking', thinking: 'hm', signature: 'of another model' }, text('Hello.')];
    provider.answers.push(answer({ blocks }));
    await say(text('hi'));
    provider.judge = naming(({ type }) => type === 'thinking');
    expect(await say(text('again'))).toBe('end_turn');
    expect(requests.at(-1)?.messages[1]?.content).toEqual([text('Hello.')]);
  });

  it('which is a tool, is not offered until the agent changes', async () => {
    const tool = { type: 'custom', name: 'weather', description: 'w', input_schema: { type: 'object' } } as const;
    const agent = { ...AGENT, tools: [...AGENT.tools, tool] };
    const { provider, requests, say, apply } = stage(agent);
    const namesIn = (request: ModelRequest | undefined) => request?.tools.map(({ name }) => name) ?? [];
    provider.judge = (request) => {
      const at = namesIn(request).indexOf('weather');
      return at < 0 ? undefined : `tools.${at}`;
    };
    expect(await say(text('hi'))).toBe('end_turn');
    expect(namesIn(requests.at(-1))).toContain('bash');
    provider.judge = () => undefined;
    await say(text('again'));
    expect(namesIn(requests.at(-1))).not.toContain('weather');
    await apply({ do: 'update', changes: { agent: { ...agent, system: 'Other.' } } });
    await say(text('and again'));
    expect(namesIn(requests.at(-1))).toContain('weather');
  });

  it('which is words that no provider takes, is left out at the end, and the session goes on', async () => {
    const { provider, requests, say } = stage();
    await say(text('hi'));
    provider.judge = has('forbidden');
    expect(await say(text('a forbidden word'))).toBe('end_turn');
    expect(await say(text('never mind'))).toBe('end_turn');
    const last = wordsOf(requests.at(-1));
    expect(last).toContain('hi');
    expect(last).toContain('never mind');
    expect(last).toMatch(/a text.*was left out/);
  });
});

describe('a provider that refuses each request', () => {
  it.each([
    ['nothing', null],
    ['the user’s words', 'messages.0.content.0'],
    ['what does not exist', 'messages.70.content.9'],
  ])('and names %s, ends the turn, and nothing is left out of the next one', async (_name, path) => {
    const { provider, requests, say } = stage();
    await say(text('hi'));
    provider.judge = () => path;
    expect(await say(text('look at this'), IMAGE, PDF)).toBe('retries_exhausted');
    expect(requests.length).toBeLessThan(10);
    provider.judge = () => undefined;
    expect(await say(text('hello?'))).toBe('end_turn');
    const last = wordsOf(requests.at(-1));
    for (const words of ['hi', 'look at this', IMAGE.source.data, PDF.source.data, 'hello?'])
      expect(last).toContain(words);
    expect(last).not.toContain('left out');
  });

  it('when an interrupt ends the search, gets all of it in the next turn', async () => {
    const { provider, requests, say, apply } = stage();
    provider.judge = (request) => {
      if (requests.length === 2) void apply(sends({ type: 'user.interrupt' }));
      return has(IMAGE.source.data)(request);
    };
    await say(text('look'), IMAGE);
    provider.judge = () => undefined;
    await say(text('and now?'));
    expect(wordsOf(requests.at(-1))).toContain(IMAGE.source.data);
  });

  it('once, for words alone, gets the same request again', async () => {
    const { provider, requests, say } = stage();
    provider.judge = () => (requests.length === 1 ? null : undefined);
    expect(await say(text('hi'))).toBe('end_turn');
    expect(requests[1]).toEqual(requests[0]);
  });
});
