/**
 * Port of the marks of calls with outside effects. A mark is set before a call is sent, so that the call is sent at most
 * once although the log learns of it later (`docs/design.md`, MCP calls).
 */
import type { EventId, Instant, Position } from '#contract/ids.ts';
import type { McpErrorType } from '#contract/mcp.ts';

/** What an MCP server did wrong, or what it wants a person to do. Only people see it, never the model. */
export interface McpTrouble {
  readonly type: McpErrorType;
  /** The server's name in the agent. */
  readonly server: string;
  readonly message: string;
}

/** What an attempt that stopped for a person leaves for the next one. */
export interface Suspension {
  /** Ids of the requests to people, and the server's own state: the server gets both back unchanged. */
  readonly requests: readonly string[];
  readonly state: string | null;
  /** Why the attempts stopped, in order: a cause that comes back after a person has acted ends the call. */
  readonly causes: readonly string[];
}

/**
 * A suspension, marked before the session is told of it. An attempt that finds one whose `sincePosition` is still the call's
 * own tells the session: a person cannot have acted yet.
 */
export interface MarkedSuspension extends Suspension {
  /** For people. */
  readonly error: McpTrouble;
  /** The position of the entry that gave the open call to its hand; it changes after the session is told. */
  readonly sincePosition: Position;
}

export type CallMark =
  /** This attempt is the first one, and may send the call. */
  | { readonly status: 'started' }
  /** An earlier attempt stopped to let a person act. If a person was asked, this attempt goes on from there. */
  | ({ readonly status: 'resumed' } & MarkedSuspension)
  /** Another attempt started it and left no outcome: it may be under way, or it died. */
  | { readonly status: 'found started'; readonly at: Instant }
  /** Another attempt started it, and has said that it ended without an outcome. */
  | { readonly status: 'found ended' }
  | { readonly status: 'done' };

export type FoundMark =
  | { readonly status: 'started' | 'ended' | 'done' }
  | ({ readonly status: 'suspended' } & MarkedSuspension);

export interface CallMarks {
  /** The mark of the last attempt, strongly consistent; null when no attempt has set one. */
  find(call: EventId): Promise<FoundMark | null>;
  /**
   * Exactly one of several attempts at once gets `started` or `resumed`. A repeat with the same name of an attempt gets it
   * again. Throws `Fault` `records_unavailable`.
   */
  start(call: EventId, attempt: EventId, at: Instant): Promise<CallMark>;
  /** This attempt started the call and ends without an outcome. Changes nothing when the mark is not `started` by it. */
  end(call: EventId, attempt: EventId): Promise<void>;
  /**
   * The call was not sent, or it waits for people: the next attempt may start it again. False, and nothing changes, when another
   * attempt has started the call, or has suspended it since the call was given to its hand.
   */
  suspend(call: EventId, attempt: EventId, suspended: MarkedSuspension): Promise<boolean>;
  done(call: EventId): Promise<void>;
}
