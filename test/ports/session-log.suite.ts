/** The contract of the SessionLog port; every adapter passes it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventId, FIRST_POSITION, Position, positionAfter, SessionId, ThreadId } from '#contract/ids.ts';
import type { Entry, SessionState } from '#contract/entries.ts';
import type { Append, Appended, Head, LogKey, LogWatch, NewThread, SessionLog } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import { AGENT, CREATED, KEY, NOW } from '#test/functions/core/given.ts';
import { newThread } from '#test/ports/new-thread.ts';

export interface LogUnderTest {
  readonly log: SessionLog & LogWatch;
  /** Begins a log with its row, as the creation of a session does. */
  create(key: LogKey, entries: readonly Entry[]): Promise<Head>;
  /** Status and run in the row of the session, or of a child thread; null when there is none, or the adapter keeps none. */
  row(key: LogKey): Promise<Pick<SessionState, 'status' | 'run'> | null>;
  close(): Promise<void>;
}

let sessions = 0;
const newKey = (): LogKey => {
  sessions += 1;
  const token = `${process.pid}x${Date.now()}x${sessions}`;
  return { session: SessionId.parse(`sesn_${token}`), thread: ThreadId.parse(`sthr_${token}`) };
};

export const saying = (text: string, id = 'sevt_m'): Entry => ({
  event: { id: EventId.parse(id), type: 'user.message', processed_at: null, content: [{ type: 'text', text }] },
});
const RUNNING: Entry = {
  event: {
    id: EventId.parse('sevt_r'),
    type: 'session.thread_status_running',
    processed_at: NOW,
    session_thread_id: KEY.thread,
    agent_name: AGENT.name,
  },
};

const WOKEN = { status: 'running', run: 1, runningSince: NOW } as const;

const taking = (text: string): Entry => ({
  event: {
    id: EventId.parse('sevt_m'),
    type: 'user.message',
    processed_at: NOW,
    content: [{ type: 'text', text }],
  },
});
const ANSWERED: Entry = {
  record: {
    kind: 'model.answered',
    request: EventId.parse('sevt_q'),
    at: NOW,
    model: AGENT.model.id,
    stopReason: 'end_turn',
    blocks: [{ type: 'text', text: 'ok' }],
    calls: [],
    contextTokens: 1000,
  },
};
const COMPACTED: Entry = {
  record: {
    kind: 'context.compacted',
    request: EventId.parse('sevt_s'),
    at: NOW,
    thread: ThreadId.parse('sthr_1'),
    summary: 'So far.',
    agent: AGENT,
  },
};

export function appendOf(key: LogKey, after: Head, entries: readonly Entry[]): Append {
  return { key, after, entries, state: fold(after, entries).state, at: NOW };
}

