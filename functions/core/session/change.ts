/**
 * The four steps of every change of a session: decide, fold, append, and again when another process appended first. A
 * change of several threads is one append of all their logs.
 */
import { wholeTextOf } from '#contract/content.ts';
import { eventIn, type Entry } from '#contract/entries.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Append, Appended, Head, LogKey, NewThread, SessionLog } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import { NO_OTHERS, type Beside, type Command, type OtherHeads, type Refusal } from '#core/session/commands.ts';
import { decide, threadsOf } from '#core/session/decide.ts';
import { endsInReport, suspendedAt, toldBy, type Earlier } from '#core/session/tell.ts';

interface Prepares {
  readonly status: 'prepared';
  readonly append: Append;
  /** Of other threads. */
  readonly beside: readonly (Append | NewThread)[];
}

export type Prepared =
  | Prepares
  /** At this head nothing is left to do. */
  | { readonly status: 'nothing' }
  | Refusal;

export type Changed<Stored extends Appended = Appended> =
  | {
      readonly status: 'changed';
      readonly before: Head;
      readonly head: Head;
      readonly entries: readonly Entry[];
      readonly stored: Stored;
    }
  /** Nothing was left to do at this head. */
  | { readonly status: 'unchanged'; readonly head: Head }
  | Refusal;

/** The append that the command means at this head. */
export function prepare(
  key: LogKey,
  head: Head,
  command: Command,
  { stamp, others = NO_OTHERS }: { readonly stamp: Stamp; readonly others?: OtherHeads },
): Prepared {
  const decision = decide(head, command, stamp, others);
  if (decision.status === 'refused') return decision;
  const { entries, beside } = decision;
  if (entries.length === 0) return { status: 'nothing' };
  const at = stamp.now();
  return {
    status: 'prepared',
    append: { key, after: head, entries, state: decision.head.state, at },
    beside: beside.map((other) => appendOf(key, other, at)),
  };
}

function appendOf(
  { session }: LogKey,
  { thread, after, entries, head, details, own }: Beside,
  at: string,
): Append | NewThread {
  const append = { key: { session, thread }, entries, state: head.state, at };
  if (after !== null) return { ...append, after };
  if (details === undefined) throw new TypeError('a thread that begins has details');
  return { ...append, after, thread: details, ...(own && { own: own.environment }) };
}

interface ChangePorts extends Pick<Ports, 'log' | 'stamp'> {
  /** How its append is made; by the log alone when it is absent. */
  readonly store?: Store;
}

/** Applies the command at the head, wherever that is by then; the command is decided anew after each lost race. */
export function change(
  { log, stamp, store = (append, ...beside) => log.append(append, ...beside) }: ChangePorts,
  key: LogKey,
  from: Head,
  command: Command,
): Promise<Changed> {
  const decideAt = (head: Head, others: OtherHeads) => prepare(key, head, command, { stamp, others });
  return appendDecided(from, decideAt, store, loadsOthers(log, key, command));
}

/** The heads of other threads that a decision at this head needs, beside those that are known. */
type LoadOthers = (head: Head, known: OtherHeads) => Promise<OtherHeads>;

const NONE: LoadOthers = () => Promise.resolve(NO_OTHERS);

export function loadsOthers(log: Pick<SessionLog, 'head'>, { session }: LogKey, command: Command): LoadOthers {
  return async (head, known) => {
    const unknown = threadsOf(head.state, command).filter((thread) => !known.has(thread));
    const loaded = await Promise.all(
      unknown.map(async (thread) => [thread, await log.head({ session, thread })] as const),
    );
    return new Map([
      ...known,
      ...loaded.flatMap(([thread, found]) => (found === null ? [] : [[thread, found] as const])),
    ]);
  };
}

/** Decides at each head anew until the append wins its race; `store` appends. */
export async function appendDecided<Stored extends Appended>(
  from: Head,
  decideAt: (head: Head, others: OtherHeads) => Prepared,
  store: (append: Append, ...beside: Prepares['beside']) => Promise<Stored>,
  loadOthers: LoadOthers = NONE,
): Promise<Changed<Stored>> {
  let others = await loadOthers(from, NO_OTHERS);
  for (let head = from; ;) {
    const prepared = decideAt(head, others);
    if (prepared.status === 'refused') return prepared;
    if (prepared.status === 'nothing') return { status: 'unchanged', head };
    const { append, beside } = prepared;
    const stored = await store(append, ...beside);
    if (stored.status === 'appended') {
      return { status: 'changed', before: head, head: stored.head, entries: append.entries, stored };
    }
    head = stored.head;
    const present = beside.flatMap(({ key }, index) => {
      const found = stored.beside[index];
      return found == null ? [] : [[key.thread, found] as const];
    });
    others = await loadOthers(head, new Map(present));
  }
}

/** Appends, and starts what begins with it. */
export type Store = (append: Append, ...beside: Prepares['beside']) => Promise<Appended>;

/**
 * The log of a process that works for any thread: what a child's append changes for its session is told on the primary
 * thread's log in the same append, which `store` makes.
 */
export function tellsPrimary<Log extends SessionLog>(log: Log, stamp: Stamp, store: Store): Log {
  return {
    ...log,
    append: (append, ...beside) =>
      append.state.parent === undefined || beside.length > 0 ? log.append(append, ...beside) : tell(append),
  };

  async function tell(append: Append): Promise<Appended> {
    const told = toldBy(append.after.state, append, await earlier(append));
    const { parent } = append.state;
    if (told === null || parent === undefined) return log.append(append);
    const key: LogKey = { session: append.key.session, thread: parent };
    for (let primary = await log.head(key); primary !== null;) {
      const heard = prepare(key, primary, { do: 'hear', told }, { stamp });
      // A session that has ended hears nothing.
      if (heard.status !== 'prepared') return log.append(append);
      const stored = await store(append, heard.append);
      if (stored.status === 'appended' || stored.head.position !== append.after.position) return stored;
      // Only the primary thread's log has gone on.
      [primary = null] = stored.beside;
    }
    throw new Fault('session_gone', `the session ${key.session} was deleted`);
  }

  async function earlier(append: Append): Promise<Earlier> {
    const { key, after, entries } = append;
    const uses = suspendedAt(after.state, entries).map(async (position) => {
      const use = eventIn(await log.entryAt(key, position));
      return use?.type === 'agent.tool_use' || use?.type === 'agent.mcp_tool_use' ? [use] : [];
    });
    return { said: await lastMessage(append), uses: (await Promise.all(uses)).flat() };
  }

  /** The child's last message, where an earlier append holds it: a turn may end after the append of its answer. */
  async function lastMessage({ key, after, entries, state }: Append): Promise<string | null> {
    if (state.said === undefined || state.said > after.position || !endsInReport(entries)) return null;
    const said = eventIn(await log.entryAt(key, state.said));
    return said?.type === 'agent.message' ? wholeTextOf(said.content) : null;
  }
}
