import { describe, expect, it } from 'vitest';
import type { PreviewedType, PreviewFrame } from '#contract/previews.ts';
import { EventId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Previews } from '#core/ports/previews.ts';
import type { Command } from '#core/session/commands.ts';
import { answerWith, IDS, KEY, NOW, REQUEST } from '#test/functions/core/given.ts';
import { memoryPreviews, type MemoryPreviews } from '#test/ports/previews.memory.ts';
import { follow } from '../../../functions/stream/follow.ts';
import { respond } from '../../../functions/stream/respond.ts';
import { watchPreviews } from '../../../functions/stream/watch-previews.ts';
import { ALONE, client, clock, MESSAGE, openLog, request, world } from './stream.ts';

const CLAIM: Command = { do: 'claim', request: REQUEST, taken: [] };
const BOTH: readonly PreviewedType[] = ['agent.message', 'agent.thinking'];

const start = (type: PreviewedType, id: EventId): PreviewFrame => ({ type: 'event_start', event: { type, id } });
const delta = (text: string): PreviewFrame => ({
  type: 'event_delta',
  event_id: IDS.message,
  delta: { type: 'content_delta', index: 0, content: { type: 'text', text } },
});
const FIRST = [start('agent.thinking', IDS.thinking), start('agent.message', IDS.message), delta('Hel')];

const write = (previews: Previews, sequence: number, frames: readonly PreviewFrame[], of = REQUEST) =>
  previews.write(KEY, { request: of, sequence, at: NOW, frames: [...frames] });

/**
 * Follows a session with previews. Each function of `during` is called in a pause between two reads; then the time is
 * up.
 */
async function run(
  during: readonly ((opened: ReturnType<typeof openLog>, previews: MemoryPreviews) => unknown)[],
  { wanted = BOTH, over = {} as Partial<Previews>, before = [MESSAGE] as readonly Command[] } = {},
) {
  const opened = openLog();
  for (const command of before) await opened.act(command);
  const memory = memoryPreviews();
  const reader = client();
  const time = clock([...during.map((happen) => () => happen(opened, memory)), () => time.stop()]);
  const head = (await opened.log.head(KEY)) ?? expect.fail();
  const streams = world(opened.log, time, { ...memory, ...over });
  const previews = await watchPreviews(streams, { key: KEY, head }, wanted);
  const subscription = { key: KEY, head, previews, crowd: ALONE, names: 'types' } as const;
  await follow(streams, subscription, { sink: reader.sink, limits: time.limits });
  return { reader, memory, time };
}

const nothing = () => undefined;
const claim = (opened: ReturnType<typeof openLog>) => opened.act(CLAIM);
const sayHello = (opened: ReturnType<typeof openLog>) => opened.act(answerWith());