export function sessionLogSuite(name: string, start: () => Promise<LogUnderTest>): void {
  describe(`the session log in ${name}`, () => {
    let under: LogUnderTest;
    beforeAll(async () => {
      under = await start();
    });
    afterAll(async () => under.close());

    it('has no head before it is created', async () => {
      expect(await under.log.head(newKey())).toBeNull();
      expect(await under.log.read(newKey(), FIRST_POSITION)).toEqual({ entries: [], head: null });
    });

    it('appends at the next position and folds the entries', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const appended = await under.log.append(appendOf(key, created, [saying('a'), saying('b', 'sevt_n')]));
      expect(appended).toMatchObject({ status: 'appended', head: { position: 3 } });
      expect(await under.log.head(key)).toEqual(appended.head);
    });

    it('returns the latest head to the loser of a race, and writes none of its entries', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const won = await under.log.append(appendOf(key, created, [saying('first')]));
      const lost = await under.log.append(appendOf(key, created, [saying('second')]));
      expect(lost).toEqual({ status: 'conflict', head: won.head, beside: [] });
      const { entries } = await under.log.read(key, Position.parse(1));
      expect(entries.map(({ entry }) => entry)).toEqual([CREATED, saying('first')]);
    });

    it('lets exactly one of many racers win each position, without gap or repeat', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const racer = async (id: number) => {
        for (let head = created; ;) {
          const appended = await under.log.append(appendOf(key, head, [saying(`racer ${id}`, `sevt_${id}`)]));
          if (appended.status === 'appended') return appended.head.position;
          head = appended.head;
        }
      };
      const positions = await Promise.all(Array.from({ length: 12 }, (_, id) => racer(id)));
      expect(positions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index + 2));
      const { entries, head } = await under.log.read(key, Position.parse(1));
      expect(entries.map(({ position }) => position)).toEqual(Array.from({ length: 13 }, (_, index) => index + 1));
      expect(head?.state.queued).toHaveLength(12);
    });

    it('changes the session’s row together with the append that changes its status', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const woken = await under.log.append(appendOf(key, created, [saying('a'), RUNNING]));
      expect(woken.status).toBe('appended');
      const row = await under.row(key);
      if (row !== null) expect(row).toEqual({ status: 'running', run: 1 });
      const lost = await under.log.append(appendOf(key, created, [saying('b'), RUNNING]));
      expect(lost.status).toBe('conflict');
    });

    it('reads from a position on, and one entry by its position', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const appended = await under.log.append(appendOf(key, created, [saying('a'), saying('b', 'sevt_n')]));
      await under.log.append(appendOf(key, appended.head, [saying('c', 'sevt_o')]));
      const tail = await under.log.read(key, positionAfter(appended.head.position));
      expect(tail.entries).toEqual([{ position: 4, entry: saying('c', 'sevt_o') }]);
      expect(await under.log.entryAt(key, Position.parse(3))).toEqual(saying('b', 'sevt_n'));
      expect(await under.log.entryAt(key, Position.parse(9))).toBeNull();
    });

    it('tells whether an append follows a head, and of each head anew', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const isFollowed = async (head: Head) => under.log.isFollowed(key, head.position);
      expect([await isFollowed(created), await isFollowed(created)]).toEqual([false, false]);
      const { head } = await under.log.append(appendOf(key, created, [saying('a'), saying('b', 'sevt_n')]));
      expect([await isFollowed(created), await isFollowed(created), await isFollowed(head)]).toEqual([
        true,
        true,
        false,
      ]);
      expect(await under.log.isFollowed(newKey(), FIRST_POSITION)).toBe(false);
      expect(await under.log.lastPosition(key)).toBe(head.position);
      expect(await under.log.lastPosition(newKey())).toBeNull();
    });

    it('reads the whole of a log without compactions as its slice, and its tail', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const { head } = await under.log.append(appendOf(key, created, [saying('a')]));
      await under.log.append(appendOf(key, head, [saying('b', 'sevt_n'), saying('c', 'sevt_o')]));
      expect(await under.log.slice(key, Position.parse(1))).toEqual(await under.log.read(key, Position.parse(1)));
      expect(await under.log.slice(key, Position.parse(3))).toEqual(await under.log.read(key, Position.parse(3)));
      expect(await under.log.slice(key, Position.parse(5))).toEqual({ entries: [], head: null });
    });

    it('reads only the slice of a compacted log, which may begin within an append', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const early = await under.log.append(appendOf(key, created, [saying('a'), taking('a')]));
      const answered = await under.log.append(appendOf(key, early.head, [ANSWERED]));
      const compacted = await under.log.append(appendOf(key, answered.head, [RUNNING, COMPACTED]));
      const { head } = await under.log.append(appendOf(key, compacted.head, [saying('b', 'sevt_n')]));
      expect(head.state.sliceFrom).toBe(6);
      const slice = await under.log.slice(key, Position.parse(1));
      expect(slice.entries).toEqual([
        { position: 6, entry: COMPACTED },
        { position: 7, entry: saying('b', 'sevt_n') },
      ]);
      expect(slice.head).toEqual(head);
      expect((await under.log.slice(key, Position.parse(7))).entries.map(({ position }) => position)).toEqual([7]);
    });

    it('finds messages that waited before a compaction in the slice', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const waiting = await under.log.append(appendOf(key, created, [ANSWERED, saying('waits')]));
      const running = await under.log.append(appendOf(key, waiting.head, [RUNNING]));
      const { head } = await under.log.append(appendOf(key, running.head, [COMPACTED]));
      const { entries } = await under.log.slice(key, Position.parse(1));
      expect(entries.map(({ position }) => position)).toEqual([3, 4, 5]);
      expect(head.state.queued.map(({ position }) => position)).toEqual([3]);
    });

    it('keeps an entry much larger than an item may be', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const large = saying('x'.repeat(900_000));
      const appended = await under.log.append(appendOf(key, created, [large]));
      expect(appended.status).toBe('appended');
      expect(await under.log.entryAt(key, Position.parse(2))).toEqual(large);
    });

    it('reads a log longer than one response, whole and in order', async () => {
      const key = newKey();
      let head = await under.create(key, [CREATED]);
      for (let index = 0; index < 12; index += 1) {
        head = (await under.log.append(appendOf(key, head, [saying('y'.repeat(150_000), `sevt_${index}`)]))).head;
      }
      const { entries } = await under.log.read(key, Position.parse(1));
      expect(entries.map(({ position }) => position)).toEqual(Array.from({ length: 13 }, (_, index) => index + 1));
    });

    it('appends to several logs at once, and begins those of new threads', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const [idle, woken] = [newThread(key), newThread(key, { entries: [saying('a')], state: WOKEN })];
      const appended = await under.log.append(appendOf(key, created, [saying('b')]), idle, woken);
      expect(appended).toEqual({ status: 'appended', head: await under.log.head(key) });
      expect(await under.log.head(idle.key)).toEqual({ position: 1, state: idle.state });
      expect(await under.log.head(woken.key)).toEqual({ position: 2, state: woken.state });
      expect((await under.log.read(woken.key, FIRST_POSITION)).entries.map(({ entry }) => entry)).toEqual(
        woken.entries,
      );
      const rows = [await under.row(idle.key), await under.row(woken.key)];
      if (rows[0] !== null)
        expect(rows).toEqual([
          { status: 'idle', run: 0 },
          { status: 'running', run: 1 },
        ]);
      const parent = await under.log.head(key);
      const child = await under.log.head(idle.key);
      if (parent === null || child === null) return expect.fail('no logs');
      await under.log.append(
        { ...appendOf(idle.key, child, [saying('c')]), state: { ...child.state, ...WOKEN } },
        appendOf(key, parent, [saying('d', 'sevt_d')]),
      );
      expect([(await under.log.head(key))?.position, (await under.log.head(idle.key))?.position]).toEqual([3, 2]);
      const changed = await under.row(idle.key);
      if (changed !== null) expect(changed).toEqual({ status: 'running', run: 1 });
    });

    it.each([
      { lost: 'the first log', at: 0 },
      { lost: 'a log beside it', at: 1 },
      { lost: 'another one beside it', at: 2 },
      { lost: 'the log of a new thread', at: 3 },
    ])('writes nothing and answers every head when $lost lost its race', async ({ at }) => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const [second, third, begun] = [newThread(key), newThread(key), newThread(key)];
      const first = await under.log.append(appendOf(key, created, [saying('a')]), second, third);
      const headOf = async (of: LogKey) => (await under.log.head(of)) ?? expect.fail('no log');
      const heads = [first.head, await headOf(second.key), await headOf(third.key)] as const;
      const keys = [key, second.key, third.key] as const;
      const appends = [0, 1, 2].map((of) =>
        appendOf(keys[of] ?? key, heads[of] ?? first.head, [saying('lost', 'sevt_l'), RUNNING]),
      );
      const [one = expect.fail('none'), ...beside] = appends;
      if (at === 3) await under.log.append(appendOf(key, heads[0], [saying('won', 'sevt_w')]), begun);
      else await under.log.append(appendOf(keys[at] ?? key, heads[at] ?? first.head, [saying('won', 'sevt_w')]));
      const now = await Promise.all([...keys, begun.key].map((of) => under.log.head(of)));
      // The append that began the thread was to its parent's log too: this one knows of that.
      const parent = at === 3 ? appendOf(key, await headOf(key), [saying('lost', 'sevt_l')]) : one;
      const lost = await under.log.append(parent, ...beside, begun);
      expect(lost).toEqual({ status: 'conflict', head: now[0], beside: now.slice(1) });
      expect(await Promise.all([...keys, begun.key].map((of) => under.log.head(of)))).toEqual(now);
      expect((await under.row(second.key))?.status ?? 'idle').toBe('idle');
    });

    it('appends to the logs of two sessions at once, or to neither', async () => {
      const [one, other] = [newKey(), newKey()];
      const [a, b] = [await under.create(one, [CREATED]), await under.create(other, [CREATED])];
      const both = (after: Head, name: string) =>
        under.log.append(appendOf(one, after, [saying(name, name)]), appendOf(other, b, [saying(name, name)]));
      const first = await both(a, 'sevt_first');
      expect(first).toMatchObject({ status: 'appended', head: { position: 2 } });
      const heads = async () => [await under.log.head(one), await under.log.head(other)];
      const [now, beside] = await heads();
      expect(beside?.position).toBe(2);
      expect(await both(first.head, 'sevt_lost')).toEqual({ status: 'conflict', head: now, beside: [beside] });
      expect(await heads()).toEqual([now, beside]);
    });

    it('lets processes that append to two logs each win one by one, so that both logs tell the same', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const children = [newThread(key), newThread(key), newThread(key)];
      const { head } = await under.log.append(appendOf(key, created, [saying('a')]), ...children);
      /** A report of a child is one entry in its log and one in its parent's. */
      const reports = async ({ key: from, state }: NewThread, count: number) => {
        let [child, parent]: [Head, Head] = [{ position: FIRST_POSITION, state }, head];
        for (let made = 0; made < count;) {
          const said = saying('report', `sevt_${from.thread.slice(5)}n${made}`);
          const [own, told] = [appendOf(from, child, [said]), appendOf(key, parent, [said])];
          const appended: Appended = await under.log.append(told, own);
          made += appended.status === 'appended' ? 1 : 0;
          if (appended.status === 'appended') child = { position: positionAfter(child.position), state: own.state };
          parent = appended.head;
        }
      };
      await Promise.all(children.map((child) => reports(child, 4)));
      const idsIn = async (of: LogKey) =>
        (await under.log.read(of, FIRST_POSITION)).entries.flatMap(({ entry }) =>
          'event' in entry ? entry.event.id : [],
        );
      const told = (await idsIn(key)).slice(1);
      expect(told).toHaveLength(12);
      for (const child of children) {
        const own = await idsIn(child.key);
        expect(told.filter((id) => own.includes(id))).toEqual(own);
        expect(own).toHaveLength(4);
      }
    });

    it('begins 30 threads at once, whose entries and agents are together larger than a transaction may be', async () => {
      const key = newKey();
      const created = await under.create(key, [CREATED]);
      const large = saying('x'.repeat(180_000), 'sevt_l');
      const agent = { ...newThread(key).thread.agent, system: 'y'.repeat(150_000) };
      const begun = Array.from({ length: 30 }, () => newThread(key, { entries: [large], agent }));
      const appended = await under.log.append(appendOf(key, created, [large]), ...begun);
      expect(appended).toMatchObject({ status: 'appended', head: { position: 2 } });
      for (const one of begun) expect(await under.log.entryAt(one.key, Position.parse(2))).toEqual(large);
      expect(await under.log.entryAt(key, Position.parse(2))).toEqual(large);
    });
  });
}
