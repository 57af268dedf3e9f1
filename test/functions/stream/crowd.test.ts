import { describe, expect, it } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import { KEY } from '#test/functions/core/given.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { joinCrowd } from '../../../functions/stream/watch-previews.ts';

const MINUTE_MS = 60_000;

function crowds() {
  let nowMs = Date.parse('2026-11-21T10:00:00.000Z');
  let asked = 0;
  const memory = memoryPreviews();
  const previews = {
    ...memory,
    countedStreams: (key: typeof KEY) => {
      asked += 1;
      return memory.countedStreams(key);
    },
  };
  return {
    previews,
    asked: () => asked,
    pass: (ms: number) => void (nowMs += ms),
    join: (over = {}) => joinCrowd({ previews: { ...previews, ...over }, nowMs: () => nowMs }, KEY),
  };
}

describe('a stream of a session', () => {
  it('makes room for the twentieth newer one, and not before it is a minute old', async () => {
    const { join, pass } = crowds();
    const first = join();
    const second = join();
    for (let newer = 2; newer < 20; newer += 1) join();
    pass(MINUTE_MS);
    expect(await first.isFull()).toBe(false);
    const last = join();
    expect(await first.isFull()).toBe(false);
    pass(MINUTE_MS / 4);
    expect([await first.isFull(), await second.isFull(), await last.isFull()]).toEqual([true, false, false]);
  });

  it('of a page that is reloaded every second is one of at most a hundred', async () => {
    const { join, pass } = crowds();
    let open: ReturnType<typeof join>[] = [];
    let most = 0;
    for (let second = 0; second < 300; second += 1) {
      open.push(join());
      pass(1000);
      const full = await Promise.all(open.map((one) => one.isFull()));
      open = open.filter((_one, index) => full[index] === false);
      most = Math.max(most, open.length);
    }
    expect(most).toBeLessThan(100);
  });

  it('asks for the count every 15 seconds', async () => {
    const { join, pass, asked } = crowds();
    const one = join();
    for (let look = 0; look < 600; look += 1) {
      pass(200);
      await one.isFull();
    }
    expect(asked()).toBe(5);
  });

  it.each(['countStream', 'countedStreams'])('stays open while the table does not answer %s', async (call) => {
    const { join, pass } = crowds();
    const one = join({ [call]: () => Promise.reject(new Fault('previews_unavailable', 'no answer')) });
    for (let newer = 0; newer < 30; newer += 1) join();
    pass(MINUTE_MS);
    expect(await one.isFull()).toBe(false);
  });
});
