/** Turns in which the context fills the model's window: the requests to the model, and the entries that follow. */
import { describe, expect, it } from 'vitest';
import { png } from '#test/model/png.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { Fault } from '#core/ports/errors.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { createHistory } from '#core/harness/history.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { ModelAnswer, ModelMessage, ModelRequest } from '#core/ports/model.ts';
import { change } from '#core/session/change.ts';
import {
  HANDS,
  FULL,
  KEY,
  NO_MCP,
  SILENT,
  answer,
  given,
  outline,
  says,
  send,
  sends,
  steadyStamp,
  toolUse,
  NO_FILES,
  NO_OUTPUTS,
  NO_TEAM,
} from '#test/functions/core/given.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

type Reply = (request: ModelRequest) => ModelAnswer | Promise<ModelAnswer>;

/** A session in which each turn is taken by a new harness that remembers nothing of the turn before. */
function stage(...replies: readonly Reply[]) {
  const log = memoryLog();
  const scenario = given();
  log.create(KEY, scenario.head, scenario.entries);
  const requests: ModelRequest[] = [];
  const previews = memoryPreviews();
  const stamp = steadyStamp(1000);
  const world = (): TurnWorld => ({
    log,
    history: createHistory(log),
    attachedFiles: NO_FILES,
    ...NO_OUTPUTS,
    ...NO_TEAM,
    hands: HANDS,
    model: {
      ask: async (request, listener) => {
        listener.onText(0, 'Hel');
        await new Promise((resolve) => void setImmediate(resolve));
        expect(refusalOf(request)).toBeNull();
        requests.push(request);
        return replies[requests.length - 1]?.(request) ?? answer();
      },
    },
    warming: { warm: async () => undefined },
    ...NO_MCP,
    previews,
    stamp,
    pause: () => new Promise((resolve) => void setImmediate(resolve)),
    journal: SILENT,
  });
  async function turn() {
    const head = await log.head(KEY);
    return (await takeTurn(world(), { ...KEY, run: head?.state.run ?? 0 }, new AbortController().signal)).turn?.do;
  }
  async function apply(command: Parameters<typeof change>[3]) {
    const head = await log.head(KEY);
    if (head !== null) await change({ log, stamp }, KEY, head, command);
  }
  return {
    log,
    previews,
    requests,
    turn,
    say: (text: string) => apply(send(text)),
    apply,
    async answerCalls(text: string) {
      const head = await log.head(KEY);
      for (const { id } of head?.state.calls ?? []) {
        await apply({ do: 'result', call: id, content: [{ type: 'text', text }], isError: false });
      }
    },
  };
}

const summary: Reply = () => answer({ blocks: [{ type: 'text', text: 'Summary: the key is 42.' }] });
const full: Reply = () => answer({ usage: FULL, blocks: [{ type: 'text', text: 'The key is 42.' }] });
const calls: Reply = () => answer({ usage: FULL, stopReason: 'tool_use', blocks: [toolUse('toolu_1')] });
const refuses = (
  code: 'model_input_too_large' | 'model_refused_input' | 'model_overloaded' | 'model_billing',
): Reply => {
  return () => Promise.reject(new Fault(code, 'no'));
};

/** Messages as the provider's cache sees them. */
function plain(messages: readonly ModelMessage[] = []) {
  return messages.map(({ role, content }) => ({
    role,
    content: content.map(({ cache_control: _breakpoint, ...block }) => block),
  }));
}
const textIn = (request: ModelRequest | undefined) => JSON.stringify(request?.messages);

