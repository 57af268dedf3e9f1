/** One attempt at a call that may be made: a token, the mark, then the server. What comes back is for others to judge. */
import type { SessionState } from '#contract/entries.ts';
import type { EventId } from '#contract/ids.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import { carryBearer, type Caller, type Carried } from '#core/mcp/caller.ts';
import type { FoundMark, MarkedSuspension, Suspension } from '#core/ports/call-marks.ts';
import type { Permit } from '#core/mcp/judge.ts';
import type { McpCalled, McpFailure } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import { whileItStands } from '#core/session/watch.ts';
import type { NoBearer } from '#core/ports/tokens.ts';

export interface PermittedCall {
  readonly caller: Caller;
  readonly call: WantedCall;
  readonly permit: Permit;
  /** Of the open call: position of what gave it to its hand. */
  readonly since: number;
}

/** What came of the attempts before one. */
export type Earlier =
  /** Nothing was sent, or what was asked of people for it has been done. */
  { readonly status: 'unsent' } | Unfinished;

type Unfinished =
  /** Another attempt has said what came of it. */
  | { readonly status: 'settled' }
  /** Another attempt began to send it and did not say what came of it. */
  | { readonly status: 'unknown' }
  /** Another attempt stopped for a person, whom nobody has been asked for yet. */
  | { readonly status: 'untold'; readonly suspension: MarkedSuspension };

export type Attempted =
  | {
      readonly status: 'replied';
      readonly reply: McpCalled | McpFailure;
      readonly carried: Carried;
      /** What earlier attempts stopped for. */
      readonly before: Suspension;
    }
  /** Nothing was sent. */
  | { readonly status: 'limited'; readonly retryAfterMs: number }
  | { readonly status: 'no token'; readonly why: NoBearer }
  | Unfinished
  /** The log stopped wanting it while it was under way; nothing was sent when nothing was carried. */
  | { readonly status: 'interrupted'; readonly carried: Carried | null };

/** How often, and how long, an attempt that finds another one waits for what it says. */
export const LOOK_MS = 1000;
export const LOOKS = 5;

export async function attempt(world: McpProxyWorld, permitted: PermittedCall, until: Until): Promise<Attempted> {
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

async function make(world: McpProxyWorld, permitted: PermittedCall, { until, cut }: Making): Promise<Attempted> {
  const { call, permit } = permitted;
  const carried = await carryBearer(world, permit.identity, until.signal);
  // A token that has to be renewed first takes seconds, in which people change their minds.
  if (cut.aborted) return { status: 'interrupted', carried: null };
  if (carried.status !== 'carried') return { status: 'no token', why: carried };
  // From here on it may have been sent, so the mark comes last: what dies before it is simply tried again.
  const mark = await world.marks.start(call.id, world.stamp.now());
  switch (mark.status) {
    case 'started':
      return send(world, permitted, { carried, before: NOTHING, deadline: until.deadline, cut });
    case 'resumed':
      return mark.since === permitted.since
        ? { status: 'untold', suspension: mark }
        : send(world, permitted, { carried, before: mark, deadline: until.deadline, cut });
    case 'found started':
      return anothers(world, permitted);
    case 'done':
      return { status: 'settled' };
    default:
      return mark satisfies never;
  }
}

/**
 * Before it is said that a call was not made: whoever is about to make it finds the mark, and does not. Null when nobody
 * has; what dies between this and its word leaves one that may have been sent, for all that anybody knows.
 */
export async function withhold(
  world: Pick<McpProxyWorld, 'marks' | 'pause' | 'stamp'>,
  call: Pick<PermittedCall, 'call' | 'since'>,
): Promise<Unfinished | null> {
  const mark = await world.marks.start(call.call.id, world.stamp.now());
  if (mark.status === 'done') return { status: 'settled' };
  return mark.status === 'found started' ? anothers(world, call) : null;
}

/** Begun since this attempt looked, by another, whose word it is to let it wait for its user, too. */
async function anothers(
  world: Pick<McpProxyWorld, 'marks' | 'pause'>,
  call: Pick<PermittedCall, 'call' | 'since'>,
): Promise<Unfinished> {
  const other = await earlierAttempts(world, call);
  return other.status === 'unsent' ? { status: 'settled' } : other;
}

const NOTHING: Suspension = { requests: [], state: null, causes: [] };

/** After how long there is room for the call; null when there is. */
async function limitedFor(
  { buckets, callRate, stamp }: McpProxyWorld,
  { caller, permit }: PermittedCall,
): Promise<number | null> {
  if (callRate === null) return null;
  // Where no vault names a user, each session is its own.
  const who = permit.identity.user ?? caller.key.session;
  const taken = await buckets.take(`mcp#${caller.workspace}#${who}#${permit.server.url}`, callRate, 1);
  if (taken.status === 'taken') return null;
  return Math.max(0, Math.ceil(taken.untilUs / 1000) - Date.parse(stamp.now()));
}

/** Another attempt that is under way is given a moment to end: its word is better than a guess. */
export async function earlierAttempts(
  { marks, pause }: Pick<McpProxyWorld, 'marks' | 'pause'>,
  { call, since }: Pick<PermittedCall, 'call' | 'since'>,
): Promise<Earlier> {
  for (let looks = 0; ; looks += 1) {
    const mark = await marks.find(call.id);
    if (mark?.status !== 'started') return earlierIn(mark, since);
    if (looks === LOOKS) return { status: 'unknown' };
    await pause(LOOK_MS);
  }
}

function earlierIn(mark: Exclude<FoundMark, { status: 'started' }> | null, since: number): Earlier {
  if (mark?.status === 'done') return { status: 'settled' };
  // When the session was told and somebody has acted, the call has been given to its hand anew.
  return mark?.since === since ? { status: 'untold', suspension: mark } : { status: 'unsent' };
}

interface Sending {
  readonly carried: Carried;
  readonly before: Suspension;
  /** Epoch milliseconds. */
  readonly deadline: number;
  readonly cut: AbortSignal;
}

async function send(
  { client }: Pick<McpProxyWorld, 'client'>,
  { permit }: PermittedCall,
  { carried, before, deadline, cut }: Sending,
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
