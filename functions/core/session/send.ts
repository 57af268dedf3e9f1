/**
 * A client's messages enter a session: one append, and the start of a run when the session was idle.
 *
 * The start goes out beside the append, not after it, to save its round trip: a harness that arrives before the append
 * is visible waits for it, and one that never sees it finds nothing to do. Once the append stands the messages are
 * accepted, whatever becomes of the start: `sweep` starts what nobody runs.
 */
import type { UserMessage, UserMessageInput } from '#contract/events.ts';
import { errorClass } from '#core/errors.ts';
import type { Append, Appended, Head, LogKey, Runs, SessionLog, Stamp } from '#core/ports.ts';
import type { Refusal } from '#core/session/commands.ts';
import { prepare } from '#core/session/change.ts';
import { continueLost } from '#core/session/repair.ts';

export interface Sending {
  readonly log: SessionLog;
  readonly runs: Runs;
  readonly stamp: Stamp;
}

/** `queued`: the run that is under way takes the messages. `repaired`: its execution had ended already. `failed` is left to `sweep`. */
export type RunStart =
  | { readonly run: 'queued' | 'started' | 'repaired' }
  | { readonly run: 'failed'; readonly errorClass: string };

export type Sent =
  | {
      readonly status: 'accepted';
      readonly events: readonly UserMessage[];
      readonly head: Head;
      readonly start: RunStart;
    }
  | Refusal;

/** A harness waits longer than this for the append that begins its run, but not for ever. */
const SLOW_APPEND_MS = 1000;

export async function send(
  ports: Sending,
  to: { readonly key: LogKey; readonly head: Head; readonly cause: string },
  messages: readonly UserMessageInput[],
): Promise<Sent> {
  for (let head = to.head; ;) {
    const append = prepare(to.key, head, { do: 'send', messages }, ports.stamp);
    if (append === 'nothing') return { status: 'accepted', events: [], head, start: { run: 'queued' } };
    if ('message' in append) return append;
    const { appended, start } = await appendAndStart(ports, { ...append, cause: to.cause });
    if (appended.status === 'appended') {
      return { status: 'accepted', events: messagesOf(append), head: appended.head, start };
    }
    // The start that went out with a lost append does no harm: the winner runs that number, or nobody does.
    head = appended.head;
  }
}

async function appendAndStart(
  ports: Sending,
  append: Append,
): Promise<{ readonly appended: Appended; readonly start: RunStart }> {
  const { run } = append.state;
  const begins = run !== append.after.state.run;
  // Both are awaited, also when one fails: what still runs after the answer would be frozen with the function.
  const [appended, started] = await Promise.allSettled([
    ports.log.append(append),
    begins ? ports.runs.start(append.key, run) : undefined,
  ]);
  if (appended.status === 'rejected') throw appended.reason;
  if (!begins || appended.value.status === 'conflict') return { appended: appended.value, start: { run: 'queued' } };
  return { appended: appended.value, start: await settle(ports, append, started) };
}

/** A fault is a value from here on: the messages are in the log, and an error would make the client send them again. */
async function settle(
  ports: Sending,
  append: Append,
  first: PromiseSettledResult<'started' | 'taken' | undefined>,
): Promise<RunStart> {
  const { run } = append.state;
  try {
    if (first.status === 'rejected') throw first.reason;
    // The harness may have come, found nothing and gone before the append stood. Starting again tells.
    const slow = Date.parse(ports.stamp.now()) - Date.parse(append.at) > SLOW_APPEND_MS;
    const started = slow ? await ports.runs.start(append.key, run) : first.value;
    if (started !== 'taken') return { run: 'started' };
    return { run: (await continueLost(ports, append.key, run)) === 'restarted' ? 'repaired' : 'started' };
  } catch (error) {
    return { run: 'failed', errorClass: errorClass(error) };
  }
}

function messagesOf(append: Append): readonly UserMessage[] {
  return append.entries.flatMap((entry) =>
    'event' in entry && entry.event.type === 'user.message' ? [entry.event] : [],
  );
}
