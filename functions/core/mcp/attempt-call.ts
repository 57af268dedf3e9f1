/** One attempt at a call that may be made: it takes a token, sets the mark and calls the server. `outcome.ts` judges. */
import type { SessionState } from '#contract/entries.ts';
import type { EventId, Position } from '#contract/ids.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import { carryBearer, type Caller, type Carried } from '#core/mcp/caller.ts';
import { otherAttempt, type Unfinished } from '#core/mcp/earlier.ts';
import type { Permit } from '#core/mcp/judge-call.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import type { Suspension } from '#core/ports/call-marks.ts';
import type { McpCalled, McpFailure } from '#core/ports/mcp-client.ts';
import type { NoBearer } from '#core/ports/tokens.ts';
import { whileItStands } from '#core/session/watch.ts';

export interface PermittedCall {
  readonly caller: Caller;
  readonly call: WantedCall;
  readonly permit: Permit;
  /** The position in the log of the entry that gave the call to its hand. */
  readonly sincePosition: Position;
}

export interface Replied<Reply = McpCalled | McpFailure> {
  readonly status: 'replied';
  readonly reply: Reply;
  readonly carried: Carried;
  /** What earlier attempts stopped for. */
  readonly before: Suspension;
}

export type Attempted =
  | Replied
  /** Nothing was sent. */
  | { readonly status: 'limited'; readonly retryAfterMs: number }
  | { readonly status: 'no token'; readonly why: NoBearer }
  | Unfinished
  /** The log stopped wanting the call during the attempt; nothing was sent when `carried` is null. */
  | { readonly status: 'interrupted'; readonly carried: Carried | null };

export async function attemptCall(world: McpProxyWorld, permitted: PermittedCall, until: Until): Promise<Attempted> {
  const limited = await limitedFor(world, permitted);
  if (limited !== null) return { status: 'limited', retryAfterMs: limited };
  const cut = new AbortController();
  return whileItStands(world, permitted.caller.key, {
    stands: isOpen(permitted.call.id),
    work: make(world, permitted, { until, cut: cut.signal }),
    cutOff: () => cut.abort(),
  });
}

interface Making {
  readonly until: Until;
  /** Aborts when the log does not want the call any more. */
  readonly cut: AbortSignal;
}

async function make(world: McpProxyWorld, permitted: PermittedCall, making: Making): Promise<Attempted> {
  const { call, permit, sincePosition } = permitted;
  const carried = await carryBearer(world, permit.identity, making.until.signal);
  // The renewal of a token takes seconds, in which the call may be interrupted.
  if (making.cut.aborted) return { status: 'interrupted', carried: null };
  if (carried.status !== 'carried') return { status: 'no token', why: carried };
  // The mark comes last: an attempt that dies before it has sent nothing, and the next one starts anew.
  const mark = await world.marks.start(call.id, world.stamp.now());
  switch (mark.status) {
    case 'started':
      return send(world, permitted, { ...making, carried, before: NOTHING });
    case 'resumed':
      return mark.sincePosition === sincePosition
        ? { status: 'untold', suspension: mark }
        : send(world, permitted, { ...making, carried, before: mark });
    case 'found started':
      return otherAttempt(world, permitted);
    case 'done':
      return { status: 'settled' };
    default:
      return mark satisfies never;
  }
}

const NOTHING: Suspension = { requests: [], state: null, causes: [] };

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

interface Sending extends Making, Pick<Replied, 'carried' | 'before'> {}

async function send(
  { client }: Pick<McpProxyWorld, 'client'>,
  { permit }: PermittedCall,
  { carried, before, until: { deadline }, cut }: Sending,
): Promise<Attempted> {
  const { server, tool, identity, input } = permit;
  const cacheKey = identity.match?.stored.credential.id ?? null;
  const resume = before.requests.length === 0 && before.state === null ? null : before;
  try {
    const reply = await client.callTool(
      { url: server.url, bearer: carried.bearer, cacheKey, deadline },
      { tool: tool.name, input, schema: tool.input_schema, hints: tool.hints, resume },
      cut,
    );
    const isCut = cut.aborted && reply.status === 'failed';
    return isCut ? { status: 'interrupted', carried } : { status: 'replied', reply, carried, before };
  } catch (error) {
    if (cut.aborted) return { status: 'interrupted', carried };
    throw error;
  }
}

const isOpen = (call: EventId) => (state: SessionState) => state.calls.some(({ id }) => id === call);
