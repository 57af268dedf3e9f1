/** The previews in memory; they pass the port's suite like the real adapter. */
import type { Instant } from '#contract/ids.ts';
import type { PreviewChunk } from '#contract/previews.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Previews } from '#core/ports/previews.ts';

export interface MemoryPreviews extends Previews {
  /** All chunks, in the order of their writes. */
  readonly chunks: readonly PreviewChunk[];
  /** The ends of the subscriptions that were written, in order. */
  readonly marks: readonly Instant[];
}

const nameOf = (key: LogKey) => `${key.session}/${key.thread}`;

export function memoryPreviews(): MemoryPreviews {
  const until = new Map<string, Instant>();
  const counts = new Map<string, number>();
  const stored = new Map<string, PreviewChunk>();
  const marks: Instant[] = [];
  return {
    get chunks() {
      return [...stored.values()];
    },
    marks,
    async subscribe(key, end) {
      marks.push(end);
      until.set(nameOf(key), end);
    },
    async countStream(key) {
      const streams = (counts.get(nameOf(key)) ?? 0) + 1;
      counts.set(nameOf(key), streams);
      return streams;
    },
    async countedStreams(key) {
      return counts.get(nameOf(key)) ?? 0;
    },
    async isSubscribed(key, at) {
      return (until.get(nameOf(key)) ?? '') > at;
    },
    async write(key, chunk) {
      stored.set(`${nameOf(key)} ${chunk.request} ${chunk.sequence}`, chunk);
    },
    async read(key, request, after) {
      const chunks: PreviewChunk[] = [];
      for (let next = after + 1; ; next += 1) {
        const chunk = stored.get(`${nameOf(key)} ${request} ${next}`);
        if (chunk === undefined) return chunks;
        chunks.push(chunk);
      }
    },
  };
}
