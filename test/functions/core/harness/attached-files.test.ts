import { describe, expect, it } from 'vitest';
import type { HeldFile, HeldFiles } from '#contract/entries.ts';
import type { EventInput } from '#contract/events.ts';
import { BlobKey } from '#contract/files.ts';
import { EventId, FileId } from '#contract/ids.ts';
import { createAttachedFiles } from '#core/harness/attached-files.ts';
import { buildMessages, buildRequest } from '#core/harness/context.ts';
import { leaveOut } from '#core/harness/culprit.ts';
import { holdsFiles } from '#core/harness/gate.ts';
import { buildSummaryRequest } from '#core/harness/summary.ts';
import { base64Chars } from '#core/model/attachment-limits.ts';
import type { Command } from '#core/session/commands.ts';
import { answerWith, claim, FULL, given, RULES, says, send, summarised, toolUse } from '#test/functions/core/given.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { png } from '#test/model/png.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';

const blobOf = (index: number) => BlobKey.parse(`blobs/${String(index).padStart(24, '0')}`);
const fileId = (index: number) => FileId.parse(`file_${index}`);

/** Files whose bytes are in memory, and how often each was read. */
function filesOf(...bytes: readonly Buffer[]) {
  const blobs = createMemoryBlobs();
  const reads: string[] = [];
  const files: [FileId, HeldFile][] = bytes.map((one, index) => {
    const blob = blobOf(index);
    blobs.kept.set(blob, new Uint8Array(one));
    const isPdf = one.subarray(0, 4).toString('latin1') === '%PDF';
    const kind = isPdf ? { media_type: 'application/pdf' } : { media_type: 'image/png', side: 1 };
    return [fileId(index), { type: 'blob', blob, chars: base64Chars(one.length), ...kind }];
  });
  const counting = { ...blobs, get: (blob: BlobKey) => (reads.push(blob), blobs.get(blob)) };
  return { files: Object.fromEntries(files), attached: createAttachedFiles({ blobs: counting }), reads };
}

const block = (type: 'image' | 'document', index: number, more = {}) =>
  ({ type, source: { type: 'file', file_id: fileId(index) }, ...more }) as const;
const message = (...content: Extract<EventInput, { type: 'user.message' }>['content']): EventInput => ({
  type: 'user.message',
  content,
});
const sending = (files: HeldFiles, ...events: readonly EventInput[]): Command => ({ do: 'send', events, files });

const second = EventId.parse('sevt_second');
const IMAGE = png(1, 1);
const PDF = Buffer.from('%PDF-1.7 a');
const TEXT: HeldFile = { type: 'text', media_type: 'text/plain', data: 'city,people' };

