/**
 * How long to wait before looking again. The wait grows with the silence, so that an event is late by a fraction of the
 * time in which nothing happened: milliseconds within a burst, the cap after a pause. A look costs one read unit:
 * 100 ms while an agent works is about $5.60 a month at 600,000 turns; an idle session may stay open for hours.
 */
const FIRST_MS = 5;
const GROWTH = 2;
const CAP_MS = { active: 100, idle: 500 } as const;
/** A look that takes long tells of a busy log: streams leave it this many times as long alone as they kept it busy. */
const BUSY_FACTOR = 6;

interface Pace {
  /** Something happened: the next look comes soon. */
  hurry(): void;
  /** Milliseconds until the next look, after one that took `lookMs`. */
  nextMs(session: 'active' | 'idle', lookMs: number): number;
}

export function createPace(): Pace {
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
