/**
 * A hand is passed to another session of the workspace, and taken back. The records are in the logs of both primary threads,
 * in one append: neither session ever counts on what the other does not know. When one of the two has ended, the log
 * of the other alone tells that.
 */
import type { Entry, Holder, SessionState } from '#contract/entries.ts';
import { mainHand, primaryThread, ThreadId, type HandKey, type Instant, type SessionId } from '#contract/ids.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Append, Head, LogKey } from '#core/ports/session-log.ts';
import { decided } from '#core/session/commands.ts';

type PassPorts = Pick<Ports, 'log' | 'stamp'>;

/** Sessions that a session passes hands to at once: each is in its state. */
const MOST_RECEIVERS = 10;

interface Passing {
  readonly workspace: WorkspaceId;
  readonly hand: HandKey;
  readonly to: SessionId;
  readonly cause: string;
}

/** Answers since when the other session holds it; a repeat changes nothing. */
export async function passHand(world: PassPorts, passing: Passing): Promise<Instant | RequestRefusal> {
  const { hand, to, cause } = passing;
  for (;;) {
    const pair = await pairOf(world, passing);
    if (isRefusal(pair)) return pair;
    const { giver, receiver } = pair;
    if (receiver === null) return refuse('not_found_error', 'session_id: there is no such session');
    const held = lentTo(giver.state, passing);
    if (held !== undefined) return held.since;
    const broken = (await brokenPass(world, passing, giver.state)) ?? brokenReceiver(passing, receiver.state);
    if (broken !== null) return broken;
    const at = world.stamp.now();
    const lender = keyOf(hand.session);
    const entry: Entry = { record: { kind: 'hand.held', at, hand, holder: keyOf(to), lender } };
    const append = (key: LogKey, head: Head) => appendOf({ key, head, entry, at, cause });
    const stored = await world.log.append(append(lender, giver), append(keyOf(to), receiver));
    if (stored.status === 'appended') return at;
  }
}

/** Answers whether the other session held it. */
export async function takeBackHand(world: PassPorts, passing: Passing): Promise<boolean | RequestRefusal> {
  const { hand, to, cause } = passing;
  for (;;) {
    const pair = await pairOf(world, passing);
    if (isRefusal(pair)) return pair;
    const { giver, receiver } = pair;
    if (lentTo(giver.state, passing) === undefined) return false;
    const at = world.stamp.now();
    const entry = leaving(hand, keyOf(to), { reason: 'withdrawn', at });
    const append = (key: LogKey, head: Head) => appendOf({ key, head, entry, at, cause });
    // It may have ended, or have left the hand when a call found it gone.
    const holds = receiver !== null && receiver.state.status !== 'terminated' && isHolding(receiver.state, hand);
    const beside = holds ? [append(keyOf(to), receiver)] : [];
    const stored = await world.log.append(append(keyOf(hand.session), giver), ...beside);
    if (stored.status === 'appended') return true;
  }
}

/**
 * A session that has ended, in this state, passes nothing and holds nothing: the logs of the others tell it. A repeat changes
 * nothing. A call that comes before finds by itself that its hand is gone.
 */
export async function endPasses(
  world: PassPorts,
  session: SessionId,
  { hands, lent = [] }: SessionState,
): Promise<void> {
  for (const { hand, holder } of lent) {
    if (holder.session !== session) await tellEnd(world, holder.session, { hand, holder });
  }
  const passed = hands?.passed;
  if (passed !== undefined && passed.hand.session !== session) await tellEnd(world, passed.hand.session, passed);
}

/** In the log of the primary thread of `session`. */
async function tellEnd(
  { log, stamp }: PassPorts,
  session: SessionId,
  { hand, holder }: { readonly hand: HandKey; readonly holder: Holder },
): Promise<void> {
  for (;;) {
    const key = keyOf(session);
    const head = await log.head(key);
    if (head === null || head.state.status === 'terminated') return;
    const isHolder = holder.thread === key.thread;
    const knows = isHolder
      ? isHolding(head.state, hand)
      : lentTo(head.state, { hand, to: holder.session }) !== undefined;
    if (!knows) return;
    const at = stamp.now();
    const stored = await log.append(appendOf({ key, head, entry: leaving(hand, holder, { reason: 'gone', at }), at }));
    if (stored.status === 'appended') return;
  }
}

interface Pair {
  readonly giver: Head;
  /** Null when there is no such session. */
  readonly receiver: Head | null;
}

async function pairOf({ log }: PassPorts, { workspace, hand, to }: Passing): Promise<Pair | RequestRefusal> {
  const [giver, receiver] = await Promise.all([log.head(keyOf(hand.session)), log.head(keyOf(to))]);
  if (giver?.state.workspace !== workspace) return refuse('not_found_error', 'session_id: there is no such session');
  return { giver, receiver: receiver?.state.workspace === workspace ? receiver : null };
}

async function brokenPass(
  { log }: PassPorts,
  { hand, to }: Passing,
  giver: SessionState,
): Promise<RequestRefusal | null> {
  if (to === hand.session) return refuse('invalid_request_error', 'session_id: must be another session');
  if (giver.status === 'terminated') return refuse('invalid_request_error', 'session_id: the session is terminated');
  if (!(await isHandOfSession(log, hand))) return refuse('not_found_error', 'hand: there is no such hand');
  const receivers = (giver.lent ?? []).filter(({ holder }) => holder.session !== hand.session).length;
  return receivers < MOST_RECEIVERS
    ? null
    : refuse('invalid_request_error', `hand: a session passes hands to at most ${MOST_RECEIVERS} sessions at once`);
}

function brokenReceiver({ to }: Passing, { status, hands }: SessionState): RequestRefusal | null {
  if (status === 'terminated') return refuse('invalid_request_error', `session_id: the session ${to} is terminated`);
  return hands?.passed === undefined
    ? null
    : refuse('invalid_request_error', `session_id: the session ${to} holds a hand of another session already`);
}

/** The main one, or that of a thread whose agent brings an environment. */
async function isHandOfSession(log: Pick<Ports['log'], 'head'>, { session, hand }: HandKey): Promise<boolean> {
  if (hand === mainHand(session).hand) return true;
  const thread = ThreadId.safeParse(hand);
  const head = thread.success ? await log.head({ session, thread: thread.data }) : null;
  return head?.state.hands?.own !== undefined;
}

function lentTo({ lent = [] }: SessionState, { hand, to }: Pick<Passing, 'hand' | 'to'>) {
  return lent.find(({ holder, hand: one }) => holder.session === to && one.hand === hand.hand);
}

function isHolding({ hands }: SessionState, { session, hand }: HandKey): boolean {
  return hands?.passed?.hand.session === session && hands.passed.hand.hand === hand;
}

function keyOf(session: SessionId): LogKey {
  return { session, thread: primaryThread(session) };
}

function leaving(
  hand: HandKey,
  holder: Holder,
  { reason, at }: { readonly reason: 'withdrawn' | 'gone'; readonly at: Instant },
): Entry {
  return { record: { kind: 'hand.left', at, hand, holder, reason } };
}

interface Appending {
  readonly key: LogKey;
  readonly head: Head;
  readonly entry: Entry;
  readonly at: Instant;
  readonly cause?: string;
}

function appendOf({ key, head, entry, at, cause }: Appending): Append {
  const { state } = decided(head, [entry]).head;
  return { key, after: head, entries: [entry], state, at, ...(cause !== undefined && { cause }) };
}
