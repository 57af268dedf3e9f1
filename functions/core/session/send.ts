/**
 * A client's events enter a session, or a suspended call's wait ends: one append, and the start of the run that it begins.
 *
 * The start goes out beside the append, not after it, to save its round trip: a harness that arrives before the append
 * is visible waits for it, and one that never sees it finds nothing to do. With the append the events are accepted, also
 * when the start fails: `sweep` starts an active session that has no execution.
 */
import { eventIn, type Entry, type HeldFiles, type OpenCall } from '#contract/entries.ts';
import { refusedMcpCalls } from '#core/session/waiting.ts';
import type { EventInput, SessionEvent } from '#contract/events.ts';
import type { Instant } from '#contract/ids.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { Append, Head, LogKey, NewThread } from '#core/ports/session-log.ts';
import type { Command, CommandTo, OtherHeads, Refusal } from '#core/session/commands.ts';
import { appendDecided, loadsOthers, prepare, type Store } from '#core/session/change.ts';
import { continueLost, type RunPorts } from '#core/session/repair.ts';

/**
 * `none`: nothing has to run, or the run under way takes it. `repaired`: the run's execution had ended, and another was
 * started. `failed` is left to `sweep`.
 */
export type RunStart =
  | { readonly run: 'none' | 'started' | 'repaired' }
  | { readonly run: 'failed'; readonly errorClass: string };

/** `early`: the call is at its hand, which may be about to suspend it. */
export type Resumed = RunStart | { readonly run: 'early' };

type Sent =
  | {
      readonly status: 'accepted';
      readonly events: readonly SessionEvent[];
      readonly head: Head;
      readonly start: RunStart;
    }
  | Refusal;

/** A harness waits longer than this for the append that begins its run, but not for ever. */
const SLOW_APPEND_MS = 1000;

/** `files` are those that the events name. */
export async function send(ports: RunPorts, to: From, events: readonly EventInput[], files?: HeldFiles): Promise<Sent> {
  const done = await changeAndStart(ports, to, { do: 'send', events, ...(files !== undefined && { files }) });
  if (done.status === 'refused') return done;
  return { status: 'accepted', events: acceptedIn(done.entries, events), head: done.head, start: done.start };
}

interface Destination {
  readonly key: LogKey;
  readonly cause: string;
}

/** Called before an append that refuses calls of MCP tools, at each head anew: when it throws, nothing is appended. */
export type BeforeRefusal = (append: Append, refused: readonly OpenCall[]) => Promise<void>;

interface From extends Destination {
  readonly head: Head;
  readonly beforeRefusal?: BeforeRefusal;
}

/**
 * A suspended call waits no longer: its person has done what it waited for, so it goes on like a confirmed call, or has
 * declined, so it ends without having been made. A repeat, or a call that does not wait for that, changes nothing. It may
 * come too early: a call joins a link that its user is just using for another call, and is suspended a moment later. With
 * null for a call, a run that goes on without a server's tools lists them again.
 */
export async function endWait(
  ports: RunPorts,
  to: Destination,
  command: CommandTo<'resume' | 'decline'>,
): Promise<Resumed> {
  const head = await ports.log.head(to.key);
  if (head === null) return { run: 'none' };
  const done = await changeAndStart(ports, { ...to, head }, command);
  if (done.status === 'refused') return { run: 'none' };
  const { call, sincePosition = null } = command;
  // A call that was given to its hand since then has been suspended and resumed.
  const isAtHand = done.head.state.calls.some(
    (open) =>
      open.id === call && open.waitsFor === 'hand' && (sincePosition === null || open.sincePosition === sincePosition),
  );
  return done.entries.length === 0 && isAtHand ? { run: 'early' } : done.start;
}

type Done =
  | { readonly status: 'done'; readonly entries: readonly Entry[]; readonly head: Head; readonly start: RunStart }
  | Refusal;

