/** Port of the marks of calls with outside effects: at most once without the log knowing (design §3.4). */
import type { EventId, Instant } from '#contract/ids.ts';
import type { McpErrorType } from '#contract/mcp.ts';

/** What an MCP server did wrong, or wants of a person: for people, never for the model. */
export interface McpTrouble {
  readonly type: McpErrorType;
  /** Its name in the agent. */
  readonly server: string;
  readonly message: string;
}

/** What an attempt that stopped for a person leaves to the next one. */
export interface Suspension {
  /** Ids of what people were asked to do, and the server's own state: echoed to it as they came. */
  readonly requests: readonly string[];
  readonly state: string | null;
  /** Why it stopped, one after the other: what stops a call in the same way again is not tried a third time. */
  readonly causes: readonly string[];
}

/**
 * A suspension before the session was told of it. Who finds one whose `since` is still the call's tells it, instead of
 * going on as if a person had acted.
 */
export interface MarkedSuspension extends Suspension {
  /** For people. */
  readonly error: McpTrouble;
  /** Of the open call, as the attempt found it: it moves on when the session is told. */
  readonly since: number;
}

export type CallMark =
  /** This attempt is the first, and may go on. */
  | { readonly status: 'started' }
  /** An earlier attempt stopped to let a person act. If somebody was asked, this one goes on from there. */
  | ({ readonly status: 'resumed' } & MarkedSuspension)
  /** Another attempt started it and did not say what came of it: it may be under way, or have died. */
  | { readonly status: 'found started'; readonly at: Instant }
  | { readonly status: 'done' };

export type FoundMark =
  | { readonly status: 'started' }
  | { readonly status: 'done' }
  | ({ readonly status: 'suspended' } & MarkedSuspension);

export interface CallMarks {
  /** What the last attempt left, strongly consistent; null when none got as far as to leave a mark. */
  find(call: EventId): Promise<FoundMark | null>;
  /** Of any number of attempts at once, one is told `started` or `resumed`. Throws `Fault` `records_unavailable`. */
  start(call: EventId, at: Instant): Promise<CallMark>;
  /** It was not sent, or waits for people: the next attempt may begin anew. */
  suspend(call: EventId, suspended: MarkedSuspension): Promise<void>;
  done(call: EventId): Promise<void>;
}
