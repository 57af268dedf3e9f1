/**
 * One tool call in the sandbox of a hand: mark, send, append the result. However often this runs for one call, and
 * wherever it is cut off, the command runs at most once and the result is in the log at most once.
 */
import { MAX_OUTPUT_CHARS, SandboxTool, type ExecuteRequest } from '#contract/hands.ts';
import { recordIn, type SessionState } from '#contract/entries.ts';
import { FIRST_POSITION, primaryThread, type EventId, type HandKey } from '#contract/ids.ts';
import type { RepositoryFailure } from '#contract/repositories.ts';
import { handOfCall, type ExecuteInput } from '#contract/run.ts';
import { unreachableErrors } from '#core/egress/variables.ts';
import { takeChanges, type TakenChanges } from '#core/hands/changes.ts';
import type { ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { contentsVersions, type ContentsVersions, giveContents, TAKES_NOTHING } from '#core/hands/contents.ts';
import { toolUseOf } from '#core/hands/tool-use.ts';
import { isAlive } from '#core/hands/is-alive.ts';
import { warn } from '#core/hands/warn.ts';
import { WAY_OUT_AWAITED, wayOutOf, type AskedWayOut, type WayOutOfCall } from '#core/hands/way-out.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { SandboxRecord, SandboxReply, SentMark } from '#core/ports/sandboxes.ts';
import { change } from '#core/session/change.ts';
import { callsBefore } from '#core/session/waiting.ts';
import { whileItStands } from '#core/session/watch.ts';

export type ExecuteWorld = ContentsWorld &
  Pick<Ports, 'sandboxes' | 'stamp' | 'pause' | 'journal'> & {
    readonly wayOut: AskedWayOut;
  };

interface CallToSend {
  readonly request: ExecuteRequest;
  readonly sent: SentMark;
  /** As the call found them: they say what the sandbox must hold. */
  readonly states: States;
}
/** `session` is the state of the primary thread of the hand's session. */
type States = Pick<Recipient, 'state' | 'session'>;
interface Result {
  readonly text: string;
  readonly isError: boolean;
  readonly served: string;
  /** The generation whose first result in this thread it is: of a sandbox that replaces another one, or was passed. */
  readonly tells?: number;
  /** What the agent wrote, which the sandbox tells again until the result is in the log. */
  readonly changes?: Pick<TakenChanges, 'keep' | 'leave'> | undefined;
  readonly programsLive?: true | undefined;
  readonly failedClones?: readonly RepositoryFailure[] | undefined;
  /** A hand that another session passed and that is gone: the thread leaves it. */
  readonly leaves?: HandKey;
}

const DEFAULT_TIMEOUT_MS = 120_000;
/** Below the function's own 15 minutes, with time left to append the result. */
const MAX_TIMEOUT_MS = 600_000;

/** A task that runs may need this long until its server listens. */
const START_GRACE_MS = 15_000;
/** One failed connection is no proof: the sandbox holds files that would be lost with it. */
const PATIENCE_MS = 2000;
/** Past a call's own timeout, for its answer to arrive over however many connections. */
const OVERTIME_MS = 60_000;
const RECONNECT_MS = 100;
/** Contents that are given so often and lacking again are removed by a program; the call is made without them. */
const MOST_GIVINGS = 3;
/** An earlier call that has not arrived for so long may never arrive: its function failed, and failed again. */
const ARRIVAL_MS = 60_000;

const LOST = {
  text: 'The sandbox stopped before this call had a result. The command may or may not have run, and files in the sandbox are gone. The next call gets a new sandbox.',
  isError: true,
  served: 'lost',
} as const;

const GONE = { isError: true, served: 'refused' } as const;
const OWN_NEXT =
  'The next call goes to the sandbox that this session has itself, where the files of the other one are not.';
const WITHDRAWN = `This session does not hold the sandbox of the other session any more, so this call was not made. ${OWN_NEXT}`;
/** The marks of calls were deleted with the session. */
const DELETED = `The session whose sandbox this one was passed has been deleted. The command may or may not have run. ${OWN_NEXT}`;

/** Goes before the first result of each thread in a sandbox that replaces another one. */
const REPLACED =
  '(This is a new sandbox. The earlier one has ended; its files, variables and background processes are gone.)\n';

/** Goes before the first result of a thread in a sandbox that it was passed. */
const PASSED = '(This sandbox was passed to you. Its files are not those of the sandbox that you had before.)\n';

const NOT_MADE = 'The call was not made.';

const NOT_PUT =
  '(Files of this session could not be put into the sandbox. What this call read there may be missing or old.)';

const NOT_IN_ORDER: Reached = {
  output: 'An earlier call of the same answer did not reach the sandbox, so this call was not made.',
  isError: true,
  served: 'refused',
  notes: [],
};

/**
 * `sandbox not ready`: there is no sandbox to ask, and nothing has changed: `provision` comes first. `sandbox lost`: the
 * call has its result, and `provision` stops what may be left of its sandbox.
 */
type Executed = 'ended' | 'sandbox not ready' | 'sandbox lost' | 'way out not ready';

export async function execute(world: ExecuteWorld, input: ExecuteInput): Promise<Executed> {
  const key: LogKey = { session: input.session, thread: input.thread };
  const hand = handOfCall(input);
  const began = Date.parse(world.stamp.now());
  const [asked, states, record] = await Promise.all([
    requestOf(world, key, input),
    statesOf(world, key, hand),
    world.sandboxes.find(hand),
  ]);
  if (states === null) return 'ended';
  const { state, session } = states;
  const request = inOrder(asked, state);
  // An interrupt closed it before it began, or while the state machine provided its way out: then it goes on.
  if (request === null) {
    if (input.wayOut !== undefined) await endCall(world, input, record);
    return 'ended';
  }
  const isMade = isPassedTo(session, key, hand) || (await world.sandboxes.sentTo(hand, input.call.id)) !== null;
  const sent = isMade ? await sendTo(world, input, record) : null;
  if (isMade && sent === null) return 'sandbox not ready';
  const result =
    sent === null
      ? { ...GONE, text: session === null ? DELETED : WITHDRAWN, leaves: hand }
      : await resultOf(world, input, { request, sent, states: { state, session: session ?? state } });
  // The call runs on, and the next attempt joins it.
  if (result === WAY_OUT_AWAITED) return 'way out not ready';
  const isTold = await appendResult(world, key, input.call.id, result);
  // A death in between tells both twice.
  await (isTold ? result.changes?.keep() : result.changes?.leave());
  if (result.tells) await world.sandboxes.told(hand, key.thread, result.tells);
  const durationMs = Date.parse(world.stamp.now()) - began;
  world.journal.line('tool call', {
    session: input.session,
    thread: input.thread,
    call: input.call.id,
    tool: request.name,
    outcome: result.served,
    is_error: result.isError,
    duration_ms: durationMs,
  });
  world.journal.metric('ToolDuration', 'Milliseconds', durationMs);
  return result.served === 'lost' ? 'sandbox lost' : 'ended';
}

async function endCall(world: ExecuteWorld, { call }: ExecuteInput, record: SandboxRecord | null): Promise<void> {
  if (record?.status !== 'ready') return;
  world.sandboxClient.cancel(record, call.id);
  // The request leaves before the function is frozen.
  await world.pause(RECONNECT_MS);
}

/**
 * Marks the call with the sandbox that it goes to; null when `provision` has to look first. A call that an earlier attempt
 * sent stays with the sandbox of that time, whatever became of it.
 */
async function sendTo(
  { sandboxes, stamp }: ExecuteWorld,
  { call, sandbox, ...input }: ExecuteInput,
  record: SandboxRecord | null,
): Promise<SentMark | null> {
  const hand = handOfCall({ ...input, call });
  const now = stamp.now();
  const isVouchedFor = record !== null && record.generation === sandbox?.generation;
  const isUsable = record?.status === 'ready' && (isVouchedFor || isAlive(record, now));
  if (isUsable || (record?.status === 'failed' && isVouchedFor)) {
    return sandboxes.send(hand, call.id, record.generation, now);
  }
  const sentTo = await sandboxes.sentTo(hand, call.id);
  return sentTo === null ? null : { record, sentTo, again: true };
}

interface FoundStates extends Pick<States, 'state'> {
  /** Null when the hand's session was deleted. */
  readonly session: SessionState | null;
}

/** Null when there is no such log. Only a thread that is not the primary one of the hand's session costs a second read. */
async function statesOf({ log }: ExecuteWorld, key: LogKey, { session }: HandKey): Promise<FoundStates | null> {
  const primary: LogKey = { session, thread: primaryThread(session) };
  const isOwn = key.thread === primary.thread;
  const [own, owner] = await Promise.all([log.head(key), isOwn ? null : log.head(primary)]);
  if (own === null) return null;
  return { state: own.state, session: owner?.state ?? (session === key.session ? own.state : null) };
}

/** Whether the hand is of the thread's session, or of another one that passes it to that session. */
function isPassedTo(owner: SessionState | null, { session }: LogKey, hand: HandKey): boolean {
  if (hand.session === session) return true;
  const lent = owner === null || owner.status === 'terminated' ? [] : (owner.lent ?? []);
  return lent.some((one) => one.hand.hand === hand.hand && one.holder.session === session);
}

async function requestOf(world: ExecuteWorld, key: LogKey, input: ExecuteInput): Promise<ExecuteRequest> {
  const use = await toolUseOf(world, key, input.call);
  const asked = use.input['timeout_ms'];
  const timeoutMs =
    typeof asked === 'number' && asked >= 1 ? Math.min(Math.floor(asked), MAX_TIMEOUT_MS) : DEFAULT_TIMEOUT_MS;
  const thread = { id: input.thread };
  return { call: input.call.id, name: SandboxTool.parse(use.name), input: use.input, timeoutMs, thread };
}

/** The request with the earlier calls that are open in the log; null when its own call is not open. */
function inOrder({ after: _earlier, ...request }: ExecuteRequest, state: SessionState): ExecuteRequest | null {
  const call = state.calls.find(({ id }) => id === request.call);
  if (call === undefined) return null;
  const after = callsBefore(state, call).map(({ id }) => id);
  return after.length === 0 ? request : { ...request, after };
}

async function resultOf(
  world: ExecuteWorld,
  input: ExecuteInput,
  sending: CallToSend,
): Promise<Result | typeof WAY_OUT_AWAITED> {
  const { record, sentTo } = sending.sent;
  if (record?.generation === sentTo && record.status === 'failed')
    return { text: record.reason, isError: true, served: 'refused' };
  // The call went to a sandbox that is gone: running it again elsewhere could repeat its effect.
  if (record?.generation !== sentTo || record.status !== 'ready') return LOST;
  const key: LogKey = { session: input.session, thread: input.thread };
  const hand = handOfCall(input);
  const unreachable = unreachableErrors(record.network?.variables ?? []);
  await warn(world, { session: hand.session, state: sending.states.session }, unreachable);
  const cutOff = new AbortController();
  const recipient = { key, hand, ...sending.states, sandbox: record };
  const response = await whileItStands(world, key, {
    stands: isOpen(input.call.id),
    work: reach(world, recipient, {
      ...sending,
      signal: cutOff.signal,
      wayOut: wayOutOf(world, recipient, { isSecondTime: input.wayOut !== undefined }),
    }),
    cutOff: () => {
      cutOff.abort();
      world.sandboxClient.cancel(record, input.call.id);
    },
  });
  if (response === WAY_OUT_AWAITED) return response;
  if (response === null) {
    await world.sandboxes.lost(hand, record.generation);
    return LOST;
  }
  const output = [response.output.slice(0, MAX_OUTPUT_CHARS), ...response.notes].join('\n');
  const { isError, served, changes, programsLive, failedClones } = response;
  const result = { text: output, isError, served, changes, programsLive, failedClones };
  const isPassed = sending.states.state.hands?.passed !== undefined;
  if ((!record.replaces && !isPassed) || record.told?.has(key.thread)) return result;
  const isNew = record.replaces === true && (await isOlderThan(world, recipient, record));
  const text = `${isPassed ? PASSED : ''}${isNew ? REPLACED : ''}${output}`;
  return { ...result, text, tells: record.generation };
}

/** A thread that began in this sandbox, or was passed the hand since, has lost nothing. */
async function isOlderThan(
  { log }: ExecuteWorld,
  { key, state }: Recipient,
  { readyAt }: Recipient['sandbox'],
): Promise<boolean> {
  const { passed } = state.hands ?? {};
  if (passed !== undefined) return passed.since < readyAt;
  if (key.thread === primaryThread(key.session)) return true;
  const first = recordIn(await log.entryAt(key, FIRST_POSITION));
  return first === null || first.at < readyAt;
}

interface Reached {
  readonly output: string;
  readonly isError: boolean;
  readonly served: string;
  /** For the model: which contents are not there, and what was not taken over. */
  readonly notes: readonly string[];
  readonly changes?: TakenChanges | undefined;
  readonly programsLive?: true | undefined;
  readonly failedClones?: readonly RepositoryFailure[] | undefined;
}

/** The sandbox's answer; null when it is gone. A broken connection is tried again: the sandbox joins the call it knows. */
async function reach(
  world: ExecuteWorld,
  recipient: Recipient,
  { sent, signal, wayOut, ...sending }: CallToSend & { readonly signal: AbortSignal; readonly wayOut: WayOutOfCall },
): Promise<Reached | null | typeof WAY_OUT_AWAITED> {
  const { sandbox } = recipient;
  let request = wayOut.first(naming(sending.request, contentsVersions(recipient)));
  let givings = 0;
  // A call that was sent before found its server then, so there is no start to wait for.
  const now = Date.parse(world.stamp.now());
  let arrivedAt = now;
  let deadline = now + request.timeoutMs + OVERTIME_MS;
  const until = Math.max(now + PATIENCE_MS, sent.again ? 0 : Date.parse(sandbox.readyAt) + START_GRACE_MS);
  for (let listened = false; ;) {
    const reply = await world.sandboxClient.execute(sandbox, request);
    if (reply.status === 'answered') {
      const { changed = 0, notes = [], ...response } = reply.response;
      const changes = changed > 0 ? await takeChanges(world, recipient) : undefined;
      return { ...response, notes: [...notes, ...(changes?.notes ?? [])], changes };
    }
    const next = await nextRequest(world, recipient, { reply, request, givings, wayOut });
    if (next === WAY_OUT_AWAITED) return next;
    if ('refusal' in next) return refused(next.refusal);
    request = next.request;
    listened ||= reply.status === 'interrupted';
    const nowMs = Date.parse(world.stamp.now());
    if (reply.status === 'awaits calls') {
      if (reply.missing.length === 0) arrivedAt = nowMs;
      if (nowMs > arrivedAt + ARRIVAL_MS) return NOT_IN_ORDER;
    }
    if (reply.status === 'awaits contents') givings += 1;
    if (reply.status.startsWith('awaits')) deadline = nowMs + request.timeoutMs + OVERTIME_MS;
    if (nowMs > deadline || (reply.status === 'unreachable' && (listened || nowMs > until))) return null;
    await world.pause(RECONNECT_MS);
    // A sandbox that awaited something had no such call yet: its cancellation found nothing to end.
    if (signal.aborted) return refused(NOT_MADE);
  }
}

const refused = (output: string): Reached => ({ output, isError: true, served: 'refused', notes: [] });

interface NotTaken extends Pick<CallToSend, 'request'> {
  readonly wayOut: WayOutOfCall;
  readonly reply: Exclude<SandboxReply, { status: 'answered' }>;
  /** How often contents were given. */
  readonly givings: number;
}

/** What a sandbox that did not take the call is asked next; words for the model when it will not take it. */
type NextRequest = Pick<NotTaken, 'request'> | { readonly refusal: string };

async function nextRequest(
  world: ExecuteWorld,
  recipient: Recipient,
  { reply, request, givings, wayOut }: NotTaken,
): Promise<NextRequest | typeof WAY_OUT_AWAITED> {
  switch (reply.status) {
    case 'refused': {
      const known = plain(request);
      return known === null ? { refusal: reply.reason } : { request: known };
    }
    case 'awaits calls': {
      const head = await world.log.head(recipient.key);
      const next = head && inOrder(request, head.state);
      return next === null ? { refusal: NOT_MADE } : { request: next };
    }
    case 'awaits contents':
      return withContents(world, recipient, { request, givings });
    case 'awaits way out': {
      const told = await wayOut.next(request, reply.unreachable);
      return told === WAY_OUT_AWAITED ? told : { request: told };
    }
    case 'unreachable':
    case 'interrupted':
      return { request };
    default:
      return reply satisfies never;
  }
}

/**
 * Gives the contents and names their versions. These are the versions of the newest heads: two calls that began at different
 * heads, of one thread or of two, must not give their sandbox two versions in turn.
 */
async function withContents(
  world: ExecuteWorld,
  recipient: Recipient,
  { request, givings }: Pick<NotTaken, 'request' | 'givings'>,
): Promise<NextRequest> {
  const isLast = givings === MOST_GIVINGS;
  const without = naming(request, { session: null, thread: null });
  const { state, session } = (await statesOf(world, recipient.key, recipient.hand)) ?? recipient;
  const latest = { ...recipient, state, session: session ?? recipient.session };
  // It asks for none, and the sandbox lacks what it was started for all the same.
  const asksForNone = request.contents === undefined && request.thread?.contents === undefined;
  const given = asksForNone ? TAKES_NOTHING : await giveContents(world, latest);
  switch (given.status) {
    case 'given': {
      const next = given.isWhole && !isLast ? naming(request, contentsVersions(latest)) : without;
      return { request: noting(next, given.notes) };
    }
    case 'interrupted':
      // A sandbox whose disk or server fails in the same way each time must not hold up the call for ever.
      return { request: isLast ? noting(without, [NOT_PUT]) : request };
    case 'given up':
      await world.sandboxes.lost(recipient.hand, recipient.sandbox.generation);
      return { refusal: given.text };
    default:
      return given satisfies never;
  }
}

function naming(
  { contents: _contents, thread, ...request }: ExecuteRequest,
  versions: ContentsVersions,
): ExecuteRequest {
  return {
    ...request,
    ...(versions.session !== null && { contents: versions.session }),
    ...(thread && { thread: { id: thread.id, ...(versions.thread !== null && { contents: versions.thread }) } }),
  };
}

/** The sandbox keeps the notes with the call, so an attempt after a death tells them too. */
function noting(request: ExecuteRequest, more: readonly string[]): ExecuteRequest {
  return more.length === 0 ? request : { ...request, notes: [...new Set([...(request.notes ?? []), ...more])] };
}

/** For a sandbox of another version, which knows fewer fields; null for a request that has none of them. */
function plain({ contents, thread, after, notes, wayOut, ...request }: ExecuteRequest): ExecuteRequest | null {
  return [contents, thread, after, notes, wayOut].every((field) => field === undefined) ? null : request;
}

const isOpen = (call: EventId) => (state: SessionState) => state.calls.some((open) => open.id === call);

/** Whether the model reads the result: an interrupt may have closed its call. */
async function appendResult(world: ExecuteWorld, key: LogKey, call: EventId, result: Result): Promise<boolean> {
  const head = await world.log.head(key);
  if (head === null) return false;
  const changed = await change(world, key, head, {
    do: 'result',
    call,
    content: [{ type: 'text', text: result.text }],
    isError: result.isError,
    programsLive: result.programsLive,
    failedClones: result.failedClones,
    leaves: result.leaves,
  });
  return changed.status === 'changed';
}
