/**
 * One call of an MCP server's tool, as the session's user: judged, recorded, sent at most once, answered in the log and
 * recorded again (governance §8.4). Whatever dies in between, the next attempt knows what may have happened: nothing is
 * sent before the intent is on record, and what may have been sent is never sent again.
 */
import type { McpProxyRequest, WantedCall } from '#contract/mcp-proxy.ts';
import type { OpenCall } from '#contract/entries.ts';
import { callerOf, wantedCall, type Caller } from '#core/mcp/caller.ts';
import { attempt, withhold, type Attempted, type Earlier, type PermittedCall } from '#core/mcp/attempt.ts';
import { intentOf, NOTHING_DONE, recordDenial, subjectOf } from '#core/mcp/audited.ts';
import { endingOf, unheard } from '#core/mcp/ending-of-attempt.ts';
import { failing, type Ending } from '#core/mcp/ending.ts';
import { judge, type Judged } from '#core/mcp/judge.ts';
import { judgeAtHand } from '#core/mcp/judge-at-hand.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import { unsaidOutcome } from '#core/mcp/unsaid-outcome.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import { change } from '#core/session/change.ts';

export type CallRequest = Extract<McpProxyRequest, { do: 'call' }>;

interface Made {
  readonly caller: Caller;
  readonly call: WantedCall;
  readonly judged: Judged;
  /** Epoch milliseconds. */
  readonly beganMs: number;
}

/** As its hand was given it. */
interface MadeAtHand extends Made {
  readonly since: number;
  readonly isConfirmed: boolean;
}

export async function callTool(world: McpProxyWorld, request: CallRequest, until: Until): Promise<void> {
  const key: LogKey = { session: request.session, thread: request.thread };
  const beganMs = Date.parse(world.stamp.now());
  const head = await world.log.head(key);
  if (head === null) return;
  const open = head.state.calls.find(({ id }) => id === request.call.id);
  // It waits for a person, has its result, or an interrupt ended it: an attempt before this one may owe the trail a word.
  if (open?.waitsFor !== 'hand') return sayUnsaid(world, { head, request, open, beganMs });
  const [call, caller] = await Promise.all([wantedCall(world, key, request.call), callerOf(world, key, head)]);
  const { since, isConfirmed } = open;
  const atHand = await judgeAtHand(world, caller, { call, since, isConfirmed });
  // It is over by now, waits, or was given to its hand anew: each is what another attempt begins with.
  if (atHand === null) return callTool(world, request, until);
  const made = { caller, call, judged: atHand.judged, beganMs };
  const ending = await endingFor(world, { ...made, earlier: atHand.earlier, since, isConfirmed }, until);
  if (ending !== null) await conclude(world, made, ending);
}

interface NotAtHand {
  readonly head: Head;
  readonly request: CallRequest;
  readonly open: OpenCall | undefined;
  readonly beganMs: number;
}

/** For auditors alone: the session has been told, or nobody waits for a word. */
async function sayUnsaid(world: McpProxyWorld, { head, request, open, beganMs }: NotAtHand): Promise<void> {
  const { session, thread, call: wanted } = request;
  const { workspace } = head.state;
  const outcome = await unsaidOutcome(world, { workspace, session, id: wanted.id, open });
  if (outcome === null) return;
  const key: LogKey = { session, thread };
  const [call, caller] = await Promise.all([wantedCall(world, key, wanted), callerOf(world, key, head)]);
  // No hook hears of it any more.
  const judged = await judge(world, caller, { ...call, isConfirmed: true });
  const came = { ...NOTHING_DONE, outcome, error: 'attempt_died' };
  await tellAuditors(world, { caller, call, judged, beganMs }, { came, detail: null, isError: false });
  if (open === undefined) await world.marks.done(call.id);
}

