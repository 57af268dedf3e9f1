/**
 * What one connection has in the table of previews: those of requests that began after it opened, and its place among the
 * session's streams.
 */
import type { EventId } from '#contract/ids.ts';
import type { PreviewChunk, PreviewedType, PreviewFrame } from '#contract/previews.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';

const REFRESH_MS = 30_000;
/** The harness looks at the mark once per request, so it has to outlive a refresh that fails. */
const MARK_MS = 90_000;
/** A stream reads events beside previews, so it leaves a table of previews that does not answer alone for a while. */
const REST_MS = 5000;

/** Preview frames of a request, which may have ended. */
interface Previewed {
  readonly request: EventId;
  readonly frames: readonly PreviewFrame[];
}

export interface PreviewWatch {
  /** The frames since the last look; null for none. */
  look(head: Head): Promise<Previewed | null>;
}

/** For a connection without previews. */
export const NO_PREVIEWS: PreviewWatch = { look: async () => null };

/** Resolves once the harness can know of this connection. */
export async function watchPreviews(
  { previews, nowMs }: Pick<Ports, 'previews' | 'nowMs'>,
  { key, head: opened }: { readonly key: LogKey; readonly head: Head },
  wanted: readonly PreviewedType[],
): Promise<PreviewWatch> {
  if (wanted.length === 0) return NO_PREVIEWS;
  const shows = createFilter(wanted);
  let refreshAtMs = 0;
  let readAtMs = 0;
  let seen: { readonly request: EventId; readonly sequence: number } | null = null;

  async function refresh(): Promise<void> {
    if (nowMs() < refreshAtMs) return;
    refreshAtMs = nowMs() + REFRESH_MS;
    await orNothing(previews.subscribe(key, new Date(nowMs() + MARK_MS).toISOString()));
  }

  async function chunksOf(request: EventId): Promise<readonly PreviewChunk[]> {
    if (nowMs() < readAtMs) return [];
    const after = seen?.request === request ? seen.sequence : 0;
    const chunks = await orNothing(previews.read(key, request, after));
    if (chunks === null) readAtMs = nowMs() + REST_MS;
    seen = { request, sequence: chunks?.at(-1)?.sequence ?? after };
    return chunks ?? [];
  }

  await refresh();
  return {
    async look({ state: { request } }) {
      const previewed = request !== null && request.position > opened.position ? request.id : null;
      const [chunks] = await Promise.all([previewed === null ? [] : chunksOf(previewed), refresh()]);
      const frames = chunks.flatMap((chunk) => chunk.frames).filter(shows);
      return previewed === null || frames.length === 0 ? null : { request: previewed, frames };
    },
  };
}

/** Lets through frames of the wanted types: each start once, and text only after its start. */
function createFilter(wanted: readonly PreviewedType[]): (frame: PreviewFrame) => boolean {
  const started = new Set<EventId>();
  return (frame) => {
    if (frame.type === 'event_delta') return started.has(frame.event_id);
    if (!wanted.includes(frame.event.type) || started.has(frame.event.id)) return false;
    started.add(frame.event.id);
    return true;
  };
}

/** Previews are best effort and events are not: when the table does not answer, the stream goes on without previews. */
async function orNothing<Value>(asked: Promise<Value>): Promise<Value | null> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return null;
  }
}

/** A stream ends when so many newer ones of its session were opened. */
const MAX_NEWER = 20;
/** A younger stream does not end, so that more viewers than that reconnect seldom, and not without a pause. */
const MIN_AGE_MS = 60_000;
const CHECK_MS = 15_000;

/**
 * Bounds the open streams of one session. Nothing tells the function that a client has left, and a program that opens a
 * stream for each turn, or a page that is reloaded, leaves one behind each time. So the oldest make room for new ones.
 */
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
