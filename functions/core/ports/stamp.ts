import type { EventId, Instant } from '#contract/ids.ts';

/** Time and ids are given, so that the core stays a function of its input. */
export interface Stamp {
  now(): Instant;
  eventId(): EventId;
}

/** Waiting is given too: tests let time pass without sleeping. */
export type Pause = (ms: number) => Promise<void>;