describe('previews on a stream', () => {
  it('come between the start of the request and the event that they preview', async () => {
    const { reader } = await run([
      claim,
      (_opened, previews) => write(previews, 1, FIRST),
      (_opened, previews) => write(previews, 2, [delta('lo.')]),
      sayHello,
    ]);
    expect(reader.names().slice(0, 7)).toEqual([
      'span.model_request_start',
      'event_start',
      'event_start',
      'event_delta',
      'event_delta',
      'agent.message',
      'span.model_request_end',
    ]);
    expect(reader.text()).toContain(`event: event_delta\ndata: ${JSON.stringify(delta('lo.'))}\n\n`);
  });

  it('never come after that event, although they were written before it', async () => {
    const both = async (opened: ReturnType<typeof openLog>, previews: MemoryPreviews) => {
      await write(previews, 2, [delta('lo.')]);
      await sayHello(opened);
    };
    const { reader } = await run([claim, (_opened, previews) => write(previews, 1, FIRST), both, nothing]);
    expect(reader.names().filter((name) => name === 'event_delta')).toHaveLength(1);
    expect(reader.names().indexOf('event_delta')).toBeLessThan(reader.names().indexOf('agent.message'));
  });

  it('are of the next request once the first is over', async () => {
    const next = EventId.parse('sevt_next');
    const message = EventId.parse('sevt_message2');
    const { reader } = await run([
      claim,
      (_opened, previews) => write(previews, 1, FIRST),
      (opened) =>
        opened.act({ do: 'fail', request: REQUEST, error: 'unknown_error', message: 'no', verdict: 'retrying' }),
      (_opened, previews) => write(previews, 2, [delta('zombie')]),
      (opened) => opened.act({ ...CLAIM, request: next }),
      (_opened, previews) => write(previews, 1, [start('agent.message', message)], next),
      nothing,
    ]);
    expect(reader.text()).not.toContain('zombie');
    expect(reader.names().at(-1)).toBe('event_start');
    expect(reader.text()).toContain(message);
  });

  it('do not come for a request that began before the connection opened, but its event does', async () => {
    const { reader } = await run([(_opened, previews) => write(previews, 1, FIRST), nothing, sayHello, nothing], {
      before: [MESSAGE, CLAIM],
    });
    expect(reader.names()).not.toContain('event_start');
    expect(reader.names()).toContain('agent.message');
  });

  it.each([
    ['agent.message', ['event_start', 'event_delta']],
    ['agent.thinking', ['event_start']],
  ] as const)('are of %s alone when the client asked for that', async (wanted, names) => {
    const { reader } = await run([claim, (_opened, previews) => write(previews, 1, FIRST), nothing], {
      wanted: [wanted],
    });
    expect(reader.names()).toEqual(['span.model_request_start', ...names]);
    expect(reader.text()).toContain(`"type":"${wanted}"`);
  });

  it('have one start, also when it was written twice', async () => {
    const { reader } = await run([claim, (_opened, previews) => write(previews, 1, [...FIRST, ...FIRST]), nothing]);
    expect(reader.names().filter((name) => name === 'event_start')).toHaveLength(2);
  });

  it('make the next read come soon', async () => {
    const quiet = Array.from({ length: 8 }, () => nothing);
    const { time } = await run([claim, ...quiet, (_opened, previews) => write(previews, 1, FIRST), nothing]);
    expect(time.waits.slice(8, 12)).toEqual([100, 100, 5, 10]);
  });

  it('make no subscription and no read when the client did not ask for them', async () => {
    const never = () => Promise.reject(new Error('asked'));
    const { reader, memory } = await run([claim, (_opened, previews) => write(previews, 1, FIRST), nothing], {
      wanted: [],
      over: { read: never, subscribe: never },
    });
    expect(reader.names()).toEqual(['span.model_request_start']);
    expect(memory.marks).toEqual([]);
  });

  it('are read only while a request is open', async () => {
    let looks = 0;
    const read = async () => {
      looks += 1;
      return [];
    };
    await run([nothing, nothing, claim, nothing, sayHello, nothing, nothing], { over: { read } });
    expect(looks).toBe(2);
  });

  it('stop while their table does not answer and come again later, and events go on', async () => {
    let looks = 0;
    const memory = memoryPreviews();
    await write(memory, 1, FIRST);
    const read: Previews['read'] = (...asked) => {
      looks += 1;
      return looks === 1 ? Promise.reject(new Fault('previews_unavailable', 'no answer')) : memory.read(...asked);
    };
    const subscribe = () => Promise.reject(new Fault('previews_unavailable', 'no answer'));
    const { reader } = await run([claim, ...Array.from({ length: 60 }, () => nothing), sayHello, nothing], {
      over: { read, subscribe },
    });
    expect(reader.names().slice(0, 5)).toEqual([
      'span.model_request_start',
      'event_start',
      'event_start',
      'event_delta',
      'agent.message',
    ]);
    expect(looks).toBeLessThan(20);
  });
});

describe('the subscription of a connection to previews', () => {
  const after = (ms: number) => new Date(Date.parse(NOW) + ms).toISOString();

  it('is renewed during the connection, long before it expires', async () => {
    const { memory } = await run(
      Array.from({ length: 375 }, () => nothing),
      { before: [] },
    );
    const ends = memory.marks.map((end) => Date.parse(end) - Date.parse(NOW) - 90_000);
    expect(memory.marks[0]).toBe(after(90_000));
    expect(ends.slice(1).map((ms) => Math.floor(ms / 1000))).toEqual([30, 60]);
  });

  it('is written before the headers are sent', async () => {
    const opened = openLog();
    const memory = memoryPreviews();
    const marks: number[] = [];
    const reader = client();
    await respond(
      world(opened.log, clock([() => opened.act({ do: 'archive' })]), memory),
      request({ multiValueQueryStringParameters: { 'event_deltas[]': ['agent.message'] } }),
      {
        open: () => {
          marks.push(memory.marks.length);
          return reader.sink;
        },
        untilMs: Date.now() + 120_000,
      },
    );
    expect(marks).toEqual([1]);
  });

  it('is not written for a key of another workspace', async () => {
    const memory = memoryPreviews();
    const reader = client();
    await respond(
      world(openLog().log, clock(), memory),
      request({
        headers: { 'x-api-key': 'other' },
        multiValueQueryStringParameters: { 'event_deltas[]': ['agent.message'] },
      }),
      { open: () => reader.sink, untilMs: Date.now() + 120_000 },
    );
    expect(memory.marks).toEqual([]);
  });
});
