import type Anthropic from '@anthropic-ai/sdk';
import { accumulateManagedAgentsEvent, type AccumulatedEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startService, type Service } from '#test/journeys/service.ts';

type Frame = BetaManagedAgentsStreamSessionEvents;
type Wanted = ('agent.message' | 'agent.thinking')[];
type Stream = Awaited<ReturnType<Anthropic['beta']['sessions']['events']['stream']>>;

const WORDS = Array.from({ length: 12 }, (_, index) => `word ${index} \ud83d\ude00 `);
const TEXT = WORDS.join('');
/** Between two words: long enough that previews are written and read meanwhile, also on a busy machine. */
const LOOK_MS = 150;

const isPreview = (frame: Frame) => frame.type === 'event_start' || frame.type === 'event_delta';
const idsOf = (frames: readonly Frame[], type: Frame['type']) =>
  frames.flatMap((frame) => (frame.type === type && 'id' in frame ? [frame.id] : []));
const previewedIds = (frames: readonly Frame[]) =>
  frames.flatMap((frame) => (frame.type === 'event_start' ? [frame.event.id] : []));

async function readTurn(stream: Stream): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of stream) {
    frames.push(frame);
    if (frame.type === 'session.status_idle') break;
  }
  return frames;
}

/** The message that a client has accumulated after each frame. */
function snapshots(frames: readonly Frame[]): readonly string[] {
  const texts: string[] = [];
  let folded: AccumulatedEvent | undefined;
  for (const frame of frames) {
    folded = accumulateManagedAgentsEvent(folded, frame);
    if (frame.type !== 'event_delta' && frame.type !== 'agent.message') continue;
    texts.push(folded?.content.map((block) => (block.type === 'text' ? block.text : '')).join('') ?? '');
  }
  return texts;
}

