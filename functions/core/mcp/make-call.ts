/**
 * One call of an MCP server's tool, as the session's user: it is judged, recorded, sent at most once, answered in the log
 * and recorded again (`docs/design.md`, MCP calls). If the process dies at any point, the next attempt knows what may have
 * happened: the intent is on record before anything is sent, and a call that may have been sent is never sent again.
 */
import type { OpenCall } from '#contract/entries.ts';
import type { McpProxyRequest } from '#contract/mcp-proxy.ts';
import { attemptCall, type Attempted, type PermittedCall } from '#core/mcp/attempt-call.ts';
import { NOTHING_DONE, recordDenial, recordIntent, recordOutcome } from '#core/mcp/audited.ts';
import { callerOf, wantedCall } from '#core/mcp/caller.ts';
import { unsaidOutcome, withhold } from '#core/mcp/earlier.ts';
import { judgeCall, judgeAtHand, type CallAtHand, type Judged, type JudgedAtHand } from '#core/mcp/judge-call.ts';
import { failing, outcomeOf, unheard, type CallOutcome } from '#core/mcp/outcome.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import { change } from '#core/session/change.ts';

export type CallRequest = Extract<McpProxyRequest, { do: 'call' }>;

interface Made extends Pick<CallAtHand, 'caller' | 'call'> {
  readonly judged: Judged;
  /** Epoch milliseconds. */
  readonly beganMs: number;
}

export async function makeCall(world: McpProxyWorld, request: CallRequest, until: Until): Promise<void> {
  const key: LogKey = { session: request.session, thread: request.thread };
  const beganMs = Date.parse(world.stamp.now());
  const head = await world.log.head(key);
  if (head === null) return;
  const open = head.state.calls.find(({ id }) => id === request.call.id);
  // The call waits for a person or is over, and an attempt that died may have left its outcome unrecorded.
  if (open?.waitsFor !== 'hand') return recordUnsaid(world, { head, request, open, beganMs });
  const [call, caller] = await Promise.all([wantedCall(world, key, request.call), callerOf(world, key, head)]);
  const atHand: CallAtHand = { caller, call, sincePosition: open.sincePosition, isConfirmed: open.isConfirmed };
  const judged = await judgeAtHand(world, atHand);
  // Meanwhile the call ended, was suspended or was given to its hand anew: this attempt begins again from there.
  if (judged === null) return makeCall(world, request, until);
  const outcome = await outcomeFor(world, { ...atHand, ...judged }, until);
  if (outcome !== null) await finishCall(world, { caller, call, judged: judged.judged, beganMs }, outcome);
}

interface NotAtHand {
  readonly head: Head;
  readonly request: CallRequest;
  readonly open: OpenCall | undefined;
  readonly beganMs: number;
}

/** Writes only to the audit trail: the session has been told, or does not wait for the call any more. */
async function recordUnsaid(world: McpProxyWorld, { head, request, open, beganMs }: NotAtHand): Promise<void> {
  const { session, thread, call: wanted } = request;
  const { workspace } = head.state;
  const outcome = await unsaidOutcome(world, { workspace, session, id: wanted.id, open });
  if (outcome === null) return;
  const key: LogKey = { session, thread };
  const [call, caller] = await Promise.all([wantedCall(world, key, wanted), callerOf(world, key, head)]);
  // Policy alone judges it for the record: hooks are asked only of calls that may be made.
  const judged = await judgeCall(world, caller, { ...call, isConfirmed: true });
  const came = { ...NOTHING_DONE, outcome, error: 'attempt_died' };
  await tellAuditors(world, { caller, call, judged, beganMs }, { came, detail: null, isError: false });
  if (open === undefined) await world.marks.done(call.id);
}

/** Null when another attempt has concluded the call. */
async function outcomeFor(
  world: McpProxyWorld,
  made: CallAtHand & JudgedAtHand,
  until: Until,
): Promise<CallOutcome | null> {
  const { caller, call, judged, earlier, sincePosition } = made;
  const permitted = judged.permit === null ? null : { caller, call, permit: judged.permit, sincePosition };
  if (earlier.status === 'settled') return null;
  if (earlier.status === 'unknown') return unheard(permitted);
  if (permitted === null) return unlessAnothers(world, { ...made, permitted }, () => denied(world, made));
  if (earlier.status === 'untold') return outcomeOf(world, permitted, earlier);
  await recordIntent(world, caller, made);
  const attempted = await attemptCall(world, permitted, until);
  if (attempted.status === 'settled') return null;
  const outcome = await outcomeOf(world, permitted, attempted);
  return isUnsent(attempted) && outcome.tell.do === 'result'
    ? unlessAnothers(world, { ...made, permitted }, async () => outcome)
    : outcome;
}

function isUnsent(attempted: Attempted): boolean {
  if (attempted.status === 'interrupted') return attempted.carried === null;
  return attempted.status === 'limited' || attempted.status === 'no token';
}

/** `unsent` says that the call was not made, so it is asked for only when no other attempt can make the call. */
async function unlessAnothers(
  world: McpProxyWorld,
  { permitted, ...made }: CallAtHand & { readonly permitted: PermittedCall | null },
  unsent: () => Promise<CallOutcome>,
): Promise<CallOutcome | null> {
  const other = await withhold(world, made);
  if (other === null) return unsent();
  return other.status === 'unknown' ? unheard(permitted) : null;
}

async function denied(world: McpProxyWorld, made: CallAtHand & Pick<Made, 'judged'>): Promise<CallOutcome> {
  await recordDenial(world, made.caller, made);
  const { code, reason } = made.judged.decision;
  return failing('denied', reason, { came: { ...NOTHING_DONE, outcome: 'denied', error: code }, detail: code });
}

/** The session is told first, then the audit trail, then the mark: an attempt that finds it done need look at neither. */
async function finishCall(world: McpProxyWorld, made: Made, outcome: CallOutcome): Promise<void> {
  const { caller, call } = made;
  const { tell, suspension } = outcome;
  if (tell.do === 'suspend' && suspension !== null) {
    const { requests, state, causes } = suspension;
    // The mark holds what the session is about to be told: if this process dies before that, the next attempt tells it.
    await world.marks.suspend(call.id, {
      requests,
      state,
      causes,
      error: tell.error,
      sincePosition: tell.sincePosition,
    });
  }
  const head = await world.log.head(caller.key);
  if (head !== null) await change(world, caller.key, head, { ...tell, call: call.id });
  await tellAuditors(world, made, { ...outcome, isError: tell.do === 'result' && tell.isError });
  if (tell.do === 'result') await world.marks.done(call.id);
}

async function tellAuditors(
  world: McpProxyWorld,
  made: Made,
  { came, detail, isError }: Pick<CallOutcome, 'came' | 'detail'> & { readonly isError: boolean },
): Promise<void> {
  const { caller, call, judged, beganMs } = made;
  const durationMs = Math.max(0, Date.parse(world.stamp.now()) - beganMs);
  // A denial has had both of its records before the session was told.
  if (came.outcome !== 'denied') await recordOutcome(world, caller, made, { ...came, duration_ms: durationMs });
  world.journal.line('tool call', {
    ...caller.key,
    call: call.id,
    tool: 'mcp',
    server: judged.server?.name ?? null,
    decision: judged.decision.code,
    outcome: came.outcome,
    error_class: came.error,
    detail,
    http_status: came.http_status,
    is_error: isError,
    duration_ms: durationMs,
  });
  world.journal.metric('ToolDuration', 'Milliseconds', durationMs);
}
