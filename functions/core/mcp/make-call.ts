/**
 * One call of an MCP server's tool, as the session's user: it is judged, recorded, sent at most once, answered in the log
 * and recorded again (`docs/design.md`, MCP calls). If the process dies at any point, the next attempt knows what may have
 * happened: the intent is on record before anything is sent, and a call that may have been sent is never sent again.
 */
import type { EventId } from '#contract/ids.ts';
import type { McpProxyRequest } from '#contract/mcp-proxy.ts';
import { attemptCall, type Attempted, type PermittedCall } from '#core/mcp/attempt-call.ts';
import { NOTHING_DONE, recordDenial, recordIntent, recordOutcome, type AuditedOutcome } from '#core/mcp/audited.ts';
import { callerOf, wantedCall } from '#core/mcp/caller.ts';
import { NOTHING, otherAttempt, unrecordedOutcome, withhold, type Unfinished } from '#core/mcp/earlier.ts';
import { judgeAtHand, judgeCall, type CallAtHand, type Judged, type JudgedAtHand } from '#core/mcp/judge-call.ts';
import { errorResult, outcomeOf, unknownOutcome, type CallOutcome } from '#core/mcp/outcome.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import type { Suspension } from '#core/ports/call-marks.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { change } from '#core/session/change.ts';

export type CallRequest = Extract<McpProxyRequest, { do: 'call' }>;

interface Made extends Pick<CallAtHand, 'caller' | 'call'> {
  readonly judged: Judged;
  /** Epoch milliseconds. */
  readonly beganMs: number;
}

export async function makeCall(world: McpProxyWorld, request: CallRequest, until: Until): Promise<void> {
  const attempt = world.stamp.eventId();
  try {
    await attemptOnce(world, { ...request, attempt }, until);
  } catch (error) {
    // A next attempt need not wait for this one. If the mark cannot be written, it waits.
    await world.marks.end(request.call.id, attempt).catch(() => undefined);
    throw error;
  }
}

async function attemptOnce(
  world: McpProxyWorld,
  request: CallRequest & { readonly attempt: EventId },
  until: Until,
): Promise<void> {
  const { session, thread, attempt } = request;
  const key: LogKey = { session, thread };
  const beganMs = Date.parse(world.stamp.now());
  const head = await world.log.head(key);
  if (head === null) return;
  const open = head.state.calls.find(({ id }) => id === request.call.id);
  const read = () => Promise.all([wantedCall(world, key, request.call), callerOf(world, key, head)]);
  if (open?.waitsFor !== 'hand') {
    // The call waits for a person or is over, and an attempt that died may have left its outcome unrecorded.
    const outcome = await unrecordedOutcome(world, {
      ...key,
      workspace: head.state.workspace,
      id: request.call.id,
      attempt,
      open,
    });
    if (outcome === null) return;
    const [call, caller] = await read();
    return recordLost(world, { caller, call, beganMs }, { outcome, isOver: open === undefined });
  }
  const [call, caller] = await read();
  const { sincePosition, isConfirmed } = open;
  const atHand: CallAtHand = { caller, call, attempt, sincePosition, isConfirmed };
  const judged = await judgeAtHand(world, atHand);
  // Meanwhile the call ended, was suspended or was given to its hand anew: this attempt begins again from there.
  if (judged === null) return attemptOnce(world, request, until);
  const outcome = await outcomeFor(world, { ...atHand, ...judged }, until);
  if (outcome !== null) await finishCall(world, { caller, call, judged: judged.judged, beganMs }, outcome);
}

/** Writes only to the audit trail: the session has been told, or does not wait for the call any more. */
async function recordLost(
  world: McpProxyWorld,
  made: Omit<Made, 'judged'>,
  { outcome, isOver }: { readonly outcome: AuditedOutcome['outcome']; readonly isOver: boolean },
): Promise<void> {
  const { caller, call } = made;
  // Policy alone judges it for the record: hooks are asked only of calls that may be made.
  const judged = await judgeCall(world, caller, { ...call, isConfirmed: true });
  const audited = { ...NOTHING_DONE, outcome, error: 'attempt_died' };
  await recordFinished(world, { ...made, judged }, { audited, detail: null, isError: false });
  if (isOver) await world.marks.done(call.id);
}

