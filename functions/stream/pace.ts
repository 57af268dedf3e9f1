/**
 * How long to wait before looking again. The wait grows with the silence, so that an event is late by a fraction of the
 * time in which nothing happened: milliseconds within a burst, the cap after a pause. A look costs one read unit:
 * 100 ms while an agent works is about $5.60 a month at 600,000 turns; an idle session may stay open for hours.
 */
const FIRST_MS = 5;
const GROWTH = 1.5;
const CAP_MS = { active: 100, idle: 500 } as const;

export interface Pace {
  /** Something happened: the next look comes soon. */
  hurry(): void;
  nextMs(session: 'active' | 'idle'): number;
}

export function createPace(): Pace {
  let waitMs = FIRST_MS;
  return {
    hurry() {
      waitMs = FIRST_MS;
    },
    nextMs(session) {
      const now = Math.min(waitMs, CAP_MS[session]);
      waitMs = Math.min(waitMs * GROWTH, CAP_MS.idle);
      return now;
    },
  };
}
