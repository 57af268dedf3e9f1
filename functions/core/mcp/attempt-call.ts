/** One attempt at a call that may be made: it takes a token, sets the mark and calls the server. `outcome.ts` says what follows. */
import { carryBearer, type Carried } from '#core/mcp/caller.ts';
import { NOTHING, otherAttempt, type Unfinished } from '#core/mcp/earlier.ts';
import type { CallAtHand, Permit } from '#core/mcp/judge-call.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import type { Suspension } from '#core/ports/call-marks.ts';
import type { McpCalled, McpFailure } from '#core/ports/mcp-client.ts';
import type { NoBearer } from '#core/ports/tokens.ts';
import { whileItStands } from '#core/session/watch.ts';

export interface PermittedCall extends CallAtHand {
  readonly permit: Permit;
}

interface Sent {
  readonly carried: Carried;
  /** The reasons for which earlier attempts stopped, and what the server wants back. */
  readonly before: Suspension;
}

export type Attempted =
  /** The server's reply. */
  | ((McpCalled | McpFailure) & Sent)
  /** Nothing was sent. */
  | { readonly status: 'limited'; readonly retryAfterMs: number }
  | { readonly status: 'no token'; readonly why: NoBearer }
  | Unfinished
  /** The log stopped wanting the call during the attempt; nothing was sent when `carried` is null. */
  | { readonly status: 'interrupted'; readonly carried: Carried | null };

export async function attemptCall(world: McpProxyWorld, permitted: PermittedCall, until: Until): Promise<Attempted> {
  const retryAfterMs = await limitedFor(world, permitted);
  if (retryAfterMs !== null) return { status: 'limited', retryAfterMs };
  const cut = new AbortController();
  return whileItStands(world, permitted.caller.key, {
    stands: ({ calls }) => calls.some(({ id }) => id === permitted.call.id),
    work: carryOut(world, permitted, { until, cut: cut.signal }),
    cutOff: () => cut.abort(),
  });
}

interface Limits {
  readonly until: Until;
  /** Aborts when the log does not want the call any more. */
  readonly cut: AbortSignal;
}

async function carryOut(world: McpProxyWorld, permitted: PermittedCall, limits: Limits): Promise<Attempted> {
  const { call, permit, sincePosition, attempt } = permitted;
  const carried = await carryBearer(world, permit.identity, limits.until.signal);
  // The renewal of a token takes seconds, in which the call may be interrupted.
  if (limits.cut.aborted) return { status: 'interrupted', carried: null };
  if (carried.status !== 'carried') return { status: 'no token', why: carried };
  // The mark comes last: an attempt that dies before it has sent nothing, and the next one starts anew.
  const mark = await world.marks.start(call.id, attempt, world.stamp.now());
  switch (mark.status) {
    case 'started':
      return send(world, permitted, { ...limits, carried, before: NOTHING });
    case 'resumed':
      return mark.sincePosition === sincePosition
        ? { status: 'untold', suspension: mark }
        : send(world, permitted, { ...limits, carried, before: mark });
    case 'found started':
      return otherAttempt(world, permitted);
    case 'found ended':
      return { status: 'unknown' };
    case 'done':
      return { status: 'settled' };
    default:
      return mark satisfies never;
  }
}

/** How many milliseconds remain until the user's rate allows the call; null when it allows it. */
async function limitedFor(
  { buckets, callRate, stamp }: McpProxyWorld,
  { caller, permit }: PermittedCall,
): Promise<number | null> {
  if (callRate === null) return null;
  // Where no vault names a user, each session has its own rate.
  const who = permit.identity.user ?? caller.key.session;
  const taken = await buckets.take(`mcp#${caller.workspace}#${who}#${permit.server.url}`, callRate, 1);
  if (taken.status === 'taken') return null;
  return Math.max(0, Math.ceil(taken.untilUs / 1000) - Date.parse(stamp.now()));
}

async function send(
  { mcpClient }: McpProxyWorld,
  { permit }: PermittedCall,
  { carried, before, until: { deadline }, cut }: Limits & Sent,
): Promise<Attempted> {
  const { server, tool, identity, input } = permit;
  const cacheKey = identity.match?.stored.credential.id ?? null;
  const resume = before.requests.length === 0 && before.state === null ? null : before;
  try {
    const reply = await mcpClient.callTool(
      { url: server.url, bearer: carried.bearer, cacheKey, deadline },
      { tool: tool.name, input, schema: tool.input_schema, hints: tool.hints, resume },
      cut,
    );
    const isCut = cut.aborted && reply.status === 'failed';
    return isCut ? { status: 'interrupted', carried } : { ...reply, carried, before };
  } catch (error) {
    if (cut.aborted) return { status: 'interrupted', carried };
    throw error;
  }
}
