/**
 * What the functions and the run's state machine tell each other: ids, counts and names, never user data,
 * because Step Functions keeps every input and output in the execution's history.
 */
import * as z from 'zod';
import { EventId, Position, SessionId, ThreadId } from './ids.ts';

/**
 * One tool call to be made by a hand. `position` is that of its tool use in the log; `sincePosition` is where the call was
 * given to the hand, which is later for a call that had to wait, and may happen more than once.
 */
export const HandCall = z.object({
  hand: z.enum(['sandbox', 'web', 'mcp']),
  id: EventId,
  position: Position,
  sincePosition: Position,
});
export type HandCall = z.infer<typeof HandCall>;

/** What a hand's branch of the Map ends with; `error` is an error type's name. */
export const HandOutcome = z.object({
  call: EventId,
  /** Of the call that was made. */
  sincePosition: Position,
  outcome: z.enum(['done', 'failed']),
  error: z.string().optional(),
});
export type HandOutcome = z.infer<typeof HandOutcome>;

/** What the state machine does next. `again`: queued input. `long`: go on in the next run. */
export const Next = z.object({
  do: z.enum(['tools', 'retry', 'again', 'long', 'idle']),
  calls: z.array(HandCall),
  waitSeconds: z.int().min(0),
});
export type Next = z.infer<typeof Next>;

/** The whole state: input of the execution, then input and output of each Turn. */
export const RunState = z.object({
  session: SessionId,
  thread: ThreadId,
  run: z.int().min(1),
  turn: Next.optional(),
  hands: z.array(HandOutcome).optional(),
});
export type RunState = z.infer<typeof RunState>;

/** Input of one item of UseHands; also what the harness sends to `provision` ahead of time, without a call. */
export const ProvisionInput = z.object({ session: SessionId, thread: ThreadId, call: HandCall.optional() });
export type ProvisionInput = z.infer<typeof ProvisionInput>;

/** What the API sends to `provision` for a session that is being deleted: its sandbox ends. */
export const ReleaseInput = z.object({ session: SessionId, release: z.literal(true) });
export type ReleaseInput = z.infer<typeof ReleaseInput>;

export const Provisioned = z.object({ generation: z.int().min(1) });
export type Provisioned = z.infer<typeof Provisioned>;

export const ExecuteInput = z.object({ session: SessionId, thread: ThreadId, call: HandCall, sandbox: Provisioned });
export type ExecuteInput = z.infer<typeof ExecuteInput>;

export const WebFetchInput = z.object({ session: SessionId, thread: ThreadId, call: HandCall });
export type WebFetchInput = z.infer<typeof WebFetchInput>;