describe('files that messages name', () => {
  it('reach the model as base64 and text, with all else of their blocks', async () => {
    const { files, attached } = filesOf(IMAGE, PDF);
    const about = { title: 'Report', context: 'Of May' };
    const content = [
      block('image', 0),
      block('document', 1, about),
      block('document', 2, { title: 'Cities' }),
    ] as const;
    const { entries, head } = given().when(
      sending({ ...files, [fileId(2)]: TEXT }, message(...content, { type: 'text', text: 'Read them.' })),
    );
    expect(head.state.queued[0]).toMatchObject({ tokens: expect.any(Number) });
    expect(head.state.queued[0]?.tokens).toBeGreaterThan(1600);
    const scenario = given(entries).when(claim());
    const request = buildRequest(scenario.entries);
    expect(holdsFiles(request)).toBe(true);
    const whole = await attached.fill(request);
    expect(refusalOf(whole)).toBeNull();
    expect(holdsFiles(whole)).toBe(false);
    expect(whole.messages).toMatchObject([
      {
        role: 'user',
        content: [
          {
            type: 'image',
            source: { type: 'base64', media_type: 'image/png', data: IMAGE.toString('base64') },
          },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: PDF.toString('base64') },
            ...about,
          },
          { type: 'document', source: TEXT, title: 'Cities' },
          { type: 'text', text: 'Read them.', cache_control: { type: 'ephemeral' } },
        ],
      },
    ]);
  });

  it('reach the model in a result of a custom tool, and keep the breakpoint of a message that ends with one', async () => {
    const { files, attached } = filesOf(IMAGE, PDF);
    const blocks = [toolUse('toolu_1', 'weather', {})];
    const asked = given()
      .when(send('hi'))
      .when(claim())
      .when({
        ...answerWith({ stopReason: 'tool_use', blocks }),
        rules: new Map([...RULES, ['weather', { kind: 'custom' }]]),
      } as Command);
    const [call] = asked.head.state.calls;
    if (call === undefined) throw new Error('there is no call');
    const before = asked.head.state.contextTokens;
    const result = { type: 'user.custom_tool_result', custom_tool_use_id: call.id } as const;
    const answered = asked.when(
      sending(files, { ...result, content: [block('image', 0), block('document', 1)] }, message(block('image', 0))),
    );
    expect(answered.head.state.contextTokens - before).toBeGreaterThanOrEqual(1600);
    const { entries } = answered.when(claim(second));
    const whole = await attached.fill(buildRequest(entries));
    expect(whole.messages.at(-1)?.content).toMatchObject([
      {
        type: 'tool_result',
        content: [{ source: { data: IMAGE.toString('base64') } }, { source: { media_type: 'application/pdf' } }],
      },
      { type: 'image', source: { type: 'base64' }, cache_control: { type: 'ephemeral' } },
    ]);
  });

  it('are read once by a warm function, and never when they make room for newer ones', async () => {
    const pdfs = Array.from({ length: 4 }, (_, index) => Buffer.concat([PDF, Buffer.alloc(6_000_000, index)]));
    const { files, attached, reads } = filesOf(...pdfs);
    let scenario = given();
    for (const index of pdfs.keys()) {
      const request = EventId.parse(`sevt_request${index}`);
      scenario = scenario.when(sending(files, message(block('document', index)))).when(claim(request));
      await attached.fill(buildRequest(scenario.entries));
      scenario = scenario.when(answerWith({}, request));
    }
    expect(reads.toSorted()).toEqual(pdfs.map((_, index) => blobOf(index)));
    // A cold function reads what the request holds: the first two made room.
    const cold = filesOf(...pdfs);
    await cold.attached.fill(buildRequest(scenario.when(send('and?')).entries));
    expect(cold.reads.toSorted()).toEqual([2, 3].map(blobOf));
  });

  it('make room by their sides, which the log tells', () => {
    const { files } = filesOf(IMAGE);
    const held = files[fileId(0)];
    const shownOf = (side: number) => {
      const wide = { [fileId(0)]: { ...held, side } } as HeldFiles;
      const images = Array.from({ length: 21 }, () => block('image', 0));
      const { entries } = given()
        .when(sending(wide, message(...images)))
        .when(claim());
      return buildMessages(entries).flatMap(({ content }) => content.filter(({ type }) => type === 'image'));
    };
    expect(shownOf(2000)).toHaveLength(21);
    expect(shownOf(2001)).toHaveLength(16);
  });

  it('are in a slice that begins after the message was accepted', () => {
    const { files } = filesOf(IMAGE);
    const third = EventId.parse('sevt_third');
    const error = { error: 'model_request_failed_error', message: 'too large' } as const;
    const taken = given()
      .when(send('hi'))
      .when(claim())
      .when(answerWith())
      .when(sending(files, message(block('image', 0))))
      .when(claim(second))
      .when({ do: 'fail', request: second, ...error, verdict: 'too large' });
    const accepted = taken.entries.findIndex((entry) => 'event' in entry && entry.files !== undefined);
    const { entries, head } = taken.when({ do: 'claim', request: third, taken: [] }).when(summarised('Hi.', third));
    expect(head.state.sliceFrom - 1).toBeGreaterThan(accepted);
    expect(JSON.stringify(buildMessages(entries.slice(head.state.sliceFrom - 1)))).toContain(blobOf(0));
  });

  it('change nothing before them in a later request, so that the provider’s cache serves', async () => {
    const { files, attached } = filesOf(IMAGE);
    const first = given()
      .when(sending(files, message(block('image', 0), { type: 'text', text: 'look' })))
      .when(claim());
    const later = first.when(answerWith()).when(send('and?')).when(claim(second));
    const [one, two] = await Promise.all([first, later].map(({ entries }) => attached.fill(buildRequest(entries))));
    expect(two?.messages[0]?.content[0]).toEqual(one?.messages[0]?.content[0]);
  });

  it('are found by the search for what the provider refuses, and left out by name', () => {
    const { files } = filesOf(IMAGE);
    const { entries } = given()
      .when(sending(files, message(block('image', 0), { type: 'text', text: 'x' })))
      .when(claim());
    const found = leaveOut(entries, 'messages.0.content.0.image.source.base64.data');
    expect(found?.named).toMatch(/#0$/);
    expect(leaveOut(entries, null)?.tried).toEqual([found?.named]);
  });

  it('are shortened in a summary’s request when they are texts', () => {
    const text: HeldFile = { ...TEXT, type: 'text', media_type: 'text/plain', data: 'x'.repeat(3_000_000) };
    const scenario = given()
      .when(sending({ [fileId(0)]: text }, message(block('document', 0)), says('sum it up')))
      .when(claim())
      .when(answerWith({ usage: { ...FULL, input_tokens: 2_000_000 } }));
    const { messages } = buildSummaryRequest(scenario.entries, scenario.head.state);
    expect(JSON.stringify(messages)).toContain('characters left out');
  });

  it('are refused by a TypeError when what they hold was not looked up', () => {
    expect(() => given().when(sending({}, message(block('image', 0))))).toThrow(TypeError);
  });
});
