/**
 * What the functions and the run's state machine tell each other: ids, counts and names, never user data,
 * because Step Functions keeps every input and output in the execution's history.
 */
import * as z from 'zod';
import { EventId, HandKey, mainHand, Position, SessionId, ThreadId } from './ids.ts';

/**
 * One tool call to be made by a hand. `position` is that of its tool use in the log; `sincePosition` is where the call was
 * given to the hand, which is later for a call that had to wait, and may happen more than once.
 */
export const HandCall = z.object({
  id: EventId,
  position: Position,
  sincePosition: Position,
  /** Of a sandbox call: where it is made, whatever its thread holds later. Absent for the main hand of its session. */
  hand: HandKey.optional(),
});
export type HandCall = z.infer<typeof HandCall>;

/**
 * The kinds of hands, each with the function that makes its calls (an ARN) and how long the state machine waits for that
 * function. It is a setting of the harness, so that nothing in a log or in a model's answer chooses a function.
 */
const Hand = z.object({ function: z.string().startsWith('arn:'), timeoutSeconds: z.int().min(1) });
export const Hands = z.object({ sandbox: Hand, web: Hand, mcp: Hand });
export type Hands = z.infer<typeof Hands>;

/** A call with the hand that makes it. */
const AssignedCall = HandCall.extend(Hand.shape);
export type AssignedCall = z.infer<typeof AssignedCall>;

/** What a hand's branch of the Map ends with; `error`, of a hand that failed, is an error type's name. */
export const HandOutcome = z.object({
  id: EventId,
  /** Of the call that was made. */
  sincePosition: Position,
  error: z.string().optional(),
});
export type HandOutcome = z.infer<typeof HandOutcome>;

/** The error of a call that no sandbox could be started for. After any other one the command may have begun. */
export const SANDBOX_UNAVAILABLE = 'SandboxUnavailable';

/** The error by which `execute` asks for `provision` first. It has changed nothing then. */
export const SANDBOX_NOT_READY = 'SandboxNotReady';

/** The error by which `execute` tells that its sandbox is lost. The call has its result then. */
export const SANDBOX_LOST = 'SandboxLost';

/** The error by which `execute` asks for an egress proxy. The call runs on. */
export const WAY_OUT_NOT_READY = 'WayOutNotReady';

/** What the state machine does next. `again`: queued input. `long`: go on in the next run. */
export const Next = z.object({
  do: z.enum(['tools', 'harvest', 'retry', 'again', 'long', 'idle']),
  calls: z.array(AssignedCall),
  waitSeconds: z.int().min(0),
  /** Of a harvest: where the turn began to end. */
  since: Position.optional(),
  /** Of `long`: the name of the next run's execution. */
  execution: z.string().optional(),
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

/** What a hand gets: one item of UseHands. */
export const HandInput = z.object({ session: SessionId, thread: ThreadId, call: HandCall });
export type HandInput = z.infer<typeof HandInput>;

/** The same, and what the harness sends to `provision` ahead of time, with the hand of a call to come. */
export const ProvisionInput = HandInput.extend({ call: HandCall.pick({ hand: true }) });
export type ProvisionInput = z.infer<typeof ProvisionInput>;

export function handOfCall({ session, call }: Pick<ProvisionInput, 'session' | 'call'>): HandKey {
  return call.hand ?? mainHand(session);
}

/** What the state machine sends to `provision` when programs of a session wait for an egress proxy. */
export const WayOutInput = z.object({ session: SessionId, wayOut: z.literal('awaited') });
export type WayOutInput = z.infer<typeof WayOutInput>;

/** What the sweep sends to `provision` for an egress proxy that should be up. */
export const KeepUpInput = z.object({ wayOut: z.literal('keep up'), slot: z.int().min(0) });
export type KeepUpInput = z.infer<typeof KeepUpInput>;

/** What the API sends to `provision` for a session that is being deleted: the sandboxes of its hands end. */
export const ReleaseInput = z.object({ session: SessionId, release: z.literal(true) });
export type ReleaseInput = z.infer<typeof ReleaseInput>;

/** What the state machine sends to `provision` when a call found its sandbox lost: what is left of it is stopped. */
export const StopLostInput = ProvisionInput.omit({ thread: true }).extend({ stop: z.literal('lost') });
export type StopLostInput = z.infer<typeof StopLostInput>;

/** What the sweep sends to `execute` for a sandbox that was not used for its idle time, with its generation. */
export const HarvestInput = z.object({ hand: HandKey, harvest: z.int().min(1) });
export type HarvestInput = z.infer<typeof HarvestInput>;

/**
 * What the state machine sends to `execute` when a turn ends while programs live in the sandbox: it takes over what they
 * wrote, for the turn that began to end at `since`.
 */
export const TurnHarvestInput = z.object({
  session: SessionId,
  thread: ThreadId,
  harvest: z.literal('turn'),
  since: Position,
});
export type TurnHarvestInput = z.infer<typeof TurnHarvestInput>;

export const Provisioned = z.object({ generation: z.int().min(1) });
export type Provisioned = z.infer<typeof Provisioned>;

/**
 * `sandbox` is what `provision` answered, if it was asked. So is `wayOut`, of an egress proxy, or how it failed: there is no
 * second time.
 */
export const ExecuteInput = HandInput.extend({
  sandbox: Provisioned.optional(),
  wayOut: z.looseObject({}).optional(),
});
export type ExecuteInput = z.infer<typeof ExecuteInput>;
