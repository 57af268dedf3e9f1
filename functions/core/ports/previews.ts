/** Port of the previews of answers. */
import type { EventId, Instant } from '#contract/ids.ts';
import type { PreviewChunk } from '#contract/previews.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/**
 * The side table of previews, which forgets by itself within minutes. Best effort: every call gives up soon and throws
 * `Fault` `previews_unavailable`, for no answer and no event may wait for it.
 */
export interface Previews {
  /** A stream wants previews of this log until that instant. A later call replaces an earlier one. */
  subscribe(key: LogKey, until: Instant): Promise<void>;
  /**
   * Counts a stream that was opened, and returns the number of streams that were counted. The count is forgotten when no
   * stream was opened for longer than a stream lasts.
   */
  countStream(key: LogKey, at: Instant): Promise<number>;
  /** The number of streams that were counted, which may be behind for a moment; 0 when the count is forgotten. */
  countedStreams(key: LogKey): Promise<number>;
  /** Whether a stream wants previews at that instant. It sees every `subscribe` that was done before. */
  isSubscribed(key: LogKey, at: Instant): Promise<boolean>;
  /** A repeat changes nothing. Chunks are written one after the other. */
  write(key: LogKey, chunk: PreviewChunk): Promise<void>;
  /**
   * A request's chunks after a sequence number, in order and without a gap. The newest may be missing for a moment, and
   * of many chunks the first are returned: the reader asks again for the others.
   */
  read(key: LogKey, request: EventId, after: number): Promise<readonly PreviewChunk[]>;
}
