/**
 * Bounds the open streams of one session. Nothing tells the function that a client has left, and a program that opens a
 * stream for each turn, or a page that is reloaded, leaves one behind each time. So the oldest make room for new ones.
 */
import type { LogKey } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import { orNothing } from './watch-previews.ts';

/** A stream ends when so many newer ones of its session were opened. */
const MAX_NEWER = 20;
/** A younger stream does not end, so that more viewers than that reconnect seldom, and not without a pause. */
const MIN_AGE_MS = 60_000;
const CHECK_MS = 15_000;

export interface Crowd {
  /** Whether this stream has to make room. Most calls ask nothing. */
  isFull(): Promise<boolean>;
}

/** Counts this stream. The answer is needed much later, and no client waits for it. */
export function joinCrowd({ previews, nowMs }: Pick<Ports, 'previews' | 'nowMs'>, key: LogKey): Crowd {
  const counted = orNothing(previews.countStream(key, new Date(nowMs()).toISOString()));
  let checkAtMs = nowMs() + MIN_AGE_MS;
  return {
    async isFull() {
      if (nowMs() < checkAtMs) return false;
      checkAtMs = nowMs() + CHECK_MS;
      const [own, all] = await Promise.all([counted, orNothing(previews.countedStreams(key))]);
      return own !== null && all !== null && all - own >= MAX_NEWER;
    },
  };
}
