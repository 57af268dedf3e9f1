/** The four lines around every change of a session: read, decide, fold, append; again when somebody else was faster. */
import type { Entry } from '#contract/entries.ts';
import type { Append, Head, LogKey, SessionLog } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { Command, Refusal } from '#core/session/commands.ts';
import { decide } from '#core/session/decide.ts';
import { fold } from '#core/session/evolve.ts';

export type Changed =
  | { readonly status: 'changed'; readonly before: Head; readonly head: Head; readonly entries: readonly Entry[] }
  /** Nothing was left to do at this head. */
  | { readonly status: 'unchanged'; readonly head: Head }
  | Refusal;

export interface Changing {
  readonly log: SessionLog;
  readonly stamp: Stamp;
}

/** Decides on `head` and appends there, once: a conflict comes back as a value. */
export function prepare(key: LogKey, head: Head, command: Command, stamp: Stamp): Append | 'nothing' | Refusal {
  const decision = decide(head.state, command, stamp);
  if (decision.status === 'refused') return decision;
  if (decision.entries.length === 0) return 'nothing';
  const { state } = fold(head, decision.entries);
  return { key, after: head, entries: decision.entries, state, at: stamp.now() };
}

/** Applies the command at the head, wherever that is by then; the command is decided anew after each lost race. */
export async function change({ log, stamp }: Changing, key: LogKey, from: Head, command: Command): Promise<Changed> {
  for (let head = from; ;) {
    const append = prepare(key, head, command, stamp);
    if (append === 'nothing') return { status: 'unchanged', head };
    if ('message' in append) return append;
    const appended = await log.append(append);
    if (appended.status === 'appended') {
      return { status: 'changed', before: head, head: appended.head, entries: append.entries };
    }
    head = appended.head;
  }
}
