import { ThreadId, type Position } from '#contract/ids.ts';
import { describe, expect, it } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import type { LogWatch, SessionLog } from '#core/ports/session-log.ts';
import type { Command } from '#core/session/commands.ts';
import { closeForDeletion } from '#core/session/close-for-deletion.ts';
import { event } from '#core/session/entries.ts';
import { fold } from '#core/session/evolve.ts';
import { KEY, NOW, steadyStamp } from '#test/functions/core/given.ts';
import { follow } from '../../../functions/stream/follow.ts';
import { NO_PREVIEWS } from '../../../functions/stream/watch-previews.ts';
import { ALONE, client, clock, MESSAGE, openLog, world } from './stream.ts';

/** Adds an event and leaves the session idle. */
const NOTE: Command = { do: 'send', events: [{ type: 'system.message', content: [{ type: 'text', text: 'note' }] }] };

async function run(
  opened: ReturnType<typeof openLog>,
  time: ReturnType<typeof clock>,
  {
    limits = {},
    log = opened.log as Partial<Pick<SessionLog, 'read'> & LogWatch>,
    reader = client(),
    crowd = ALONE,
  } = {},
) {
  const head = await opened.log.head(KEY);
  if (head === null) throw new Error('no log');
  Object.assign(time.limits, limits);
  const followed = await follow(
    world({ ...opened.log, ...log }, time),
    { key: KEY, head, previews: NO_PREVIEWS, crowd, names: 'types' },
    { sink: reader.sink, limits: time.limits },
  );
  return { followed, reader };
}

type Opened = ReturnType<typeof openLog>;

/** The primary thread is idle, and one that it began is at work. */
async function beginChild({ log }: Opened): Promise<void> {
  const after = await log.head(KEY);
  if (after === null) throw new Error('no log');
  const { eventId } = steadyStamp(100);
  const child = { session_thread_id: ThreadId.parse('sthr_child'), agent_name: 'Bob', processed_at: NOW };
  const entries = [
    event({ id: eventId(), type: 'session.thread_created', workflow_run_id: null, ...child }),
    event({ id: eventId(), type: 'session.thread_status_running', ...child }),
  ];
  await log.append({ key: KEY, after, entries, state: fold(after, entries).state, at: NOW });
}