describe('a turn that fills the context', () => {
  it('asks for a summary at the end of the same request, so that the provider’s cache is read', async () => {
    const { requests, turn, say } = stage(full, summary);
    await say('remember 42');
    await turn();
    await say('what was it?');
    expect(await turn()).toBe('again');
    const [before, asked] = requests;
    expect(plain(asked?.messages).slice(0, 1)).toEqual(plain(before?.messages));
    expect(asked).toMatchObject({ model: before?.model, system: before?.system, tools: before?.tools });
    expect(asked?.extra).toEqual(before?.extra);
    expect(textIn(asked)).not.toContain('what was it?');
    expect(asked?.messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user']);
    // The first breakpoint reads what the last request wrote. The second one serves no later request.
    expect(asked?.messages[0]?.content.at(-1)).toHaveProperty('cache_control');
  });

  it('continues from the summary, and the waiting message is answered as it was sent', async () => {
    const { requests, turn, say, log } = stage(full, summary, () => answer());
    await say('remember 42');
    await turn();
    await say('what was it?');
    await turn();
    expect(await turn()).toBe('idle');
    const last = requests.at(-1);
    expect(last?.messages).toHaveLength(1);
    expect(textIn(last)).toContain('Summary: the key is 42.');
    expect(textIn(last)).not.toContain('remember 42');
    expect(last?.messages[0]?.content.at(-1)).toMatchObject({ text: 'what was it?' });
    expect(outline(log.entries(KEY)).filter((type) => type === 'agent.thread_context_compacted')).toHaveLength(1);
  });

  it('continues the work that the summary interrupted', async () => {
    const { requests, turn, say, answerCalls } = stage(calls, summary, () => answer());
    await say('look');
    expect(await turn()).toBe('tools');
    await answerCalls('found');
    expect(await turn()).toBe('again');
    expect(textIn(requests[1])).toContain('found');
    expect(await turn()).toBe('idle');
    expect(requests[2]?.messages).toHaveLength(1);
    expect(textIn(requests[2])).toContain('Summary');
  });

  it('asks again without tools when the model gave no summary, and counts the usage of both', async () => {
    const working: Reply = () =>
      answer({ stopReason: 'tool_use', blocks: [{ type: 'text', text: 'I look.' }, toolUse('toolu_2')] });
    const { requests, turn, say, log } = stage(full, working, summary);
    await say('hi');
    await turn();
    await say('again');
    expect(await turn()).toBe('retry');
    expect(await turn()).toBe('again');
    expect(requests[1]?.extra).not.toHaveProperty('tool_choice');
    expect(requests[2]?.extra).toHaveProperty('tool_choice', { type: 'none' });
    expect((await log.head(KEY))?.state.usage.output_tokens).toBe(15);
  });

  it('does not take the text of a paused answer for a summary', async () => {
    const pausing: Reply = () => answer({ stopReason: 'pause_turn', blocks: [{ type: 'text', text: 'I search.' }] });
    const { turn, say, log } = stage(full, pausing);
    await say('hi');
    await turn();
    await say('again');
    expect(await turn()).toBe('retry');
    expect(outline(log.entries(KEY))).not.toContain('[context.compacted]');
  });

  it('shortens tool results only, when the context may not fit', async () => {
    const { requests, turn, say, answerCalls } = stage(calls, summary);
    await say('look');
    await turn();
    await answerCalls(`begin${'x'.repeat(3_000_000)}end`);
    await turn();
    const text = textIn(requests[1]);
    expect(text.length).toBeLessThan(200_000);
    expect(text).toContain('begin');
    expect(text).toContain('xxxend');
    expect(text).toContain('characters left out');
    expect(text).toContain('look');
  });

  it('leaves out the provider’s own fetched content when that fills the context', async () => {
    const use = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'keys' } };
    const found = {
      type: 'web_search_tool_result',
      tool_use_id: 'srvtoolu_1',
      content: [
        { type: 'web_search_result', url: 'https://a.com', title: 'A', encrypted_content: 'E'.repeat(100_000) },
      ],
    };
    const said = { type: 'text', text: 'It is 42.', citations: [{ encrypted_index: 'i' }] };
    const exceeded: Reply = () =>
      answer({ stopReason: 'model_context_window_exceeded', blocks: [use, found, said], usage: FULL });
    const { requests, turn, say } = stage(exceeded, summary);
    await say('search');
    await turn();
    expect(await turn()).toBe('again');
    expect(requests[1]?.messages[1]).toEqual({
      role: 'assistant',
      content: [
        { type: 'text', text: expect.stringContaining('left out') },
        { type: 'text', text: 'It is 42.' },
      ],
    });
  });

  it('shortens more at each refusal of the size, and leaves attachments out', async () => {
    const data = png(1, 1).toString('base64');
    const source = { type: 'base64', media_type: 'image/png', data } as const;
    const { requests, turn, apply } = stage(
      full,
      refuses('model_input_too_large'),
      refuses('model_refused_input'),
      summary,
    );
    await apply(
      sends({
        type: 'user.message',
        content: [
          { type: 'text', text: 'y'.repeat(400_000) },
          { type: 'image', source },
        ],
      }),
    );
    await turn();
    await apply(send('more'));
    expect(await turn()).toBe('retry');
    expect(await turn()).toBe('retry');
    expect(await turn()).toBe('again');
    const [, whole, shorter, shortest] = requests.map((request) => textIn(request).length);
    expect(whole).toBeGreaterThan(400_000);
    expect(shorter).toBeLessThan(whole ?? 0);
    expect(shortest).toBeLessThan(shorter ?? 0);
    expect(textIn(requests[1])).toContain(data);
    expect(textIn(requests[2])).not.toContain(data);
  });

  it('ends at once when no attempt can help, and the waiting messages belong to the next turn', async () => {
    const { requests, turn, say, log } = stage(full, refuses('model_billing'), summary, () => answer());
    await say('hi');
    await turn();
    await say('pay first');
    expect(await turn()).toBe('idle');
    expect(await log.head(KEY)).toMatchObject({ state: { stopReason: { type: 'retries_exhausted' }, queued: [] } });
    await say('paid');
    expect(await turn()).toBe('again');
    expect(await turn()).toBe('idle');
    expect(requests[3]?.messages[0]?.content.slice(1).map((block) => block['text'])).toEqual(['pay first', 'paid']);
  });

  it('leaves out a provider call that only the paused answer could have completed', async () => {
    const searching = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'q' } };
    const paused: Reply = () =>
      answer({ usage: FULL, stopReason: 'pause_turn', blocks: [{ type: 'text', text: 'I search.' }, searching] });
    const { requests, turn, say } = stage(paused, summary, () => answer());
    await say('search');
    expect(await turn()).toBe('again');
    expect(await turn()).toBe('again');
    expect(textIn(requests[1])).toContain('I search.');
    expect(textIn(requests[1])).not.toContain('srvtoolu_1');
    expect(await turn()).toBe('idle');
  });

  it('streams no preview of the summary', async () => {
    const { previews, turn, say } = stage(full, summary, () => answer());
    await previews.subscribe(KEY, '2026-11-21T11:00:00.000Z');
    await say('hi');
    await turn();
    const shown = previews.chunks.length;
    expect(shown).toBeGreaterThan(0);
    await say('again');
    await turn();
    expect(previews.chunks).toHaveLength(shown);
  });

  it('waits and tries again when the provider is overloaded', async () => {
    const { turn, say, log } = stage(full, refuses('model_overloaded'), summary);
    await say('hi');
    await turn();
    await say('again');
    expect(await turn()).toBe('retry');
    expect((await log.head(KEY))?.state.status).toBe('rescheduling');
    expect(await turn()).toBe('again');
    expect((await log.head(KEY))?.state.status).toBe('running');
  });
});

