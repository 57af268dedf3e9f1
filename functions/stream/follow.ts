/** Follows a log's tail and writes what it sees, until the session ends, nothing happens for long, or the time is up. */
import { eventIn } from '#contract/entries.ts';
import { EventId, positionAfter } from '#contract/ids.ts';
import type { SessionEvent } from '#contract/events.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Head, LogKey, LogWatch, SessionLog } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isAtWork } from '#core/session/waiting.ts';
import type { Crowd, PreviewWatch } from './watch-previews.ts';
import { eventFrame, type FrameNames, PING, type Sink } from './sink.ts';

/** Below the idle timeouts of gateways and proxies; the shortest is 30 s. */
const PING_MS = 15_000;
/** After this silence a look asks only whether anything was appended. */
const QUIET_MS = 500;
/** So often a look in silence is a sure one: the others do not see a deletion, and may miss an append for a moment. */
const SURE_MS = 2000;
/** After so many failed reads in a row the stream ends with an error, and the client comes back later. */
const MAX_FAILURES = 5;

/**
 * The wait before the next look. It grows with the silence, so an event is late by a fraction of the time in which nothing
 * happened: milliseconds within a burst, the cap after a pause. A look in silence costs half a read unit.
 */
const FIRST_MS = 5;
const GROWTH = 2;
const CAP_MS = { active: 100, idle: 200 } as const;
/** A look that takes long shows a busy log: the wait is at least this many times as long as the look took. */
const BUSY_FACTOR = 6;

interface Following extends Pick<Ports, 'pause' | 'nowMs' | 'newToken'> {
  readonly log: Pick<SessionLog, 'read'> & LogWatch;
}

export interface Followed {
  readonly ended: 'session ended' | 'session idle' | 'newer streams' | 'time is up';
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
  readonly crowd: Crowd;
  readonly names: FrameNames;
}

interface Limits {
  /** The stream ends then. */
  readonly untilMs: number;
  /** After so long without an event of a session in which no agent works, the client has probably left. */
  readonly idleMs: number;
}

export async function follow(
  world: Following,
  { key, head: start, previews, crowd, names }: Subscription,
  { sink, limits }: { readonly sink: Sink; readonly limits: Limits },
): Promise<Followed> {
  const pace = createPace();
  const look = createLook(world, key);
  let head = start;
  let events = 0;
  let eventMs = world.nowMs();
  let quietSinceMs = eventMs;
  for (;;) {
    const lookedMs = world.nowMs();
    const [tail, previewed] = await Promise.all([look(head, lookedMs - eventMs), previews.look(head)]);
    if (tail === 'gone') return bury(world, { sink, names, events });
    const lookMs = world.nowMs() - lookedMs;
    if (tail !== null) {
      head = tail.head;
      events += tail.events.length;
      eventMs = world.nowMs();
      quietSinceMs = eventMs;
      pace.hurry();
      await sink.write(tail.events.map((event) => eventFrame(event, names)).join(''));
    }
    // Previews come after the events: an event may end the request, and no preview may follow its event.
    if (previewed !== null && previewed.request === head.state.request?.id) {
      quietSinceMs = world.nowMs();
      pace.hurry();
      await sink.write(previewed.frames.map((preview) => eventFrame(preview, names)).join(''));
    }
    const ended = endOf(head, { nowMs: world.nowMs(), eventMs, limits });
    if (ended !== null) return { ended, events };
    if (await crowd.isFull()) return { ended: 'newer streams', events };
    if (world.nowMs() - quietSinceMs >= PING_MS) {
      quietSinceMs = world.nowMs();
      await sink.write(PING);
    }
    await world.pause(pace.nextMs(isAtWork(head.state) ? 'active' : 'idle', lookMs));
  }
}

function endOf(
  { state }: Head,
  { nowMs, eventMs, limits }: { readonly nowMs: number; readonly eventMs: number; readonly limits: Limits },
): Followed['ended'] | null {
  if (state.status === 'terminated') return 'session ended';
  if (nowMs >= limits.untilMs) return 'time is up';
  return !isAtWork(state) && nowMs - eventMs >= limits.idleMs ? 'session idle' : null;
}

/**
 * The events that were appended after a head; null for none. A log that does not answer for a moment is asked again. A
 * deleted log looks like one to which nothing was appended, so a sure look asks for its last position.
 */
function createLook(
  { log, nowMs }: Following,
  key: LogKey,
): (head: Head, quietMs: number) => Promise<Tail | 'gone' | null> {
  let failures = 0;
  let sureMs = nowMs();

  async function look(head: Head, quietMs: number): Promise<Tail | 'gone' | null> {
    if (quietMs >= QUIET_MS && nowMs() - sureMs < SURE_MS) {
      if (!(await log.isFollowed(key, head.position))) return null;
    } else if (quietMs >= QUIET_MS) {
      const last = await log.lastPosition(key);
      sureMs = nowMs();
      if (last === null) return 'gone';
      if (last === head.position) return null;
    }
    const tail = await log.read(key, positionAfter(head.position));
    if (tail.head === null) return null;
    return { head: tail.head, events: tail.entries.flatMap(({ entry }) => eventIn(entry) ?? []) };
  }

  return async (head, quietMs) => {
    try {
      const seen = await look(head, quietMs);
      failures = 0;
      return seen;
    } catch (error) {
      failures += 1;
      if (!(error instanceof Fault) || !error.retryable || failures >= MAX_FAILURES) throw error;
      return null;
    }
  };
}

/** The log was removed between two looks, together with the event that announces it. */
async function bury(
  world: Following,
  { sink, names, events }: { readonly sink: Sink; readonly names: FrameNames; readonly events: number },
): Promise<Followed> {
  const id = EventId.parse(`sevt_${world.newToken()}`);
  const processedAt = new Date(world.nowMs()).toISOString();
  await sink.write(eventFrame({ id, type: 'session.deleted', processed_at: processedAt }, names));
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
