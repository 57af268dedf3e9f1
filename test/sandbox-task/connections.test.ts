import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { join } from '../../sandbox-task/connections.ts';

/** Says this and ends its half. What it hears takes a moment each time. */
function side(says: string) {
  const heard: string[] = [];
  const stream = new Duplex({
    allowHalfOpen: true,
    decodeStrings: false,
    read() {
      this.push(says);
      this.push(null);
    },
    write(chunk, _encoding, done) {
      setTimeout(() => {
        heard.push(String(chunk));
        done();
      }, 20);
    },
    final(done) {
      heard.push('(end)');
      done();
    },
  });
  return { stream: stream.on('error', () => undefined), heard };
}

describe('two connections that were made one', () => {
  it('bring each other all that was said, also when one of them is done first', async () => {
    const [client, out] = [side('request'), side('answer')];
    join(client.stream, out.stream);
    await Promise.all([once(client.stream, 'close'), once(out.stream, 'close')]);
    expect([client.heard, out.heard]).toEqual([
      ['answer', '(end)'],
      ['request', '(end)'],
    ]);
  });

  it.each(['client', 'out'] as const)('end together when %s breaks', async (broken) => {
    const sides = { client: side('request').stream, out: side('answer').stream };
    join(sides.client, sides.out);
    sides[broken].destroy();
    await expect.poll(() => [sides.client.destroyed, sides.out.destroyed]).toEqual([true, true]);
  });
});