describe('a request that the provider finds too large', () => {
  it('is made again after a compaction, with the message that was too much', async () => {
    const { requests, turn, say } = stage(
      () => answer(),
      refuses('model_input_too_large'),
      summary,
      () => answer(),
    );
    await say('hi');
    await turn();
    await say('the last straw');
    expect(await turn()).toBe('retry');
    expect(await turn()).toBe('again');
    expect(textIn(requests[2])).not.toContain('the last straw');
    expect(await turn()).toBe('idle');
    expect(textIn(requests[3])).toContain('Summary');
    expect(textIn(requests[3])).toContain('the last straw');
  });

  it('is made again with its beginning and end when no summary can make it smaller', async () => {
    const tooLarge = refuses('model_input_too_large');
    const straw = `begin${'x'.repeat(100_000)}end`;
    const { requests, turn, say } = stage(
      () => answer(),
      tooLarge,
      summary,
      tooLarge,
      tooLarge,
      () => answer(),
    );
    await say('hi');
    await turn();
    await say(straw);
    for (let asked = 0; asked < 4; asked += 1) await turn();
    expect(await turn()).toBe('idle');
    const last = textIn(requests.at(-1));
    expect(last).toMatch(/beginx+.*characters left out.*x+end/s);
    expect(last.length).toBeLessThan(20_000);
  });

  it('is also made again when the model’s answer was empty for lack of room', async () => {
    const nothing: Reply = () => answer({ stopReason: 'model_context_window_exceeded', blocks: [] });
    const { requests, turn, say } = stage(
      () => answer(),
      nothing,
      summary,
      () => answer(),
    );
    await say('hi');
    await turn();
    await say('the last straw');
    await turn();
    await turn();
    expect(await turn()).toBe('idle');
    expect(textIn(requests[3])).toContain('the last straw');
  });
});

describe('a message sent during a compaction', () => {
  it('is answered after the compaction', async () => {
    const { requests, turn, say } = stage(
      full,
      async () => {
        await say('and this');
        return answer({ blocks: [{ type: 'text', text: 'Summary.' }] });
      },
      () => answer(),
    );
    await say('hi');
    await turn();
    await say('again');
    await turn();
    expect(await turn()).toBe('idle');
    const said = requests[2]?.messages[0]?.content.slice(1).map((block) => block['text']);
    expect(said).toEqual(['again', 'and this']);
  });

  it('stays in the queue when the compaction fails finally, and is part of the next request', async () => {
    const { turn, say, log } = stage(
      full,
      async () => {
        await say('and this');
        throw new Fault('model_billing', 'no');
      },
      refuses('model_billing'),
    );
    await say('hi');
    await turn();
    await say('again');
    await turn();
    expect((await log.head(KEY))?.state).toMatchObject({ status: 'running', queued: [{}, {}] });
    expect(await turn()).toBe('idle');
    const taken = log
      .entries(KEY)
      .flatMap((entry) =>
        'event' in entry && entry.event.type === 'user.message' && entry.event.processed_at !== null
          ? [entry.event.content[0]]
          : [],
      );
    expect(taken).toMatchObject([{ text: 'hi' }, { text: 'again' }, { text: 'and this' }]);
    expect((await log.head(KEY))?.state).toMatchObject({ status: 'idle', stopReason: { type: 'retries_exhausted' } });
  });

  it('ends the turn when an interrupt comes with it, and the summary is dropped', async () => {
    const { turn, say, apply, log } = stage(full, async () => {
      await apply(sends({ type: 'user.interrupt' }, says('new plan')));
      return answer({ blocks: [{ type: 'text', text: 'Summary.' }] });
    });
    await say('hi');
    await turn();
    await say('again');
    expect(await turn()).toBe('idle');
    expect(outline(log.entries(KEY))).not.toContain('[context.compacted]');
  });
});
