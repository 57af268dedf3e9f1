/** The contract of the Previews port; every adapter passes it. */
import { describe, expect, it } from 'vitest';
import { EventId, SessionId, ThreadId } from '#contract/ids.ts';
import type { PreviewChunk } from '#contract/previews.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Previews } from '#core/ports/previews.ts';
import { NOW } from '#test/functions/core/given.ts';

const REQUEST = EventId.parse('sevt_request');
const MESSAGE = EventId.parse('sevt_message');
const LATER = '2026-11-21T10:01:00.000Z';

export function chunk(sequence: number, text: string, request = REQUEST): PreviewChunk {
  const delta = { type: 'content_delta' as const, index: 0, content: { type: 'text' as const, text } };
  return { request, sequence, at: NOW, frames: [{ type: 'event_delta', event_id: MESSAGE, delta }] };
}

export function previewsSuite(world: string, open: () => Previews): void {
  describe(`previews ${world}`, () => {
    let logs = 0;
    const newKey = (): LogKey => {
      logs += 1;
      const token = `${process.pid}x${logs}`;
      return { session: SessionId.parse(`sesn_${token}`), thread: ThreadId.parse(`sthr_${token}`) };
    };

    it('know whether a stream is subscribed, until the latest end that was written', async () => {
      const previews = open();
      const key = newKey();
      expect(await previews.isSubscribed(key, NOW)).toBe(false);
      await previews.subscribe(key, LATER);
      expect(await previews.isSubscribed(key, NOW)).toBe(true);
      expect(await previews.isSubscribed(newKey(), NOW)).toBe(false);
      expect(await previews.isSubscribed(key, LATER)).toBe(false);
      await previews.subscribe(key, NOW);
      expect(await previews.isSubscribed(key, NOW)).toBe(false);
    });

    it('count the streams of each log', async () => {
      const previews = open();
      const key = newKey();
      expect(await previews.countedStreams(key)).toBe(0);
      const counts = await Promise.all([1, 2, 3].map(() => previews.countStream(key, NOW)));
      expect(counts.toSorted()).toEqual([1, 2, 3]);
      expect(await previews.countedStreams(key)).toBe(3);
      expect(await previews.countStream(newKey(), NOW)).toBe(1);
    });

    it('return the chunks of a request after a number, in order and unchanged', async () => {
      const previews = open();
      const key = newKey();
      const chunks = Array.from({ length: 12 }, (_, index) => chunk(index + 1, `piece ${index} \ud83d\ude00`));
      for (const each of chunks) await previews.write(key, each);
      expect(await previews.read(key, REQUEST, 0)).toEqual(chunks);
      expect(await previews.read(key, REQUEST, 9)).toEqual(chunks.slice(9));
      expect(await previews.read(key, REQUEST, 12)).toEqual([]);
    });

    it('keep requests and logs apart, and the subscription out of the chunks', async () => {
      const previews = open();
      const key = newKey();
      const other = EventId.parse('sevt_request2');
      await previews.subscribe(key, LATER);
      await previews.write(key, chunk(1, 'one'));
      await previews.write(key, chunk(1, 'other', other));
      expect(await previews.read(key, REQUEST, 0)).toEqual([chunk(1, 'one')]);
      expect(await previews.read(key, other, 0)).toEqual([chunk(1, 'other', other)]);
      expect(await previews.read(newKey(), REQUEST, 0)).toEqual([]);
    });

    it('return no chunk after a gap', async () => {
      const previews = open();
      const key = newKey();
      for (const sequence of [1, 2, 4]) await previews.write(key, chunk(sequence, 'x'));
      expect(await previews.read(key, REQUEST, 0)).toEqual([chunk(1, 'x'), chunk(2, 'x')]);
      expect(await previews.read(key, REQUEST, 2)).toEqual([]);
    });

    it('hold a repeated write once', async () => {
      const previews = open();
      const key = newKey();
      await previews.write(key, chunk(1, 'once'));
      await previews.write(key, chunk(1, 'once'));
      expect(await previews.read(key, REQUEST, 0)).toEqual([chunk(1, 'once')]);
    });
  });
}
