import { describe, expect, it } from 'vitest';
import { EventId } from '#contract/ids.ts';
import type { Entry } from '#contract/entries.ts';
import { createHistory } from '#core/harness/history.ts';
import type { LogKey, SessionLog } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import { answerWith, claim, CREATED, given, KEY, send, summarised, type Scenario } from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const SECOND = EventId.parse('sevt_second');

const talked = () => given().when(send('hi')).when(claim()).when(answerWith());
const compacted = (scenario: Scenario) => scenario.when(send('more')).when(claim(SECOND)).when(summarised('…', SECOND));

/** A log that records from which position it was read, and how many entries it returned. */
function watched() {
  const log = memoryLog();
  const reads: { readonly from: number; readonly entries: number }[] = [];
  const watching: SessionLog = {
    ...log,
    async slice(key, from) {
      const slice = await log.slice(key, from);
      reads.push({ from, entries: slice.entries.length });
      return slice;
    },
  };
  return { log, reads, history: createHistory(watching) };
}

describe('the history of a session', () => {
  it('is read once, and later reads fetch only what was appended', async () => {
    const { log, reads, history } = watched();
    const before = talked();
    const now = before.when(send('more'));
    log.create(KEY, before.head, before.entries);
    await history.load(KEY);
    log.create(KEY, now.head, now.entries);
    expect(await history.load(KEY)).toEqual({ first: 1, entries: now.entries, head: now.head });
    expect(reads).toEqual([
      { from: 1, entries: before.entries.length },
      { from: before.head.position + 1, entries: now.then.length },
    ]);
  });

  it('drops what came before a compaction, also one that another process made', async () => {
    const { log, history } = watched();
    const before = talked();
    const now = compacted(before);
    const slice = {
      first: now.head.state.sliceFrom,
      entries: now.entries.slice(now.head.state.sliceFrom - 1),
      head: now.head,
    };
    log.create(KEY, before.head, before.entries);
    const story = await history.load(KEY);
    expect(story).not.toBeNull();
    if (story !== null) {
      const own = now.entries.slice(story.entries.length);
      expect(createHistory(log).extend(KEY, story, now.head, own)).toEqual(slice);
    }
    log.create(KEY, now.head, now.entries);
    expect(await history.load(KEY)).toEqual(slice);
  });

  it('is read again from the slice’s beginning when other processes appended much', async () => {
    const { log, reads, history } = watched();
    const before = talked();
    log.create(KEY, before.head, before.entries);
    await history.load(KEY);
    const now = compacted(before.when(send('a')).when(claim()).when(answerWith()));
    log.create(KEY, now.head, now.entries);
    const story = await history.load(KEY);
    expect(story?.first).toBe(now.head.state.sliceFrom);
    expect(reads.at(-1)?.entries).toBe(now.head.position - now.head.state.sliceFrom + 1);
  });

  it('keeps a few large sessions, and always the newest', async () => {
    const { log, reads, history } = watched();
    const keys = ['a', 'b', 'c'].map((name): LogKey => ({ ...KEY, session: `sesn_${name}` as LogKey['session'] }));
    const large: Entry = {
      event: {
        id: SECOND,
        type: 'user.message',
        processed_at: null,
        content: [{ type: 'text', text: 'x'.repeat(20_000_000) }],
      },
    };
    for (const key of keys) log.create(key, fold(null, [CREATED, large]), [CREATED, large]);
    for (const key of keys) await history.load(key);
    for (const key of keys.toReversed()) await history.load(key);
    expect(reads.map(({ from }) => from)).toEqual([1, 1, 1, 3, 3, 1]);
  });
});
