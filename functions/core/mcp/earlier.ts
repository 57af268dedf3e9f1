/** What earlier attempts at a call have left: the next attempt begins with it, and records what a dead attempt could not. */
import type { OpenCall } from '#contract/entries.ts';
import type { EventId, Position, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import type { AuditedOutcome } from '#core/mcp/audited.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { MarkedSuspension, Suspension } from '#core/ports/call-marks.ts';

export type Earlier =
  /** No attempt has sent the call, or people have done what the call waited for: `before` is what it goes on from. */
  { readonly status: 'unsent'; readonly before: Suspension } | Unfinished;

export type Unfinished =
  /** Another attempt has told the session the outcome. */
  | { readonly status: 'settled' }
  /** Another attempt began to send the call, and its outcome is not known. */
  | { readonly status: 'unknown' }
  /** Another attempt stopped for a person, and the session was not told of that. */
  | { readonly status: 'untold'; readonly suspension: MarkedSuspension };

/** Before the first attempt at a call. */
export const NOTHING: Suspension = { requests: [], state: null, causes: [] };

interface Given {
  readonly call: Pick<WantedCall, 'id'>;
  /** The name of this attempt. */
  readonly attempt: EventId;
  /** The position in the log of the entry that gave the call to its hand. */
  readonly sincePosition: Position;
}

/**
 * The pauses before an attempt that finds another one under way looks again. Most of these others are dead, because the caller
 * repeats a request only after it failed, so the wait is short; one that lives is about to end, and is seen soon. One that ended
 * with an error has said so in the mark, and is not waited for.
 */
const PAUSES_MS = [100, 200, 400, 800, 1000] as const;

/** Gives another attempt that is under way a moment to end: it knows the outcome, and this attempt could only guess. */
export async function earlierAttempts(
  { marks, pause }: Pick<McpProxyWorld, 'marks' | 'pause'>,
  { call, sincePosition }: Omit<Given, 'attempt'>,
): Promise<Earlier> {
  for (let looks = 0; ; looks += 1) {
    const mark = await marks.find(call.id);
    if (mark?.status === 'done') return { status: 'settled' };
    if (mark?.status === 'ended') return { status: 'unknown' };
    if (mark === null) return { status: 'unsent', before: NOTHING };
    if (mark.status === 'suspended') {
      // When the session was told and a person has acted, the log gives the call to its hand again, at another position.
      const isUntold = mark.sincePosition === sincePosition;
      return isUntold ? { status: 'untold', suspension: mark } : { status: 'unsent', before: mark };
    }
    const pauseMs = PAUSES_MS[looks];
    if (pauseMs === undefined) return { status: 'unknown' };
    await pause(pauseMs);
  }
}

/**
 * Marks a call before it is said that the call was not made: an attempt that is about to make it finds the mark and stops.
 * Null when no other attempt had begun. If this process dies before it says so, the mark reads as one of a call that may
 * have been sent.
 */
export async function withhold(
  world: Pick<McpProxyWorld, 'marks' | 'pause' | 'stamp'>,
  given: Given,
): Promise<Unfinished | null> {
  const mark = await world.marks.start(given.call.id, given.attempt, world.stamp.now());
  if (mark.status === 'done') return { status: 'settled' };
  if (mark.status === 'found ended') return { status: 'unknown' };
  return mark.status === 'found started' ? otherAttempt(world, given) : null;
}

/** For an attempt that began after this one had looked. */
export async function otherAttempt(world: Pick<McpProxyWorld, 'marks' | 'pause'>, given: Given): Promise<Unfinished> {
  const other = await earlierAttempts(world, given);
  return other.status === 'unsent' ? { status: 'settled' } : other;
}

interface AuditedCall {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly id: EventId;
  readonly attempt: EventId;
  /** Undefined for a call that has its result, or that an interrupt ended. */
  readonly open: OpenCall | undefined;
}

/**
 * The outcome that the audit trail lacks of a call that is not at its hand any more, because an attempt died before it
 * recorded one; null when the trail lacks nothing. After this no attempt sends a call that is over.
 */
export async function unrecordedOutcome(
  world: Pick<McpProxyWorld, 'marks' | 'auditedCalls' | 'stamp' | 'pause'>,
  call: AuditedCall,
): Promise<AuditedOutcome['outcome'] | null> {
  if (call.open !== undefined) {
    const isLost =
      call.open.isSuspended && (await lacksOutcome(world, call, { isIntended: false, pausesMs: PAUSES_MS }));
    return isLost ? 'suspended' : null;
  }
  const mark = await world.marks.start(call.id, call.attempt, world.stamp.now());
  if (mark.status === 'done') return null;
  const pausesMs = mark.status === 'found ended' ? [] : PAUSES_MS;
  const isIntended = mark.status === 'found started' || mark.status === 'found ended';
  const isLacking = await lacksOutcome(world, call, { isIntended, pausesMs });
  if (isLacking) return mark.status === 'started' ? 'failed' : 'unknown';
  await world.marks.done(call.id);
  return null;
}

/** `isIntended`: the call was to be made, although no record of it is found. An attempt under way gets a moment to record. */
async function lacksOutcome(
  { auditedCalls, pause }: Pick<McpProxyWorld, 'auditedCalls' | 'pause'>,
  { workspace, session, id }: AuditedCall,
  { isIntended, pausesMs }: { readonly isIntended: boolean; readonly pausesMs: readonly number[] },
): Promise<boolean> {
  for (let looks = 0; ; looks += 1) {
    const last = await auditedCalls.lastOf(workspace, session, id);
    if (last === 'outcome' || (last === null && !isIntended)) return false;
    const pauseMs = pausesMs[looks];
    if (pauseMs === undefined) return true;
    await pause(pauseMs);
  }
}
