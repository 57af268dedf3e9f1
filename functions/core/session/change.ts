/** The four steps of every change of a session: decide, fold, append, and again when another process appended first. */
import type { Entry } from '#contract/entries.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Append, Appended, Head, LogKey } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { Command, Refusal } from '#core/session/commands.ts';
import { decide } from '#core/session/decide.ts';

export type Prepared =
  | { readonly status: 'prepared'; readonly append: Append }
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
export function prepare(key: LogKey, head: Head, command: Command, stamp: Stamp): Prepared {
  const decision = decide(head, command, stamp);
  if (decision.status === 'refused') return decision;
  const { entries } = decision;
  if (entries.length === 0) return { status: 'nothing' };
  return { status: 'prepared', append: { key, after: head, entries, state: decision.head.state, at: stamp.now() } };
}

/** Applies the command at the head, wherever that is by then; the command is decided anew after each lost race. */
export function change(
  { log, stamp }: Pick<Ports, 'log' | 'stamp'>,
  key: LogKey,
  from: Head,
  command: Command,
): Promise<Changed> {
  const decideAt = (head: Head) => prepare(key, head, command, stamp);
  return appendDecided(from, decideAt, (append) => log.append(append));
}

/** Decides at each head anew until the append wins its race; `store` appends. */
export async function appendDecided<Stored extends Appended>(
  from: Head,
  decideAt: (head: Head) => Prepared,
  store: (append: Append) => Promise<Stored>,
): Promise<Changed<Stored>> {
  for (let head = from; ;) {
    const prepared = decideAt(head);
    if (prepared.status === 'refused') return prepared;
    if (prepared.status === 'nothing') return { status: 'unchanged', head };
    const stored = await store(prepared.append);
    if (stored.status === 'appended') {
      return { status: 'changed', before: head, head: stored.head, entries: prepared.append.entries, stored };
    }
    head = stored.head;
  }
}
