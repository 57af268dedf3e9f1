/** Port of the marks of calls with outside effects: at most once without the log knowing (design §3.4). */
import type { EventId, Instant, SessionId, WorkspaceId } from '#contract/ids.ts';

export type CallMark =
  /** This attempt is the first, and may go on. */
  | { readonly status: 'started' }
  /** Another attempt started it and did not say what came of it: it may be under way, or have died. */
  | { readonly status: 'found started'; readonly at: Instant }
  /** An earlier attempt stopped to let a person act, and this one goes on from there. */
  | { readonly status: 'resumed'; readonly requests: readonly string[]; readonly state: string | null }
  | { readonly status: 'done' };

export interface CallMarks {
  start(
    call: { readonly workspace: WorkspaceId; readonly session: SessionId; readonly id: EventId },
    at: Instant,
  ): Promise<CallMark>;
  /** It was not sent, or waits for people: the next attempt may begin anew. */
  suspend(id: EventId, resume: { readonly requests: readonly string[]; readonly state: string | null }): Promise<void>;
  done(id: EventId): Promise<void>;
}