describe('previews through the official SDK', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  beforeEach(() => service.runtime.faults.disarm());
  afterAll(async () => service.close());

  const open = (session: string, wanted: Wanted) =>
    service.client.beta.sessions.events.stream(session, { event_deltas: wanted });
  const writesOf = (name: string) =>
    service.runtime.faults.trace().filter((call) => call.function === name && call.call === 'dynamodb:PutItem').length;

  // This test runs before those that interrupt, because it counts appends, and a harness that notices an interrupt
  // appends later.
  it('are not written while no stream subscribes to them', async () => {
    service.standIn.script(() => ({ text: WORDS, chunkDelayMs: LOOK_MS }));
    const session = await service.session();
    await service.converse(session, 'hi');
    // The claim is one append; the answer ends the run in a transaction with the session's row.
    expect(writesOf('harness')).toBe(1);
    expect(writesOf('stream')).toBe(0);
    const stream = await open(session, ['agent.message']);
    await service.send(session, 'again');
    await readTurn(stream);
    expect(writesOf('harness')).toBeGreaterThan(2);
    expect(writesOf('stream')).toBe(1);
  });

  it('show an answer while it streams to the connections that subscribed, and add up to the message', async () => {
    service.standIn.script(() => ({ thinking: 'hm', text: WORDS, chunkDelayMs: LOOK_MS }));
    const session = await service.session();
    const thread = session.replace('sesn_', 'sthr_');
    const streams = await Promise.all([
      open(session, ['agent.message', 'agent.thinking']),
      service.client.beta.sessions.threads.events.stream(thread, {
        session_id: session,
        event_deltas: ['agent.message'],
      }),
      service.client.beta.sessions.events.stream(session),
    ]);
    await service.send(session, 'hi');
    const [all, ofThread, none] = await Promise.all(streams.map(readTurn));
    expect(none?.some(isPreview)).toBe(false);
    expect(previewedIds(all ?? [])).toEqual([
      ...idsOf(all ?? [], 'agent.thinking'),
      ...idsOf(all ?? [], 'agent.message'),
    ]);
    expect(previewedIds(ofThread ?? [])).toEqual(idsOf(ofThread ?? [], 'agent.message'));
    for (const frames of [all ?? [], ofThread ?? []]) {
      const shown = snapshots(frames);
      expect(shown.at(-1)).toBe(TEXT);
      expect(shown.length).toBeGreaterThan(3);
      for (const text of shown) expect(TEXT.startsWith(text)).toBe(true);
      const first = frames.findIndex(isPreview);
      expect(frames[first - 1]?.type).toBe('span.model_request_start');
      expect(frames.slice(frames.findLastIndex(isPreview) + 1).map(({ type }) => type)).toContain('agent.message');
      // Apart from the previews, each connection gets the same events.
      expect(frames.filter((frame) => !isPreview(frame))).toEqual(none);
    }
    const history = await service.events(session);
    expect(history.map(({ id }) => id).filter((id) => previewedIds(all ?? []).includes(id))).toHaveLength(2);
    expect(history.some((event) => isPreview(event))).toBe(false);
  });

  it('are not sent to a client that joins during the answer, but the answer is', async () => {
    let finish = () => {};
    const hold = new Promise<void>((resolve) => {
      finish = resolve;
    });
    service.standIn.script(() => ({ text: WORDS, hold, holdBefore: 8 }));
    const session = await service.session();
    const early = await open(session, ['agent.message']);
    await service.send(session, 'hi');
    const first: Frame[] = [];
    const events = early[Symbol.asyncIterator]();
    while (first.at(-1)?.type !== 'event_delta') first.push((await events.next()).value);
    const late = await open(session, ['agent.message']);
    finish();
    const frames = await readTurn(late);
    early.controller.abort();
    expect(frames.some(isPreview)).toBe(false);
    expect(idsOf(frames, 'agent.message')).toEqual(previewedIds(first));
  });

  it('of a request that breaks off end with its span, and the next attempt begins its own', async () => {
    const error = { status: 529, type: 'overloaded_error', message: 'busy', afterFrames: 10 };
    service.standIn.script((_request, index) =>
      index === failing ? { text: WORDS, chunkDelayMs: LOOK_MS, error } : { text: WORDS, chunkDelayMs: LOOK_MS },
    );
    const failing = service.standIn.requests.length;
    const session = await service.session();
    const stream = await open(session, ['agent.message']);
    await service.send(session, 'hi');
    const frames = await readTurn(stream);
    const [broken, whole] = previewedIds(frames);
    const end = frames.findIndex(({ type }) => type === 'span.model_request_end');
    expect(frames[end]).toMatchObject({ is_error: true });
    expect(frames.slice(0, end).filter(isPreview).length).toBeGreaterThan(1);
    expect(JSON.stringify(frames.slice(end))).not.toContain(broken);
    expect(idsOf(frames, 'agent.message')).toEqual([whole]);
    expect(snapshots(frames.slice(end)).at(-1)).toBe(TEXT);
  });

  it('of an interrupted request end with its span, and none comes afterwards', async () => {
    service.standIn.script(() => ({ text: WORDS, hold: new Promise(() => undefined), holdBefore: 8 }));
    const session = await service.session();
    const stream = await open(session, ['agent.message']);
    await service.send(session, 'hi');
    const frames: Frame[] = [];
    for await (const frame of stream) {
      frames.push(frame);
      if (frame.type === 'event_start') {
        await service.client.beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
      }
      if (frame.type === 'session.status_idle') break;
    }
    const end = frames.findIndex(({ type }) => type === 'span.model_request_end');
    expect(previewedIds(frames)).toHaveLength(1);
    expect(frames.slice(end).some(isPreview)).toBe(false);
    expect(idsOf(frames, 'agent.message')).toEqual([]);
  });

  it('that cannot be written or read have no other effect', async () => {
    service.standIn.script(() => ({ text: WORDS, chunkDelayMs: 20 }));
    const session = await service.session();
    service.runtime.faults.delay('harness dynamodb:GetItem', 10_000);
    const stream = await open(session, ['agent.message']);
    await service.send(session, 'hi');
    const frames = await readTurn(stream);
    expect(frames.some(isPreview)).toBe(false);
    expect(snapshots(frames)).toEqual([TEXT]);
  });
});
