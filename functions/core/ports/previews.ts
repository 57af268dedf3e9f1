/** What previews need from the outside; the adapter passes the port's suite. */
import type { EventId, Instant } from '#contract/ids.ts';
import type { PreviewChunk } from '#contract/previews.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/**
 * The side table of previews, which forgets by itself within minutes. Best effort: every call gives up soon and throws
 * `Fault` `previews_unavailable`, for no answer and no event may wait for it.
 */
export interface Previews {
  /** Says until when somebody wants to see previews of a log; a later call replaces what an earlier one said. */
  subscribe(key: LogKey, until: Instant): Promise<void>;
  /** Whether somebody does. Sees every `subscribe` that was done before. */
  isSubscribed(key: LogKey, at: Instant): Promise<boolean>;
  /** A repeat changes nothing. Chunks are written one after the other. */
  write(key: LogKey, chunk: PreviewChunk): Promise<void>;
  /**
   * A request's chunks after a sequence number, in order and without a gap. The newest may be missing for a moment, and
   * of many the first are returned: whoever wants the others asks again.
   */
  read(key: LogKey, request: EventId, after: number): Promise<readonly PreviewChunk[]>;
}
