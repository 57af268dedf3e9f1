/** Follows a log's tail and writes what it sees, until the session ends, the client leaves, or the time is up. */
import { eventIn } from '#contract/entries.ts';
import { EventId, positionAfter } from '#contract/ids.ts';
import type { SessionEvent } from '#contract/events.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isActive } from '#core/session/waiting.ts';
import { eventFrame, PING, type Sink } from './sink.ts';
import type { PreviewWatch } from './watch-previews.ts';

/** Below the idle timeouts of gateways and proxies; the shortest is 30 s. */
const PING_MS = 15_000;
/** After this silence the log may have been deleted, so its head is read. */
const QUIET_MS = 1000;
/** After so many failed reads in a row the stream ends with an error, and the client comes back later. */
const MAX_FAILURES = 5;

/**
 * The wait before the next look. It grows with the silence, so an event is late by a fraction of the time in which nothing
 * happened: milliseconds within a burst, the cap after a pause. A look costs one read unit:
 * 100 ms while an agent works is about $5.60 a month at 600,000 turns; an idle session may stay open for hours.
 */
const FIRST_MS = 5;
const GROWTH = 2;
const CAP_MS = { active: 100, idle: 500 } as const;
/** A look that takes long shows a busy log: the wait is at least this many times as long as the look took. */
const BUSY_FACTOR = 6;

type Following = Pick<Ports, 'log' | 'pause' | 'nowMs' | 'newToken'>;

export interface Followed {
  readonly ended: 'session ended' | 'client left' | 'time is up';
  readonly events: number;
}

interface Tail {
  readonly head: Head;
  readonly events: readonly SessionEvent[];
}

export interface Subscription {
  readonly key: LogKey;
  /** Every event after it is delivered. */
  readonly head: Head;
  readonly previews: PreviewWatch;
}

export async function follow(
  world: Following,
  { key, head: start, previews }: Subscription,
  { sink, untilMs }: { readonly sink: Sink; readonly untilMs: number },
): Promise<Followed> {
  const pace = createPace();
  const look = createLook(world, key);
  let head = start;
  let events = 0;
  let eventMs = world.nowMs();
  let quietSinceMs = eventMs;
  while (sink.isOpen()) {
    const lookedMs = world.nowMs();
    const [tail, previewed] = await Promise.all([look(head, lookedMs - eventMs >= QUIET_MS), previews.look(head)]);
    if (tail === 'gone') return bury(world, sink, events);
    const lookMs = world.nowMs() - lookedMs;
    if (tail !== null) {
      head = tail.head;
      events += tail.events.length;
      eventMs = world.nowMs();
      quietSinceMs = eventMs;
      pace.hurry();
      await sink.write(tail.events.map(eventFrame).join(''));
    }
    // Previews come after the events: an event may end the request, and no preview may follow its event.
    if (previewed !== null && previewed.request === head.state.request?.id) {
      quietSinceMs = world.nowMs();
      pace.hurry();
      await sink.write(previewed.frames.map(eventFrame).join(''));
    }
    if (head.state.status === 'terminated') return { ended: 'session ended', events };
    if (world.nowMs() >= untilMs) return { ended: 'time is up', events };
    if (world.nowMs() - quietSinceMs >= PING_MS) {
      quietSinceMs = world.nowMs();
      await sink.write(PING);
    }
    await world.pause(pace.nextMs(isActive(head.state) ? 'active' : 'idle', lookMs));
  }
  return { ended: 'client left', events };
}

/**
 * The events that were appended after a head; null for none. A log that does not answer for a moment is asked again. A
 * quiet log is asked for its head first, because a deleted log looks like one to which nothing was appended.
 */
function createLook({ log }: Following, key: LogKey): (head: Head, quiet: boolean) => Promise<Tail | 'gone' | null> {
  let failures = 0;
  return async (head, quiet) => {
    try {
      const now = quiet ? await log.head(key) : undefined;
      if (now === null) return 'gone';
      if (now?.position === head.position) {
        failures = 0;
        return null;
      }
      const tail = await log.read(key, positionAfter(head.position));
      failures = 0;
      if (tail.head === null) return null;
      return { head: tail.head, events: tail.entries.flatMap(({ entry }) => eventIn(entry) ?? []) };
    } catch (error) {
      failures += 1;
      if (!(error instanceof Fault) || !error.retryable || failures >= MAX_FAILURES) throw error;
      return null;
    }
  };
}

/** The log was removed between two looks, together with the event that announces it. */
async function bury(world: Following, sink: Sink, events: number): Promise<Followed> {
  const id = EventId.parse(`sevt_${world.newToken()}`);
  const processedAt = new Date(world.nowMs()).toISOString();
  await sink.write(eventFrame({ id, type: 'session.deleted', processed_at: processedAt }));
  return { ended: 'session ended', events: events + 1 };
}

interface Pace {
  /** Something happened: the next look comes soon. */
  hurry(): void;
  /** Milliseconds until the next look, after one that took `lookMs`. */
  nextMs(session: 'active' | 'idle', lookMs: number): number;
}

function createPace(): Pace {
  let waitMs = FIRST_MS;
  return {
    hurry() {
      waitMs = FIRST_MS;
    },
    nextMs(session, lookMs) {
      const now = Math.min(Math.max(waitMs, lookMs * BUSY_FACTOR), CAP_MS[session]);
      waitMs = Math.min(waitMs * GROWTH, CAP_MS.idle);
      return now;
    },
  };
}