/** Applies the command like `change`, and starts the run that begins with it. */
async function changeAndStart(
  ports: RunPorts,
  { key, head, cause, beforeRefusal }: From,
  command: Command,
): Promise<Done> {
  const decideAt = (at: Head, others: OtherHeads) => prepare(key, at, command, { ...ports, others });
  const store = async (append: Append, ...beside: readonly (Append | NewThread)[]) => {
    for (const one of [append, ...beside]) {
      const refused = one.after === null ? [] : refusedMcpCalls(one.after.state, one.entries);
      if (one.after !== null && refused.length > 0) await beforeRefusal?.(one, refused);
    }
    const begins = [append, ...beside].flatMap(beginningOf);
    // A start beside an append that loses its race does no harm: it names the winner's run, or finds nothing to do.
    const { stored, start } = await storeAndStart(ports, ports.log.append({ ...append, cause }, ...beside), begins);
    return { ...stored, start };
  };
  const changed = await appendDecided(head, decideAt, store, loadsOthers(ports.log, key, command));
  if (changed.status === 'refused') return changed;
  if (changed.status === 'unchanged')
    return { status: 'done', entries: [], head: changed.head, start: { run: 'none' } };
  return { status: 'done', entries: changed.entries, head: changed.head, start: changed.stored.start };
}

/** Appends, and starts the runs that begin in the logs beside the first. */
export function startsBeside(ports: RunPorts): Store {
  return async (append, ...beside) =>
    (await storeAndStart(ports, ports.log.append(append, ...beside), beside.flatMap(beginningOf))).stored;
}

/** The run that begins with an append, if one does. */
function beginningOf({ key, after, state, at }: Append | NewThread): readonly Beginning[] {
  return state.run === (after?.state.run ?? 0) ? [] : [{ key, run: state.run, at }];
}

/** A run that begins with the append. */
interface Beginning {
  readonly key: LogKey;
  readonly run: number;
  readonly at: Instant;
}

/** Starts the runs beside the write that makes them true; `start` is that of the first, or the first that failed. */
export async function storeAndStart<Stored extends { readonly status: string }>(
  ports: RunPorts,
  storing: Promise<Stored>,
  begins: readonly Beginning[],
): Promise<{ readonly stored: Stored; readonly start: RunStart }> {
  // All are awaited, also when one fails: work that goes on after the answer would be frozen with the function.
  const [[stored], started] = await Promise.all([
    Promise.allSettled([storing]),
    Promise.allSettled(begins.map(({ key, run }) => ports.runs.start(key, run))),
  ]);
  if (stored.status === 'rejected') throw stored.reason;
  if (stored.value.status === 'conflict') return { stored: stored.value, start: { run: 'none' } };
  const starts = await Promise.all(
    begins.flatMap((beginning, index) => {
      const first = started[index];
      return first === undefined ? [] : [confirmStart(ports, beginning, first)];
    }),
  );
  return { stored: stored.value, start: starts.find(({ run }) => run === 'failed') ?? starts[0] ?? { run: 'none' } };
}

/** A fault is a value from here on: the events are in the log, and an error would make the client send them again. */
async function confirmStart(
  ports: RunPorts,
  { key, run, at }: Beginning,
  first: PromiseSettledResult<'started' | 'taken'>,
): Promise<RunStart> {
  try {
    if (first.status === 'rejected') throw first.reason;
    // The harness may have found no append and ended; a second start tells whether its execution has ended.
    const slow = Date.parse(ports.stamp.now()) - Date.parse(at) > SLOW_APPEND_MS;
    const started = slow ? await ports.runs.start(key, run) : first.value;
    if (started !== 'taken') return { run: 'started' };
    return { run: (await continueLost(ports, key, run)) === 'restarted' ? 'repaired' : 'started' };
  } catch (error) {
    return { run: 'failed', errorClass: errorClass(error) };
  }
}

/** The client's events in their order, as they first appear: an interrupt also appends what it ends. */
function acceptedIn(entries: readonly Entry[], inputs: readonly EventInput[]): readonly SessionEvent[] {
  const accepted: SessionEvent[] = [];
  for (const entry of entries) {
    const event = eventIn(entry);
    if (event === null || event.type !== inputs[accepted.length]?.type) continue;
    // An event that takes effect at once appears twice, under one id.
    if (accepted.at(-1)?.id !== event.id) accepted.push(event);
  }
  return accepted;
}