describe('a stream of a session', () => {
  it('delivers in order what is appended after the subscription', async () => {
    const opened = openLog();
    const reader = client();
    const time = clock([() => opened.act(MESSAGE), () => undefined, () => time.stop()]);
    const { followed } = await run(opened, time, { reader });
    expect(reader.names()).toEqual(['user.message', 'session.status_running', 'session.thread_status_running']);
    expect(followed).toEqual({ ended: 'time is up', events: 3 });
  });

  it('writes one frame per event: its type as name, one line of JSON, an empty line', async () => {
    const opened = openLog();
    const { reader } = await run(opened, clock([() => opened.act({ do: 'archive' })]));
    expect(reader.text()).toMatch(
      /^event: session\.thread_status_terminated\ndata: \{.*"type":"session\.thread_status_terminated".*\}\n\nevent: session\.status_terminated\ndata: \{.*\}\n\n$/,
    );
  });

  it('ends after the session is terminated or deleted, with the last events included', async () => {
    const opened = openLog();
    const remove = async () => {
      const head = await opened.log.head(KEY);
      if (head !== null) await closeForDeletion({ log: opened.log, stamp: steadyStamp(100) }, KEY, head);
    };
    const { followed, reader } = await run(opened, clock([remove]));
    expect(reader.names().at(-1)).toBe('session.deleted');
    expect(followed.ended).toBe('session ended');
  });

  it('sends the deletion although the log was deleted before it was read', async () => {
    const opened = openLog();
    const gone = { lastPosition: async () => null, read: async () => ({ entries: [], head: null }) };
    const { followed, reader } = await run(opened, clock(), { log: gone });
    expect(reader.names()).toEqual(['session.deleted']);
    expect(followed.ended).toBe('session ended');
  });

  it('looks soon after an event and more and more rarely in silence, down to every 200 ms when idle', async () => {
    const opened = openLog();
    const reader = client();
    const time = clock(Array.from({ length: 30 }, (_, index) => () => (index === 20 ? time.stop() : undefined)));
    await run(opened, time, { reader });
    expect(time.waits.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(time.waits.at(-1)).toBe(200);
  });

  it('asks in silence only whether anything was appended, and every two seconds whether the log is there', async () => {
    const opened = openLog();
    const asked = { reads: 0, sure: 0, cheap: 0 };
    const log = {
      read: (...args: Parameters<SessionLog['read']>) => ((asked.reads += 1), opened.log.read(...args)),
      lastPosition: (key: typeof KEY) => ((asked.sure += 1), opened.log.lastPosition(key)),
      isFollowed: (...args: Parameters<LogWatch['isFollowed']>) => ((asked.cheap += 1), opened.log.isFollowed(...args)),
    };
    const time = clock();
    await run(opened, time, { log, limits: { untilMs: time.nowMs() + 60_000 } });
    expect(asked.reads).toBeLessThan(10);
    expect(asked.sure).toBeGreaterThanOrEqual(27);
    expect(asked.sure).toBeLessThanOrEqual(30);
    expect(asked.cheap).toBeGreaterThan(240);
  });

  it('delivers an append at the next look, or within two seconds where the cheap looks miss it', async () => {
    const late = async (isBlind: boolean) => {
      const opened = openLog();
      const log = isBlind ? { ...opened.log, isFollowed: async () => false } : opened.log;
      const time = clock([...Array.from({ length: 40 }, () => () => undefined), () => opened.act({ do: 'archive' })]);
      await run(opened, time, { log });
      return time.waits.slice(41).reduce((sum, ms) => sum + ms, 0);
    };
    expect(await late(false)).toBe(0);
    expect(await late(true)).toBeGreaterThan(0);
    expect(await late(true)).toBeLessThanOrEqual(2000);
  });

  it('ends within two seconds after its log was deleted, although the cheap looks see nothing', async () => {
    const opened = openLog();
    let isThere = true;
    const log = {
      ...opened.log,
      lastPosition: async () => (isThere ? opened.log.lastPosition(KEY) : null),
      isFollowed: async () => false,
    };
    const time = clock([...Array.from({ length: 40 }, () => () => undefined), () => (isThere = false)]);
    const { reader } = await run(opened, time, { log });
    expect(reader.names()).toEqual(['session.deleted']);
    expect(time.waits.slice(41).reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(2000);
  });

  it('looks at least every 100 ms while the agent works', async () => {
    const opened = openLog();
    await opened.act(MESSAGE);
    const reader = client();
    const time = clock(Array.from({ length: 30 }, (_, index) => () => (index === 20 ? time.stop() : undefined)));
    await run(opened, time, { reader });
    expect(Math.max(...time.waits)).toBe(100);
  });

  it('sends a ping after 15 s of silence and ends cleanly when its time is up', async () => {
    const opened = openLog();
    const time = clock();
    const { followed, reader } = await run(opened, time, { limits: { untilMs: time.nowMs() + 62_000 } });
    expect(reader.names()).toEqual(['ping', 'ping', 'ping', 'ping']);
    expect(followed).toEqual({ ended: 'time is up', events: 0 });
  });

  it('ends after its idle time without an event, counted from the opening or from the last event', async () => {
    const limits = { idleMs: 60_000 };
    const opened = openLog();
    const time = clock();
    const began = time.nowMs();
    const { followed } = await run(opened, time, { limits });
    expect(followed).toEqual({ ended: 'session idle', events: 0 });
    expect(time.nowMs() - began).toBeLessThan(60_500);

    const later = clock([...Array.from({ length: 150 }, () => () => undefined), () => opened.act(NOTE)]);
    const { followed: again } = await run(opened, later, { limits });
    expect(again).toMatchObject({ ended: 'session idle', events: 1 });
    const afterEvent = later.waits.slice(151).reduce((sum, ms) => sum + ms, 0);
    expect(afterEvent).toBeGreaterThan(59_000);
    expect(afterEvent).toBeLessThan(60_500);
  });

  it('stays open while its session works, in whatever thread, however long nothing is said', async () => {
    const begins = [(opened: Opened) => opened.act(MESSAGE), beginChild];
    for (const begin of begins) {
      const opened = openLog();
      await begin(opened);
      const time = clock();
      const limits = { idleMs: 60_000, untilMs: time.nowMs() + 840_000 };
      const { followed } = await run(opened, time, { limits });
      expect(followed.ended).toBe('time is up');
    }
  });

  it('ends when newer streams of its session need its place', async () => {
    const { followed } = await run(openLog(), clock(), { crowd: { isFull: async () => true } });
    expect(followed.ended).toBe('newer streams');
  });

  it('survives a log that does not answer for a short time, and not for longer', async () => {
    const opened = openLog();
    let failures = 0;
    const flaky = (times: number) => ({
      read: async (key: typeof KEY, from: Position) => {
        failures += 1;
        if (failures <= times) throw new Fault('log_unavailable', 'no answer');
        return opened.log.read(key, from);
      },
    });
    const { reader } = await run(opened, clock([() => opened.act({ do: 'archive' })]), { log: flaky(4) });
    expect(reader.names()).toContain('session.status_terminated');
    failures = 0;
    await expect(run(openLog(), clock(), { log: flaky(5) })).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  it('survives single failed reads, however long the session is silent', async () => {
    const opened = openLog();
    let looks = 0;
    const flaky = {
      isFollowed: async (...args: Parameters<LogWatch['isFollowed']>) => {
        looks += 1;
        if (looks % 3 === 0) throw new Fault('log_unavailable', 'no answer');
        return opened.log.isFollowed(...args);
      },
    };
    const time = clock();
    const { followed } = await run(opened, time, { log: flaky, limits: { untilMs: time.nowMs() + 60_000 } });
    expect(followed.ended).toBe('time is up');
  });
});
