import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import type { PreviewChunk } from '#contract/previews.ts';
import { createPreview, MAX_CHUNK_FRAMES, MAX_FRAME_CHARS } from '#core/previews/preview.ts';
import type { Previews } from '#core/ports/previews.ts';
import { IDS, KEY, NOW, REQUEST, steadyStamp } from '#test/functions/core/given.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';

const LATER = '2026-11-21T11:00:00.000Z';

/** Everything that can happen without a pause ending has happened. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

async function stage(over: Partial<Previews> = {}) {
  const memory = memoryPreviews();
  await memory.subscribe(KEY, LATER);
  let pauses: (() => void)[] = [];
  const waits: number[] = [];
  const pause = (ms: number) => {
    waits.push(ms);
    return new Promise<void>((resolve) => pauses.push(resolve));
  };
  const preview = createPreview({ previews: { ...memory, ...over }, stamp: steadyStamp(), pause }, KEY, {
    request: REQUEST,
    ids: IDS,
  });
  return {
    preview,
    waits,
    chunks: () => memory.chunks,
    shown: () => textOf(memory.chunks),
    write: memory.write,
    /** Ends the pauses that were begun. */
    async pass() {
      const ended = pauses;
      pauses = [];
      for (const end of ended) end();
      await settled();
    },
  };
}

function textOf(chunks: readonly PreviewChunk[]): string {
  const frames = chunks.flatMap((chunk) => chunk.frames);
  return frames.map((frame) => (frame.type === 'event_delta' ? frame.delta.content.text : '')).join('');
}

/** A promise, and the function that resolves it. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

const unavailable = () => Promise.reject(new Fault('previews_unavailable', 'no answer'));

describe('the preview of an answer', () => {
  it('is not written when no stream subscribed to it', async () => {
    let asked = 0;
    const memory = memoryPreviews();
    const { preview, chunks, pass } = await stage({
      isSubscribed: (...mark) => {
        asked += 1;
        return memory.isSubscribed(...mark);
      },
    });
    preview.onText(0, 'one');
    await settled();
    preview.onText(0, 'two');
    await pass();
    await preview.end();
    expect(chunks()).toEqual([]);
    expect(asked).toBe(1);
  });

  it('is written at once, and then every tenth of a second with all text that came since', async () => {
    const { preview, chunks, waits, shown, pass } = await stage();
    preview.onThinking();
    await settled();
    expect(chunks()).toMatchObject([{ request: REQUEST, sequence: 1, at: NOW, frames: [{ type: 'event_start' }] }]);
    for (const piece of ['a', 'b', 'c']) preview.onText(0, piece);
    await settled();
    expect(chunks()).toHaveLength(1);
    await pass();
    expect(chunks()).toMatchObject([{ sequence: 1 }, { sequence: 2, frames: [{}, {}] }]);
    expect(shown()).toBe('abc');
    await pass();
    preview.onText(0, 'd');
    await settled();
    expect(shown()).toBe('abcd');
    expect(waits).toEqual([100, 100, 100]);
  });

  it('waits until the subscription is read, and keeps the text that comes before', async () => {
    const mark = gate();
    const { preview, shown, pass } = await stage({ isSubscribed: () => mark.opened.then(() => true) });
    preview.onText(0, 'early');
    preview.onText(0, ' bird');
    await settled();
    expect(shown()).toBe('');
    mark.open();
    await settled();
    expect(shown()).toBe('early bird');
    await pass();
  });

  it('is written one chunk after the other, also when the table is slow', async () => {
    const slow = gate();
    const begun: number[] = [];
    const { preview, pass } = await stage({
      write: async (_key, { sequence }) => {
        begun.push(sequence);
        await slow.opened;
      },
    });
    preview.onText(0, 'a');
    await settled();
    preview.onText(0, 'b');
    await pass();
    expect(begun).toEqual([1]);
    slow.open();
    await settled();
    expect(begun).toEqual([1, 2]);
  });

  it('ends with a write that fails, because the next chunk would follow a gap', async () => {
    let writes = 0;
    const { preview, pass } = await stage({
      write: () => {
        writes += 1;
        return unavailable();
      },
    });
    preview.onText(0, 'a');
    await settled();
    preview.onText(0, 'b');
    await pass();
    await preview.end();
    expect(writes).toBe(1);
  });

  it('does not begin when the subscription cannot be read', async () => {
    const { preview, chunks, pass } = await stage({ isSubscribed: unavailable });
    preview.onText(0, 'a');
    await settled();
    await pass();
    await preview.end();
    expect(chunks()).toEqual([]);
  });

  it('ends with the answer: waiting text is dropped, and a write in progress is awaited', async () => {
    const slow = gate();
    const begun: number[] = [];
    const { preview, pass } = await stage({
      write: async (_key, { sequence }) => {
        begun.push(sequence);
        await slow.opened;
      },
    });
    preview.onText(0, 'a');
    await settled();
    preview.onText(0, 'b');
    let ended = false;
    const ending = preview.end().then(() => (ended = true));
    await settled();
    expect(ended).toBe(false);
    slow.open();
    await ending;
    preview.onText(0, 'c');
    await pass();
    expect(begun).toEqual([1]);
  });

  it('writes a backlog in chunks of a bounded size', async () => {
    const { preview, chunks, shown, pass } = await stage();
    preview.onText(0, 'a');
    await settled();
    const long = 'x'.repeat(MAX_FRAME_CHARS * MAX_CHUNK_FRAMES * 2);
    preview.onText(0, long);
    for (let count = 0; count < 3; count += 1) await pass();
    expect(shown()).toBe(`a${long}`);
    expect(chunks().map(({ frames }) => frames.length)).toEqual([2, MAX_CHUNK_FRAMES, MAX_CHUNK_FRAMES]);
  });

  it('is a prefix of the answer without a gap, whichever writes fail', async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.string({ minLength: 1, maxLength: 3 }).map((text) => ({ do: 'hear' as const, text })),
      },
      { weight: 2, arbitrary: fc.constant({ do: 'pass' as const }) },
      { weight: 1, arbitrary: fc.constant({ do: 'fail' as const }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        let failing = false;
        const set = await stage({
          // A write may fail after it took effect, so the chunk is stored.
          write: (key, chunk) => set.write(key, chunk).then(() => (failing ? unavailable() : undefined)),
        });
        let said = '';
        for (const step of steps) {
          if (step.do === 'fail') failing = !failing;
          if (step.do === 'pass') await set.pass();
          if (step.do === 'hear') {
            said += step.text;
            set.preview.onText(0, step.text);
            await settled();
          }
        }
        await set.preview.end();
        expect(said.startsWith(set.shown())).toBe(true);
        expect(set.chunks().map(({ sequence }) => sequence)).toEqual(set.chunks().map((_, index) => index + 1));
      }),
    );
  });
});
