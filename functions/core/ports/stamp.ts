/** Ports of time, ids and waiting. */
import type { EventId, Instant } from '#contract/ids.ts';

/** Time and ids are ports, so that the core stays a function of its input. */
export interface Stamp {
  now(): Instant;
  eventId(): EventId;
}

/** Waiting is a port too: tests let time pass without sleeping. */
export type Pause = (ms: number) => Promise<void>;

const FIRST_MS = Date.parse('0000-01-01T00:00:00.000Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * A client's RFC 3339 instant as ours are written. An offset may lead out of the years that have four digits, and others
 * do not sort as text.
 */
export function instantOf(text: string): Instant {
  return new Date(Math.min(Math.max(Date.parse(text), FIRST_MS), LAST_MS)).toISOString();
}

export function later(instant: Instant, ms: number): Instant {
  return new Date(Date.parse(instant) + ms).toISOString();
}
