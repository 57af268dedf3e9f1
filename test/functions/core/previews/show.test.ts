import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PreviewFrame } from '#contract/previews.ts';
import { join, MAX_FRAME_CHARS, NOTHING_SHOWN, show, type Piece } from '#core/previews/preview.ts';
import { answerWith, claim, given, IDS, send } from '#test/functions/core/given.ts';

const text = (block: number, piece: string): Piece => ({ type: 'text', block, text: piece });

/** The frames that each piece of text adds. */
function framesOf(pieces: readonly Piece[]): readonly (readonly PreviewFrame[])[] {
  let shown = NOTHING_SHOWN;
  return pieces.map((piece) => {
    const next = show(shown, piece, IDS);
    shown = next.shown;
    return next.frames;
  });
}

/**
 * Texts by index, as a client accumulates them. A skipped index, or text before the start, is an error of the service.
 */
function accumulate(frames: readonly PreviewFrame[]): readonly string[] {
  const texts: string[] = [];
  let started = false;
  for (const frame of frames) {
    if (frame.type === 'event_start') started ||= frame.event.type === 'agent.message';
    else {
      const { index, content } = frame.delta;
      if (!started || index > texts.length) throw new Error('a client would throw here');
      texts[index] = (texts[index] ?? '') + content.text;
    }
  }
  return texts;
}

/** The texts of the final message, made by the code that decides the answer. */
function said(blocks: readonly string[]): readonly string[] {
  const { then } = given()
    .when(send('hi'))
    .when(claim())
    .when(answerWith({ blocks: blocks.map((block) => ({ type: 'text', text: block })) }));
  return then.flatMap((entry) =>
    'event' in entry && entry.event.type === 'agent.message' ? entry.event.content.map((block) => block.text) : [],
  );
}

describe('the frames of a preview', () => {
  it('begin once with the start of the coming event, under its id', () => {
    const [first, second] = framesOf([text(0, 'He'), text(0, 'llo')]);
    expect(first).toEqual([
      { type: 'event_start', event: { type: 'agent.message', id: IDS.message } },
      {
        type: 'event_delta',
        event_id: IDS.message,
        delta: { type: 'content_delta', index: 0, content: { type: 'text', text: 'He' } },
      },
    ]);
    expect(second).toHaveLength(1);
  });

  it('show of thinking only that it began', () => {
    expect(framesOf([{ type: 'thinking' }, { type: 'thinking' }])).toEqual([
      [{ type: 'event_start', event: { type: 'agent.thinking', id: IDS.thinking } }],
      [],
    ]);
  });

  it('number text blocks as the message will, without blank ones', () => {
    const frames = framesOf([text(0, ' \n'), text(1, ' '), text(1, '\t'), text(1, 'one'), text(2, ''), text(3, 'two')]);
    expect(frames.slice(0, 3)).toEqual([[], [], []]);
    expect(accumulate(frames.flat())).toEqual([' \tone', 'two']);
  });

  it('never end within a character', () => {
    const [half, whole] = framesOf([text(0, 'a\ud83d'), text(0, '\ude00b')]);
    expect(accumulate(half ?? [])).toEqual(['a']);
    expect(whole).toMatchObject([{ delta: { content: { text: '\ud83d\ude00b' } } }]);
  });

  it('are at every moment a prefix of the message that the answer becomes', () => {
    const piece = fc.string({
      unit: fc.constantFrom('a', 'ä', ' ', '\n', '\ufeff', '\ud83d', '\ude00', '\ud83d\ude00'),
    });
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 5 }), { maxLength: 5 }), (blocks) => {
        const final = said(blocks.map((pieces) => pieces.join('')));
        const pieces = blocks.flatMap((list, block) => list.map((each) => text(block, each)));
        let frames: readonly PreviewFrame[] = [];
        for (const more of framesOf(pieces)) {
          frames = [...frames, ...more];
          accumulate(frames).forEach((shown, index) => expect(final[index]?.startsWith(shown)).toBe(true));
        }
        // In the end only half a character may be missing, and joining frames changes nothing.
        const shown = accumulate(frames);
        expect(final.length - shown.length).toBeLessThanOrEqual(1);
        expect(final.join('').length - shown.join('').length).toBeLessThanOrEqual(1);
        expect(accumulate(join([], frames))).toEqual(shown);
      }),
    );
  });

  it('have a bounded size, and no frame ends within a character', () => {
    const long = '\ud83d\ude00'.repeat(MAX_FRAME_CHARS);
    const frames = join([], framesOf([text(0, 'x'), text(0, long)]).flat());
    expect(accumulate(frames)).toEqual([`x${long}`]);
    for (const frame of frames) {
      if (frame.type === 'event_start') continue;
      expect(frame.delta.content.text.length).toBeLessThanOrEqual(MAX_FRAME_CHARS);
      expect(frame.delta.content.text.isWellFormed()).toBe(true);
    }
  });

  it('are joined into one while they wait', () => {
    const frames = framesOf([text(0, 'a'), text(0, 'b'), text(1, 'c'), text(1, 'd')]).reduce<readonly PreviewFrame[]>(
      join,
      [],
    );
    expect(frames).toHaveLength(3);
    expect(accumulate(frames)).toEqual(['ab', 'cd']);
  });
});