/** Null when another attempt has told the outcome. */
async function outcomeFor(
  world: McpProxyWorld,
  { judged, earlier, ...atHand }: CallAtHand & JudgedAtHand,
  until: Until,
): Promise<CallOutcome | null> {
  const permitted = judged.permit === null ? null : { ...atHand, permit: judged.permit };
  if (earlier.status === 'settled') return null;
  if (earlier.status === 'unknown') return unknownOutcome(permitted);
  if (permitted === null) {
    const other = await withhold(world, atHand);
    return other === null ? denied(world, { ...atHand, judged }) : outcomeByOther(other, null);
  }
  if (earlier.status === 'untold') {
    return markSuspended(world, permitted, { outcome: await outcomeOf(world, permitted, earlier), before: NOTHING });
  }
  await recordIntent(world, { ...atHand, judged });
  const attempted = await attemptCall(world, permitted, until);
  if (attempted.status === 'settled') return null;
  const outcome = await outcomeOf(world, permitted, attempted);
  if (outcome.tell.do === 'suspend') return markSuspended(world, permitted, { outcome, before: earlier.before });
  if (!isUnsent(attempted)) return outcome;
  // The outcome says that the call was not made, so it holds only when no other attempt can make the call.
  const other = await withhold(world, atHand);
  return other === null ? outcome : outcomeByOther(other, permitted);
}

function isUnsent(attempted: Attempted): boolean {
  if (attempted.status === 'interrupted') return attempted.carried === null;
  return attempted.status === 'limited' || attempted.status === 'no token';
}

function outcomeByOther({ status }: Unfinished, permitted: PermittedCall | null): CallOutcome | null {
  return status === 'unknown' ? unknownOutcome(permitted) : null;
}

async function denied(world: McpProxyWorld, call: CallAtHand & { readonly judged: Judged }): Promise<CallOutcome> {
  await recordDenial(world, call);
  const { code, reason } = call.judged.decision;
  const audited: AuditedOutcome = { ...NOTHING_DONE, outcome: 'denied', error: code };
  return errorResult('denied', reason, { audited, detail: code });
}

/**
 * The mark holds what the session is about to be told: if this process dies before that, the next attempt tells it. From then
 * on no attempt sends the call until a person has acted. When another attempt has the mark, its outcome is the call's.
 */
async function markSuspended(
  world: McpProxyWorld,
  permitted: PermittedCall,
  { outcome, before }: { readonly outcome: CallOutcome; readonly before: Suspension },
): Promise<CallOutcome | null> {
  const { tell, suspension } = outcome;
  if (tell.do !== 'suspend') return outcome;
  const { error, sincePosition } = tell;
  const { requests, state, causes } = suspension ?? before;
  const suspended = { requests, state, causes, error, sincePosition };
  if (await world.marks.suspend(permitted.call.id, permitted.attempt, suspended)) return outcome;
  const other = await otherAttempt(world, permitted);
  if (other.status !== 'untold') return outcomeByOther(other, permitted);
  return { ...outcome, tell: { ...tell, error: other.suspension.error } };
}

/** Tells the session first, then the audit trail, then the mark: an attempt that finds the mark done need look at neither. */
async function finishCall(world: McpProxyWorld, made: Made, outcome: CallOutcome): Promise<void> {
  const { caller, call } = made;
  const { tell } = outcome;
  const head = await world.log.head(caller.key);
  if (head !== null) await change(world, caller.key, head, { ...tell, call: call.id });
  await recordFinished(world, made, { ...outcome, isError: tell.do === 'result' && tell.isError });
  if (tell.do === 'result') await world.marks.done(call.id);
}

async function recordFinished(
  world: McpProxyWorld,
  made: Made,
  { audited, detail, isError }: Pick<CallOutcome, 'audited' | 'detail'> & { readonly isError: boolean },
): Promise<void> {
  const { caller, call, judged, beganMs } = made;
  const durationMs = Math.max(0, Date.parse(world.stamp.now()) - beganMs);
  // Both records of a denial were written before the session was told.
  if (audited.outcome !== 'denied') await recordOutcome(world, made, { ...audited, duration_ms: durationMs });
  world.journal.line('tool call', {
    ...caller.key,
    call: call.id,
    tool: 'mcp',
    server: judged.server?.name ?? null,
    decision: judged.decision.code,
    outcome: audited.outcome,
    error_class: audited.error,
    detail,
    http_status: audited.http_status,
    is_error: isError,
    duration_ms: durationMs,
  });
  world.journal.metric('ToolDuration', 'Milliseconds', durationMs);
}