/** Null when another attempt has concluded it. */
async function endingFor(
  world: McpProxyWorld,
  made: MadeAtHand & { readonly earlier: Earlier },
  until: Until,
): Promise<Ending | null> {
  const { caller, call, judged, earlier, since, isConfirmed } = made;
  const permitted = judged.permit === null ? null : { caller, call, permit: judged.permit, since };
  if (earlier.status === 'settled') return null;
  if (earlier.status === 'unknown') return unheard(permitted);
  if (permitted === null) return unlessAnothers(world, made, () => denied(world, made));
  if (earlier.status === 'untold') return endingOf(world, permitted, earlier);
  const subject = subjectOf(world, caller, { call, judged });
  await world.audit.record(caller.workspace, caller.key.session, intentOf(subject, { judged, isConfirmed }));
  const attempted = await attempt(world, permitted, until);
  if (attempted.status === 'settled') return null;
  const ending = await endingOf(world, permitted, attempted);
  return isUnsent(attempted) && ending.do === 'result'
    ? unlessAnothers(world, { ...made, permitted }, async () => ending)
    : ending;
}

function isUnsent(attempted: Attempted): boolean {
  if (attempted.status === 'interrupted') return attempted.carried === null;
  return attempted.status === 'limited' || attempted.status === 'no token';
}

/** What says that the call was not made, once nobody else can make it. */
async function unlessAnothers(
  world: McpProxyWorld,
  { call, since, permitted = null }: Made & { readonly since: number; readonly permitted?: PermittedCall | null },
  ending: () => Promise<Ending>,
): Promise<Ending | null> {
  const other = await withhold(world, { call, since });
  if (other === null) return ending();
  return other.status === 'unknown' ? unheard(permitted) : null;
}

async function denied(world: McpProxyWorld, { caller, call, judged, isConfirmed }: MadeAtHand): Promise<Ending> {
  await recordDenial(world, caller, { call, judged, isConfirmed });
  const { code, reason } = judged.decision;
  return failing('denied', reason, { came: { ...NOTHING_DONE, outcome: 'denied', error: code }, detail: code });
}

/** First what the session sees, then what auditors see, then the mark: whoever finds it done need look at neither. */
async function conclude(world: McpProxyWorld, made: Made, ending: Ending): Promise<void> {
  const { call } = made;
  if (ending.do === 'suspend' && ending.suspension !== null) {
    // With what the session is about to be told: if this process dies before, the next attempt tells it.
    const { requests, state, causes } = ending.suspension;
    await world.marks.suspend(call.id, { requests, state, causes, error: ending.error, since: ending.since });
  }
  await tellSession(world, made, ending);
  await tellAuditors(world, made, { ...ending, isError: ending.do === 'result' && ending.isError });
  if (ending.do === 'result') await world.marks.done(call.id);
}

async function tellSession(world: McpProxyWorld, { caller, call }: Made, ending: Ending): Promise<void> {
  const head = await world.log.head(caller.key);
  if (head === null) return;
  const { error } = ending;
  if (ending.do === 'suspend') {
    await change(world, caller.key, head, { do: 'suspend', call: call.id, since: ending.since, error: ending.error });
    return;
  }
  const { content, isError } = ending;
  const result = { do: 'result' as const, call: call.id, content, isError };
  await change(world, caller.key, head, error === undefined ? result : { ...result, error });
}

async function tellAuditors(
  world: McpProxyWorld,
  made: Made,
  { came, detail, isError }: Pick<Ending, 'came' | 'detail'> & { readonly isError: boolean },
): Promise<void> {
  const { caller, call, judged, beganMs } = made;
  const durationMs = Math.max(0, Date.parse(world.stamp.now()) - beganMs);
  // A denial has had both of its records before anybody was told of it.
  if (came.outcome !== 'denied') {
    const subject = subjectOf(world, caller, made);
    const outcome = { kind: 'outcome' as const, ...subject, ...came, duration_ms: durationMs };
    await world.audit.record(caller.workspace, caller.key.session, outcome);
  }
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
